import ndarray, { type NdArray } from 'ndarray';
import type { TensorData } from './dtype.js';

/** A row-major `ndarray` over `data`. */
export function toNdarrayOf(data: TensorData, shape: readonly number[]): NdArray<TensorData> {
  return ndarray(data as Float64Array, [...shape]) as unknown as NdArray<TensorData>;
}

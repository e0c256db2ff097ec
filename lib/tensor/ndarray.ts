import ndarray, { type NdArray } from 'ndarray';
import { native } from '../native.js';
import { invalidArgument } from '../validate.js';
import { dtypeOf, isTensorData, type TensorData } from './dtype.js';
import { Tensor } from './tensor.js';

/** A row-major `ndarray` over `data`. */
export function toNdarrayOf(data: TensorData, shape: readonly number[]): NdArray<TensorData> {
  return ndarray(data as Float64Array, [...shape]) as unknown as NdArray<TensorData>;
}

/**
 * A tensor with the elements of an `ndarray`, which are copied. Type, shape and strides are kept; an array with negative
 * strides, which LibTorch has not, becomes row-major.
 *
 * @param array over a typed array
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for an array over anything else
 */
export function fromNdarray(array: NdArray<TensorData>): Tensor {
  const data = array.data as unknown;
  if (!isTensorData(data)) throw invalidArgument('array', 'an ndarray over a typed array', data);
  const dtype = dtypeOf(data);
  if (array.stride.some((stride) => stride < 0)) return fromNdarray(rowMajor(array));
  const reach = array.shape.reduce((sum, size, i) => sum + (size - 1) * (array.stride[i] as number), 0);
  const length = array.size === 0 ? 0 : reach + 1;
  const part = data.subarray(array.offset, array.offset + length);
  const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  return new Tensor(native().fromBytes(bytes, dtype, array.shape, array.stride));
}

function rowMajor(array: NdArray<TensorData>): NdArray<TensorData> {
  const Type = array.data.constructor as new (length: number) => Float64Array;
  const copy = new Type(array.size);
  const index = array.shape.map(() => 0);
  for (let k = 0; k < copy.length; k++) {
    copy[k] = array.get(...index) as unknown as number;
    for (let axis = index.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (array.shape[axis] as number)) break;
      index[axis] = 0;
    }
  }
  return toNdarrayOf(copy, array.shape);
}

import type { NdArray } from 'ndarray';
import { CxrGazeError } from '../errors.js';
import { native } from '../native.js';
import { invalidArgument } from '../validate.js';
import { dtypeOf, isTensorData, type TensorData } from './dtype.js';
import { toNdarrayOf } from './row-major.js';
import { Tensor } from './tensor.js';

/**
 * A tensor with the elements of an `ndarray`, which are copied. Type, shape and strides are kept; an array with negative
 * strides, which LibTorch has not, becomes row-major.
 *
 * @param array over a typed array
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for an array over anything else, `ERR_INVALID_SHAPE` for one that reaches
 *   beyond its data
 */
export function fromNdarray(array: NdArray<TensorData>): Tensor {
  const data = (array as NdArray<TensorData> | null)?.data as unknown;
  if (!isTensorData(data)) throw invalidArgument('array', 'an ndarray over a typed array', data);
  const dtype = dtypeOf(data);
  checkReach(array, data.length);
  if (array.stride.some((stride) => stride < 0)) return fromNdarray(rowMajor(array));
  const reach = array.shape.reduce((sum, size, i) => sum + (size - 1) * (array.stride[i] as number), 0);
  const length = array.size === 0 ? 0 : reach + 1;
  const part = data.subarray(array.offset, array.offset + length);
  const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  return new Tensor(native().fromBytes(bytes, dtype, array.shape, array.stride));
}

function checkReach({ shape, stride, offset }: NdArray<TensorData>, length: number): void {
  if (shape.includes(0)) return;
  let [low, high] = [offset, offset];
  for (const [axis, size] of shape.entries()) {
    const reach = (size - 1) * (stride[axis] as number);
    if (reach < 0) low += reach;
    else high += reach;
  }
  if (low >= 0 && high < length) return;
  throw new CxrGazeError(
    'ERR_INVALID_SHAPE',
    `Expected data for elements ${low} to ${high} of shape [${shape}], stride [${stride}] but received ${length} elements`,
  );
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

import type { DType } from '../tensor/dtype.js';

/**
 * Element types that a checkpoint file may hold: those of tensors. Others are refused by name when the file is opened.
 */
export type StoredDType = DType;

/** Bytes of one element of each {@link StoredDType}. */
export const STORED_BYTES: Readonly<Record<StoredDType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/**
 * Where one tensor lies in a file. Every record handed out has been checked: all its elements, as shape and strides
 * place them, lie inside `[byteOffset, byteOffset + storageBytes)`, and that range inside the file (as it was when
 * it was opened).
 */
export interface TensorRecord {
  /** Key in the state dict, such as `layer4.1.conv2.weight`; empty for a tensor inside {@link TensorFile.root}. */
  readonly name: string;
  /** Type of the stored elements, little-endian. */
  readonly dtype: StoredDType;
  /** Sizes, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** Distance between neighbours along each dimension, in elements. */
  readonly strides: readonly number[];
  /** Path of the file that holds the bytes. */
  readonly file: string;
  /** Position of the tensor's first element in the file, in bytes. */
  readonly byteOffset: number;
  /** Bytes from `byteOffset` to the end of the storage that the tensor views. */
  readonly storageBytes: number;
}

/** Strides of a row-major tensor, in elements, as PyTorch gives them (a dimension of size 0 counts as 1). */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= Math.max(shape[i] as number, 1);
  }
  return strides;
}

/** Number of elements of a shape, or `undefined` if it is beyond 2^53 (a hostile header, never a tensor). */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/**
 * Number of storage elements from a tensor's first element to its last, both included: 0 for an empty tensor,
 * `undefined` if it is beyond 2^53.
 */
export function spannedElements(shape: readonly number[], strides: readonly number[]): number | undefined {
  if (shape.includes(0)) return 0;
  let last = 0;
  for (const [i, size] of shape.entries()) {
    last += (size - 1) * (strides[i] as number);
    if (!Number.isSafeInteger(last)) return undefined;
  }
  return last + 1;
}

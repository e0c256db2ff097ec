import { CxrGazeError } from '../errors.js';

/** Element types of tensors. */
export type DType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** Typed arrays that tensors are made from and read into. */
export type TensorData =
  | Float64Array
  | Float32Array
  | BigInt64Array<ArrayBuffer>
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray;

/** All element types. */
export const dtypes: readonly DType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
];

/** The element type that a typed array holds. */
export function dtypeOf(data: TensorData): DType {
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Int16Array) return 'int16';
  if (data instanceof Int8Array) return 'int8';
  return 'uint8';
}

/** Whether a value is one of the typed arrays of {@link TensorData}. */
export function isTensorData(value: unknown): value is TensorData {
  return ArrayBuffer.isView(value) && known.some((type) => value instanceof type);
}

const known = [
  Float64Array,
  Float32Array,
  BigInt64Array,
  Int32Array,
  Int16Array,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
] as const;

/** A typed array over the bytes of a tensor; `bool` gives bytes of 0 and 1. */
export function viewOf(bytes: ArrayBuffer, dtype: string): TensorData {
  switch (dtype) {
    case 'float64':
      return new Float64Array(bytes);
    case 'float32':
      return new Float32Array(bytes);
    case 'int64':
      return new BigInt64Array(bytes);
    case 'int32':
      return new Int32Array(bytes);
    case 'int16':
      return new Int16Array(bytes);
    case 'int8':
      return new Int8Array(bytes);
    case 'uint8':
    case 'bool':
      return new Uint8Array(bytes);
    default:
      throw new CxrGazeError(
        'ERR_INVALID_DTYPE',
        `JavaScript has no typed array for ${dtype}: convert with to() first`,
      );
  }
}

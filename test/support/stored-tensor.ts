import { readFileSync } from 'node:fs';
import { elementCount, STORED_BYTES, type TensorRecord } from '../../lib/checkpoints/tensor-record.js';
import { fixture } from './paths.js';

/** A tensor as the fixtures' expected.json describes it: floats as numbers, integers as text. */
export interface ExpectedTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly values: readonly (number | boolean | string)[];
}

/** What expected.json says of one file. */
export interface ExpectedFile {
  readonly format: string;
  readonly tensors: Readonly<Record<string, ExpectedTensor>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly optimizer?: readonly string[];
  readonly step?: Readonly<Record<string, ExpectedTensor>>;
}

/** What expected.json says of one array file. */
export interface ExpectedArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | string)[];
}

/** The whole of expected.json, by file name. */
export function expectedFiles(): Readonly<Record<string, ExpectedFile | ExpectedArray>> {
  return JSON.parse(readFileSync(fixture('checkpoints', 'expected.json'), 'utf8')).files;
}

/** A record's content read from its file by plain means: element by element through shape and strides. */
export function readStored(record: TensorRecord): ExpectedTensor {
  const bytes = readFileSync(record.file).subarray(
    record.byteOffset,
    record.byteOffset + record.storageBytes,
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = Array.from({ length: elementCount(record.shape) as number }, (_, index) => {
    let rest = index;
    let element = 0;
    for (let axis = record.shape.length - 1; axis >= 0; axis--) {
      const size = record.shape[axis] as number;
      element += (rest % size) * (record.strides[axis] as number);
      rest = Math.floor(rest / size);
    }
    return elementAt(view, record.dtype, element * STORED_BYTES[record.dtype]);
  });
  return { dtype: record.dtype, shape: [...record.shape], strides: [...record.strides], values };
}

function elementAt(view: DataView, dtype: TensorRecord['dtype'], at: number): number | boolean | string {
  switch (dtype) {
    case 'float64':
      return view.getFloat64(at, true);
    case 'float32':
      return view.getFloat32(at, true);
    case 'float16':
      return half(view.getUint16(at, true));
    case 'bfloat16':
      return brain(view.getUint16(at, true));
    case 'int64':
      return String(view.getBigInt64(at, true));
    case 'int32':
      return String(view.getInt32(at, true));
    case 'int16':
      return String(view.getInt16(at, true));
    case 'int8':
      return String(view.getInt8(at));
    case 'uint8':
      return String(view.getUint8(at));
    case 'bool':
      return view.getUint8(at) !== 0;
  }
}

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  const size = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/** The upper half of a float32. */
function brain(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}

import type { CxrGazeError } from '../errors.js';
import { checkpointError } from './fault.js';
import { scanJson } from './json-keys.js';
import { RandomFile } from './random-file.js';
import {
  contiguousStrides,
  elementCount,
  STORED_BYTES,
  type StoredDType,
  type TensorRecord,
} from './tensor-record.js';

/** Longest header that is read, as in the reference implementation. */
export const MAX_SAFETENSORS_HEADER = 100_000_000;

const LENGTH_BYTES = 8;
/** Header object, tensor object, list of numbers. */
const MAX_DEPTH = 3;
const FIELDS = ['dtype', 'shape', 'data_offsets'];

/** Names that the format gives to element types, and ours. */
export const SAFETENSORS_DTYPES: ReadonlyMap<string, StoredDType> = new Map([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
]);

/** What the header of a `.safetensors` file says. */
export interface SafetensorsHeader {
  /** Records by name, in the header's order. */
  readonly tensors: ReadonlyMap<string, TensorRecord>;
  /** The `__metadata__` of the file, empty if it has none. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor's record with the end of its bytes, before holes and overlaps are looked for. */
interface Placed {
  readonly record: TensorRecord;
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads and checks the header of a `.safetensors` file: 8 bytes of length, a JSON object, then the tensors' bytes,
 * without gap or overlap, to the end of the file. Broken rules give `ERR_CHECKPOINT`, each its own message.
 */
export async function readSafetensors(path: string): Promise<SafetensorsHeader> {
  const file = await RandomFile.open(path);
  try {
    return await readSafetensorsHeader(file);
  } finally {
    await file.close();
  }
}

/** As {@link readSafetensors}, for a file that is open already and stays so. */
export async function readSafetensorsHeader(file: RandomFile): Promise<SafetensorsHeader> {
  const fail = (problem: string, details = {}): CxrGazeError => checkpointError(file.path, problem, details);
  if (file.size < LENGTH_BYTES) {
    throw fail(`a safetensors file has at least ${LENGTH_BYTES} bytes, this one has ${file.size}`);
  }
  const declared = (await file.read(0, LENGTH_BYTES)).readBigUInt64LE();
  if (declared > BigInt(MAX_SAFETENSORS_HEADER)) {
    throw fail(`the header claims ${declared} bytes; at most ${MAX_SAFETENSORS_HEADER} are read`);
  }
  const length = Number(declared);
  if (length > file.size - LENGTH_BYTES) {
    throw fail(`the header claims ${length} bytes, but only ${file.size - LENGTH_BYTES} follow`);
  }
  const dataStart = LENGTH_BYTES + length;
  const header = parseHeader(file.path, await file.read(LENGTH_BYTES, length));
  const metadata = readMetadata(file.path, header.__metadata__);
  const placed = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, info]) => readTensor(file.path, name, info, dataStart));
  checkCoverage(file.path, placed, file.size - dataStart);
  return { tensors: new Map(placed.map(({ record }) => [record.name, record])), metadata };
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== 0x7b) {
    const found =
      bytes.length === 0
        ? 'it is empty'
        : `it starts with byte 0x${(bytes[0] as number).toString(16).padStart(2, '0')}`;
    throw checkpointError(path, `the header must start with '{', but ${found}`, { position: LENGTH_BYTES });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw checkpointError(path, 'the header is not UTF-8', {}, cause);
  }
  const fault = scanJson(text, MAX_DEPTH);
  if (fault?.kind === 'duplicate-key') {
    throw checkpointError(path, `the header has the key ${JSON.stringify(fault.key)} twice in one object`, {
      key: fault.key,
    });
  }
  if (fault?.kind === 'too-deep') {
    throw checkpointError(
      path,
      `the header is nested deeper than ${MAX_DEPTH} levels at character ${fault.index}`,
    );
  }
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw checkpointError(
      path,
      `the header is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      {},
      cause,
    );
  }
}

function readMetadata(path: string, metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isObject(metadata)) throw checkpointError(path, 'the header entry __metadata__ must be an object');
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value === 'string') continue;
    const problem = `the metadata value of ${JSON.stringify(key)} must be a string, but is ${JSON.stringify(value)}`;
    throw checkpointError(path, problem, { key });
  }
  return Object.fromEntries(Object.entries(metadata as Record<string, string>));
}

function readTensor(path: string, name: string, info: unknown, dataStart: number): Placed {
  const fail = (problem: string): CxrGazeError =>
    checkpointError(path, `tensor ${JSON.stringify(name)}: ${problem}`, { tensor: name });
  if (!isObject(info)) throw fail('its header entry must be an object');
  const missing = FIELDS.find((field) => !Object.hasOwn(info, field));
  if (missing) throw fail(`its header entry has no ${missing}`);
  const unknown = Object.keys(info).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw fail(`its header entry has an unknown field ${JSON.stringify(unknown)}`);

  const dtype = SAFETENSORS_DTYPES.get(String(info.dtype));
  if (!dtype)
    throw fail(
      `dtype ${JSON.stringify(info.dtype)} is not one of ${[...SAFETENSORS_DTYPES.keys()].join(', ')}`,
    );
  const shape = counts(info.shape);
  if (!shape)
    throw fail(`its shape must be a list of integers of at least 0, but is ${JSON.stringify(info.shape)}`);
  const offsets = counts(info.data_offsets);
  const [begin, end] = offsets ?? [];
  if (begin === undefined || end === undefined || offsets?.length !== 2 || end < begin) {
    throw fail(
      `its data_offsets must be two ascending integers of at least 0, but are ${JSON.stringify(info.data_offsets)}`,
    );
  }
  const count = elementCount(shape);
  const bytes = count === undefined ? undefined : count * STORED_BYTES[dtype];
  if (bytes === undefined || !Number.isSafeInteger(bytes))
    throw fail(`its shape [${shape.join(', ')}] has more elements than any file`);
  if (bytes !== end - begin) {
    throw fail(
      `shape [${shape.join(', ')}] of ${dtype} takes ${bytes} bytes, but its data_offsets span ${end - begin}`,
    );
  }
  const record = {
    name,
    dtype,
    shape,
    strides: contiguousStrides(shape),
    file: path,
    byteOffset: dataStart + begin,
    storageBytes: bytes,
  };
  return { record, begin, end };
}

/** Each byte after the header belongs to exactly one tensor. */
function checkCoverage(path: string, placed: readonly Placed[], dataBytes: number): void {
  let end = 0;
  for (const next of [...placed].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    const name = JSON.stringify(next.record.name);
    const details = { tensor: next.record.name };
    if (next.begin < end)
      throw checkpointError(
        path,
        `tensor ${name} begins at ${next.begin}, inside the one before it, which ends at ${end}`,
        details,
      );
    if (next.begin > end)
      throw checkpointError(
        path,
        `there is a hole before tensor ${name}: bytes ${end} to ${next.begin} belong to none`,
        details,
      );
    if (next.end > dataBytes)
      throw checkpointError(
        path,
        `tensor ${name} ends at ${next.end}, but the file has ${dataBytes} bytes of data`,
        details,
      );
    end = next.end;
  }
  if (end !== dataBytes)
    throw checkpointError(path, `the tensors end at ${end}, but the file has ${dataBytes} bytes of data`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function counts(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.every((item) => Number.isSafeInteger(item) && item >= 0) ? (value as number[]) : undefined;
}

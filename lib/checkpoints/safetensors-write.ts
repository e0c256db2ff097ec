import { createHash } from 'node:crypto';
import { invalidArgument, list, oneOf, text } from '../validate.js';
import { writeStreamAtomic } from './atomic.js';
import { MAX_SAFETENSORS_HEADER, SAFETENSORS_DTYPES } from './safetensors-read.js';
import { elementCount, STORED_BYTES, type StoredDType } from './tensor-record.js';

/** One tensor to be written. */
export interface SafetensorsEntry {
  /** Key in the state dict; not `__metadata__`. */
  readonly name: string;
  /** Type of the elements. */
  readonly dtype: StoredDType;
  /** Sizes, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /**
   * Gives the elements, little-endian and row-major. Called once, when the tensor's turn comes, so that only one is in
   * memory at a time.
   */
  readonly bytes: () => Promise<Uint8Array>;
}

/** What was written. */
export interface WrittenFile {
  /** SHA-256 of the file, in hexadecimal. */
  readonly sha256: string;
  /** Its size. */
  readonly bytes: number;
}

const FORMAT_NAMES = new Map([...SAFETENSORS_DTYPES].map(([format, dtype]) => [dtype, format]));
const DTYPES = [...FORMAT_NAMES.keys()];
const HEADER_ALIGNMENT = 8;

/**
 * Writes a `.safetensors` file, one tensor at a time, so that at any moment the path holds the old file or the whole
 * new one. The header lists the tensors in the order given; their bytes lie in order of falling element size, which
 * keeps each aligned, as the reference implementation does.
 *
 * @param path the file; replaced if it is there
 * @param entries the tensors
 * @param metadata text by text key, for the header's `__metadata__`
 * @throws `ERR_INVALID_ARGUMENT` for a name, shape or metadata that the format cannot hold, or for bytes of the wrong
 *   length; `ERR_FILE` if it cannot be written. The old file stays then.
 */
export async function writeSafetensors(
  path: string,
  entries: readonly SafetensorsEntry[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<WrittenFile> {
  text('path', path);
  const sizes = checkEntries(entries);
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw invalidArgument(`metadata[${JSON.stringify(key)}]`, 'a string', value);
  }
  const layout = entries
    .map((entry, index) => ({ entry, index, size: sizes[index] as number }))
    .sort((a, b) => STORED_BYTES[b.entry.dtype] - STORED_BYTES[a.entry.dtype] || a.index - b.index);
  const offsets = new Map<number, [number, number]>();
  let end = 0;
  for (const { index, size } of layout) {
    offsets.set(index, [end, end + size]);
    end += size;
  }
  const header = makeHeader(entries, offsets, metadata);

  const hash = createHash('sha256');
  let bytes = 0;
  return writeStreamAtomic(path, async (write) => {
    const put = async (part: Uint8Array): Promise<void> => {
      hash.update(part);
      bytes += part.length;
      await write(part);
    };
    await put(header);
    for (const { entry, size } of layout) {
      const content = await entry.bytes();
      if (!(content instanceof Uint8Array) || content.length !== size) {
        const found = content instanceof Uint8Array ? content.length : content;
        throw invalidArgument(`the bytes of ${entry.name}`, `${size} bytes`, found);
      }
      await put(content);
    }
    return { sha256: hash.digest('hex'), bytes };
  });
}

/** Sizes in bytes of all tensors, after what JSON or a reader would choke on is refused. */
function checkEntries(entries: readonly SafetensorsEntry[]): number[] {
  const names = new Set<string>();
  return list('entries', entries, (argument, value) => {
    if (typeof value !== 'object' || value === null) throw invalidArgument(argument, 'an object', value);
    const { name, dtype, shape, bytes } = value as SafetensorsEntry;
    if (typeof name !== 'string') throw invalidArgument(`${argument}.name`, 'a string', name);
    if (name === '__metadata__')
      throw invalidArgument(`${argument}.name`, "a name other than '__metadata__'", name);
    if (names.has(name)) throw invalidArgument(`${argument}.name`, 'a name not used before', name);
    names.add(name);
    if (typeof bytes !== 'function') throw invalidArgument(`${argument}.bytes`, 'a function', bytes);
    oneOf(`${argument}.dtype`, dtype, DTYPES);
    const valid = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
    const count = valid ? elementCount(shape) : undefined;
    if (count === undefined)
      throw invalidArgument(`${argument}.shape`, 'a list of integers of at least 0', shape);
    return count * STORED_BYTES[dtype];
  });
}

function makeHeader(
  entries: readonly SafetensorsEntry[],
  offsets: ReadonlyMap<number, [number, number]>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  // By hand rather than from one object: an object would move names that look like numbers to its front.
  const fields = entries.map(({ name, dtype, shape }, index) => {
    const info = { dtype: FORMAT_NAMES.get(dtype), shape, data_offsets: offsets.get(index) };
    return `${JSON.stringify(name)}:${JSON.stringify(info)}`;
  });
  if (Object.keys(metadata).length > 0) fields.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = Buffer.from(`{${fields.join(',')}}`);
  const length = Math.ceil(json.length / HEADER_ALIGNMENT) * HEADER_ALIGNMENT;
  if (length > MAX_SAFETENSORS_HEADER) {
    throw invalidArgument('entries', `names and shapes of at most ${MAX_SAFETENSORS_HEADER} bytes`, length);
  }
  const header = Buffer.alloc(8 + length, ' ');
  header.writeBigUInt64LE(BigInt(length));
  json.copy(header, 8);
  return header;
}

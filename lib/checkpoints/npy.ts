import type { CxrGazeError } from '../errors.js';
import { integer, invalidArgument, list, text } from '../validate.js';
import { writeFileAtomic } from './atomic.js';
import { checkpointError } from './fault.js';
import { RandomFile } from './random-file.js';
import { elementCount } from './tensor-record.js';

/** The element types of `.npy` files that are read, and the arrays they are read into. */
export interface NpyTypes {
  /** `<f4` */
  float32: Float32Array<ArrayBuffer>;
  /** `<f8` */
  float64: Float64Array<ArrayBuffer>;
  /** `|u1` */
  uint8: Uint8Array<ArrayBuffer>;
  /** `<i8` */
  int64: BigInt64Array<ArrayBuffer>;
}

/** An array of one type. */
export interface NpyArrayOf<T extends keyof NpyTypes> {
  /** Type of the elements. */
  readonly dtype: T;
  /** Sizes, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: NpyTypes[T];
}

/** The content of a `.npy` file; `dtype` tells the type of `data`. */
export type NpyArray = { [T in keyof NpyTypes]: NpyArrayOf<T> }[keyof NpyTypes];

interface Layout {
  readonly dtype: keyof NpyTypes;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  readonly dataStart: number;
  readonly bytes: number;
}

const MAGIC = '\x93NUMPY';
/** Longest header that is read: a table of contents of one array, a hundred bytes in practice. */
const MAX_HEADER = 65_535;

const DTYPES: Readonly<Record<string, { dtype: keyof NpyTypes; size: number }>> = {
  '<f4': { dtype: 'float32', size: 4 },
  '<f8': { dtype: 'float64', size: 8 },
  '|u1': { dtype: 'uint8', size: 1 },
  '<i8': { dtype: 'int64', size: 8 },
};

/**
 * Reads a NumPy `.npy` file of format 1.0, 2.0 or 3.0 with little-endian float32, float64, uint8 or int64 elements.
 * Column-major ("Fortran") arrays are given row-major. Pickled objects are refused: nothing in the file is executed.
 *
 * @param path the file
 * @throws `ERR_FILE` if it cannot be read; `ERR_CHECKPOINT` if it is torn, malformed or of another type
 */
export async function readNpy(path: string): Promise<NpyArray> {
  text('path', path);
  const file = await RandomFile.open(path);
  try {
    const layout = await readLayout(file);
    const buffer = new ArrayBuffer(layout.bytes);
    await file.readInto(new Uint8Array(buffer), layout.dataStart);
    return typed(layout, buffer);
  } finally {
    await file.close();
  }
}

async function readLayout(file: RandomFile): Promise<Layout> {
  const fail = (problem: string): CxrGazeError => checkpointError(file.path, problem);
  const start = await file.read(0, Math.min(12, file.size));
  if (start.toString('latin1', 0, 6) !== MAGIC || start.length < 12)
    throw fail('not a .npy file: its first bytes are not those of NumPy');
  const major = start[6] as number;
  if (major < 1 || major > 3 || start[7] !== 0)
    throw fail(`format ${major}.${start[7]} of .npy is not known (1.0 to 3.0 are)`);
  const headerStart = major === 1 ? 10 : 12;
  const length = major === 1 ? start.readUInt16LE(8) : start.readUInt32LE(8);
  if (length > MAX_HEADER) throw fail(`the header claims ${length} bytes; at most ${MAX_HEADER} are read`);
  if (headerStart + length > file.size)
    throw fail(`the header claims ${length} bytes, but only ${file.size - headerStart} follow`);
  const header = (await file.read(headerStart, length)).toString(major === 3 ? 'utf8' : 'latin1');

  const { descr, fortran, shape } = parseHeader(header, fail);
  const type = Object.hasOwn(DTYPES, descr) ? DTYPES[descr] : undefined;
  if (!type) throw fail(unknownType(descr));
  const count = elementCount(shape);
  if (count === undefined) throw fail(`the shape (${shape.join(', ')}) has more elements than any file`);
  const dataStart = headerStart + length;
  const bytes = count * type.size;
  if (bytes !== file.size - dataStart) {
    throw fail(
      `shape (${shape.join(', ')}) of ${type.dtype} takes ${bytes} bytes, but ${file.size - dataStart} follow the header`,
    );
  }
  return { dtype: type.dtype, fortran, shape, dataStart, bytes };
}

/** The header is the text of a Python dict with exactly these three keys. */
function parseHeader(
  header: string,
  fail: (problem: string) => CxrGazeError,
): { descr: string; fortran: boolean; shape: number[] } {
  if (/'descr'\s*:\s*\[/.test(header)) throw fail('the array has named fields, which are not read');
  const fields = new Map<string, string>();
  const body = /^\{(.*)\}\s*$/s.exec(header)?.[1];
  let rest = body?.trim() ?? '';
  while (rest !== '') {
    const field = /^'(descr|fortran_order|shape)'\s*:\s*('[^']*'|True|False|\([\d\s,]*\))\s*(?:,\s*|$)/.exec(
      rest,
    );
    if (!field || fields.has(field[1] as string)) break;
    fields.set(field[1] as string, field[2] as string);
    rest = rest.slice(field[0].length);
  }
  const descr = /^'(.*)'$/.exec(fields.get('descr') ?? '')?.[1];
  const order = /^(True|False)$/.exec(fields.get('fortran_order') ?? '')?.[1];
  const sizes = /^\((\s*|\s*\d+\s*,\s*|\s*\d+(?:\s*,\s*\d+)+\s*,?\s*)\)$/.exec(
    fields.get('shape') ?? '',
  )?.[1];
  if (rest !== '' || descr === undefined || order === undefined || sizes === undefined) {
    throw fail(
      `the header must be a dict of descr, fortran_order and shape, but is ${JSON.stringify(header.slice(0, 200).trimEnd())}`,
    );
  }
  const shape = (sizes.match(/\d+/g) ?? []).map(Number);
  return { descr, fortran: order === 'True', shape };
}

function unknownType(descr: string): string {
  const shown = JSON.stringify(descr.slice(0, 60));
  if (descr.startsWith('>')) return `the elements (${shown}) are big-endian, which is not supported`;
  if (descr.includes('O')) return `the elements (${shown}) are pickled Python objects, which are never read`;
  return `the element type ${shown} is not one of ${Object.keys(DTYPES).join(', ')}`;
}

function typed({ dtype, fortran, shape }: Layout, buffer: ArrayBuffer): NpyArray {
  const order = fortran && shape.length > 1 ? columnOrder(shape) : undefined;
  switch (dtype) {
    case 'float32':
      return { dtype, shape, data: reordered(new Float32Array(buffer), order) };
    case 'float64':
      return { dtype, shape, data: reordered(new Float64Array(buffer), order) };
    case 'uint8':
      return { dtype, shape, data: reordered(new Uint8Array(buffer), order) };
    case 'int64':
      return { dtype, shape, data: reordered(new BigInt64Array(buffer), order) };
  }
}

/** Strides, in elements, of a column-major array. */
function columnOrder(shape: readonly number[]): { shape: readonly number[]; strides: number[] } {
  let step = 1;
  const strides = shape.map((size) => {
    const stride = step;
    step *= size;
    return stride;
  });
  return { shape, strides };
}

function reordered<T extends NpyTypes[keyof NpyTypes]>(
  data: T,
  order: { shape: readonly number[]; strides: readonly number[] } | undefined,
): T {
  if (!order) return data;
  const { shape, strides } = order;
  const result = data.slice() as T;
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = data[from] as number & bigint;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if (index[axis] !== shape[axis]) break;
      from -= (shape[axis] as number) * (strides[axis] as number);
      index[axis] = 0;
    }
  }
  return result;
}

/**
 * Writes a float32 array as a `.npy` file of format 1.0, byte for byte as `numpy.save` does, in one step: the path
 * holds the old file or the whole new one.
 *
 * @param path the file; replaced if it is there
 * @param data the elements, row-major
 * @param shape sizes, outermost first; their product is the length of `data`
 */
export async function writeNpy(path: string, data: Float32Array, shape: readonly number[]): Promise<void> {
  text('path', path);
  if (!(data instanceof Float32Array)) throw invalidArgument('data', 'a Float32Array', data);
  list('shape', shape, (name, size) => integer(name, size, { min: 0 }));
  if (elementCount(shape) !== data.length)
    throw invalidArgument('shape', `sizes whose product is ${data.length}`, shape.join(' x '));
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  // NumPy leaves room for the first size to grow to 21 digits, then fills up to a multiple of 64 with blanks and a newline.
  const room = shape.length > 0 ? Math.max(0, 21 - String(shape[0]).length) : 0;
  const total = Math.ceil((10 + dict.length + room + 1) / 64) * 64;
  const header = Buffer.alloc(10);
  header.write(`${MAGIC}\x01\x00`, 'latin1');
  header.writeUInt16LE(total - 10, 8);
  const body = Buffer.from(`${dict.padEnd(total - 11)}\n`, 'latin1');
  await writeFileAtomic(
    path,
    Buffer.concat([header, body, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  );
}

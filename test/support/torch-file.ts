import * as p from './pickle-bytes.js';
import { zip } from './zip-bytes.js';

/** A tensor of a file to be made. */
export interface MadeTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** What a file has besides tensors. */
export interface Surroundings {
  /** Top-level key that the state dict is under; default: it is the file's structure itself. */
  readonly under?: string;
  /** Whole numbers among the tensors. */
  readonly plain?: Readonly<Record<string, number>>;
}

/** The bytes that `torch.save(state_dict, 'x.pth')` leaves: an OrderedDict of tensors, each with a storage of its own. */
export function torchFile(
  tensors: ReadonlyMap<string, MadeTensor>,
  { under, plain = {} }: Surroundings = {},
): Buffer {
  const named = [...tensors];
  const items = named.flatMap(([name, { shape, data }], key) => [
    p.text(name),
    pickled(String(key), shape, data),
  ]);
  items.push(...Object.entries(plain).flatMap(([name, value]) => [p.text(name), p.int(value)]));
  const ordered = [p.global('collections', 'OrderedDict'), p.emptyTuple, p.reduce];
  const state = Buffer.concat([...ordered, p.mark, ...items, p.setItems]);
  const storages = named.map(([, { data }], key) => ({
    name: `weights/data/${key}`,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  }));
  return zip([
    { name: 'weights/data.pkl', data: p.pickle(under === undefined ? state : p.dict(p.text(under), state)) },
    { name: 'weights/byteorder', data: 'little' },
    ...storages,
    { name: 'weights/version', data: '3\n' },
  ]);
}

function pickled(key: string, shape: readonly number[], data: MadeTensor['data']): Buffer {
  const type = data instanceof BigInt64Array ? 'LongStorage' : 'FloatStorage';
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const numbers = (values: readonly number[]) => values.map(p.int);
  return p.tensor(p.storage(type, key, p.int(data.length)), p.int(0), numbers(shape), numbers(strides));
}

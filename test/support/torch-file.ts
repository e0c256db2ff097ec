import * as p from './pickle-bytes.js';
import { zip } from './zip-bytes.js';

/** A tensor of a file to be made. */
export interface MadeTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** The bytes that `torch.save(state_dict, 'x.pth')` leaves: an OrderedDict of tensors, each with a storage of its own. */
export function torchFile(tensors: ReadonlyMap<string, MadeTensor>): Buffer {
  const named = [...tensors];
  const items = named.flatMap(([name, { shape, data }], key) => [
    p.text(name),
    pickled(String(key), shape, data),
  ]);
  const ordered = [p.global('collections', 'OrderedDict'), p.emptyTuple, p.reduce];
  const storages = named.map(([, { data }], key) => ({
    name: `weights/data/${key}`,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  }));
  return zip([
    { name: 'weights/data.pkl', data: p.pickle(...ordered, p.mark, ...items, p.setItems) },
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

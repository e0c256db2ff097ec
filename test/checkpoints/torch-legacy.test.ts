import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openTensorFile } from '../../lib/checkpoints/open.js';
import { failure } from '../support/outcome.js';
import * as p from '../support/pickle-bytes.js';
import { readStored } from '../support/stored-tensor.js';

const folder = t.testdir({});
let files = 0;

function written(...parts: Buffer[]): string {
  const path = join(folder, `${files++}.pt`);
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

const magic = p.pickle(Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex'));
const protocol = p.pickle(p.int(1001));
const system = p.pickle(p.dict(p.text('little_endian'), p.yes));
const head = [magic, protocol, system];
const storage = (key: string, count: number, view = p.none): Buffer =>
  Buffer.concat([
    p.tuple(
      p.text('storage'),
      p.global('torch', 'FloatStorage'),
      p.text(key),
      p.text('cpu'),
      p.int(count),
      view,
    ),
    p.persistent,
  ]);
const vector = (of: Buffer, count: number): Buffer => p.tensor(of, p.int(0), [p.int(count)], [p.int(1)]);
const structure = (value: Buffer): Buffer => p.pickle(p.dict(p.text('w'), value));
const keys = (...names: Buffer[]): Buffer =>
  p.pickle(p.emptyList, ...names.flatMap((name) => [name, p.append]));

function stored(values: number[], count = BigInt(values.length)): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigInt64LE(count);
  return Buffer.concat([length, Buffer.from(new Float32Array(values).buffer)]);
}

const w = structure(vector(storage('7', 3), 3));
const sevens = keys(p.text('7'));
const values = stored([1, 2, 3]);

t.test('the hand-made file is good', async (t) => {
  const { tensors, format } = await openTensorFile(written(...head, w, sevens, values));
  t.equal(format, 'torch-legacy');
  const record = tensors.get('w');
  t.strictSame(record && readStored(record).values, [1, 2, 3]);
});

t.test('a pickle longer than the first window', async (t) => {
  const long = p.pickle(
    p.dict(p.text('state_dict'), p.dict(p.text('w'), vector(storage('7', 3), 3))),
    p.text('note'),
    p.text('x'.repeat(3_000_000)),
    p.setItem,
  );
  const { tensors } = await openTensorFile(written(...head, long, sevens, values));
  const record = tensors.get('w');
  t.strictSame(record && readStored(record).values, [1, 2, 3]);
});

t.test('a module that was pickled whole, with the source of its class', async (t) => {
  const weights = Buffer.concat([p.emptyDict, p.text('w'), vector(storage('7', 3), 3), p.setItem]);
  const type = Buffer.concat([
    p.tuple(p.text('module'), p.global('some', 'Net'), p.text('net.py'), p.text('class Net(Module): ...')),
    p.persistent,
  ]);
  const state = [p.text('_parameters'), weights, p.setItem, p.text('_modules'), p.emptyDict, p.setItem];
  const module_ = p.pickle(type, p.emptyTuple, Buffer.of(0x81), p.emptyDict, ...state, p.build);
  const { tensors, moduleClass } = await openTensorFile(written(...head, module_, sevens, values));
  const record = tensors.get('w');
  t.strictSame(record && readStored(record).values, [1, 2, 3]);
  t.equal(moduleClass, 'some.Net');
});

const view = (start: number, count: number): Buffer =>
  storage('7', 3, p.tuple(p.text('8'), p.int(start), p.int(count)));
const faults: readonly [name: string, path: string, message: RegExp][] = [
  [
    'another magic number',
    written(p.pickle(p.int(1)), Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex')),
    /lacks the magic number/,
  ],
  [
    'another protocol',
    written(magic, p.pickle(p.int(1002)), system),
    /protocol version must be 1001, but is 1002/,
  ],
  ['a protocol with names', written(magic, p.pickle(p.global('os', 'system'))), /asks for "os\.system"/],
  [
    'a protocol with outside objects',
    written(magic, p.pickle(p.none, p.persistent)),
    /refers to an outside object/,
  ],
  [
    'a system that is no dict',
    written(magic, protocol, p.pickle(p.none)),
    /system description must be a dict/,
  ],
  ['big-endian', written(magic, protocol, p.pickle(p.dict(p.text('little_endian'), p.none))), /big-endian/],
  [
    'nothing after the head',
    written(...head),
    /the file ends at byte \d+ in the middle of the pickle, which begins at byte \d+/,
  ],
  ['cut off in the pickle', written(...head, w.subarray(0, -5)), /in the middle of the pickle/],
  [
    'cut off in the keys',
    written(...head, w, sevens.subarray(0, -3)),
    /in the middle of the list of storages/,
  ],
  ['keys that are no list', written(...head, w, p.pickle(p.none)), /list of storages is not a list/],
  ['a key that nobody uses', written(...head, w, keys(p.text('8')), values), /has "8", which no tensor uses/],
  ['a key that is no string', written(...head, w, keys(p.int(7)), values), /has 7, which no tensor uses/],
  ['a key twice', written(...head, w, keys(p.text('7'), p.text('7')), values, values), /has "7" twice/],
  ['a key missing', written(...head, w, keys()), /views the storage "7", which is not in the file/],
  ['cut off before a storage', written(...head, w, sevens), /before the storage "7"/],
  [
    'a count that differs',
    written(...head, w, sevens, stored([1, 2, 3], 4n)),
    /"7" has 4 elements at byte \d+, but the pickle says 3/,
  ],
  [
    'a count of 2^62',
    written(...head, w, sevens, stored([1, 2, 3], 2n ** 62n)),
    /has 4611686018427387904 elements/,
  ],
  ['a negative count', written(...head, w, sevens, stored([1, 2, 3], -3n)), /has -3 elements/],
  [
    'cut off in a storage',
    written(...head, w, sevens, values.subarray(0, -1)),
    /takes 12 bytes from byte \d+, but the file ends/,
  ],
  [
    'a storage beyond the file',
    written(
      ...head,
      structure(vector(storage('7', 2 ** 31 - 1), 3)),
      sevens,
      stored([1], BigInt(2 ** 31 - 1)),
    ),
    /takes 8589934588 bytes/,
  ],
  [
    'bytes at the end',
    written(...head, w, sevens, values, Buffer.alloc(2)),
    /2 bytes follow the last storage/,
  ],
  [
    'a view beyond its storage',
    written(...head, structure(vector(view(2, 2), 1)), sevens, values),
    /view of 2 elements from 2 leaves its storage of 3/,
  ],
  [
    'a tensor beyond its view',
    written(...head, structure(vector(view(1, 1), 2)), sevens, values),
    /leaves its storage of 4 bytes/,
  ],
  [
    'a view that is none',
    written(...head, structure(vector(storage('7', 3, p.int(1)), 1)), sevens, values),
    /the start of a storage view must be/,
  ],
];

for (const [name, path, message] of faults) {
  t.test(`refused: ${name}`, async (t) => {
    const error = await failure(openTensorFile(path));
    t.match(error, { code: 'ERR_CHECKPOINT', message });
    t.ok(error.message.startsWith(`${path}: `));
  });
}

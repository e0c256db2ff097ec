import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openTensorFile } from '../../lib/checkpoints/open.js';
import type { PlainDict } from '../../lib/checkpoints/pickle-values.js';
import { failure } from '../support/outcome.js';
import * as p from '../support/pickle-bytes.js';
import { readStored } from '../support/stored-tensor.js';
import { type ZipPart, zip } from '../support/zip-bytes.js';

const folder = t.testdir({});
let files = 0;

function written(bytes: Uint8Array): string {
  const path = join(folder, `${files++}.pt`);
  writeFileSync(path, bytes);
  return path;
}

/** A storage of four floats, and a tensor on it. */
const floats = Buffer.from(new Float32Array([1, 2, 3, 4]).buffer);
const four = p.storage('FloatStorage', '0', p.int(4));
const square = p.tensor(four, p.int(0), [p.int(2), p.int(2)], [p.int(2), p.int(1)]);
const good = p.pickle(p.dict(p.text('w'), square));

/** The parts of a good archive, with some exchanged. */
function parts(changes: Readonly<Record<string, Partial<ZipPart>>> = {}): ZipPart[] {
  const plain: ZipPart[] = [
    { name: 'a/data.pkl', data: good },
    { name: 'a/byteorder', data: Buffer.from('little') },
    { name: 'a/data/0', data: floats },
    { name: 'a/version', data: Buffer.from('3\n') },
  ];
  return plain.map((part) => ({ ...part, ...changes[part.name] }));
}

const archive = (pickle: Buffer): string => written(zip(parts({ 'a/data.pkl': { data: pickle } })));

t.test('the hand-made archive is good', async (t) => {
  const { tensors, format } = await openTensorFile(written(zip(parts())));
  t.equal(format, 'torch-zip');
  const w = tensors.get('w');
  t.strictSame(w && readStored(w).values, [1, 2, 3, 4]);
});

const mebibyte = Buffer.alloc(2 ** 20);
const inner = zip([{ name: 'a/data/1', data: floats }]).subarray(0, 30 + 8 + 16);
const archives: readonly [name: string, bytes: Buffer, message: RegExp][] = [
  ['cut off in the directory', zip(parts()).subarray(0, -30), /torn or malformed/],
  ['cut off in the data', zip(parts()).subarray(0, 200), /torn or malformed/],
  ['no end record', zip(parts()).subarray(0, -22), /torn or malformed/],
  ['more entries than there are', zip(parts(), { entries: 5 }), /torn or malformed/],
  ['a directory beyond the file', zip(parts(), { directory: 2 ** 31 }), /torn or malformed/],
  [
    'a pickle of more than 64 MiB',
    zip(parts({ 'a/data.pkl': { data: Buffer.alloc(2 ** 26 + 1) } })),
    /data\.pkl has 67108865 bytes; at most 67108864 are read/,
  ],
  ['no entries', zip([]), /0 entries without a data\.pkl/],
  ['no data.pkl', zip([{ name: 'a/data/0', data: floats }]), /1 entries without a data\.pkl/],
  ['data.pkl without a folder', zip([{ name: 'data.pkl', data: good }]), /without a data\.pkl/],
  ['two pickles', zip([...parts(), { name: 'b/data.pkl', data: good }]), /2 entries named data\.pkl/],
  ['an entry elsewhere', zip([...parts(), { name: 'b/x', data: floats }]), /"b\/x" lies outside of a\//],
  [
    'a path that climbs',
    zip([...parts(), { name: 'a/../../x', data: floats }]),
    /torn or malformed: invalid relative path/,
  ],
  ['an entry twice', zip([...parts(), { name: 'a/data/0', data: floats }]), /the entry "a\/data\/0" twice/],
  [
    'two names',
    zip(parts({ 'a/data/0': { lies: { name: 'a/data/1' } } })),
    /names an entry "a\/data\/1", its local header "a\/data\/0"/,
  ],
  ['encrypted', zip(parts({ 'a/data/0': { lies: { flags: 1 } } })), /"a\/data\/0" is encrypted/],
  [
    'compressed',
    zip(parts({ 'a/data/0': { lies: { method: 8 } } })),
    /"a\/data\/0" is compressed \(method 8, 16 bytes that claim to become 16/,
  ],
  [
    'two sizes',
    zip(parts({ 'a/data/0': { lies: { compressedSize: 8 } } })),
    /is uncompressed but states two sizes/,
  ],
  [
    'an entry beyond the file',
    zip(parts({ 'a/data/0': { lies: { size: 2 ** 31 } } })),
    /torn or malformed: file data overflows/,
  ],
  [
    'an entry over the next',
    zip(parts({ 'a/data/0': { lies: { size: 40 } } })),
    /"a\/data\/0" and "a\/version" overlap/,
  ],
  [
    'an entry over the directory',
    zip(parts({ 'a/version': { lies: { size: 60 } } })),
    /"a\/version" ends at byte \d+, inside the directory/,
  ],
  [
    'an entry inside another',
    zip([
      ...parts(),
      { name: 'a/data/2', data: inner },
      { name: 'a/data/1', data: floats, lies: { offset: 40 + good.length + 41 + 6 + 38 + 16 + 39 + 2 + 38 } },
    ]),
    /overlap/,
  ],
  [
    'big-endian',
    zip(parts({ 'a/byteorder': { data: Buffer.from('big') } })),
    /big-endian, which is not supported/,
  ],
  [
    'no byte order',
    zip(parts({ 'a/byteorder': { data: Buffer.from('middle') } })),
    /must say little or big, but says "middle"/,
  ],
  ['a long byte order', zip(parts({ 'a/byteorder': { data: mebibyte } })), /but says 1048576 bytes/],
  [
    'a wrong checksum',
    zip(parts({ 'a/data/0': { lies: { crc32: 1 } } })),
    /entry "a\/data\/0" have the checksum [0-9a-f]{8}, but 00000001 is stated; .*verifyChecksums: false/,
  ],
];

for (const [name, bytes, message] of archives) {
  t.test(`archive refused: ${name}`, async (t) => {
    t.match(await failure(openTensorFile(written(bytes))), { code: 'ERR_CHECKPOINT', message });
  });
}

t.test('checksums can be passed over', async (t) => {
  const path = written(zip(parts({ 'a/data/0': { lies: { crc32: 1 } } })));
  t.equal((await openTensorFile(path, { verifyChecksums: false })).tensors.size, 1);
});

/** A dict whose one tensor has this offset, shape and strides. */
const view = (offset: Buffer, shape: Buffer[], strides: Buffer[], of = four): Buffer =>
  p.pickle(p.dict(p.text('w'), p.tensor(of, offset, shape, strides)));
const huge = p.long(2n ** 52n);

const tensors: readonly [name: string, pickle: Buffer, message: RegExp][] = [
  [
    'an offset beyond the storage',
    view(p.int(5), [p.int(0)], [p.int(1)]),
    /offset 5 leaves its storage of 16 bytes/,
  ],
  ['a shape beyond the storage', view(p.int(0), [p.int(5)], [p.int(1)]), /shape \[5\].* leaves its storage/],
  ['offset and shape beyond', view(p.int(1), [p.int(4)], [p.int(1)]), /leaves its storage/],
  ['strides beyond', view(p.int(0), [p.int(2), p.int(2)], [p.int(3), p.int(1)]), /leaves its storage/],
  [
    'a negative offset',
    view(p.int(-1), [p.int(1)], [p.int(1)]),
    /the offset of a tensor must be an integer of at least 0, but is -1/,
  ],
  ['a negative size', view(p.int(0), [p.int(-1)], [p.int(1)]), /the shape of a tensor must be/],
  ['a negative stride', view(p.int(3), [p.int(2)], [p.int(-1)]), /the strides of a tensor must be/],
  ['an offset that overflows', view(huge, [p.int(1)], [p.int(1)]), /leaves its storage/],
  [
    'a size that overflows',
    view(p.int(0), [huge, huge], [p.int(0), p.int(0)]),
    /more elements than the file has room for/,
  ],
  ['a stride that overflows', view(p.int(0), [p.int(3), p.int(3)], [huge, huge]), /leaves its storage/],
  [
    'an expansion beyond the file',
    view(p.int(0), [p.int(1_000_000)], [p.int(0)]),
    /more elements than the file has room for/,
  ],
  [
    'a size that is a float',
    view(p.int(0), [p.text('2')], [p.int(1)]),
    /the shape of a tensor must be.*is a string/,
  ],
  [
    'unequal shape and strides',
    view(p.int(0), [p.int(2), p.int(2)], [p.int(1)]),
    /2 dimensions has 1 strides/,
  ],
  ['no storage', view(p.int(0), [p.int(1)], [p.int(1)], p.int(3)), /built on an int instead of a storage/],
  [
    'a storage that is not there',
    view(p.int(0), [p.int(1)], [p.int(1)], p.storage('FloatStorage', '../0', p.int(4))),
    /"\.\.\/0", which is not in the file/,
  ],
  [
    'a storage of another size',
    view(p.int(0), [p.int(1)], [p.int(1)], p.storage('FloatStorage', '0', p.int(8))),
    /needs a storage of 32 bytes, but "0" has 16/,
  ],
  [
    'a storage that overflows',
    view(p.int(0), [p.int(1)], [p.int(1)], p.storage('FloatStorage', '0', huge)),
    /needs a storage of|leaves its storage/,
  ],
  [
    'a storage of 2^70 elements',
    view(
      p.int(0),
      [p.int(1)],
      [p.int(1)],
      p.storage('FloatStorage', '0', Buffer.from('8a0900000000000000004000'.slice(0, 22), 'hex')),
    ),
    /the size of a storage must be/,
  ],
  [
    'a storage class that is none',
    view(p.int(0), [p.int(1)], [p.int(1)], p.storage('Tensor', '0', p.int(4))),
    /the class of a storage is torch\.Tensor/,
  ],
  [
    'a storage of two sizes',
    p.pickle(
      p.dict(p.text('w'), square),
      p.text('x'),
      view(p.int(0), [p.int(1)], [p.int(1)], p.storage('FloatStorage', '0', p.int(8))).subarray(2, -1),
      p.setItem,
    ),
    /storage "0" is given two sizes/,
  ],
];

for (const [name, pickle, message] of tensors) {
  t.test(`tensor refused: ${name}`, async (t) => {
    t.match(await failure(openTensorFile(archive(pickle))), { code: 'ERR_CHECKPOINT', message });
  });
}

t.test('small expanded and empty views are good', async (t) => {
  const expanded = (await openTensorFile(archive(view(p.int(1), [p.int(3)], [p.int(0)])))).tensors.get('w');
  t.strictSame(expanded && readStored(expanded).values, [2, 2, 2]);
  const empty = (
    await openTensorFile(archive(view(p.int(4), [p.int(0), huge], [p.int(1), p.int(1)])))
  ).tensors.get('w');
  t.match(empty, { shape: [0, 2 ** 52], storageBytes: 0 });
});

const outside = (id: Buffer): Buffer => p.pickle(p.dict(p.text('w'), Buffer.concat([id, p.persistent])));
const loop = Buffer.concat([p.emptyList, p.put(1), p.get(1), p.append]);
const selfCalls: readonly [name: string, pickle: Buffer, message: RegExp][] = [
  [
    'a module by persistent id',
    outside(p.tuple(p.text('module'), p.none)),
    /outside object that is no storage/,
  ],
  ['a number by persistent id', outside(p.int(7)), /outside object that is no storage/],
  [
    'a key that is no string',
    outside(p.tuple(p.text('storage'), p.global('torch', 'FloatStorage'), p.int(0), p.text('cpu'), p.int(4))),
    /key of a storage must be a string/,
  ],
  [
    'a class as value',
    p.pickle(p.dict(p.text('w'), p.global('torch', 'FloatStorage'))),
    /keeps torch\.FloatStorage as a value/,
  ],
  [
    'a class in a tuple',
    p.pickle(p.dict(p.text('w'), p.tuple(p.tuple(p.global('torch', 'Tensor'))))),
    /a tuple with a storage or class in it/,
  ],
  [
    'a class smuggled by a dict of pairs',
    p.pickle(
      p.global('collections', 'OrderedDict'),
      p.tuple(p.tuple(p.tuple(p.text('k'), p.global('torch', 'Tensor')))),
      p.reduce,
    ),
    /neither a dict nor a list of pairs/,
  ],
  [
    'a call of a mere name',
    p.pickle(p.global('torch', 'Tensor'), p.emptyTuple, p.reduce),
    /calls torch\.Tensor/,
  ],
  ['a call of a value', p.pickle(p.text('os.system'), p.tuple(p.text('ls')), p.reduce), /calls a string/],
  [
    'a call without a tuple',
    p.pickle(p.global('collections', 'OrderedDict'), p.emptyList, p.reduce),
    /called with a list instead of a tuple/,
  ],
  [
    'bytes by another encoding',
    p.pickle(p.global('_codecs', 'encode'), p.tuple(p.text('a'), p.text('rot13')), p.reduce),
    /latin1 text only/,
  ],
  [
    'a parameter of nothing',
    p.pickle(p.global('torch._utils', '_rebuild_parameter'), p.tuple(p.none, p.yes, p.none), p.reduce),
    /a parameter is made from None/,
  ],
  [
    'a rebuild by something else',
    p.pickle(
      p.global('torch._tensor', '_rebuild_from_type_v2'),
      p.tuple(p.global('torch', 'device'), p.none, p.tuple(p.text('cpu')), p.none),
      p.reduce,
    ),
    /rebuilt by something unknown/,
  ],
  ['a state on a list', p.pickle(p.emptyList, p.emptyDict, p.build), /sets the state of a list/],
  [
    'a state that is no dict',
    p.pickle(p.emptyDict, p.emptyList, p.build),
    /state of a dict object must be a dict/,
  ],
  ['no dict at all', p.pickle(p.emptyList), /no state dict found: the structure is a list with no keys/],
  ['an empty dict', p.pickle(p.emptyDict), /no state dict found/],
];
for (const [name, pickle, message] of selfCalls) {
  t.test(`structure refused: ${name}`, async (t) => {
    t.match(await failure(openTensorFile(archive(pickle))), { code: 'ERR_CHECKPOINT', message });
  });
}

t.test('structures that unfold without bound', async (t) => {
  t.match(await failure(openTensorFile(archive(p.pickle(loop)), { key: null })), {
    code: 'ERR_CHECKPOINT',
    message: /contains itself/,
  });
  // Twenty lists, each twice in the next: a million values from two hundred bytes.
  const doubled = Array.from({ length: 25 }, (_, i) =>
    Buffer.concat([p.emptyList, p.get(i), p.append, p.get(i), p.append, p.put(i + 1)]),
  );
  const laughs = p.pickle(p.emptyList, p.put(0), ...doubled);
  t.match(await failure(openTensorFile(archive(laughs.subarray(0, -1)), { key: null })), {
    code: 'ERR_CHECKPOINT',
  });
  const top = p.pickle(p.mark, p.emptyList, p.put(0), ...doubled, Buffer.from([0x31]), p.get(25));
  t.match(await failure(openTensorFile(archive(top), { key: null })), {
    code: 'ERR_CHECKPOINT',
    message: /unfolds into more than/,
  });
});

t.test('two tensors of one path', async (t) => {
  const both = p.pickle(
    p.emptyDict,
    p.text('a.b'),
    square,
    p.setItem,
    p.text('a'),
    p.dict(p.text('b'), square),
    p.setItem,
  );
  t.match(await failure(openTensorFile(archive(both), { key: null })), {
    message: /two tensors of the structure have the path "a\.b"/,
  });
});

t.test('a state dict may have extra state of its modules', async (t) => {
  const extra = p.pickle(p.dict(p.text('w'), square), p.text('conv._extra_state'), p.none, p.setItem);
  const { tensors, root } = await openTensorFile(archive(extra));
  t.strictSame([...tensors.keys()], ['w']);
  t.ok((root as PlainDict).has('conv._extra_state'), 'which stays in the structure');
});

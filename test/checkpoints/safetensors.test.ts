import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openTensorFile } from '../../lib/checkpoints/open.js';
import { readSafetensors } from '../../lib/checkpoints/safetensors-read.js';
import { type SafetensorsEntry, writeSafetensors } from '../../lib/checkpoints/safetensors-write.js';
import { STORED_BYTES, type StoredDType } from '../../lib/checkpoints/tensor-record.js';
import { failure } from '../support/outcome.js';
import { fixture } from '../support/paths.js';
import { readStored } from '../support/stored-tensor.js';

const folder = t.testdir({});
let files = 0;

/** A file from its header's text and `dataBytes` bytes behind it. */
function written(header: string | Buffer, dataBytes = 0, declared?: bigint): string {
  const path = join(folder, `${files++}.safetensors`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(declared ?? BigInt(Buffer.byteLength(header)));
  writeFileSync(path, Buffer.concat([length, Buffer.from(header as string), Buffer.alloc(dataBytes)]));
  return path;
}

const tensor = (begin: number, end: number, shape = `[${(end - begin) / 4}]`, dtype = 'F32'): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

t.test('literal bytes of a good file', async (t) => {
  const path = written(`{"__metadata__":{"k":"v"},"b":${tensor(8, 16)},"a":${tensor(0, 8, '[2,1]')}}  `, 16);
  const { tensors, metadata } = await readSafetensors(path);
  t.strictSame(metadata, { k: 'v' });
  t.strictSame([...tensors.keys()], ['b', 'a']);
  const dataStart = readFileSync(path).readUInt8(0) + 8;
  t.strictSame(tensors.get('a'), {
    name: 'a',
    dtype: 'float32',
    shape: [2, 1],
    strides: [1, 1],
    file: path,
    byteOffset: dataStart,
    storageBytes: 8,
  });
  t.equal(tensors.get('b')?.byteOffset, dataStart + 8);
});

t.test('files at the edge of the rules are good', async (t) => {
  t.equal((await readSafetensors(written('{}'))).tensors.size, 0, 'no tensors');
  t.equal(
    (await readSafetensors(written(`{"e":${tensor(0, 0, '[0,3]')},"s":${tensor(0, 4, '[]')}}`, 4))).tensors
      .size,
    2,
  );
  const odd = await readSafetensors(
    written(`{"__proto__":${tensor(0, 4)},"\\u0061 \\"b":${tensor(4, 8)}}`, 8),
  );
  t.strictSame([...odd.tensors.keys()], ['__proto__', 'a "b']);
  t.strictSame(({} as { dtype?: string }).dtype, undefined, 'no prototype was touched');
});

const rules: readonly [name: string, path: string, message: RegExp][] = [
  ['no header', written(''), /must start with '\{', but it is empty/],
  ['header beyond the cap', written('{}', 0, 100_000_001n), /claims 100000001 bytes; at most 100000000/],
  ['header of 2^64 - 1', written('{}', 0, 2n ** 64n - 1n), /claims 18446744073709551615 bytes/],
  ['header beyond the file', written('{}', 0, 3n), /claims 3 bytes, but only 2 follow/],
  ['blank before the brace', written(' {}'), /must start with '\{', but it starts with byte 0x20/],
  ['byte order mark', written('\ufeff{}'), /must start with '\{', but it starts with byte 0xef/],
  ['an array', written('[]'), /must start with '\{'/],
  ['not UTF-8', written(Buffer.from('7b22ff223a7d', 'hex')), /not UTF-8/],
  ['not JSON', written('{"a":}'), /not JSON/],
  ['trailing text', written('{} x'), /not JSON/],
  ['duplicate tensor', written(`{"a":${tensor(0, 4)},"a":${tensor(0, 4)}}`, 4), /the key "a" twice/],
  [
    'duplicate tensor, written otherwise',
    written(`{"a":${tensor(0, 4)},"\\u0061":${tensor(0, 4)}}`, 4),
    /the key "a" twice/,
  ],
  [
    'duplicate field',
    written('{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}}', 4),
    /the key "shape" twice/,
  ],
  ['duplicate metadata', written('{"__metadata__":{"k":"1","k":"2"}}'), /the key "k" twice/],
  [
    'too deep',
    written(`{"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}`, 4),
    /nested deeper than 3/,
  ],
  ['very deep', written(`{"a":${'['.repeat(100_000)}`), /nested deeper than 3/],
  ['metadata not an object', written('{"__metadata__":["x"]}'), /__metadata__ must be an object/],
  [
    'metadata not text',
    written('{"__metadata__":{"epoch":3}}'),
    /metadata value of "epoch" must be a string, but is 3/,
  ],
  ['entry not an object', written('{"a":3}'), /tensor "a": its header entry must be an object/],
  ['no dtype', written('{"a":{"shape":[1],"data_offsets":[0,4]}}', 4), /no dtype/],
  ['no shape', written('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4), /no shape/],
  ['no offsets', written('{"a":{"dtype":"F32","shape":[1]}}', 4), /no data_offsets/],
  [
    'unknown field',
    written('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4),
    /unknown field "x"/,
  ],
  [
    'unknown dtype',
    written(`{"a":${tensor(0, 4, '[1]', 'F8_E4M3')}}`, 4),
    /dtype "F8_E4M3" is not one of F64, F32/,
  ],
  [
    'dtype of an object prototype',
    written(`{"a":${tensor(0, 4, '[1]', 'constructor')}}`, 4),
    /dtype "constructor" is not one of/,
  ],
  [
    'negative size',
    written(`{"a":${tensor(0, 4, '[-1]')}}`, 4),
    /shape must be a list of integers of at least 0/,
  ],
  ['fractional size', written(`{"a":${tensor(0, 4, '[1.5]')}}`, 4), /shape must be a list of integers/],
  ['shape not a list', written(`{"a":${tensor(0, 4, '1')}}`, 4), /shape must be a list/],
  [
    'three offsets',
    written('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', 4),
    /two ascending integers/,
  ],
  [
    'falling offsets',
    written('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', 4),
    /two ascending integers/,
  ],
  [
    'offset beyond 2^53',
    written('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9007199254740993]}}', 4),
    /two ascending integers/,
  ],
  [
    'product overflows',
    written(`{"a":${tensor(0, 4, '[4294967296,4294967296]')}}`, 4),
    /more elements than any file/,
  ],
  [
    'product overflows behind a zero',
    written(`{"a":${tensor(0, 0, '[4294967296,4294967296,0]')}}`),
    /more elements than any file/,
  ],
  [
    'shape against offsets',
    written(`{"a":${tensor(0, 4, '[2]')}}`, 4),
    /takes 8 bytes, but its data_offsets span 4/,
  ],
  [
    'overlap',
    written(`{"a":${tensor(0, 8)},"b":${tensor(4, 12)}}`, 12),
    /"b" begins at 4, inside the one before it, which ends at 8/,
  ],
  ['same bytes twice', written(`{"a":${tensor(0, 8)},"b":${tensor(0, 8)}}`, 8), /inside the one before it/],
  ['hole', written(`{"a":${tensor(0, 4)},"b":${tensor(8, 12)}}`, 12), /hole before tensor "b": bytes 4 to 8/],
  ['hole at the start', written(`{"a":${tensor(4, 8)}}`, 8), /hole before tensor "a": bytes 0 to 4/],
  ['beyond the file', written(`{"a":${tensor(0, 8)}}`, 4), /"a" ends at 8, but the file has 4 bytes of data/],
  [
    'bytes behind the last',
    written(`{"a":${tensor(0, 4)}}`, 5),
    /the tensors end at 4, but the file has 5 bytes/,
  ],
];

for (const [name, path, message] of rules) {
  t.test(`refused: ${name}`, async (t) => {
    const error = await failure(readSafetensors(path));
    t.equal(error.code, 'ERR_CHECKPOINT');
    t.match(error.message, message);
    t.ok(error.message.startsWith(`${path}: `), 'the message names the file');
    t.equal((await failure(openTensorFile(path))).message, error.message, 'opening by content says the same');
  });
}

t.test('refused: cut off inside the length, and empty', async (t) => {
  const path = join(folder, 'short.safetensors');
  writeFileSync(path, '1234567');
  t.match((await failure(readSafetensors(path))).message, /at least 8 bytes, this one has 7/);
  writeFileSync(path, '');
  t.match((await failure(openTensorFile(path))).message, /the file is empty/);
});

const entry = (name: string, dtype: StoredDType, shape: number[], fill = 1): SafetensorsEntry => ({
  name,
  dtype,
  shape,
  bytes: async () => new Uint8Array(shape.reduce((a, b) => a * b, 1) * STORED_BYTES[dtype]).fill(fill),
});

t.test('writing and reading back', async (t) => {
  const path = join(t.testdir({}), 'out.safetensors');
  const floats = new Float32Array([1.5, -2, 0.25, 3, 4, 5]);
  const entries: SafetensorsEntry[] = [
    entry('flag', 'bool', [3]),
    {
      name: 'layer4.1.conv2.weight',
      dtype: 'float32',
      shape: [2, 3],
      bytes: async () => new Uint8Array(floats.buffer),
    },
    entry('10', 'bfloat16', [2]),
    entry('num_batches_tracked', 'int64', []),
    entry('empty', 'float64', [0, 4]),
    entry('__proto__', 'int8', [1]),
  ];
  const result = await writeSafetensors(path, entries, { epoch: '3', 'naïve "key"': 'ä\n' });
  const bytes = readFileSync(path);
  t.equal(result.bytes, bytes.length);
  t.equal(result.sha256, createHash('sha256').update(bytes).digest('hex'));
  const { tensors, metadata } = await readSafetensors(path);
  t.strictSame(metadata, { epoch: '3', 'naïve "key"': 'ä\n' });
  t.strictSame([...tensors.keys()].sort(), entries.map(({ name }) => name).sort());
  for (const { name, dtype, shape } of entries) t.match(tensors.get(name), { name, dtype, shape });
  const conv = tensors.get('layer4.1.conv2.weight');
  t.strictSame(conv && readStored(conv).values, [...floats]);
  for (const record of tensors.values())
    t.equal(record.byteOffset % STORED_BYTES[record.dtype], 0, `${record.name} is aligned`);
  t.strictSame(await readdir(join(path, '..')), ['out.safetensors'], 'no temporary file is left');
});

t.test('the same tensors as the reference implementation', async (t) => {
  const path = join(t.testdir({}), 'copy.safetensors');
  const reference = await readSafetensors(fixture('checkpoints', 'dtypes.safetensors'));
  const source = readFileSync(fixture('checkpoints', 'dtypes.safetensors'));
  const entries = [...reference.tensors.values()].map(({ name, dtype, shape, byteOffset, storageBytes }) => ({
    name,
    dtype,
    shape,
    bytes: async () => source.subarray(byteOffset, byteOffset + storageBytes),
  }));
  await writeSafetensors(path, entries, reference.metadata);
  const copy = await readSafetensors(path);
  t.strictSame(copy.metadata, reference.metadata);
  for (const [name, record] of copy.tensors) {
    const original = reference.tensors.get(name);
    t.strictSame(readStored(record), original && readStored(original), name);
  }
});

t.test('a failed write leaves the old file and nothing else', async (t) => {
  const path = join(t.testdir({ 'out.safetensors': 'old' }), 'out.safetensors');
  const broken = {
    ...entry('b', 'float32', [2]),
    bytes: () => Promise.reject(new Error('the device is gone')),
  };
  await t.rejects(writeSafetensors(path, [entry('a', 'float32', [2]), broken]), {
    message: 'the device is gone',
  });
  const short = { ...entry('b', 'float32', [2]), bytes: async () => new Uint8Array(7) };
  t.match(await failure(writeSafetensors(path, [short])), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /8 bytes for the bytes of b.*7/,
  });
  t.equal(readFileSync(path, 'utf8'), 'old');
  t.strictSame(await readdir(join(path, '..')), ['out.safetensors']);
  const missing = join(path, '..', 'no', 'folder.safetensors');
  t.match(await failure(writeSafetensors(missing, [])), {
    code: 'ERR_FILE',
    message: /folder\.safetensors could not be created/,
  });
});

t.test('only one tensor is held at a time, in its turn', async (t) => {
  const path = join(t.testdir({}), 'out.safetensors');
  const calls: string[] = [];
  const counted = (name: string, dtype: StoredDType): SafetensorsEntry => {
    const plain = entry(name, dtype, [4]);
    const bytes = (): Promise<Uint8Array> => {
      calls.push(name);
      return plain.bytes();
    };
    return { ...plain, bytes };
  };
  await writeSafetensors(path, [counted('small', 'uint8'), counted('x', 'float32'), counted('y', 'float32')]);
  t.strictSame(calls, ['x', 'y', 'small'], 'by falling element size, then as given');
});

const misuse: readonly [string, unknown, unknown, RegExp][] = [
  ['a name twice', [entry('a', 'int8', []), entry('a', 'int8', [])], {}, /not used before/],
  ['the reserved name', [entry('__metadata__', 'int8', [])], {}, /other than '__metadata__'/],
  ['an unknown dtype', [{ ...entry('a', 'int8', []), dtype: 'float8' }], {}, /entries\[0\]\.dtype/],
  ['a negative size', [{ ...entry('a', 'int8', []), shape: [-1] }], {}, /entries\[0\]\.shape/],
  [
    'a size beyond all',
    [{ ...entry('a', 'int8', []), shape: [2 ** 40, 2 ** 40] }],
    {},
    /entries\[0\]\.shape/,
  ],
  [
    'no function',
    [{ name: 'a', dtype: 'int8', shape: [], bytes: new Uint8Array(1) }],
    {},
    /entries\[0\]\.bytes/,
  ],
  ['no entry', [null], {}, /entries\[0\]/],
  ['no list', {}, {}, /an array for entries/],
  ['metadata that is no text', [], { epoch: 3 }, /a string for metadata\["epoch"\]/],
];
for (const [name, entries, metadata, message] of misuse) {
  t.test(`misuse: ${name}`, async (t) => {
    const path = join(t.testdir({}), 'out.safetensors');
    const work = writeSafetensors(path, entries as SafetensorsEntry[], metadata as Record<string, string>);
    t.match(await failure(work), { code: 'ERR_INVALID_ARGUMENT', message });
  });
}

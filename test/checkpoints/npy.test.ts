import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { readNpy, writeNpy } from '../../lib/checkpoints/npy.js';
import { CxrGazeError } from '../../lib/errors.js';
import { failure } from '../support/outcome.js';
import { fixture } from '../support/paths.js';
import { type ExpectedArray, expectedFiles } from '../support/stored-tensor.js';

const folder = t.testdir({});
const path = join(folder, 'x.npy');

for (const [name, file] of Object.entries(expectedFiles())) {
  if (!name.endsWith('.npy')) continue;
  const { dtype, shape, values } = file as ExpectedArray;
  t.test(`${name} is read as NumPy reads it`, async (t) => {
    const array = await readNpy(fixture('checkpoints', name));
    t.equal(array.dtype, dtype);
    t.strictSame(array.shape, shape);
    t.strictSame(dtype.startsWith('float') ? [...array.data] : [...array.data].map(String), values);
  });
}

for (const name of ['f4.npy', 'f4-row.npy', 'scalar.npy', 'empty.npy']) {
  t.test(`${name} is written byte for byte as NumPy writes it`, async (t) => {
    const array = await readNpy(fixture('checkpoints', name));
    await writeNpy(path, array.data as Float32Array, array.shape);
    t.ok(readFileSync(path).equals(readFileSync(fixture('checkpoints', name))));
    t.strictSame(await readdir(folder), ['x.npy'], 'no temporary file is left');
  });
}

t.test('what is written is read back', async (t) => {
  const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(shapes, fc.integer({ min: 0, max: 7 }), async (shape, skip) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const data = new Float32Array(count + skip).map((_, i) => Math.fround(1 / (i + 1))).subarray(skip);
      await writeNpy(path, data, shape);
      const array = await readNpy(path);
      return (
        array.dtype === 'float32' &&
        String(array.shape) === String(shape) &&
        Buffer.from(array.data.buffer).equals(Buffer.from(data.slice().buffer))
      );
    }),
    { numRuns: 60 },
  );
  t.pass();
});

/** A version 1.0 file from the text of its header. */
function v1(header: string, data = 0, length = header.length): Buffer {
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  start.writeUInt16LE(length, 8);
  return Buffer.concat([start, Buffer.from(header, 'latin1'), Buffer.alloc(data)]);
}
const header = (descr: string, shape: string, order = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
const v2 = (length: number): Buffer => {
  const start = Buffer.from('\x93NUMPY\x02\x00\x00\x00\x00\x00', 'latin1');
  start.writeUInt32LE(length, 8);
  return start;
};

t.test('other spellings of a good header', async (t) => {
  for (const text of [
    "{'shape':(2,),'fortran_order':True,'descr':'<f4'}",
    "{ 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , ) }   \n",
    header("'<f4'", '(1, 2)'),
    header("'<f4'", '(2, 1, )'),
  ]) {
    writeFileSync(path, v1(text, 8));
    t.equal((await readNpy(path)).data.length, 2, text);
  }
});

const hostile: readonly [name: string, bytes: Buffer, message: RegExp][] = [
  ['empty', Buffer.alloc(0), /not a \.npy file/],
  ['another magic', Buffer.from('\x93NUMPI\x01\x00\x00\x00\x00\x00', 'latin1'), /not a \.npy file/],
  ['cut off in the magic', Buffer.from('\x93NUMPY\x01', 'latin1'), /not a \.npy file/],
  ['format 4.0', Buffer.from('\x93NUMPY\x04\x00\x00\x00\x00\x00', 'latin1'), /format 4\.0 .* is not known/],
  ['format 1.1', Buffer.from('\x93NUMPY\x01\x01\x00\x00\x00\x00', 'latin1'), /format 1\.1 .* is not known/],
  ['a header beyond the file', v1(header("'<f4'", '(2,)'), 0, 60_000), /header claims 60000 bytes, but only/],
  ['a header of 4 GB', v2(2 ** 32 - 1), /header claims 4294967295 bytes; at most 65535/],
  ['no dict', v1('[1, 2]\n'), /must be a dict of descr, fortran_order and shape, but is "\[1, 2\]"/],
  ['a key missing', v1("{'descr': '<f4', 'shape': (2,)}", 8), /must be a dict of/],
  [
    'a key twice',
    v1("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", 8),
    /must be a dict of/,
  ],
  [
    'another key',
    v1("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': '1'}", 8),
    /must be a dict of/,
  ],
  [
    'code in the header',
    v1("{'descr': __import__('os').system('ls'), 'fortran_order': False, 'shape': (2,)}", 8),
    /must be a dict of/,
  ],
  [
    'a shape that is a number',
    v1("{'descr': '<f4', 'fortran_order': False, 'shape': (2)}", 8),
    /must be a dict of/,
  ],
  ['a negative size', v1(header("'<f4'", '(-2,)'), 8), /must be a dict of/],
  ['a size of text', v1(header("'<f4'", "('2',)"), 8), /must be a dict of/],
  ['an order that is text', v1(header("'<f4'", '(2,)', "'False'"), 8), /must be a dict of/],
  ['big-endian', v1(header("'>f4'", '(2,)'), 8), /">f4"\) are big-endian, which is not supported/],
  ['objects', v1(header("'|O'", '(2,)'), 8), /pickled Python objects, which are never read/],
  ['another type', v1(header("'<c8'", '(1,)'), 8), /element type "<c8" is not one of <f4, <f8, \|u1, <i8/],
  ['a type of the prototype', v1(header("'constructor'", '(1,)'), 8), /element type "constructor" is not/],
  ['fields', v1(header("[('x', '<f4')]", '(2,)'), 8), /named fields, which are not read/],
  ['too few bytes', v1(header("'<f4'", '(3,)'), 8), /shape \(3\) of float32 takes 12 bytes, but 8 follow/],
  ['too many bytes', v1(header("'<f4'", '(1,)'), 8), /takes 4 bytes, but 8 follow/],
  [
    'a shape beyond the file',
    v1(header("'<f4'", '(100000, 100000)'), 8),
    /takes 40000000000 bytes, but 8 follow/,
  ],
  [
    'a shape that overflows',
    v1(header("'<f4'", '(4294967296, 4294967296)'), 8),
    /more elements than any file/,
  ],
  [
    'a size of a thousand digits',
    v1(header("'<f4'", `(${'9'.repeat(1000)},)`), 8),
    /more elements than any file/,
  ],
];
for (const [name, bytes, message] of hostile) {
  t.test(`refused: ${name}`, async (t) => {
    writeFileSync(path, bytes);
    const error = await failure(readNpy(path));
    t.match(error, { code: 'ERR_CHECKPOINT', message });
    t.ok(error.message.startsWith(`${path}: `));
  });
}

for (const [name, message] of [
  ['big-endian.npy', /big-endian/],
  ['object.npy', /pickled Python objects/],
  ['record.npy', /named fields/],
  ['complex.npy', /"<c8" is not one of/],
] as const) {
  t.test(`${name} of NumPy is refused`, async (t) => {
    t.match(await failure(readNpy(fixture('checkpoints', name))), { code: 'ERR_CHECKPOINT', message });
  });
}

t.test('changed bytes give the array or a coded error, nothing else', async (t) => {
  const good = readFileSync(fixture('checkpoints', 'fortran.npy'));
  const change = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const bytes = Buffer.from(good);
      for (const [at, to] of changes) bytes[at] = to;
      writeFileSync(path, bytes);
      await readNpy(path).catch((error: unknown) => {
        if (!(error instanceof CxrGazeError)) throw error;
      });
    }),
    { numRuns: 300 },
  );
  t.pass();
});

t.test('misuse', async (t) => {
  t.match(await failure(readNpy(join(folder, 'none.npy'))), { code: 'ERR_FILE' });
  t.match(await failure(readNpy(3 as unknown as string)), { code: 'ERR_INVALID_ARGUMENT' });
  t.match(await failure(writeNpy(path, [1] as unknown as Float32Array, [1])), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /Float32Array for data/,
  });
  t.match(await failure(writeNpy(path, new Float32Array(2), [3])), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /product is 2 for shape/,
  });
  t.match(await failure(writeNpy(path, new Float32Array(2), [-2])), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /shape\[0\]/,
  });
});

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openTensorFile } from '../../lib/checkpoints/open.js';
import { STORED_BYTES, spannedElements } from '../../lib/checkpoints/tensor-record.js';
import { TorchWorld } from '../../lib/checkpoints/torch-world.js';
import { PickleCutShort, unpickle } from '../../lib/checkpoints/unpickler.js';
import { CxrGazeError } from '../../lib/errors.js';
import { fixture } from '../support/paths.js';

// Valid files with changed, removed, repeated or foreign bytes: they are read or give a coded error, and no record
// ever points outside of the file. Checksums are passed over, or they would catch nearly all changes first.

const folder = t.testdir({});
const sources = [
  'author.zip.pt',
  'author.legacy.pt',
  'plain.zip.pt',
  'protocol5.legacy.pt',
  'views.legacy.pt',
  'dtypes.safetensors',
];
const RUNS = 250;

type Change = (bytes: Buffer) => Buffer;

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const position = (bytes: Buffer, at: number): number => Math.floor(at * bytes.length);

const overwrite = fc.tuple(fraction, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(
  ([at, by]): Change =>
    (bytes) => {
      bytes.set(by.subarray(0, bytes.length - position(bytes, at)), position(bytes, at));
      return bytes;
    },
);
const truncate = fraction.map(
  (at): Change =>
    (bytes) =>
      bytes.subarray(0, position(bytes, at)),
);
const remove = fc.tuple(fraction, fc.integer({ min: 1, max: 64 })).map(
  ([at, length]): Change =>
    (bytes) =>
      Buffer.concat([bytes.subarray(0, position(bytes, at)), bytes.subarray(position(bytes, at) + length)]),
);
const insert = fc.tuple(fraction, fc.uint8Array({ minLength: 1, maxLength: 16 })).map(
  ([at, by]): Change =>
    (bytes) =>
      Buffer.concat([bytes.subarray(0, position(bytes, at)), by, bytes.subarray(position(bytes, at))]),
);
const extremes = fc.constantFrom(
  'ffffffff',
  'ffffffffffffffff',
  '00000080',
  'ffffff7f',
  '00000000',
  '0000000000000080',
);
const extreme = fc.tuple(fraction, extremes).map(
  ([at, hex]): Change =>
    (bytes) => {
      const by = Buffer.from(hex, 'hex');
      by.copy(bytes, position(bytes, at));
      return bytes;
    },
);
const changes = fc.array(fc.oneof(overwrite, overwrite, extreme, truncate, remove, insert), {
  minLength: 1,
  maxLength: 3,
});

function changed(good: Buffer, list: readonly Change[]): Buffer {
  let bytes: Buffer = Buffer.from(good);
  for (const change of list) if (bytes.length > 0) bytes = change(bytes);
  return bytes;
}

function codedOnly(error: unknown): void {
  if (!(error instanceof CxrGazeError) || error.code !== 'ERR_CHECKPOINT') throw error;
}

async function readOrRefuse(path: string, size: number): Promise<void> {
  const file = await openTensorFile(path, { key: null, verifyChecksums: false });
  for (const { shape, strides, dtype, byteOffset, storageBytes } of file.tensors.values()) {
    const span = spannedElements(shape, strides);
    if (span === undefined || span * STORED_BYTES[dtype] > storageBytes || byteOffset + storageBytes > size) {
      throw new Error(
        `a record leaves its file: ${JSON.stringify({ shape, strides, byteOffset, storageBytes, size })}`,
      );
    }
  }
}

for (const name of sources) {
  t.test(`${name}, changed`, async (t) => {
    const good = readFileSync(fixture('checkpoints', name));
    const path = join(folder, `${basename(name)}.changed`);
    const isZip = name.includes('.zip.');
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const bytes = changed(good, list);
        writeFileSync(path, bytes);
        await readOrRefuse(path, bytes.length).catch(codedOnly);
      }),
      { numRuns: isZip ? RUNS : 2 * RUNS },
    );
    t.notOk(existsSync('os-system-was-called'));
  });
}

t.test('changed pickles alone, many of them', async (t) => {
  const archive = readFileSync(fixture('checkpoints', 'plain.zip.pt'));
  const start = archive.indexOf(Buffer.from([0x80, 2]));
  const good = archive.subarray(start, archive.indexOf('PK\x07\x08', start, 'latin1'));
  const run = (bytes: Uint8Array): void => {
    try {
      unpickle(bytes, { file: 'x.pt', part: 'data.pkl', offset: 0 }, new TorchWorld('x.pt'));
    } catch (error) {
      if (!(error instanceof PickleCutShort)) codedOnly(error);
    }
  };
  t.doesNotThrow(
    () => unpickle(good, { file: 'x.pt', part: 'data.pkl', offset: 0 }, new TorchWorld('x.pt')),
    'unchanged, it is good',
  );
  fc.assert(
    fc.property(changes, (list) => run(changed(good, list))),
    { numRuns: 4000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => run(noise)),
    { numRuns: 4000 },
  );
});

t.test('lengths that lie allocate nothing', async (t) => {
  const path = join(folder, 'claims.pt');
  const claims: Readonly<Record<string, string>> = {
    'BINUNICODE of 4 GB': '8002 58 ffffffff',
    'BINBYTES8 of 2^63': '8004 8e ffffffffffffff7f',
    'BYTEARRAY8 of 2^64': '8005 96 ffffffffffffffff',
    'FRAME of 2^64': '8004 95 ffffffffffffffff 5d 2e',
  };
  for (const [name, hex] of Object.entries(claims)) {
    const magic = Buffer.from(
      '80028a0a6cfc9c46f9206aa850192e8002 4de903 2e 80027d 580d000000 6c6974746c655f656e6469616e 88 73 2e'.replaceAll(
        ' ',
        '',
      ),
      'hex',
    );
    writeFileSync(
      path,
      Buffer.concat([magic, Buffer.from(hex.replaceAll(' ', ''), 'hex'), Buffer.alloc(64)]),
    );
    const before = process.memoryUsage().arrayBuffers;
    await t.rejects(openTensorFile(path), { code: 'ERR_CHECKPOINT' }, name);
    t.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20, `${name}: no buffer of its size`);
  }
});

import fc from 'fast-check';
import t from 'tap';
import { assemble } from '../../../lib/data/batch.js';
import { mirrored, rotated } from '../../reference/image.js';
import { augmented, HeldImages, imageFixture, noise, sha256 } from '../../support/images.js';
import { failure } from '../../support/outcome.js';

interface Case {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly angle: number;
  readonly flip: boolean;
  readonly sha256: string;
  readonly values?: readonly number[];
}

const { cases } = imageFixture<{ cases: Case[] }>('rotate.json');

t.test('the bytes are those of Pillow', async (t) => {
  for (const { name, width, height, channels, angle, flip, ...expected } of cases) {
    const pixels = await augmented(noise(name, width, height, channels), flip, angle);
    const what = `${name}: ${width}x${height}x${channels} by ${angle}${flip ? ' after a flip' : ''}`;
    if (expected.values) t.same([...pixels], expected.values, what);
    if (sha256(pixels) !== expected.sha256) t.fail(what);
  }
  t.ok(cases.length > 200, `${cases.length} cases`);
});

t.test('it is the formula of the specification', async (t) => {
  const side = fc.integer({ min: 1, max: 60 });
  const property = fc.asyncProperty(
    side,
    side,
    fc.constantFrom<1 | 3>(1, 3),
    fc.double({ min: -15, max: 15, noNaN: true }),
    fc.boolean(),
    async (width, height, channels, angle, flip) => {
      const image = noise('rotation', width, height, channels);
      const expected = rotated(flip ? mirrored(image) : image, angle);
      return Buffer.compare(await augmented(image, flip, angle), expected.data) === 0;
    },
  );
  await fc.assert(property, { numRuns: 400 });
  t.pass('400 random sizes and angles');
});

t.test('any angle gives pixels of the image or black, never what lies beside it', async (t) => {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 40 }),
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    async (width, height, angle) => {
      const white = { width, height, channels: 1 as const, data: new Uint8Array(width * height).fill(200) };
      return (await augmented(white, false, angle)).every((byte) => byte === 0 || byte === 200);
    },
  );
  await fc.assert(property, { numRuns: 300 });
  t.pass('300 random sizes and angles');
});

t.test('positive angles turn counter-clockwise', async (t) => {
  // A mark at the right edge goes to the top.
  const data = new Uint8Array(25);
  data[2 * 5 + 4] = 255;
  const turned = await augmented({ width: 5, height: 5, channels: 1, data }, false, 90);
  t.equal(turned.indexOf(255), 2);
});

t.test('a batch of grey and coloured images has three channels, the grey ones replicated', async (t) => {
  const grey = noise('grey', 9, 8, 1);
  const colour = noise('colour', 9, 8, 3);
  const store = new HeldImages([grey, colour]);
  const pixels = await assemble(store, Int32Array.of(1, 0, 0), undefined);
  await pixels.ready();
  t.same(pixels.shape, [3, 8, 9, 3]);
  const bytes = (await pixels.data()) as Uint8Array;
  const replicated = Uint8Array.from({ length: 3 * 72 }, (_, i) => grey.data[Math.floor(i / 3)] as number);
  t.same(bytes.subarray(0, 216), colour.data);
  t.same(bytes.subarray(216, 432), replicated);
  t.same(bytes.subarray(432), replicated);
  pixels.dispose();
  const greyOnly = await assemble(store, Int32Array.of(0), undefined);
  await greyOnly.ready();
  t.same(greyOnly.shape, [1, 8, 9, 1]);
  greyOnly.dispose();
});

t.test('wrong use', async (t) => {
  const image = noise('wrong', 4, 4, 1);
  for (const angle of [Number.NaN, Infinity]) {
    t.equal((await failure(augmented(image, false, angle))).code, 'ERR_INVALID_ARGUMENT', `${angle}`);
  }
  t.equal(
    (await failure(assemble(new HeldImages([image]), new Int32Array(0), undefined))).code,
    'ERR_INVALID_ARGUMENT',
  );
  const short = { ...image, data: image.data.subarray(1) };
  t.equal((await failure(augmented(short, false, 0))).code, 'ERR_INVALID_ARGUMENT');
});

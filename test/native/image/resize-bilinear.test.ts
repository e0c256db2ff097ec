import fc from 'fast-check';
import t from 'tap';
import { type Interpolation, resizeImage } from '../../../lib/data/resize.js';
import { openCvBilinear, pillowBilinear } from '../../reference/image.js';
import { imageFixture, noise, sha256 } from '../../support/images.js';

interface Case {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly outWidth: number;
  readonly outHeight: number;
  readonly interpolation: Interpolation;
  readonly sha256: string;
  readonly values?: readonly number[];
}

const { cases } = imageFixture<{ cases: Case[] }>('resize-bilinear.json');

t.test('the bytes are those of Pillow and of OpenCV', async (t) => {
  for (const { name, width, height, channels, outWidth, outHeight, interpolation, ...expected } of cases) {
    const resized = await resizeImage(
      noise(name, width, height, channels),
      outWidth,
      outHeight,
      interpolation,
    );
    const what = `${name}: ${width}x${height}x${channels} to ${outWidth}x${outHeight}, ${interpolation}`;
    if (expected.values) t.same([...resized.data], expected.values, what);
    if (sha256(resized.data) !== expected.sha256) t.fail(what);
  }
  t.equal(cases.length, 80);
});

t.test('they are the formulas of the specification', async (t) => {
  const side = fc.integer({ min: 1, max: 40 });
  const property = fc.asyncProperty(
    ...([side, side, side, side] as const),
    fc.constantFrom<1 | 3>(1, 3),
    fc.string({ maxLength: 5 }),
    async (width, height, outWidth, outHeight, channels, seed) => {
      const image = noise(seed, width, height, channels);
      const resized = async (interpolation: Interpolation) =>
        (await resizeImage(image, outWidth, outHeight, interpolation)).data;
      const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
      return (
        same(await resized('pillow-bilinear'), pillowBilinear(image, outWidth, outHeight)) &&
        same(await resized('opencv-bilinear'), openCvBilinear(image, outWidth, outHeight))
      );
    },
  );
  await fc.assert(property, { numRuns: 150 });
  t.pass('150 random sizes');
});

t.test('an interpolation that is none', async (t) => {
  const image = noise('wrong', 4, 4, 1);
  t.throws(() => resizeImage(image, 2, 2, 'bilinear' as Interpolation), { code: 'ERR_INVALID_ARGUMENT' });
});

import fc from 'fast-check';
import t from 'tap';
import type { Pixels } from '../../../lib/data/dataset.js';
import { resizeArea } from '../../../lib/data/resize.js';
import { areaMeans } from '../../reference/image.js';
import { imageFixture, noise, sha256 } from '../../support/images.js';

interface Case {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly outWidth: number;
  readonly outHeight: number;
  readonly sha256: string;
  readonly values?: readonly number[];
}

const { cases } = imageFixture<{ cases: Case[] }>('resize.json');

t.test('the bytes are those of OpenCV', async (t) => {
  for (const { name, width, height, channels, outWidth, outHeight, ...expected } of cases) {
    const resized = await resizeArea(noise(name, width, height, channels), outWidth, outHeight);
    const what = `${name}: ${width}x${height}x${channels} to ${outWidth}x${outHeight}`;
    if (expected.values) t.same([...resized.data], expected.values, what);
    if (sha256(resized.data) !== expected.sha256) t.fail(what);
  }
  t.ok(cases.length > 100, `${cases.length} cases`);
});

/** Rounded means; `undefined` where the mean is so near a tie that either neighbour will do. */
function rounded(means: Float64Array): (number | undefined)[] {
  return Array.from(means, (mean) =>
    Math.abs(mean - Math.floor(mean) - 0.5) < 1e-3 ? undefined : Math.round(mean),
  );
}

function differences(resized: Pixels, means: Float64Array): number {
  const expected = rounded(means);
  return resized.data.reduce((count, value, i) => {
    const wanted = expected[i];
    const near = Math.abs(value - (means[i] as number)) < 0.501;
    return count + (wanted === undefined ? (near ? 0 : 1) : value === wanted ? 0 : 1);
  }, 0);
}

t.test('it is the mean over the covered area, interpolated where an axis grows', async (t) => {
  const side = fc.integer({ min: 1, max: 48 });
  const property = fc.asyncProperty(
    side,
    side,
    side,
    side,
    fc.constantFrom<1 | 3>(1, 3),
    fc.string({ maxLength: 5 }),
    async (width, height, outWidth, outHeight, channels, seed) => {
      const image = noise(seed, width, height, channels);
      const resized = await resizeArea(image, outWidth, outHeight);
      return differences(resized, areaMeans(image, outWidth, outHeight)) === 0;
    },
  );
  await fc.assert(property, { numRuns: 400 });
  t.pass('400 random sizes');
});

t.test('only a halving of both sides rounds ties up', async (t) => {
  // Means of 0.5 and 2.5: to even they are 0 and 2, up they are 1 and 3.
  const halves = Uint8Array.of(0, 1, 2, 3, 1, 0, 3, 2);
  const both = await resizeArea({ width: 4, height: 2, channels: 1, data: halves }, 2, 1);
  t.same([...both.data], [1, 3]);
  const across = await resizeArea({ width: 4, height: 1, channels: 1, data: halves.subarray(0, 4) }, 2, 1);
  t.same([...across.data], [0, 2]);
});

t.test('a single value stays what it is at any size', async (t) => {
  for (const value of [0, 1, 127, 254, 255]) {
    const data = new Uint8Array(61 * 47 * 3).fill(value);
    for (const [width, height] of [
      [1, 1],
      [60, 46],
      [17, 80],
      [122, 94],
    ] as const) {
      const resized = await resizeArea({ width: 61, height: 47, channels: 3, data }, width, height);
      t.ok(
        resized.data.every((byte) => byte === value),
        `${value} at ${width}x${height}`,
      );
    }
  }
});

t.test('enormous factors neither overflow nor need much memory', async (t) => {
  const width = 65535;
  const data = new Uint8Array(width * 300).fill(255);
  const resized = await resizeArea({ width, height: 300, channels: 1, data }, 1, 1);
  t.same([...resized.data], [255]);
});

t.test('the channels of an image do not mix', async (t) => {
  const colour = noise('channels', 50, 40, 3);
  const resized = await resizeArea(colour, 17, 23);
  for (const channel of [0, 1, 2]) {
    const plane = (data: Uint8Array) => data.filter((_, i) => i % 3 === channel);
    const grey = await resizeArea({ width: 50, height: 40, channels: 1, data: plane(colour.data) }, 17, 23);
    t.same(grey.data, plane(resized.data), `channel ${channel}`);
  }
});

t.test('the source is left alone, and a view into a larger buffer is read at its place', async (t) => {
  const image = noise('source', 30, 20, 1);
  const before = image.data.slice();
  const wide = new Uint8Array(700);
  wide.set(image.data, 13);
  const [direct, view] = await Promise.all([
    resizeArea(image, 11, 7),
    resizeArea({ ...image, data: wide.subarray(13, 613) }, 11, 7),
  ]);
  t.same(image.data, before);
  t.same(view.data, direct.data);
});

t.test('wrong use', async (t) => {
  const image = noise('wrong', 4, 4, 1);
  const invalid = { code: 'ERR_INVALID_ARGUMENT' };
  t.throws(() => resizeArea(image, 0, 4), invalid);
  t.throws(() => resizeArea(image, 4, 65536), invalid);
  t.throws(() => resizeArea(image, 2.5, 4), invalid);
  t.throws(() => resizeArea({ ...image, width: 5 }, 2, 2), invalid);
  t.throws(() => resizeArea({ ...image, channels: 2 as 1 }, 2, 2), invalid);
  t.throws(() => resizeArea({ ...image, data: [] as unknown as Uint8Array }, 2, 2), invalid);
  const gone = noise('gone', 4, 4, 1);
  structuredClone(gone.data.buffer, { transfer: [gone.data.buffer as ArrayBuffer] });
  t.throws(() => resizeArea(gone, 2, 2), invalid, 'a detached buffer');
});

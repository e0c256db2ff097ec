import t, { type Test } from 'tap';
import { rng } from '../../lib/data/random.js';
import {
  type HeatmapOptions,
  readingPoints,
  renderHeatmaps,
  type WeightedPoints,
} from '../../lib/gaze/heatmap.js';
import type { Reading } from '../../lib/gaze/reading.js';
import { gaussianFilter, histogram } from '../reference/heatmap.js';

interface Scatter {
  readonly points: WeightedPoints;
  readonly x: number[];
  readonly y: number[];
  readonly weight: number[];
}

/** Points on and around a map, some on pixel and film edges, some twice in one pixel. */
function scatter(count: number, height: number, width: number): Scatter {
  const random = rng(1, 'test', `heatmap ${count} ${height} ${width}`);
  const x = Array.from({ length: count }, () => random.uniform(-0.1, 1.1) * width);
  const y = Array.from({ length: count }, () => random.uniform(-0.1, 1.1) * height);
  const weight = Array.from({ length: count }, () => random.uniform(0, 2));
  x.push(0, width, width / 2, width / 2, Math.floor(width / 3));
  y.push(0, height, height / 2, height / 2, Math.floor(height / 3));
  weight.push(1, 1, 1, 0, 3);
  return { points: { height, width, x, y, weight }, x, y, weight };
}

function closeTo(t: Test, actual: ArrayLike<number>, expected: readonly number[], what: string): void {
  let worst = 0;
  for (const [i, value] of expected.entries()) {
    worst = Math.max(worst, Math.abs((actual[i] as number) - value) / (Math.abs(value) + 1e-12));
  }
  t.equal(actual.length, expected.length, what);
  t.ok(worst < 2e-7, `${what}: ${worst} off, float32's own rounding is 6e-8`);
}

const raw = { sigmaUnit: 'pixel', normalise: 'none' } as const;

t.test('native and plain agree: sizes, borders, filters wider than the map', async (t) => {
  for (const [count, height, width, sigma] of [
    [0, 9, 6, 2],
    [30, 1, 1, 3],
    [30, 1, 17, 2.5],
    [30, 23, 1, 0.6],
    [40, 31, 22, 0.1],
    [40, 31, 22, 1.7],
    [200, 18, 45, 40],
    [300, 40, 19, 6],
  ] as const) {
    const { points, x, y, weight } = scatter(count, height, width);
    const [map] = await renderHeatmaps([points], { ...raw, height, width, sigma });
    const expected = gaussianFilter(histogram({ x, y, weight }, height, width), sigma, sigma).flat();
    closeTo(t, map as Float32Array, expected, `${count} points, ${height} x ${width}, sigma ${sigma}`);
  }
});

t.test('σ counts pixels of a film 2048 long', async (t) => {
  const { points } = scatter(12, 300, 150);
  const options = { height: 30, width: 60, sigma: 64, normalise: 'none' } as const;
  const [map] = await renderHeatmaps([points], options);
  // 64 of 2048 on a film of 300 are 9.375 pixels; the map has a tenth of its rows, 0.4 of its columns.
  const x = Array.from(points.x, (value) => value * 0.4);
  const y = Array.from(points.y, (value) => value * 0.1);
  const image = histogram({ x, y, weight: Array.from(points.weight) }, 30, 60);
  closeTo(t, map as Float32Array, gaussianFilter(image, 0.9375, 3.75).flat(), 'film');
  // Nothing depends on the unit that the film is measured in.
  const fractions = {
    ...{ width: 0.5, height: 1, weight: points.weight },
    ...{ x: Array.from(points.x, (value) => value / 300), y: Array.from(points.y, (value) => value / 300) },
  };
  const [same] = await renderHeatmaps([fractions], options);
  closeTo(t, same as Float32Array, Array.from(map as Float32Array), 'fractions');
});

t.test('the original layout: rows are bins of x over the range that is there', async (t) => {
  const points = { width: 4, height: 6, x: [-2, 1, 6], y: [0, 3, 3], weight: [1, 1, 1] };
  const options: HeatmapOptions = { ...raw, layout: 'original', height: 6, width: 4, sigma: 0.1 };
  const [map] = await renderHeatmaps([points], options);
  // x from -2 to 6 in six bins, y from 0 to 6 (the anchor) in four.
  const expected = new Array<number>(24).fill(0);
  for (const [row, column] of [
    [0, 0],
    [2, 2],
    [5, 2],
    [1, 0],
    [4, 3],
  ] as const)
    expected[row * 4 + column] = 1;
  t.strictSame(Array.from(map as Float32Array), expected);
  const [alone] = await renderHeatmaps([{ ...points, x: [5], y: [2], weight: [7] }], {
    ...options,
    anchors: false,
  });
  t.equal((alone as Float32Array)[3 * 4 + 2], 7, 'one point lies in the middle of its range');
  const empty = { width: 4, height: 6, x: [], y: [], weight: [] };
  const [nothing] = await renderHeatmaps([empty], { ...options, anchors: false });
  t.ok((nothing as Float32Array).every((value) => value === 0));
});

t.test('scaled to a maximum of 1, several maps at once', async (t) => {
  const { points } = scatter(50, 20, 30);
  const none = { width: 20, height: 30, x: [-3], y: [4], weight: [1] };
  const maps = await renderHeatmaps([points, none, points], { height: 20, width: 30, sigma: 200 });
  t.equal(maps.length, 3);
  t.equal(Math.max(...(maps[0] as Float32Array)), 1);
  t.ok(
    (maps[1] as Float32Array).every((value) => value === 0),
    'nothing on the film: zeros',
  );
  t.strictSame(maps[2], maps[0]);
  t.strictSame(await renderHeatmaps([]), []);
});

t.test('points of a reading', async (t) => {
  const fixations = [
    { x: 1, y: 2, start: 0, end: 0.5 },
    { x: 3, y: 4, start: 0.5, end: 2 },
  ];
  const reading: Reading = { id: 'r', image: 'film', width: 10, height: 20, fixations };
  t.match(readingPoints(reading), { width: 10, height: 20, x: [1, 3], y: [2, 4], weight: [0.5, 1.5] });
  t.match(readingPoints(reading, [{ index: 1, weight: 9 }]), { x: [3], y: [4], weight: [9] });
  t.throws(() => readingPoints(reading, [{ index: 2, weight: 1 }]), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('misuse', async (t) => {
  const { points } = scatter(3, 5, 5);
  const refused = (maps: unknown, options: object, message: RegExp) =>
    t.rejects(renderHeatmaps(maps as WeightedPoints[], options), { code: 'ERR_INVALID_ARGUMENT', message });
  await refused(points, {}, /an array for maps/);
  await refused([{ ...points, weight: [1] }], {}, /8 values, as x has, for maps\[0\]\.weight/);
  await refused([{ ...points, x: points.y, width: 0 }], {}, /above 0 for maps\[0\]\.width/);
  await refused([{ width: 5, height: 5, x: [Number.NaN], y: [1], weight: [1] }], {}, /maps\[0\]\.x\[0\]/);
  await refused([{ width: 5, height: 5, x: [1], y: [1], weight: [-1] }], {}, /maps\[0\]\.weight\[0\]/);
  await refused([points], { sigma: 0 }, /above 0/);
  await refused([points], { width: 16384, height: 16384 }, /pixels a map/);
  await refused([points], { width: 20000 }, /options\.width/);
  await refused([points], { layout: 'original', sigmaUnit: 'film' }, /'pixel' with the original layout/);
  await refused([points], { sigmas: 4 }, /did you mean 'sigma'/);
  await refused([{ ...points, width: 1e-3 }], { sigma: 16384 }, /standard deviation/);
});

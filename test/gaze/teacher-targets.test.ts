import t from 'tap';
import { phantom } from '../../lib/data/phantom/phantom.js';
import { readingPoints, renderHeatmaps } from '../../lib/gaze/heatmap.js';
import type { Fixation, Reading } from '../../lib/gaze/reading.js';
import { teacherTargets } from '../../lib/gaze/teacher-targets.js';

const reading = (fixations: readonly Fixation[], stamp?: 'end'): Reading => ({
  ...{ id: 'a', image: 'a', width: 64, height: 48, fixations },
  ...(stamp ? { stamp } : {}),
});
const fixations = [
  { x: 10, y: 10, start: 0, end: 2 },
  { x: 50, y: 40, start: 2, end: 4 },
  { x: 30, y: 20, start: 7, end: 8 },
];

t.test('focal: window by window at σ 128; global: so far at σ 64', async (t) => {
  const size = 32;
  const shown = async (weights: readonly number[], sigma: number) => {
    const shares = weights.map((weight, index) => ({ index, weight })).filter(({ weight }) => weight > 0);
    const points = readingPoints(reading(fixations), shares);
    return (await renderHeatmaps([points], { height: size, width: size, sigma }))[0] as Float32Array;
  };
  const part = (maps: Float32Array, k: number) => maps.slice(k * size * size, (k + 1) * size * size);

  const focal = await teacherTargets(reading(fixations), { branch: 'focal', size });
  t.equal(focal.maps.length, 4 * size * size);
  t.strictSame(focal.present, [true, true, false, true]);
  t.strictSame(part(focal.maps, 1), await shown([0, 2, 0], 128));
  t.ok(part(focal.maps, 2).every((value) => value === 0));
  t.strictSame(part(focal.maps, 3), await shown([0, 0, 1], 128));

  const global = await teacherTargets(reading(fixations), { branch: 'global', size });
  t.strictSame(global.present, [true, true, true, true]);
  t.strictSame(part(global.maps, 0), await shown([2, 0, 0], 64));
  t.strictSame(part(global.maps, 2), await shown([2, 2, 0], 64));
  t.strictSame(part(global.maps, 3), await shown([2, 2, 1], 64));

  const wide = await teacherTargets(reading(fixations), { branch: 'global', size, sigma: 300, windows: 1 });
  t.strictSame(wide.maps, await shown([2, 2, 1], 300));
});

t.test('as published: stamps and weights of 1', async (t) => {
  const options = { branch: 'focal', size: 16, convention: 'as-published' } as const;
  const starts = await teacherTargets(reading(fixations), options);
  t.strictSame(starts.present, [true, true, false, true], 'starts 0, 2, 7 of 7');
  const ends = await teacherTargets(reading(fixations, 'end'), options);
  t.strictSame(ends.present, [true, true, true, true], 'ends 2, 4, 8 of 8');
  t.notSame(starts.maps, ends.maps, '4 of 8 lies on a boundary and so in two windows');
});

t.test('readings that look at nothing', async (t) => {
  const none = await teacherTargets(reading([]), { branch: 'global', size: 8 });
  t.strictSame(none.present, [false, false, false, false]);
  t.ok(none.maps.every((value) => value === 0));
  const off = await teacherTargets(reading([{ x: -5, y: 3, start: 0, end: 1 }]), {
    branch: 'focal',
    size: 8,
  });
  t.strictSame(off.present, [false, false, false, false], 'off the film');
  await t.rejects(teacherTargets(reading([]), { branch: 'local' as 'focal' }), {
    code: 'ERR_INVALID_ARGUMENT',
  });
});

t.test("a phantom's reader can be a target", async (t) => {
  const { id, pixels, fixations: looked } = phantom({ index: 3, size: 96 });
  const { maps, present } = await teacherTargets(
    { id, image: id, width: pixels.width, height: pixels.height, fixations: looked },
    { branch: 'focal' },
  );
  t.equal(maps.length, 4 * 224 * 224);
  t.strictSame(present, [true, true, true, true]);
});

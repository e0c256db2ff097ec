import t from 'tap';
import { rng } from '../../lib/data/random.js';
import { focalCluster } from '../../lib/gaze/focal-cluster.js';
import type { Fixation, Reading } from '../../lib/gaze/reading.js';

const reading = (fixations: readonly Fixation[], id = 'r'): Reading => ({
  ...{ id, image: 'film', width: 100, height: 100, fixations },
});

/** The members of the heavier of two clusters with the least spread, by trying all divisions. */
function bestOfAll(fixations: readonly Fixation[]): Fixation[] {
  let best = { spread: Number.POSITIVE_INFINITY, larger: [] as Fixation[] };
  for (let division = 0; division < 2 ** (fixations.length - 1); division++) {
    const parts = [0, 1].map((side) => fixations.filter((_, i) => ((division >> i) & 1) === side));
    const weigh = (part: readonly Fixation[]) => part.reduce((sum, { start, end }) => sum + end - start, 0);
    const spread = parts.reduce((sum, part) => {
      const mean = (axis: 'x' | 'y') =>
        part.reduce((total, one) => total + (one.end - one.start) * one[axis], 0) / weigh(part);
      const [x, y] = [mean('x'), mean('y')];
      return part.reduce((s, f) => s + (f.end - f.start) * ((f.x - x) ** 2 + (f.y - y) ** 2), sum);
    }, 0);
    const [first, second] = parts as [Fixation[], Fixation[]];
    if (spread < best.spread) best = { spread, larger: weigh(second) > weigh(first) ? second : first };
  }
  return best.larger;
}

t.test('the larger of two clusters, as trying all divisions finds it', (t) => {
  for (let trial = 0; trial < 20; trial++) {
    const random = rng(trial, 'clusters');
    const fixations = Array.from({ length: 11 }, (_, i) => {
      const centre = i % 3 === 0 ? 25 : 70;
      const at = () => Math.min(100, Math.max(0, centre + 12 * random.normal()));
      return { x: at(), y: at(), start: i, end: i + random.uniform(0.1, 1) };
    });
    const off = { x: 400, y: 400, start: 20, end: 90 };
    const found = focalCluster(reading([...fixations, off]), { seed: trial });
    t.same(found.fixations, bestOfAll(fixations), `trial ${trial}: long gaze off the film takes no part`);
  }
  t.end();
});

t.test(
  'the same for the same seed; samples without durations weigh the same; one place is one cluster',
  (t) => {
    const at = (x: number, end = 0): Fixation => ({ x, y: x, start: 0, end });
    const samples = [1, 2, 3, 90, 91].map((x) => at(x));
    t.same(
      focalCluster(reading(samples)).fixations.map(({ x }) => x),
      [1, 2, 3],
    );
    const timed = [at(1, 1), at(2, 1), at(90, 5)];
    t.same(
      focalCluster(reading(timed)).fixations.map(({ x }) => x),
      [90],
      'time counts, not how many there are',
    );
    t.same(focalCluster(reading(samples), { seed: 3 }), focalCluster(reading(samples), { seed: 3 }));
    t.equal(focalCluster(reading([at(5), at(5)])).fixations.length, 2);
    t.same(focalCluster(reading([])).fixations, []);
    t.same(focalCluster(reading([at(-5, 1)])).fixations, []);
    t.throws(() => focalCluster(reading([]), { sed: 1 } as object), /did you mean 'seed'/);
    t.throws(() => focalCluster({} as Reading), { code: 'ERR_INVALID_ARGUMENT' });
    t.end();
  },
);

import t from 'tap';
import { phantom } from '../../../lib/data/phantom/phantom.js';

const size = 64;
const films = Array.from({ length: 240 }, (_, index) => phantom({ seed: 8, index, size }));
const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

t.test('fixations lie on the film and follow each other in time', async (t) => {
  let wrong = 0;
  for (const { fixations } of films) {
    let clock = 0;
    for (const { x, y, start, end } of fixations) {
      if (!(x >= 0 && x < size && y >= 0 && y < size)) wrong++;
      if (!(start > clock && end > start)) wrong++;
      clock = end;
    }
  }
  t.equal(wrong, 0);
});

t.test('numbers, durations and saccades are those of readers', async (t) => {
  const numbers = films.map(({ fixations }) => fixations.length);
  const durations = films.flatMap(({ fixations }) => fixations.map(({ start, end }) => end - start));
  const saccades = films.flatMap(({ fixations }) =>
    fixations.slice(1).map(({ x, y }, i) => {
      const before = fixations[i] as { x: number; y: number };
      return Math.hypot(x - before.x, y - before.y) / size;
    }),
  );
  // Radiologists reading for pneumothorax (Saab et al. 2021): 18 to 105 fixations, median 37; saccades of 0.02 to
  // 0.45 of the film, median 0.09.
  t.ok(median(numbers) > 28 && median(numbers) < 48, `${median(numbers)} fixations`);
  t.ok(Math.min(...numbers) >= 12 && Math.max(...numbers) <= 110);
  t.ok(median(durations) > 0.2 && median(durations) < 0.3, `${median(durations)} s`);
  t.ok(Math.min(...durations) > 0.07 && Math.max(...durations) < 1.7);
  t.ok(median(saccades) > 0.06 && median(saccades) < 0.2, `${median(saccades)} of the film`);
  // Skewed as durations are: the mean is above the median.
  t.ok(durations.reduce((sum, value) => sum + value, 0) / durations.length > median(durations));
});

t.test('the finding draws the eye, but not always', async (t) => {
  const shares = films
    .filter(({ box }) => box !== null)
    .map(({ fixations, findingMask }) => {
      let [on, all] = [0, 0];
      for (const { x, y, start, end } of fixations) {
        all += end - start;
        if (findingMask[Math.floor(y) * size + Math.floor(x)]) on += end - start;
      }
      return on / all;
    });
  t.ok(median(shares) > 0.12 && median(shares) < 0.4, `median share ${median(shares).toFixed(2)}`);
  t.ok(shares.filter((share) => share < 0.08).length >= 3, 'some readers pass over it');
  t.ok(Math.max(...shares) < 0.75, 'nobody looks nowhere else');
});

t.test('both lungs and the middle are searched', async (t) => {
  for (const part of ['upper left', 'upper right', 'lower left', 'lower right', 'middle'] as const) {
    const visited = films.filter(({ fixations }) =>
      fixations.some(({ x, y }) => {
        if (part === 'middle') return Math.abs(x / size - 0.5) < 0.1;
        return x / size < 0.45 === part.endsWith('left') && y / size < 0.45 === part.startsWith('upper');
      }),
    );
    t.ok(visited.length > 0.9 * films.length, `${part}: ${visited.length} of ${films.length}`);
  }
});

import fc from 'fast-check';
import t from 'tap';
import type { Fixation } from '../../lib/gaze/reading.js';
import { cumulativeWindows, timeWindows, type WindowShare } from '../../lib/gaze/windows.js';

const at = (start: number, end: number): Fixation => ({ x: 1, y: 1, start, end });
const plain = (windows: readonly (readonly WindowShare[])[]) =>
  windows.map((window) => window.map(({ index, weight }) => [index, weight]));

t.test('half-open windows weigh by the time inside', async (t) => {
  // From 1 to 9: windows of two seconds.
  const fixations = [at(1, 2), at(2, 6), at(6.5, 7), at(8, 9)];
  t.strictSame(plain(timeWindows(fixations)), [
    [
      [0, 1],
      [1, 1],
    ],
    [[1, 2]],
    [
      [1, 1],
      [2, 0.5],
    ],
    [[3, 1]],
  ]);
  t.strictSame(plain(timeWindows([at(0, 1), at(1, 1)], { windows: 1 })), [[[0, 1]]], 'no time, no weight');
  t.strictSame(timeWindows([at(3, 3), at(3, 3)]), [[], [], [], []]);
  t.strictSame(timeWindows([]), [[], [], [], []]);
});

t.test('half-open windows share out every second once', async (t) => {
  const span = fc.tuple(
    fc.double({ min: -5, max: 50, noNaN: true }),
    fc.double({ min: 0, max: 4, noNaN: true }),
  );
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.array(span, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 7 }),
        (spans, windows) => {
          const fixations = spans.map(([start, duration]) => at(start, start + duration));
          const shares = timeWindows(fixations, { windows }).flat();
          const given = fixations.reduce((sum, { start, end }) => sum + end - start, 0);
          const found = shares.reduce((sum, { weight }) => sum + weight, 0);
          return Math.abs(given - found) < 1e-9 && shares.every(({ weight }) => weight > 0);
        },
      ),
    ),
  );
});

t.test('as published: closed windows from 0, a boundary in both', async (t) => {
  const fixations = [at(-1, 0.5), at(0, 1), at(1, 3), at(2, 4), at(4, 9)];
  const published = (stamp: 'start' | 'end') =>
    timeWindows(fixations, { convention: 'as-published', stamp }).map((window) =>
      window.map(({ index }) => index),
    );
  t.strictSame(published('start'), [[1, 2], [2, 3], [3], [4]]);
  // T is 9 now: 2.25, 4.5, 6.75.
  t.strictSame(published('end'), [[0, 1], [2, 3], [], [4]]);
  t.ok(
    timeWindows(fixations, { convention: 'as-published' })
      .flat()
      .every(({ weight }) => weight === 1),
  );
});

t.test('windows so far', async (t) => {
  const fixations = [at(0, 3), at(3, 4)];
  t.strictSame(plain(cumulativeWindows(timeWindows(fixations))), [
    [[0, 1]],
    [[0, 2]],
    [[0, 3]],
    [
      [0, 3],
      [1, 1],
    ],
  ]);
  const published = timeWindows([at(1, 1), at(4, 4)], { convention: 'as-published' });
  t.strictSame(plain(published), [[[0, 1]], [[0, 1]], [], [[1, 1]]]);
  t.strictSame(
    plain(cumulativeWindows(published, 'as-published')).at(-1),
    [
      [0, 1],
      [1, 1],
    ],
    'what is in two windows counts once',
  );
});

t.test('misuse', async (t) => {
  const code = { code: 'ERR_INVALID_ARGUMENT' };
  t.throws(() => timeWindows([at(2, 1)]), code);
  t.throws(() => timeWindows([at(Number.NaN, 1)]), { ...code, message: /fixations\[0\]/ });
  for (const windows of [0, 1e9]) t.throws(() => timeWindows([], { windows }), code);
  t.throws(() => timeWindows([], { convention: 'closed' as 'half-open' }), code);
  t.throws(() => timeWindows([], { stamps: 'end' } as object), { ...code, message: /did you mean 'stamp'/ });
});

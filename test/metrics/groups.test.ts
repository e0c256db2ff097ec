import t from 'tap';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import { groupsFromCounts } from '../../lib/metrics/groups.js';
import { both } from './support.js';

const code = (expected: string) => ({ code: expected });

t.test('head is above 1000, tail below 100, both ends of medium included', async (t) => {
  t.strictSame(groupsFromCounts([1001, 1000, 100, 99, 0]), ['head', 'medium', 'medium', 'tail', 'tail']);
});

t.test('the published group sizes follow from the published counts', async (t) => {
  const nih = [
    ...[
      45439, 6941, 3135, 2875, 2036, 1665, 1485, 868, 811, 800, 519, 435, 339, 229, 213, 121, 59, 49, 32, 7,
    ],
  ];
  const mimic = [
    ...[
      53260, 7927, 5113, 4539, 3832, 3279, 2395, 2195, 1172, 1036, 791, 638, 609, 254, 207, 175, 32, 27, 12,
    ],
  ];
  const sizes = (counts: number[]) => {
    const groups = groupsFromCounts(counts);
    return ['head', 'medium', 'tail'].map((name) => groups.filter((group) => group === name).length);
  };
  t.strictSame(sizes(nih), [7, 9, 4]);
  t.strictSame(sizes(mimic), [10, 6, 3]);
});

t.test('thresholds of one’s own', async (t) => {
  t.strictSame(groupsFromCounts([50, 10, 5, 4], { head: 10, tail: 5 }), ['head', 'medium', 'medium', 'tail']);
  t.strictSame(groupsFromCounts([11, 10], { head: 10, tail: 11 }), ['head', 'tail'], 'no medium at all');
  t.throws(() => groupsFromCounts([1], { head: 10, tail: 12 }), code('ERR_INVALID_ARGUMENT'));
  t.throws(() => groupsFromCounts([1], { head: 10, tial: 1 } as never), /did you mean 'tail'/);
  t.throws(() => groupsFromCounts([1.5]), code('ERR_INVALID_ARGUMENT'));
  t.throws(() => groupsFromCounts([-1]), code('ERR_INVALID_ARGUMENT'));
});

/** Two head classes, one medium, one tail; recalls 1, 0.5, 0, 1. */
const predictions = both(
  [
    [9, 1, 1, 1],
    [1, 9, 1, 1],
    [9, 1, 1, 1],
    [9, 1, 1, 1],
    [1, 1, 1, 9],
  ],
  [0, 1, 1, 2, 3],
).flat;

t.test('both averages of the literature, under their own names', async (t) => {
  const { longTail } = evaluatePredictions({ ...predictions, trainCounts: [5000, 2000, 500, 10] });
  t.strictSame(
    longTail?.groups.map(({ name, classes, support, accuracy }) => ({ name, classes, support, accuracy })),
    [
      { name: 'head', classes: [0, 1], support: 3, accuracy: 0.75 },
      { name: 'medium', classes: [2], support: 1, accuracy: 0 },
      { name: 'tail', classes: [3], support: 1, accuracy: 1 },
    ],
  );
  t.equal(longTail?.averageOfGroups, (0.75 + 0 + 1) / 3);
  t.equal(longTail?.averageOfClasses, (1 + 0.5 + 0 + 1) / 4);
  t.strictSame(longTail?.thresholds, { head: 1000, tail: 100 });
});

t.test('an empty group is null, left out of the mean, and said', async (t) => {
  const { longTail, notices } = evaluatePredictions({ ...predictions, trainCounts: [5000, 2000, 5000, 10] });
  t.equal(longTail?.groups[1]?.accuracy, null);
  t.equal(longTail?.averageOfGroups, (0.5 + 1) / 2);
  t.match(notices, [{ code: 'group-empty', message: /medium/ }]);
});

t.test('groups given class by class', async (t) => {
  const { longTail, perClass } = evaluatePredictions({
    ...predictions,
    groups: ['tail', 'tail', 'head', 'medium'],
  });
  t.strictSame(
    longTail?.groups.map((group) => group.classes),
    [[2], [3], [0, 1]],
  );
  t.equal(longTail?.thresholds, null);
  t.strictSame(
    perClass.map((c) => c.group),
    ['tail', 'tail', 'head', 'medium'],
  );
});

t.test('without counts there are no groups', async (t) => {
  t.equal(evaluatePredictions(predictions).longTail, null);
});

import t from 'tap';
import { fill, fillState, fnv1a, uniform } from './fill.js';

t.test('gives the published check values', async (t) => {
  t.equal(fnv1a('x'), 4245442695);
  t.same(
    Array.from(uniform('x', 3), (u) => u.toFixed(8)),
    ['-0.62997554', '-0.45471215', '-0.09956894'],
  );
  const weight = fillState('conv1.weight', [2, 3, 1, 1]);
  t.equal(weight.length, 6);
  for (const [i, expected] of [0.9088377, -0.20123203, -0.2381798].entries()) {
    t.ok(Math.abs((weight[i] as number) - expected) < 1e-7, `weight ${i}`);
  }
});

t.test('rounds to float32 once', async (t) => {
  const u = uniform('layer1.0.bn1.running_var', 4);
  t.same(
    Array.from(fillState('layer1.0.bn1.running_var', [4])),
    Array.from(u, (v) => Math.fround(1 + 0.5 * v)),
  );
  t.same(Array.from(fill('y', [2, 3])), Array.from(uniform('y', 6), Math.fround));
});

t.test('chooses the range by the name and shape of the key', async (t) => {
  const u = uniform('fc.weight', 4);
  t.same(
    Array.from(fillState('fc.weight', [4])),
    Array.from(u, (v) => Math.fround(1 + 0.1 * v)),
  );
  t.same(
    Array.from(fillState('fc.weight', [2, 2])),
    Array.from(u, (v) => Math.fround(v * Math.sqrt(1.5))),
  );
  t.same(
    Array.from(fillState('fc.bias', [2])),
    Array.from(uniform('fc.bias', 2), (v) => Math.fround(0.1 * v)),
  );
  t.same(Array.from(fillState('bn1.num_batches_tracked', [])), [0]);
});

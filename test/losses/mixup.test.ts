import t from 'tap';
import { rng } from '../../lib/data/random.js';
import {
  balancedMixup,
  drawBalancedMixup,
  drawMixup,
  mixedLoss,
  mixup,
  permuteLabels,
} from '../../lib/losses/mixup.js';
import { ones, tensor, zeros } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { flat } from '../reference/array.js';
import * as twins from '../reference/mixup.js';
import { worstDifference } from '../support/gradient.js';
import { input, place, plain, read, valueAndGradient } from './support.js';

const x = input('mixup.x', [4, 3, 2, 5]);
const other = input('mixup.other', [4, 3, 2, 5]);
const permutation = [2, 0, 3, 1];

t.test('equals its twin, and keeps dtype and gradient', async (t) => {
  for (const lambda of [0, 0.3, 1]) {
    const expected = flat(twins.mixup(plain(x), permutation, lambda));
    await tidy(async () => {
      const double = await read(mixup(place(x, 'float64'), { lambda, permutation }));
      const single = await read(mixup(place(x, 'float32'), { lambda, permutation }));
      t.ok(worstDifference(double, expected) < 1e-15);
      t.ok(worstDifference(single, expected) < 1e-6);
      const low = mixup(place(x, 'bfloat16'), { lambda, permutation });
      t.equal((await low.ready()).dtype, 'bfloat16');
    });
  }
  const { gradient } = await valueAndGradient(
    (a) => mixup(a, { lambda: 0.3, permutation }).sum(),
    x,
    'float64',
  );
  t.ok(
    gradient.every((g) => Math.abs(g - 1) < 1e-12),
    'every image is used with weights that add up to one',
  );
});

t.test('Balanced-MixUp equals its twin', async (t) => {
  await tidy(async () => {
    const expected = flat(twins.balancedMixup(plain(x), plain(other), 0.2));
    const ours = await read(balancedMixup(place(x, 'float64'), place(other, 'float64'), { lambda: 0.2 }));
    t.ok(worstDifference(ours, expected) < 1e-15);
    const none = await read(balancedMixup(place(x, 'float64'), place(other, 'float64'), { lambda: 0 }));
    t.same(none, x.values, 'with weight 0 the balanced batch is not seen');
  });
});

t.test('the mixed loss weighs its parts', async (t) => {
  await tidy(async () => {
    t.equal(await mixedLoss(tensor([8]).sum(), tensor([4]).sum(), 0.25).item(), 5);
  });
  t.same(permuteLabels([5, 6, 7, 8], permutation), [7, 5, 8, 6]);
});

t.test('draws follow their distributions and their seed', async (t) => {
  const draws = Array.from({ length: 4000 }, (_, i) => drawMixup(rng(1, 'mixup', i), 5));
  t.same(drawMixup(rng(1, 'mixup', 7), 5), draws[7]);
  t.ok(draws.every((draw) => [...draw.permutation].sort().join() === '0,1,2,3,4'));
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const lambdas = draws.map(({ lambda }) => lambda);
  // Beta(0.2, 0.2): mean 1/2, variance 1/(4 * 1.4).
  t.ok(Math.abs(mean(lambdas) - 0.5) < 0.03);
  t.ok(Math.abs(mean(lambdas.map((v) => (v - 0.5) ** 2)) - 1 / 5.6) < 0.01);
  const balanced = lambdas.map((_, i) => drawBalancedMixup(rng(2, i)));
  // Beta(0.2, 1): mean 0.2 / 1.2.
  t.ok(Math.abs(mean(balanced) - 1 / 6) < 0.02);
  const symmetric = lambdas.map((_, i) =>
    drawBalancedMixup(rng(3, i), { alpha: 2, distribution: 'symmetric' }),
  );
  t.ok(Math.abs(mean(symmetric) - 0.5) < 0.02);
  t.equal(drawMixup(rng(1), 3, 0).lambda, 1, 'alpha 0 mixes nothing');
  t.equal(drawBalancedMixup(rng(1), { alpha: 0 }), 0);
});

t.test('refuses what does not fit', async (t) => {
  const code = 'ERR_INVALID_ARGUMENT';
  const z = ones([2, 1]);
  t.throws(() => mixup(z, { lambda: 1.5, permutation: [0, 1] }), { code, message: /lambda/ });
  t.throws(() => mixup(z, { lambda: Number.NaN, permutation: [0, 1] }), { code, message: /lambda/ });
  t.throws(() => mixup(z, { lambda: 0.5, permutation: [0, 0] }), { code, message: /permutation\[1\]/ });
  t.throws(() => mixup(z, { lambda: 0.5, permutation: [0, 2] }), { code, message: /permutation\[1\]/ });
  t.throws(() => balancedMixup(z, z, { lambda: -0.1 }), { code, message: /lambda/ });
  t.throws(() => permuteLabels([1, 2, 3], [0, 1]), { code, message: /3 indices/ });
  t.throws(() => drawMixup(rng(1), 0), { code, message: /batch/ });
  t.throws(() => drawBalancedMixup(rng(1), { distribution: 'flat' as 'symmetric' }), { code });
  const shape = { code: 'ERR_INVALID_SHAPE' };
  await t.rejects(
    tidy(async () => mixup(zeros([3, 1]), { lambda: 0.5, permutation: [1, 0] }).data()),
    shape,
  );
  await t.rejects(
    tidy(async () => balancedMixup(zeros([3, 1]), zeros([2, 1]), { lambda: 0.5 }).data()),
    shape,
  );
  z.dispose();
});

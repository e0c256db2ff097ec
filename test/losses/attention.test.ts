import t from 'tap';
import { attentionLoss } from '../../lib/losses/attention.js';
import { zeros } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import * as twins from '../reference/attention.js';
import {
  gradientError,
  input,
  type Loss,
  place,
  plain,
  secondOrderError,
  valueAndGradient,
} from './support.js';

const x = input('attention.x', [2, 3, 3, 4]);
const y = input('attention.y', [2, 2, 3, 4], 5);

for (const reduction of ['mean', 'sum'] as const) {
  t.test(`${reduction} over positions`, async (t) => {
    const native: Loss = (a) => attentionLoss(a, place(y, 'float64'), { reduction });
    const twin = (values: Float64Array): number =>
      twins.attention(plain({ values, shape: x.shape }), plain(y), reduction);
    const expected = twin(x.values);
    const double = await valueAndGradient(native, x, 'float64');
    const single = await valueAndGradient(
      (a) => attentionLoss(a, place(y, 'float32'), { reduction }),
      x,
      'float32',
    );
    t.ok(Math.abs(double.value - expected) <= 1e-12 * expected);
    t.ok(Math.abs(single.value - expected) <= 1e-5 * expected);
    t.ok((await gradientError(native, twin, x)) < 1e-8, 'gradient by x');
    const byTarget: Loss = (b) => attentionLoss(place(x, 'float64'), b, { reduction });
    const twinOfTarget = (values: Float64Array): number =>
      twins.attention(plain(x), plain({ values, shape: y.shape }), reduction);
    t.ok((await gradientError(byTarget, twinOfTarget, y)) < 1e-8, 'gradient by y');
    t.ok((await secondOrderError(native, x)) < 1e-6, 'second order');
  });
}

t.test('a map of zeros stays zero, with finite gradients', async (t) => {
  const nothing = { values: new Float64Array(24), shape: [2, 1, 3, 4] };
  const loss: Loss = (a) => attentionLoss(a, place(y, 'float32'), { reduction: 'sum' });
  const { value, gradient } = await valueAndGradient(loss, nothing, 'float32');
  t.ok(Math.abs(value - 1) < 1e-6, 'the target alone has length one');
  t.ok(gradient.every((g) => g === 0));
});

t.test('is at most 2 / (H W)', async (t) => {
  await tidy(async () => {
    const loss = await attentionLoss(place(x, 'float64'), place(y, 'float64')).item();
    t.ok(loss > 0 && loss <= 2 / 12);
  });
});

t.test('refuses what does not fit', async (t) => {
  const code = 'ERR_INVALID_SHAPE';
  const bad: [string, readonly number[], readonly number[]][] = [
    ['another height', [2, 3, 3, 4], [2, 3, 4, 4]],
    ['another batch', [2, 3, 3, 4], [1, 3, 3, 4]],
    ['three axes', [2, 3, 3], [2, 3, 3]],
    ['no channel', [2, 3, 3, 4], [2, 0, 3, 4]],
    ['no image', [0, 3, 3, 4], [0, 3, 3, 4]],
  ];
  for (const [name, a, b] of bad) {
    await t.rejects(
      tidy(async () => attentionLoss(zeros(a), zeros(b)).item()),
      { code },
      name,
    );
  }
  const z = zeros([1, 1, 1, 1]);
  t.throws(() => attentionLoss(z, z, { reduction: 'max' as 'sum' }), { code: 'ERR_INVALID_ARGUMENT' });
  z.dispose();
});

import t from 'tap';
import { segmentationLoss } from '../../lib/losses/segmentation.js';
import { ones, zeros } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import * as twins from '../reference/segmentation.js';
import { gradientError, input, type Loss, place, valueAndGradient } from './support.js';

const logits = input('segmentation.logits', [2, 1, 3, 4], 3);
const soft = input('segmentation.masks', [2, 1, 3, 4], 0.5);
const masks = { ...soft, values: soft.values.map((value) => value + 0.5) };

t.test('is cross-entropy and soft Dice over the batch, as its twin', async (t) => {
  for (const smooth of [1, 0, 10]) {
    const native: Loss = (z) => segmentationLoss(z, place(masks, 'float64'), { smooth });
    const twin = (values: Float64Array): number =>
      twins.segmentationLoss([...values], [...masks.values], smooth);
    const { value } = await valueAndGradient(native, logits, 'float64');
    const single = await valueAndGradient(
      (z) => segmentationLoss(z, place(masks, 'float32'), { smooth }),
      logits,
      'float32',
    );
    const expected = twin(logits.values);
    t.ok(Math.abs(value - expected) <= 1e-12 * expected, `smooth ${smooth}`);
    t.ok(Math.abs(single.value - expected) <= 1e-5 * expected);
    t.ok((await gradientError(native, twin, logits)) < 1e-8, 'gradient');
  }
});

t.test('a perfect mask costs nothing, extreme logits are finite', async (t) => {
  const sure = { shape: [1, 1, 2, 2], values: Float64Array.of(200, -200, 200, -200) };
  const right = { shape: sure.shape, values: Float64Array.of(1, 0, 1, 0) };
  const wrong = { shape: sure.shape, values: Float64Array.of(0, 1, 0, 1) };
  const of = (target: typeof right) =>
    valueAndGradient((z) => segmentationLoss(z, place(target, 'float32')), sure, 'float32');
  t.ok((await of(right)).value < 1e-6);
  const { value, gradient } = await of(wrong);
  t.ok(value > 200 && Number.isFinite(value) && gradient.every(Number.isFinite));
});

t.test('refuses what does not fit', async (t) => {
  const code = 'ERR_INVALID_SHAPE';
  for (const [a, b] of [
    [
      [2, 1, 3, 4],
      [2, 3, 4],
    ],
    [
      [0, 1, 3, 4],
      [0, 1, 3, 4],
    ],
  ] as const)
    await t.rejects(
      tidy(async () => segmentationLoss(zeros(a), ones(b)).item()),
      { code },
    );
  await t.rejects(
    tidy(async () => segmentationLoss(zeros([2], { dtype: 'int64' }), ones([2])).item()),
    { code: 'ERR_INVALID_DTYPE' },
  );
  t.throws(() => segmentationLoss(zeros([1]), ones([1]), { smooth: -1 }), { code: 'ERR_INVALID_ARGUMENT' });
});

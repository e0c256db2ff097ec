import t from 'tap';
import { classWeights, ldamMargins } from '../../lib/losses/class-weights.js';
import { classificationLoss } from '../../lib/losses/criterion.js';
import { crossEntropy } from '../../lib/losses/cross-entropy.js';
import { focalLoss } from '../../lib/losses/focal.js';
import { ldamLoss } from '../../lib/losses/ldam.js';
import { memoryStats, tensor, zeros } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import * as twins from '../reference/classification.js';
import {
  gradientError,
  input,
  type Loss,
  labelTensor,
  place,
  plain,
  read,
  secondOrderError,
  valueAndGradient,
} from './support.js';

const counts = [400, 90, 33, 7];
const labels = [0, 3, 2, 2, 1, 0];
const weights = classWeights({ counts, method: 'balanced' });
const margins = ldamMargins({ counts });
const logits = input('classification.logits', [6, 4], 1.5);

interface Case {
  readonly name: string;
  readonly native: Loss;
  readonly twin: (x: ReturnType<typeof plain>) => number;
}

const cases: Case[] = [
  {
    name: 'cross-entropy',
    native: (x) => crossEntropy(x, labelTensor(labels)),
    twin: (x) => twins.crossEntropy(x, labels),
  },
  {
    name: 'weighted cross-entropy',
    native: (x) => crossEntropy(x, labelTensor(labels), { weights }),
    twin: (x) => twins.crossEntropy(x, labels, weights),
  },
  {
    name: 'LDAM',
    native: (x) => ldamLoss(x, labelTensor(labels), { margins, scale: 4 }),
    twin: (x) => twins.ldam(x, labels, { margins, scale: 4 }),
  },
  {
    name: 'weighted LDAM at the default scale',
    native: (x) => ldamLoss(x, labelTensor(labels), { margins, weights }),
    twin: (x) => twins.ldam(x, labels, { margins, weights, scale: 30 }),
  },
  ...[0, 0.5, 1, 2, 3.5].map((gamma) => ({
    name: `focal, gamma ${gamma}`,
    native: (x: Parameters<Loss>[0]) => focalLoss(x, labelTensor(labels), { gamma, weights }),
    twin: (x: Parameters<Case['twin']>[0]) => twins.focal(x, labels, { gamma, weights }),
  })),
  {
    name: 'focal with ignored labels',
    native: (x) => focalLoss(x, labelTensor([0, -100, 2, -100, 1, 0])),
    twin: (x) => twins.focal(x, [0, -100, 2, -100, 1, 0], { gamma: 2 }),
  },
];

for (const { name, native, twin } of cases) {
  t.test(name, async (t) => {
    const expected = twin(plain(logits));
    const double = await valueAndGradient(native, logits, 'float64');
    const single = await valueAndGradient(native, logits, 'float32');
    t.ok(
      Math.abs(double.value - expected) <= 1e-12 * Math.abs(expected),
      `float64: ${double.value} ${expected}`,
    );
    t.ok(
      Math.abs(single.value - expected) <= 1e-5 * Math.abs(expected),
      `float32: ${single.value} ${expected}`,
    );
    const twinOfValues = (values: Float64Array): number => twin(plain({ values, shape: logits.shape }));
    t.ok((await gradientError(native, twinOfValues, logits)) < 1e-6, 'gradient');
    t.ok((await secondOrderError(native, logits)) < 1e-5, 'second order');
  });
}

t.test('lower precision is cast up, so that only the logits are rounded', async (t) => {
  await tidy(async () => {
    const low = place(logits, 'bfloat16', true);
    const loss = crossEntropy(low, labelTensor(labels), { weights });
    t.equal((await loss.ready()).dtype, 'float32');
    const rounded = { values: await read(low.detach().to({ dtype: 'float64' })), shape: logits.shape };
    const expected = twins.crossEntropy(plain(rounded), labels, weights);
    t.ok(Math.abs((await loss.item()) - expected) < 1e-5 * expected);
    loss.backward();
    t.equal((await low.grad().ready()).dtype, 'bfloat16');
  });
});

t.test('focal with gamma 0 is not the weighted cross-entropy', async (t) => {
  await tidy(async () => {
    const x = place(logits, 'float64');
    const focal = await focalLoss(x, labelTensor(labels), { gamma: 0, weights }).item();
    const weighted = await crossEntropy(x, labelTensor(labels), { weights }).item();
    const total = labels.reduce((sum, label) => sum + (weights[label] as number), 0);
    t.not(Math.abs(focal - weighted) < 1e-3, true);
    t.ok(Math.abs(focal * labels.length - weighted * total) < 1e-9, 'it divides by B, not by the weights');
  });
});

t.test('focal without a label that counts is 0, with gradients of 0', async (t) => {
  await tidy(async () => {
    const x = place(logits, 'float32', true);
    const loss = focalLoss(x, labelTensor(labels.map(() => -100)));
    loss.backward();
    t.equal(await loss.item(), 0);
    t.ok((await read(x.grad())).every((value) => value === 0));
    t.equal(await focalLoss(zeros([0, 4]), labelTensor([])).item(), 0);
  });
});

t.test('focal stays finite where a probability reaches 1', async (t) => {
  for (const gamma of [0.5, 1.5, 2]) {
    const sure = { values: Float64Array.of(200, 0, 0, 200), shape: [2, 2] };
    const loss: Loss = (x) => focalLoss(x, labelTensor([0, 0]), { gamma });
    const { value, gradient } = await valueAndGradient(loss, sure, 'float32');
    t.equal(value, 100);
    t.ok(gradient.every(Number.isFinite), `gradient, gamma ${gamma}`);
    t.ok((await secondOrderError(loss, sure)) < 1e-5, `second order, gamma ${gamma}`);
  }
});

t.test('a batch of one works', async (t) => {
  await tidy(async () => {
    const x = tensor([[0, 0, 0, 0]]);
    t.ok(Math.abs((await crossEntropy(x, labelTensor([2]), { weights }).item()) - Math.log(4)) < 1e-6);
  });
});

t.test('classificationLoss binds settings to a loss', async (t) => {
  await tidy(async () => {
    const x = place(logits, 'float64');
    const y = labelTensor(labels);
    const same = async (
      criterion: ReturnType<typeof classificationLoss>,
      expected: number,
    ): Promise<void> => {
      t.ok(Math.abs((await criterion(x, y).item()) - expected) <= 1e-12 * expected);
    };
    const xs = plain(logits);
    await same(classificationLoss({ loss: 'ce', weights }), twins.crossEntropy(xs, labels, weights));
    await same(classificationLoss({ loss: 'focal', gamma: 1 }), twins.focal(xs, labels, { gamma: 1 }));
    await same(
      classificationLoss({ loss: 'ldam', counts, weights }),
      twins.ldam(xs, labels, { margins, weights, scale: 30 }),
    );
  });
  const code = 'ERR_INVALID_ARGUMENT';
  t.throws(() => classificationLoss({ loss: 'ldam' }), { code, message: /counts/ });
  t.throws(() => classificationLoss({ loss: 'ldam', counts: [3, 0], classes: ['a', 'b'] }), {
    code,
    message: /'b'/,
  });
  t.throws(() => classificationLoss({ loss: 'hinge' as 'ce' }), { code, message: /'ldam'/ });
});

t.test('wrong labels and shapes are coded errors that name the place', async (t) => {
  const x = zeros([3, 4]);
  const code = 'ERR_INVALID_ARGUMENT';
  const wrong: [string, () => ReturnType<Loss>, { code: string; message?: RegExp }][] = [
    ['label C', () => crossEntropy(x, labelTensor([0, 4, 1])), { code, message: /labels\[1\].*received 4/ }],
    [
      'negative label',
      () => crossEntropy(x, labelTensor([0, 1, -1])),
      { code, message: /labels\[2\].*received -1/ },
    ],
    [
      '-100 outside focal',
      () => crossEntropy(x, labelTensor([-100, 1, 1])),
      { code, message: /labels\[0\]/ },
    ],
    [
      'label C in LDAM',
      () => ldamLoss(x, labelTensor([9, 0, 0]), { margins }),
      { code, message: /labels\[0\]/ },
    ],
    ['label -1 in focal', () => focalLoss(x, labelTensor([0, -1, 0])), { code, message: /labels\[1\]/ }],
    [
      'too few labels',
      () => crossEntropy(x, labelTensor([0, 1])),
      { code: 'ERR_INVALID_SHAPE', message: /\[3\]/ },
    ],
    ['float labels', () => crossEntropy(x, zeros([3])), { code: 'ERR_INVALID_DTYPE', message: /float32/ }],
    ['integer logits', () => crossEntropy(labelTensor([0]), labelTensor([0])), { code: 'ERR_INVALID_DTYPE' }],
    [
      'flat logits',
      () => crossEntropy(zeros([3]), labelTensor([0])),
      { code: 'ERR_INVALID_SHAPE', message: /\[B, C\]/ },
    ],
    ['no rows', () => crossEntropy(zeros([0, 4]), labelTensor([])), { code: 'ERR_INVALID_SHAPE' }],
    [
      'weights of another length',
      () => crossEntropy(x, labelTensor([0, 1, 2]), { weights: [1, 2] }),
      { code: 'ERR_INVALID_SHAPE', message: /\[4\] for weights/ },
    ],
    [
      'margins of another length',
      () => ldamLoss(x, labelTensor([0, 1, 2]), { margins: [1, 2] }),
      { code: 'ERR_INVALID_SHAPE', message: /\[4\] for margins/ },
    ],
  ];
  for (const [name, call, expected] of wrong) {
    await t.rejects(
      tidy(async () => call().item()),
      expected,
      name,
    );
  }
  t.throws(() => focalLoss(x, x, { gamma: -1 }), { code, message: /gamma/ });
  t.throws(() => ldamLoss(x, x, { margins, scale: 0 }), { code, message: /scale/ });
  t.throws(() => ldamLoss(x, x, {} as never), { code, message: /margins/ });
  t.throws(() => crossEntropy(x, x, { weight: [1] } as never), { code, message: /did you mean 'weights'/ });
  t.throws(() => crossEntropy([[1]] as never, x), { code });
  x.dispose();
});

t.test('leaves no tensor behind', async (t) => {
  const x = place(logits, 'float32');
  const y = labelTensor(labels);
  await x.ready();
  const before = memoryStats().liveTensors;
  for (let i = 0; i < 20; i++) {
    using loss = ldamLoss(x, y, { margins, weights });
    await loss.item();
  }
  t.equal(memoryStats().liveTensors, before);
  x.dispose();
  y.dispose();
});

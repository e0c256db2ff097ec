import t from 'tap';
import { createModel } from '../../lib/models/model.js';
import { full, randn, tensor, threads } from '../../lib/tensor/create.js';
import { fromNdarray } from '../../lib/tensor/ndarray.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { createOptimizer, type Optimizer, type OptimizerOptions } from '../../lib/training/optimizer.js';
import { doubles, flat } from '../reference/array.js';
import { adam, type Rates, type Rule, sgd } from '../reference/optimizers.js';
import { failure } from '../support/outcome.js';
import { isClose, randomArray, tidyTest, toTensor } from '../support/tensors.js';

await threads(1); // test files run side by side

/** Σ c (w - a)² has the gradient 2 c (w - a): different for each element, and moving with it. */
const [c, a] = [randomArray(1, [2, 3], 0.1, 2), randomArray(2, [2, 3])];
const start = randomArray(3, [2, 3]);

function descend(optimizer: Optimizer, w: Tensor, steps: number): void {
  for (let i = 0; i < steps; i++) {
    optimizer.zeroGrad();
    w.sub(toTensor(a)).square().mul(toTensor(c)).sum().backward();
    optimizer.step();
  }
}

function descendTwin(rule: Rule, steps: number, from = flat(start)): number[] {
  let w = from;
  for (let i = 0; i < steps; i++) {
    const gradient = w.map((value, k) => 2 * (flat(c)[k] as number) * (value - (flat(a)[k] as number)));
    w = rule.step(w, gradient);
  }
  return w;
}

const cases: [label: string, options: OptimizerOptions & Rates, twin: () => Rule][] = (
  [
    ['adam', { kind: 'adam', learningRate: 0.05 }],
    ['adam with decay', { kind: 'adam', learningRate: 0.05, weightDecay: 0.1 }],
    ['adam with other rates', { kind: 'adam', learningRate: 0.01, betas: [0.8, 0.95], eps: 1e-3 }],
    ['adam without memory', { kind: 'adam', learningRate: 0.01, betas: [0, 0] }],
    ['adamw', { kind: 'adamw', learningRate: 0.05 }],
    ['adamw with decay', { kind: 'adamw', learningRate: 0.05, weightDecay: 0.2 }],
    ['sgd', { kind: 'sgd', learningRate: 0.05 }],
    ['sgd with decay', { kind: 'sgd', learningRate: 0.05, weightDecay: 0.1 }],
    ['sgd with momentum', { kind: 'sgd', learningRate: 0.05, momentum: 0.9 }],
    [
      'sgd with Nesterov',
      { kind: 'sgd', learningRate: 0.05, momentum: 0.8, nesterov: true, weightDecay: 0.05 },
    ],
    ['sgd at rate 0', { kind: 'sgd', learningRate: 0 }],
  ] as [string, OptimizerOptions & Rates][]
).map(([label, options]) => [
  label,
  options,
  () => (options.kind === 'sgd' ? sgd(options) : adam(options, options.kind === 'adamw')),
]);

for (const [label, options, twin] of cases) {
  tidyTest(t, `${label}: twelve steps as the formula has them`, async (t) => {
    const w = toTensor(start, 'float64', true);
    using optimizer = createOptimizer(new Map([['w', w]]), options);
    const rule = twin();
    let expected = flat(start);
    for (let i = 0; i < 12; i++) {
      descend(optimizer, w, 1);
      expected = descendTwin(rule, 1, expected);
      await isClose(t, w, doubles([2, 3], expected), { tolerance: 1e-12, name: `step ${i + 1}` });
    }
  });

  tidyTest(t, `${label}: goes on from saved state as if never stopped`, async (t) => {
    const w = toTensor(start, 'float64', true);
    using optimizer = createOptimizer(new Map([['w', w]]), options);
    descend(optimizer, w, 5);
    const saved = await optimizer.state();
    const names = {
      adam: ['step', 'exp_avg', 'exp_avg_sq'],
      sgd: options.momentum ? ['momentum_buffer'] : [],
    };
    t.strictSame(
      saved.map(({ name }) => name),
      options.kind === 'sgd' ? names.sgd : names.adam,
    );
    const other = w.detach().clone().requiresGrad_();
    using resumed = createOptimizer(new Map([['w', other]]), options);
    const entries = saved.map((entry) => ({ ...entry, tensor: entry.tensor.clone() }));
    await resumed.loadState(entries);
    const cold = w.detach().clone().requiresGrad_();
    using fresh = createOptimizer(new Map([['w', cold]]), options);
    descend(optimizer, w, 5);
    descend(resumed, other, 5);
    descend(fresh, cold, 5);
    t.equal(await w.eq(other).all().item(), 1, 'bit for bit');
    const remembers = saved.length > 0 && options.betas?.[0] !== 0;
    if (remembers) t.equal(await w.eq(cold).all().item(), 0, 'and not as a cold start');
  });
}

tidyTest(t, 'the learning rate of the next step', async (t) => {
  const w = toTensor(start, 'float64', true);
  using optimizer = createOptimizer(new Map([['w', w]]), { kind: 'sgd', learningRate: 0.1 });
  t.equal(optimizer.learningRate, 0.1);
  descend(optimizer, w, 1);
  optimizer.learningRate = 0.02;
  t.equal(optimizer.learningRate, 0.02);
  descend(optimizer, w, 1);
  const once = descendTwin(sgd({ learningRate: 0.1 }), 1);
  await isClose(t, w, doubles([2, 3], descendTwin(sgd({ learningRate: 0.02 }), 1, once)));
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, '0.1']) {
    t.throws(
      () => {
        optimizer.learningRate = bad as never;
      },
      { code: 'ERR_INVALID_ARGUMENT' },
    );
  }
  t.equal(optimizer.learningRate, 0.02, 'unchanged by what was refused');
});

tidyTest(t, 'gradient norm and clipping', async (t) => {
  const [u, v] = [
    toTensor(start, 'float64', true),
    tensor([3, 4], undefined, { dtype: 'float64', requiresGrad: true }),
  ];
  using optimizer = createOptimizer(
    new Map([
      ['u', u],
      ['v', v],
    ]),
    { kind: 'sgd', learningRate: 1 },
  );
  t.equal(await optimizer.gradientNorm(), 0, 'without any gradient');
  v.square().mul(0.5).sum().backward(); // gradient [3, 4]
  t.ok(Math.abs((await optimizer.gradientNorm()) - 5) < 1e-12, 'only of those that have one');
  u.mul(12 / Math.sqrt(6))
    .sum()
    .backward(); // six elements, norm 12
  t.ok(Math.abs((await optimizer.clipGradients(20)) - 13) < 1e-12);
  await isClose(t, v.grad(), doubles([2], [3, 4]), { name: 'below the maximum nothing changes' });
  t.ok(Math.abs((await optimizer.clipGradients(6.5)) - 13) < 1e-12, 'gives the norm before');
  await isClose(t, v.grad(), doubles([2], [1.5, 2]), { tolerance: 1e-6, name: 'scaled together' });
  t.ok(Math.abs((await optimizer.gradientNorm()) - 6.5) < 1e-6);
  for (const bad of [0, -1, Number.NaN, undefined]) {
    t.throws(() => optimizer.clipGradients(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
  }
  v.mul(Number.NaN).sum().backward();
  t.ok(Number.isNaN(await optimizer.gradientNorm()), 'a NaN is not hidden');
});

tidyTest(t, 'parameters without a gradient are left alone', async (t) => {
  for (const kind of ['adam', 'adamw', 'sgd'] as const) {
    const [used, unused] = [toTensor(start, 'float64', true), toTensor(start, 'float64', true)];
    using optimizer = createOptimizer(
      new Map([
        ['used', used],
        ['unused', unused],
      ]),
      {
        kind,
        learningRate: 0.1,
        weightDecay: 0.5,
        ...(kind === 'sgd' && { momentum: 0.9 }),
      },
    );
    descend(optimizer, used, 2);
    await isClose(t, unused, start, { tolerance: 0, name: `${kind}: not even decayed` });
    const state = await optimizer.state();
    t.strictSame([...new Set(state.map(({ parameter }) => parameter))], ['used']);
    descend(optimizer, unused, 1);
    t.equal(
      (await optimizer.state()).filter(({ parameter }) => parameter === 'unused').length,
      kind === 'sgd' ? 1 : 3,
    );
    optimizer.zeroGrad();
    await optimizer.step();
  }
});

tidyTest(t, 'mixed types and layouts', async (t) => {
  const shape = [2, 3, 4, 4];
  const values = randomArray(9, shape);
  const plain = toTensor(values, 'float64', true);
  const last = toTensor(values).to({ memoryFormat: 'channelsLast' }).detach().requiresGrad_();
  const single = toTensor(values, 'float32', true);
  using optimizer = createOptimizer(
    new Map([
      ['plain', plain],
      ['last', last],
      ['single', single],
    ]),
    { kind: 'adam', learningRate: 0.1 },
  );
  for (let i = 0; i < 3; i++) {
    optimizer.zeroGrad();
    for (const w of [plain, last, single])
      w.square()
        .mul(toTensor(randomArray(10, shape), 'float32'))
        .sum()
        .backward();
    optimizer.step();
  }
  t.ok((await plain.sub(last).abs().amax().item()) < 1e-12, 'channels-last moves as row-major does');
  t.ok((await plain.sub(single).abs().amax().item()) < 1e-5, 'float32 beside float64');
});

tidyTest(t, 'state follows a model that is moved between steps', async (t) => {
  const run = async (move: boolean): Promise<Tensor> => {
    using model = createModel({ architecture: 'resnet18', width: 8, classes: 2, seed: 3 }).to({
      dtype: 'float64',
    });
    const parameters = await model.parameters();
    using optimizer = createOptimizer(parameters, { kind: 'adam', learningRate: 1e-3 });
    const images = randn([2, 3, 32, 32], 1, { dtype: 'float64' });
    for (let i = 0; i < 3; i++) {
      optimizer.zeroGrad();
      model.forward(images).logSoftmax(-1).select(1, 0).mean().backward();
      optimizer.step();
      if (move) model.to({ channelsLast: i % 2 === 0 });
    }
    return (parameters.get('layer1.0.conv1.weight') as Tensor).detach().clone();
  };
  const [still, moved] = [await run(false), await run(true)];
  const apart = await still.sub(moved).abs().amax().item();
  t.ok(
    apart < 1e-6, // rounding; an average at a wrong weight would tell by 1e-3
    `each average stays with its own weight: ${apart} apart`,
  );
});

tidyTest(t, 'state that does not fit', async (t) => {
  const w = toTensor(start, 'float64', true);
  using optimizer = createOptimizer(new Map([['w', w]]), { kind: 'adam' });
  descend(optimizer, w, 1);
  const good = (await optimizer.state()).map((entry) => ({ ...entry, tensor: entry.tensor.clone() }));
  const by = (name: string, change: object) =>
    good.map((entry) => (entry.name === name ? { ...entry, ...change } : entry));
  const codeOf = async (entries: object): Promise<string> => {
    try {
      await optimizer.loadState(entries as never);
      return 'none';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  t.equal(await codeOf(by('exp_avg', { tensor: full([3, 2], 9) })), 'ERR_STATE_DICT', 'shape');
  t.equal(await codeOf(by('exp_avg', { name: 'momentum_buffer' })), 'ERR_STATE_DICT', 'name');
  t.equal(await codeOf(by('exp_avg_sq', { parameter: 'v' })), 'ERR_STATE_DICT', 'parameter');
  t.equal(await codeOf(good.slice(0, 2)), 'ERR_STATE_DICT', 'missing');
  t.equal(await codeOf([...good, good[0] as object]), 'ERR_STATE_DICT', 'twice');
  t.equal(await codeOf([{ parameter: 'w', name: 'step', tensor: 5 }]), 'ERR_INVALID_ARGUMENT');
  t.equal(await codeOf({}), 'ERR_INVALID_ARGUMENT');
  const after = await optimizer.state();
  for (const [i, { tensor }] of after.entries()) {
    t.ok(
      await tensor
        .eq(good[i]?.tensor as Tensor)
        .all()
        .item(),
      'nothing was changed',
    );
  }
  t.equal(await codeOf(good), 'none');
});

tidyTest(t, 'what the constructor refuses', async (t) => {
  const w = toTensor(start, 'float64', true);
  const parameters = new Map([['w', w]]);
  for (const bad of [
    {},
    { kind: 'rmsprop' },
    { kind: 'adam', learningRate: -1 },
    { kind: 'adam', learningRate: Number.NaN },
    { kind: 'adam', betas: [0.9, 1] },
    { kind: 'adam', betas: [0.9] },
    { kind: 'adam', betas: [0.9, 0.99, 0.999] },
    { kind: 'adam', betas: 0.9 },
    { kind: 'adam', eps: -1 },
    { kind: 'adam', weightDecay: -0.1 },
    { kind: 'sgd', momentum: -0.9 },
    { kind: 'sgd', nesterov: true },
    { kind: 'sgd', nesterov: 'yes' },
    { kind: 'adam', lr: 0.1 },
    null,
  ]) {
    t.throws(
      () => createOptimizer(parameters, bad as never),
      { code: 'ERR_INVALID_ARGUMENT' },
      JSON.stringify(bad),
    );
  }
  for (const bad of [{ w }, [w], null, new Map([['w', 5]])]) {
    t.throws(() => createOptimizer(bad as never, { kind: 'adam' }), { code: 'ERR_INVALID_ARGUMENT' });
  }
  const codeOf = async (parameter: Tensor): Promise<string> => {
    using optimizer = createOptimizer(new Map([['w', parameter]]), { kind: 'adam' });
    return (await failure(optimizer.step())).code;
  };
  t.equal(await codeOf(w.mul(2)), 'ERR_INVALID_ARGUMENT', 'no leaf');
  t.equal(await codeOf(tensor(Int32Array.of(1))), 'ERR_INVALID_DTYPE');
  t.equal(await codeOf(w.add(full([7], 1))), 'ERR_INVALID_SHAPE', 'a parameter that failed');
  const gaps = fromNdarray(randomArray(4, [4, 4]).step(2, 2));
  t.equal(await codeOf(gaps.requiresGrad_()), 'ERR_INVALID_ARGUMENT', 'gaps in memory');
  using none = createOptimizer(new Map(), { kind: 'adam' });
  await none.step();
  t.strictSame(await none.state(), []);
  const optimizer = createOptimizer(parameters, { kind: 'adam' });
  optimizer.dispose();
  optimizer.dispose();
  for (const use of [
    () => optimizer.step(),
    () => optimizer.zeroGrad(),
    () => optimizer.state(),
    () => optimizer.loadState([]),
    () => optimizer.clipGradients(1),
    () => optimizer.gradientNorm(),
  ]) {
    t.throws(use, { code: 'ERR_DISPOSED' });
  }
  t.throws(
    () => {
      optimizer.learningRate = 1;
    },
    { code: 'ERR_DISPOSED' },
  );
});

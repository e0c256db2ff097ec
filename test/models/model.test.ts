import t from 'tap';
import { createModel, type Model, probabilities } from '../../lib/models/model.js';
import { autocast, noGrad } from '../../lib/tensor/context.js';
import { full, randn, tensor, threads, zeros } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { failure } from '../support/outcome.js';
import { tidyTest } from '../support/tensors.js';

await threads(1); // test files run side by side

const small = (): Model => createModel({ architecture: 'resnet18', width: 8, classes: 3, seed: 4 });
const same = (a: Tensor, b: Tensor): Promise<number> => a.eq(b).all().item();

/** One model for all tests that do not change it for good. */
async function copyOf(state: Map<string, Tensor>): Promise<Map<string, Tensor>> {
  const copy = new Map([...state].map(([name, value]) => [name, value.detach().clone()]));
  await Promise.all([...copy.values()].map((value) => value.ready()));
  return copy;
}

async function unchanged(model: Model, before: Map<string, Tensor>): Promise<boolean> {
  for (const [name, value] of await model.stateDict()) {
    if (!(await same(value, before.get(name) as Tensor))) return false;
  }
  return true;
}

tidyTest(t, 'state dicts load, strictly or not', async (t) => {
  using model = small();
  using source = createModel({ architecture: 'resnet18', width: 8, classes: 3, seed: 5 });
  const given = await source.stateDict();
  t.strictSame(await model.loadStateDict(given), { missing: [], unexpected: [] });
  t.ok(await unchanged(model, given), 'all values are there');
  const copy = await copyOf(await model.stateDict());
  (given.get('fc.bias') as Tensor).detach().add_(1);
  t.ok(await unchanged(model, copy), 'as copies');

  const without = new Map([...given].filter(([name]) => !name.endsWith('num_batches_tracked')));
  t.strictSame(await model.loadStateDict(without), { missing: [], unexpected: [] }, 'counts may be absent');

  const partial = new Map([...given].filter(([name]) => !name.startsWith('fc.')));
  partial.set('extra.weight', full([2], 1));
  t.strictSame(await model.loadStateDict(partial, { strict: false }), {
    missing: ['fc.weight', 'fc.bias'],
    unexpected: ['extra.weight'],
  });
  const doubled = new Map([...given].map(([name, value]) => [name, value.detach().to({ dtype: 'float64' })]));
  await model.loadStateDict(doubled);
  t.ok(await unchanged(model, given), 'types are converted');
});

tidyTest(t, 'nothing is changed when anything does not fit', async (t) => {
  using model = small();
  const before = await copyOf(await model.stateDict());
  using source = createModel({ architecture: 'resnet18', width: 8, classes: 3, seed: 5 });
  const good = await source.stateDict();
  const attempt = async (change: (state: Map<string, Tensor>) => void, strict: boolean, found: RegExp) => {
    const state = new Map(good);
    change(state);
    const error = await failure(model.loadStateDict(state, { strict }));
    t.equal(error.code, 'ERR_STATE_DICT');
    t.match(error.message, found);
    t.ok(await unchanged(model, before), `${found}: nothing changed`);
  };
  await attempt((s) => s.delete('layer4.1.bn2.bias'), true, /missing layer4\.1\.bn2\.bias/);
  await attempt((s) => s.set('module.fc.bias', full([3], 0)), true, /unexpected module\.fc\.bias/);
  const wrong = /fc\.bias \(expected float32\[3\], found float32\[4\]\)/;
  await attempt((s) => s.set('fc.bias', full([4], 0)), true, wrong);
  await attempt((s) => s.set('fc.bias', full([4], 0)), false, wrong);
  await attempt((s) => s.set('fc.weight', full([512, 3], 0)), false, /fc\.weight/);
  await attempt((s) => s.clear(), true, /and \d+ more/);
  const poisoned = new Map(good).set('fc.bias', full([2], 0).add(full([3], 0)));
  t.equal((await failure(model.loadStateDict(poisoned))).code, 'ERR_INVALID_SHAPE', 'a value that failed');
  t.ok(await unchanged(model, before));
  for (const bad of [
    {},
    null,
    [['fc.bias', full([3], 0)]],
    new Map([['fc.bias', 5]]),
    new Map([[5, full([3], 0)]]),
  ]) {
    t.throws(() => model.loadStateDict(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
  }
  t.throws(() => model.loadStateDict(good, { strict: 'no' as never }), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => model.loadStateDict(good, { strickt: true } as never), { message: /did you mean 'strict'/ });
});

tidyTest(t, "state shares the model's memory", async (t) => {
  using model = small().eval();
  const images = randn([1, 3, 32, 32], 1);
  const before = noGrad(() => model.forward(images));
  const state = await model.stateDict();
  (state.get('fc.bias') as Tensor).detach().add_(2);
  const after = noGrad(() => model.forward(images));
  t.ok((await after.sub(before).sub(2).abs().amax().item()) < 1e-5);
});

tidyTest(t, 'only what is trainable gets gradients', async (t) => {
  using model = small();
  t.strictSame(await model.setTrainable(['fc.', 'layer4.1.bn2']), [
    'layer4.1.bn2.weight',
    'layer4.1.bn2.bias',
    'fc.weight',
    'fc.bias',
  ]);
  const parameters = await model.parameters();
  t.strictSame([...parameters.keys()].length, 4);
  const kinds = new Map((await model.state()).map(({ name, kind }) => [name, kind]));
  t.strictSame(
    [kinds.get('conv1.weight'), kinds.get('fc.weight'), kinds.get('bn1.running_var')],
    ['frozen', 'parameter', 'buffer'],
  );
  model
    .forward(randn([2, 3, 32, 32], 1))
    .sum()
    .backward();
  for (const [name, parameter] of parameters) t.ok(await parameter.grad().isfinite().all().item(), name);
  const frozen = (await model.stateDict()).get('conv1.weight') as Tensor;
  t.equal((await failure(frozen.grad().ready())).code, 'ERR_INVALID_ARGUMENT');
  t.strictSame(await model.setTrainable([]), []);
  t.equal((await model.setTrainable([''])).length, 62, 'all of them');
  t.throws(() => model.setTrainable('fc.' as never), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => model.setTrainable([5 as never]), { code: 'ERR_INVALID_ARGUMENT' });
});

tidyTest(t, 'training and evaluation mode', async (t) => {
  using model = small();
  t.equal(model.training, true);
  const images = randn([4, 3, 32, 32], 1);
  const mean = (await model.stateDict()).get('bn1.running_mean') as Tensor;
  const before = mean.clone();
  t.equal(model.eval(), model, 'chains');
  t.equal(model.training, false);
  const [one, alone] = noGrad(
    () => [model.forward(images), model.forward(images.slice(0, { end: 1 }))] as const,
  );
  t.ok(await same(mean, before), 'evaluation moves no statistics');
  t.ok(
    (await one.slice(0, { end: 1 }).sub(alone).abs().amax().item()) < 1e-4,
    'nor do images see each other',
  );
  const [inTraining, back] = noGrad(
    () => [model.train().forward(images), model.eval().forward(images)] as const,
  );
  t.ok((await inTraining.sub(one).abs().amax().item()) > 1e-3, 'modes take their turn on the lane');
  t.notOk(await same(mean, before));
  t.ok((await back.sub(inTraining).abs().amax().item()) > 1e-3);
  model.train();
  const tiny = await failure(model.forward(randn([1, 3, 32, 32], 1)).ready());
  t.equal(tiny.code, 'ERR_INVALID_SHAPE', 'one value a channel has no variance');
  t.match(tiny.message, /more than one value/);
  const found = await model.stateDict();
  for (const [name, value] of found) t.ok(await value.isfinite().all().item(), `${name} is unhurt`);
});

tidyTest(t, 'batch statistics that move twice a step', async (t) => {
  const images = randn([4, 3, 32, 32], 3);
  const movedBy = async (updates: number): Promise<[Tensor, Tensor, number]> => {
    const model = small().setBatchNormUpdates(updates);
    noGrad(() => model.forward(images));
    const state = await model.stateDict();
    const [mean, variance] = ['bn1.running_mean', 'bn1.running_var'].map(
      (key) => state.get(key)?.clone() as Tensor,
    );
    const count = await (state.get('bn1.num_batches_tracked') as Tensor).item();
    model.dispose();
    return [mean as Tensor, variance as Tensor, count];
  };
  const [mean1, variance1, count1] = await movedBy(1); // r = 0.9 r + 0.1 x, from r = 0 and 1
  const [mean2, variance2, count2] = await movedBy(2); // r = 0.81 r + 0.19 x
  t.strictSame([count1, count2], [1, 2]);
  t.ok((await mean1.mul(1.9).sub(mean2).abs().amax().item()) < 1e-6);
  const batchVariance = variance1.sub(0.9).div(0.1);
  t.ok((await batchVariance.mul(0.19).add(0.81).sub(variance2).abs().amax().item()) < 1e-4);
  using model = small();
  for (const bad of [0, 1.5, -1, Number.NaN, '2']) {
    t.throws(() => model.setBatchNormUpdates(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
  }
});

tidyTest(t, 'taps', async (t) => {
  using model = createModel({ architecture: 'resnet18', width: 8, classes: 3, head: 'bottleneck64' }).eval();
  const { taps, camLayer } = await model.tapNames();
  t.strictSame(taps, [
    'conv1',
    'bn1',
    'maxpool',
    ...[1, 2, 3, 4].flatMap((stage) => [`layer${stage}.0`, `layer${stage}.1`]),
    'avgpool',
    'fc.0',
  ]);
  t.equal(camLayer, 'layer4.1');
  const images = randn([2, 3, 64, 64], 1);
  const wanted = ['fc.0', 'layer1.0', 'avgpool', 'layer4.1', 'bn1'];
  const { logits, taps: found } = model.forwardWithTaps(images, wanted);
  t.strictSame(Object.keys(found), wanted);
  const shapes = await Promise.all(wanted.map(async (name) => (await found[name]?.ready())?.shape));
  t.strictSame(shapes, [
    [2, 64],
    [2, 8, 16, 16],
    [2, 64],
    [2, 64, 2, 2],
    [2, 8, 32, 32],
  ]);
  t.ok((await (found.bn1 as Tensor).amin().item()) < 0, 'before the ReLU');
  const pooled = (found['layer4.1'] as Tensor).mean({ dim: [2, 3] });
  t.ok(
    (await pooled
      .sub(found['avgpool'] as Tensor)
      .abs()
      .amax()
      .item()) < 1e-5,
  );
  t.ok(await same(model.forward(images), logits), 'taps change nothing');
  logits.sum().backward();
  const low = autocast({ dtype: 'bfloat16' }, () => model.forwardWithTaps(images, ['layer4.1']));
  t.equal((await low.taps['layer4.1']?.ready())?.dtype, 'float32', 'in float32 under autocast');
  const unknown = model.forwardWithTaps(images, ['layer9.9']);
  const error = await failure(unknown.logits.ready());
  t.strictSame([error.code, /layer9\.9/.test(error.message)], ['ERR_INVALID_ARGUMENT', true]);
  t.throws(() => model.forwardWithTaps(images, 'layer4.1' as never), { code: 'ERR_INVALID_ARGUMENT' });
});

tidyTest(t, 'memory order and precision', async (t) => {
  using model = small().eval();
  const images = randn([2, 3, 64, 64], 1);
  const plain = noGrad(() => model.forward(images));
  await plain.ready();
  const scale = await plain.abs().amax().item();
  const apart = async (other: Tensor): Promise<number> =>
    (await other.to({ dtype: 'float32' }).sub(plain).abs().amax().item()) / scale;
  model.to({ channelsLast: true });
  const last = images.to({ memoryFormat: 'channelsLast' });
  t.ok((await apart(noGrad(() => model.forward(last)))) < 1e-4, 'channels-last');
  const low = noGrad(() => autocast({ dtype: 'bfloat16' }, () => model.forward(last)));
  t.ok((await apart(low)) < 0.05, 'bfloat16 autocast');
  t.equal((await low.ready()).dtype, 'bfloat16');
  t.ok((await apart(noGrad(() => model.forward(images)))) < 1e-4, 'weights are as before');
  model.to({ dtype: 'float64' });
  t.ok((await apart(noGrad(() => model.forward(images.to({ dtype: 'float64' }))))) < 1e-4);
  const conv = (await model.stateDict()).get('conv1.weight') as Tensor;
  t.equal((await conv.ready()).dtype, 'float64');
  t.throws(() => model.to({ dtype: 'int64' }), { code: 'ERR_INVALID_DTYPE' });
  t.throws(() => model.to({ dtype: 'float' as never }), { code: 'ERR_INVALID_DTYPE' });
  t.throws(() => model.to({ device: 'gpu' }), { code: 'ERR_INVALID_DEVICE' });
  t.throws(() => model.to({ format: 'channelsLast' } as never), { code: 'ERR_INVALID_ARGUMENT' });
  await model.ready();
});

tidyTest(t, 'moving takes gradients along', async (t) => {
  using model = small();
  model
    .forward(randn([2, 3, 32, 32], 1))
    .sum()
    .backward();
  const weight = (await model.parameters()).get('conv1.weight') as Tensor;
  const before = weight.grad().clone();
  model.to({ dtype: 'float64', channelsLast: true });
  const grad = weight.grad();
  t.equal((await grad.ready()).dtype, 'float64');
  t.equal(await grad.sub(before).abs().amax().item(), 0);
  await weight.ready();
  t.equal(weight.dtype, 'float64');
});

tidyTest(t, 'probabilities', async (t) => {
  using model = small().eval();
  const images = zeros([2, 3, 32, 32]);
  const found = probabilities(model, images);
  t.ok(Math.abs((await found.sum().item()) - 2) < 1e-6);
  t.notOk(found.requiresGrad);
});

tidyTest(t, 'dispose, and what the constructor refuses', async (t) => {
  const model = small();
  const logits = model.forward(randn([2, 3, 32, 32], 1));
  model.dispose();
  model.dispose();
  t.equal(model.disposed, true);
  t.strictSame((await logits.ready()).shape, [2, 3], 'queued work still sees the model');
  for (const bad of [
    {},
    { architecture: 'resnet19', classes: 2 },
    { architecture: 'resnet18' },
    { architecture: 'resnet18', classes: 0 },
    { architecture: 'resnet18', classes: 2.5 },
    { architecture: 'resnet18', classes: 2, head: 'mlp' },
    { architecture: 'resnet18', classes: 2, width: 0 },
    { architecture: 'resnet18', classes: 2, width: 1025 },
    { architecture: 'resnet18', classes: 2, seed: -1 },
    { architecture: 'resnet18', classes: 2, pretrained: true },
    null,
    'resnet18',
  ]) {
    t.throws(() => createModel(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
  }
});

tidyTest(t, 'inputs that do not fit', async (t) => {
  using model = small().eval();
  const codeOf = async (images: Tensor): Promise<string> =>
    (await failure(model.forward(images).ready())).code;
  t.equal(await codeOf(randn([2, 1, 32, 32], 1)), 'ERR_INVALID_SHAPE');
  t.equal(await codeOf(randn([32, 32], 1)), 'ERR_INVALID_SHAPE');
  t.equal(await codeOf(zeros([0, 3, 32, 32]).add(zeros([1, 3, 31, 32]))), 'ERR_INVALID_SHAPE');
  t.equal(await codeOf(randn([1, 3, 32, 32], 1, { dtype: 'float64' })), 'ERR_INVALID_DTYPE');
  t.equal(await codeOf(tensor(new Uint8Array(3 * 32 * 32), [1, 3, 32, 32])), 'ERR_INVALID_DTYPE');
  t.strictSame((await model.forward(zeros([0, 3, 32, 32])).ready()).shape, [0, 3], 'an empty batch');
  t.ok(
    await tidy(() =>
      model
        .forward(full([1, 3, 32, 32], Number.NaN))
        .isnan()
        .all(),
    ).item(),
    'NaN goes through',
  );
});

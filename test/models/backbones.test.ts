import t from 'tap';
import { type Architecture, createModel, type Model } from '../../lib/models/model.js';
import { createSegmentationNetwork } from '../../lib/models/segmentation.js';
import { autocast, noGrad } from '../../lib/tensor/context.js';
import { full, gradients, randn, threads, zeros } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { setNetworkRng } from '../../lib/training/network-rng.js';
import { failure } from '../support/outcome.js';
import { tidyTest } from '../support/tensors.js';
import { type PvtReference, pvtDifferences, pvtReference } from './pvt-reference.js';

await threads(1); // test files run side by side

const apart = (a: Tensor, b: Tensor): Promise<number> => a.sub(b).abs().amax().item();
const moments = async (x: Tensor): Promise<[mean: number, deviation: number]> => {
  const values = x.detach();
  return [await values.mean().item(), await values.std({ correction: 0 }).item()];
};
const codeOf = async (result: Tensor): Promise<string> => (await failure(result.ready())).code;
const pvt = (architecture: Architecture = 'pvt_v2_b0'): Model =>
  createModel({ architecture, classes: 3, seed: 2 });

tidyTest(t, 'PVT: keys, shapes, numbers and gradients equal those of timm', async (t) => {
  const reference = pvtReference.models.pvt_v2_b0 as PvtReference;
  for (const [what, difference] of Object.entries(await pvtDifferences('pvt_v2_b0', reference)))
    t.ok(difference < 1e-9, `${what}: off by ${difference}`);
});

tidyTest(t, 'PVT: initial weights', async (t) => {
  using model = pvt();
  using same = pvt();
  const state = await model.stateDict();
  const of = (name: string): Tensor => state.get(name) as Tensor;
  const near = async (name: string, expected: number): Promise<void> => {
    const [mean, deviation] = await moments(of(name));
    const ok = Math.abs(mean) < 0.1 * expected && Math.abs(deviation / expected - 1) < 0.1;
    t.ok(ok, `${name}: N(${mean}, ${deviation}²), not ${expected}²`);
  };
  await near('stages.3.blocks.1.mlp.fc1.weight', 0.02);
  await near('head.weight', 0.02);
  await near('stages.2.downsample.proj.weight', Math.sqrt(2 / (9 * 160)));
  await near('stages.3.blocks.0.mlp.dwconv.weight', Math.sqrt(2 / 9));
  for (const name of [
    'head.bias',
    'patch_embed.proj.bias',
    'stages.0.blocks.0.attn.q.bias',
    'stages.1.norm.bias',
  ])
    t.equal(await of(name).abs().amax().item(), 0, name);
  t.equal(await apart(of('stages.0.blocks.0.attn.norm.weight'), full([32], 1)), 0);
  for (const [name, value] of await same.stateDict())
    if (!(await of(name).eq(value).all().item())) t.fail(`${name} differs for the same seed`);
});

tidyTest(t, 'PVT: taps, precision and sizes', async (t) => {
  using model = createModel({ architecture: 'pvt_v2_b0', classes: 3, head: 'bottleneck64' }).eval();
  const { taps, camLayer } = await model.tapNames();
  t.strictSame(taps.slice(0, 6), [
    'patch_embed',
    ...['stages.0.blocks.0.attn', 'stages.0.blocks.0.mlp', 'stages.0.blocks.1.attn', 'stages.0.blocks.1.mlp'],
    'stages.0',
  ]);
  t.strictSame([camLayer, taps.at(-1)], ['stages.3', 'head.0']);
  const images = randn([2, 3, 40, 72], 1);
  const { logits, taps: found } = noGrad(() => model.forwardWithTaps(images, taps));
  const shapes = await Promise.all(
    ['patch_embed', 'stages.0.blocks.1.mlp', 'stages.0', 'stages.1.downsample', 'stages.3', 'head.0'].map(
      async (name) => (await (found[name] as Tensor).ready()).shape,
    ),
  );
  t.strictSame(shapes, [
    [2, 10, 18, 32],
    [2, 180, 32],
    [2, 32, 10, 18],
    [2, 5, 9, 64],
    [2, 256, 2, 3],
    [2, 64],
  ]);
  const plain = noGrad(() => model.forward(images));
  t.ok((await apart(plain, logits)) < 1e-6, 'taps change nothing');
  const scale = await plain.abs().amax().item();
  const low = noGrad(() => autocast({ dtype: 'bfloat16' }, () => model.forward(images)));
  t.ok((await apart(low.to({ dtype: 'float32' }), plain)) < 0.05 * scale, 'bfloat16 is near');
  model.to({ channelsLast: true });
  t.ok(
    (await apart(
      noGrad(() => model.forward(images)),
      plain,
    )) <
      1e-4 * scale,
    'channels-last weights',
  );

  t.strictSame(
    (await noGrad(() => model.forward(zeros([1, 3, 29, 29]))).ready()).shape,
    [1, 3],
    'the smallest',
  );
  t.strictSame(
    (await noGrad(() => model.forward(zeros([0, 3, 32, 32]))).ready()).shape,
    [0, 3],
    'an empty batch',
  );
  const small = await failure(model.forward(zeros([1, 3, 28, 64])).ready());
  t.equal(small.code, 'ERR_INVALID_SHAPE');
  t.match(small.message, /sides of at least 29 for images but received \[1, 3, 28, 64\]/);
  t.equal(await codeOf(model.forward(zeros([1, 1, 64, 64]))), 'ERR_INVALID_SHAPE');
  t.equal(await codeOf(model.forward(zeros([3, 64, 64]))), 'ERR_INVALID_SHAPE');
  t.equal(await codeOf(model.forward(zeros([1, 3, 64, 64], { dtype: 'float64' }))), 'ERR_INVALID_DTYPE');
});

tidyTest(t, 'PVT: gradients can be differentiated', async (t) => {
  using model = pvt().to({ dtype: 'float64' });
  const weight = (await model.parameters()).get('stages.1.blocks.0.attn.q.weight') as Tensor;
  // Larger than drawn, so that attention prefers some tokens.
  for (const [name, value] of await model.parameters())
    if (/attn\.(q|kv)\.weight/.test(name)) noGrad(() => value.mul_(20));
  const x = randn([1, 3, 64, 64], 3, { dtype: 'float64', requiresGrad: true });
  const slope = (createGraph: boolean): Tensor =>
    gradients(model.forward(x).pow(3).sum(), [x], { createGraph })[0] as Tensor;
  const first = slope(false);
  const size = await first.abs().amax().item();
  t.ok((await apart(slope(true), first)) < 1e-10 * size, 'a gradient with a graph has the same values');
  const value = (): Tensor => slope(true).square().sum();
  const second = gradients(value(), [weight])[0] as Tensor;
  const row = await second.abs().flatten().argmax().item();
  const at = weight
    .detach()
    .reshape([-1])
    .slice(0, { start: row, end: row + 1 });
  const moved = async (by: number): Promise<number> => {
    at.add_(by);
    const result = await value().item();
    at.sub_(by);
    return result;
  };
  const numeric = ((await moved(1e-4)) - (await moved(-1e-4))) / 2e-4;
  const analytic = await second
    .flatten()
    .slice(0, { start: row, end: row + 1 })
    .item();
  t.ok(Math.abs(numeric / analytic - 1) < 1e-4, `${analytic}, by differences ${numeric}`);
});

tidyTest(t, 'VGG16: initial weights, sizes and dropout', async (t) => {
  using model = createModel({ architecture: 'vgg16', width: 16, classes: 3, seed: 1 });
  const state = await model.stateDict();
  const of = (name: string): Tensor => state.get(name) as Tensor;
  const deviation = async (name: string): Promise<number> => (await moments(of(name)))[1];
  t.ok(
    Math.abs((await deviation('features.10.weight')) / Math.sqrt(2 / (9 * 64)) - 1) < 0.01,
    'He et al., by the outputs',
  );
  t.ok(Math.abs((await deviation('classifier.3.weight')) / 0.01 - 1) < 0.01);
  t.ok(
    (await of('classifier.6.weight').abs().amax().item()) <= 1 / 32,
    "PyTorch's Linear: uniform in ±1/√inputs",
  );
  t.ok((await deviation('classifier.6.weight')) > 0.95 / 32 / Math.sqrt(3));
  for (const name of ['features.0.bias', 'features.28.bias', 'classifier.0.bias'])
    t.equal(await of(name).abs().amax().item(), 0, name);

  const images = randn([1, 3, 32, 48], 1);
  const { logits, taps } = noGrad(() =>
    model.forwardWithTaps(images, ['features.28', 'features.29', 'avgpool'], { evaluation: true }),
  );
  const [before, after, pooled] = ['features.28', 'features.29', 'avgpool'].map(
    (name) => taps[name] as Tensor,
  );
  t.strictSame((await (before as Tensor).ready()).shape, [1, 128, 2, 3]);
  t.ok((await (before as Tensor).amin().item()) < 0, 'before its ReLU');
  t.equal(await apart((before as Tensor).relu(), after as Tensor), 0);
  t.strictSame((await (pooled as Tensor).ready()).shape, [1, 128, 7, 7]);
  t.equal((await model.tapNames()).camLayer, 'features.28');
  const shape = async (name: string): Promise<readonly number[]> => (await of(name).ready()).shape;
  t.strictSame(await shape('classifier.0.weight'), [1024, 128 * 49], 'narrow hidden layers');

  const drawn = async (seed: number): Promise<Tensor> => {
    await setNetworkRng(seed);
    return noGrad(() => model.forward(images));
  };
  const [one, again, other] = [await drawn(1), await drawn(1), await drawn(2)];
  t.equal(await apart(one, again), 0, 'dropout follows the seed of the network');
  t.ok((await apart(one, other)) > 0);
  t.equal(
    await apart(
      noGrad(() => model.eval().forward(images)),
      logits,
    ),
    0,
    'and is off in evaluation',
  );
  const scale = await logits.abs().amax().item();
  const low = noGrad(() => autocast({ dtype: 'bfloat16' }, () => model.forward(images)));
  t.equal((await low.ready()).dtype, 'bfloat16');
  t.ok((await apart(low.to({ dtype: 'float32' }), logits)) < 0.05 * scale, 'bfloat16 is near');
  model.to({ channelsLast: true });
  const ordered = images.to({ memoryFormat: 'channelsLast' });
  const last = noGrad(() => model.forward(ordered));
  t.ok((await apart(last, logits)) < 1e-4 * scale, 'channels-last: the flattened features keep their order');
  const both = noGrad(() => autocast({ dtype: 'bfloat16' }, () => model.forward(ordered)));
  t.ok((await apart(both.to({ dtype: 'float32' }), logits)) < 0.05 * scale, 'bfloat16, channels-last');
  t.equal(await codeOf(model.forward(zeros([1, 3, 31, 64]))), 'ERR_INVALID_SHAPE');
});

t.test('heads, widths and dropout that a backbone has not', async (t) => {
  t.throws(() => createModel({ architecture: 'pvt_v2_b1', classes: 3, width: 32 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /Expected 64, since pvt_v2_b1 comes in no other width, for width but received 32/,
  });
  t.throws(() => createModel({ architecture: 'vgg16', classes: 3, head: 'bottleneck64' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /'linear', since vgg16 has no pooled features, for head but received "bottleneck64"/,
  });
  t.throws(() => createModel({ architecture: 'pvt_v2_b0', classes: 3, dropout: 0.5 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /0, since pvt_v2_b0 has none, for dropout/,
  });
  for (const dropout of [1, -0.1, Number.NaN, '0.5'])
    t.throws(() => createModel({ architecture: 'vgg16', classes: 3, dropout: dropout as never }), {
      code: 'ERR_INVALID_ARGUMENT',
    });
});

tidyTest(t, 'U-Net: sizes, taps and precision', async (t) => {
  using network = createSegmentationNetwork({ seed: 1 }).eval();
  const images = randn([1, 3, 32, 48], 1);
  const { logits, taps } = noGrad(() =>
    network.forwardWithTaps(images, ['e4.conv', 'e4.pool', 'b', 'd1', 'd4']),
  );
  t.strictSame((await logits.ready()).shape, [1, 1, 32, 48]);
  const shapes = await Promise.all(Object.values(taps).map(async (tap) => (await tap.ready()).shape));
  t.strictSame(shapes, [
    [1, 512, 4, 6],
    [1, 512, 2, 3],
    [1, 1024, 2, 3],
    [1, 512, 4, 6],
    [1, 64, 32, 48],
  ]);
  const { taps: names, camLayer } = await network.tapNames();
  t.strictSame([names.length, names[0], names.at(-1), camLayer], [17, 'e1.conv', 'd4', '']);
  const scale = await logits.abs().amax().item();
  network.to({ channelsLast: true });
  const low = noGrad(() =>
    autocast({ dtype: 'bfloat16' }, () => network.forward(images.to({ memoryFormat: 'channelsLast' }))),
  );
  t.ok((await apart(low.to({ dtype: 'float32' }), logits)) < 0.05 * scale, 'bfloat16, channels-last');
  const bound = 1 / Math.sqrt(512 * 4); // of a transposed convolution: by its outputs
  const up = (await network.stateDict()).get('d1.up.weight') as Tensor;
  t.ok(Math.abs((await up.detach().abs().amax().item()) / bound - 1) < 1e-3, "PyTorch's initialisation");
  for (const shape of [
    [1, 3, 40, 48],
    [1, 3, 32, 47],
    [1, 1, 32, 32],
    [0, 3, 32, 32],
    [1, 3, 0, 16],
    [3, 32, 32],
  ])
    t.equal(await codeOf(network.forward(zeros(shape))), 'ERR_INVALID_SHAPE', `[${shape}]`);
  t.throws(() => createSegmentationNetwork({ seed: -1 }), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => createSegmentationNetwork({ sead: 1 } as never), { message: /did you mean 'seed'/ });
});

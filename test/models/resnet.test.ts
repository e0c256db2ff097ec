import { readFileSync } from 'node:fs';
import t from 'tap';
import { createModel, type Model } from '../../lib/models/model.js';
import { noGrad } from '../../lib/tensor/context.js';
import { tensor, threads } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { fill, fillState } from '../golden/fill.js';
import { doubles } from '../reference/array.js';
import { fixture } from '../support/paths.js';
import { isClose, tidyTest } from '../support/tensors.js';

interface Reference {
  readonly parameters: number;
  readonly state: readonly string[];
  readonly evaluation: readonly number[];
  readonly training: readonly number[];
  readonly running_mean: readonly number[];
  readonly running_var: readonly number[];
}

const resnets = ['resnet18', 'resnet34', 'resnet50', 'resnet101'] as const;

/** Made by scripts/dev/make-model-reference.py with PyTorch and torchvision. */
const stored = JSON.parse(readFileSync(fixture('models', 'resnets.json'), 'utf8')) as {
  readonly classes: number;
  readonly batch: number;
  readonly size: number;
  readonly models: Readonly<Record<(typeof resnets)[number], Reference>>;
};

await threads(1); // test files run side by side

async function fillWeights(model: Model): Promise<void> {
  const state = await model.state();
  await Promise.all(state.map(({ tensor }) => tensor.ready()));
  await model.loadStateDict(
    new Map(state.map(({ name, tensor: { shape } }) => [name, tensor(fillState(name, shape), shape)])),
  );
  for (const entry of state) entry.tensor.dispose();
}

for (const architecture of resnets) {
  const reference = stored.models[architecture];

  tidyTest(t, `${architecture}: keys, shapes and numbers equal torchvision's`, async (t) => {
    using model = createModel({ architecture, classes: stored.classes });
    const state = await model.state();
    await Promise.all(state.map(({ tensor }) => tensor.ready()));
    t.strictSame(
      state.map(({ name, tensor }) => `${name} [${tensor.shape}]`),
      reference.state,
      'in the same order',
    );
    const learning = state.filter(({ kind }) => kind === 'parameter').map(({ tensor }) => tensor);
    const count = learning.reduce((sum, { shape }) => sum + shape.reduce((n, size) => n * size, 1), 0);
    t.equal(count, reference.parameters);
    t.ok(learning.every(({ requiresGrad }) => requiresGrad));
    const buffers = state.filter(({ name }) => /running_|num_batches/.test(name));
    t.ok(
      buffers.every(({ kind }) => kind === 'buffer') && buffers.length + learning.length === state.length,
      'running statistics and counts are the buffers',
    );
    t.equal(state.find(({ name }) => name === 'bn1.num_batches_tracked')?.tensor.dtype, 'int64');

    await fillWeights(model);
    model.to({ dtype: 'float64' });
    const { batch, size, classes } = stored;
    const images = tensor(fill('models.x', [batch, 3, size, size]), [batch, 3, size, size], {
      dtype: 'float64',
    });
    const expected = (values: readonly number[]) => doubles([batch, classes], values);
    model.eval();
    await isClose(
      t,
      noGrad(() => model.forward(images)),
      expected(reference.evaluation),
      {
        tolerance: 1e-10,
        name: 'logits in evaluation mode',
      },
    );
    model.train();
    await isClose(
      t,
      noGrad(() => model.forward(images)),
      expected(reference.training),
      {
        tolerance: 1e-9,
        name: 'logits in training mode',
      },
    );
    const after = await model.stateDict();
    for (const name of ['running_mean', 'running_var'] as const) {
      const moved = (after.get(`layer4.1.bn2.${name}`) as Tensor).slice(0, { end: 4 });
      await isClose(t, moved, doubles([4], reference[name]), { tolerance: 1e-11, name });
    }
    t.equal(await (after.get('layer4.1.bn2.num_batches_tracked') as Tensor).item(), 1);
    t.equal(
      (await (after.get('bn1.num_batches_tracked') as Tensor).ready()).dtype,
      'int64',
      'stays an integer',
    );
  });
}

tidyTest(t, 'the two-layer head has its own keys and tap', async (t) => {
  using model = createModel({ architecture: 'resnet18', classes: 7, head: 'bottleneck64' });
  const state = await model.stateDict();
  const shapes: Record<string, readonly number[]> = {};
  for (const [name, value] of state) {
    if (name.startsWith('fc.')) shapes[name] = (await value.ready()).shape;
  }
  t.strictSame(shapes, {
    'fc.0.weight': [64, 512],
    'fc.0.bias': [64],
    'fc.1.weight': [7, 64],
    'fc.1.bias': [7],
  });
  const { taps } = await model.tapNames();
  t.equal(taps.at(-1), 'fc.0');
});

tidyTest(t, 'another width keeps keys and taps and scales the channels', async (t) => {
  for (const [architecture, features] of [
    ['resnet18', 64],
    ['resnet50', 256],
  ] as const) {
    using narrow = createModel({ architecture, classes: 3, width: 8 });
    using published = createModel({ architecture, classes: 3 });
    const [few, many] = [await narrow.stateDict(), await published.stateDict()];
    t.strictSame([...few.keys()], [...many.keys()]);
    const shapesOf = async (name: string) =>
      [few, many].map(async (state) => (await (state.get(name) as Tensor).ready()).shape);
    t.strictSame(await Promise.all(await shapesOf('conv1.weight')), [
      [8, 3, 7, 7],
      [64, 3, 7, 7],
    ]);
    t.strictSame(await Promise.all(await shapesOf('fc.weight')), [
      [3, features],
      [3, 8 * features],
    ]);
    t.strictSame(await narrow.tapNames(), await published.tapNames());
  }
});

/** Mean and deviation of a state dict's tensor. */
async function moments(value: Tensor): Promise<[number, number]> {
  return [await value.mean().item(), await value.std({ correction: 0 }).item()];
}

tidyTest(t, "random weights follow torchvision's distributions and the seed", async (t) => {
  const dictOf = (seed: number): Promise<Map<string, Tensor>> =>
    createModel({ architecture: 'resnet18', classes: 10, seed }).stateDict();
  const [one, same, other] = [await dictOf(1), await dictOf(1), await dictOf(2)];
  for (const [name, value] of one) {
    t.ok(
      await value
        .eq(same.get(name) as Tensor)
        .all()
        .item(),
      `${name}: same seed, same values`,
    );
  }
  t.notOk(
    await (one.get('conv1.weight') as Tensor)
      .eq(other.get('conv1.weight') as Tensor)
      .all()
      .item(),
  );
  const [mean, deviation] = await moments(one.get('layer3.0.conv2.weight') as Tensor);
  const expected = Math.sqrt(2 / (256 * 9)); // He et al., by the outputs
  t.ok(
    Math.abs(mean) < expected * 0.01 && Math.abs(deviation / expected - 1) < 0.01,
    `${mean} ± ${deviation}`,
  );
  const bound = 1 / Math.sqrt(512); // PyTorch's Linear: uniform in ±1/√inputs
  const fc = one.get('fc.weight') as Tensor;
  const [, spread] = await moments(fc);
  t.ok((await fc.abs().amax().item()) <= bound && Math.abs(spread / (bound / Math.sqrt(3)) - 1) < 0.05);
  for (const [name, value] of one) {
    if (/(bn\d|downsample\.1)\.(weight|running_var)$/.test(name)) t.ok(await value.eq(1).all().item(), name);
    if (/(bn\d|downsample\.1)\.(bias|running_mean)$/.test(name)) t.ok(await value.eq(0).all().item(), name);
  }
});

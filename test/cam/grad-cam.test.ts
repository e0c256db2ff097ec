import t from 'tap';
import { camFromActivation } from '../../lib/cam/from-activation.js';
import { gradCam } from '../../lib/cam/grad-cam.js';
import { readMaps } from '../../lib/cam/maps.js';
import { createModel, type Model } from '../../lib/models/model.js';
import { noGrad } from '../../lib/tensor/context.js';
import { full, gradients, memoryStats, tensor, zeros } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { fillModel } from '../golden/kinds/student-model.js';
import { input, place, plain, read } from '../losses/support.js';
import { doubles, flat } from '../reference/array.js';
import * as twins from '../reference/grad-cam.js';
import { worstDifference } from '../support/gradient.js';

const images = input('cam.images', [3, 3, 48, 64]);
const classes = 5;

async function smallModel(head: 'linear' | 'bottleneck64' = 'linear'): Promise<Model> {
  const model = createModel({ architecture: 'resnet18', width: 8, classes, head });
  await fillModel(model);
  return model.eval();
}

const model = await smallModel();
t.teardown(() => model.dispose());

/** Maps by the twin, from activation and gradient that autograd gives through the ordinary forward pass. */
async function expectedMaps(model: Model, layer: string, chosen: readonly number[]): Promise<number[]> {
  return tidy(async () => {
    const { logits, taps } = model.forwardWithTaps(place(images, 'float32', true), [layer]);
    const activation = taps[layer] as Tensor;
    const index = tensor(
      chosen.map((c) => [c]),
      undefined,
      { dtype: 'int64' },
    );
    const [gradient] = gradients(logits.gather(1, index).sum(), [activation]) as [Tensor];
    const { shape } = await activation.ready();
    const arrays = [await read(activation.detach()), await read(gradient)].map((values) =>
      doubles(shape, values),
    );
    return flat(twins.gradCam(arrays[0] as never, arrays[1] as never, 48, 64));
  });
}

t.test('the arithmetic equals its twin', async (t) => {
  const shapes: [number[], number, number][] = [
    [[2, 4, 3, 5], 12, 20],
    [[1, 3, 7, 7], 33, 50],
    [[2, 2, 1, 1], 4, 4],
    [[1, 2, 6, 4], 3, 4],
  ];
  for (const [shape, height, width] of shapes) {
    const a = input(`cam.a${shape}`, shape);
    const g = input(`cam.g${shape}`, shape);
    const expected = flat(twins.gradCam(plain(a), plain(g), height, width));
    await tidy(async () => {
      const double = camFromActivation(place(a, 'float64'), place(g, 'float64'), { height, width });
      t.same((await double.ready()).shape, [shape[0], height, width]);
      t.ok(worstDifference(await read(double), expected) < 1e-12, `float64 ${shape}`);
      const single = camFromActivation(place(a, 'float32'), place(g, 'float32'), { height, width });
      t.ok(worstDifference(await read(single), expected) < 1e-5, `float32 ${shape}`);
    });
  }
});

t.test('a raw map that is zero everywhere stays zero; any other ends at 1 - 1e-7', async (t) => {
  await tidy(async () => {
    const a = full([2, 3, 4, 4], 2);
    const size = { height: 8, width: 8 };
    t.ok((await read(camFromActivation(a, full([2, 3, 4, 4], -1), size))).every((value) => value === 0));
    const g = input('cam.top', [1, 3, 4, 4]);
    const map = await read(
      camFromActivation(place(input('cam.ramp', [1, 3, 4, 4]), 'float64'), place(g, 'float64'), size),
    );
    t.ok(Math.abs(Math.max(...map) - 1) < 2e-7 && Math.min(...map) === 0);
  });
});

t.test('refuses activations that do not fit', async (t) => {
  const size = { height: 4, width: 4 };
  const code = 'ERR_INVALID_SHAPE';
  for (const [a, g] of [
    [
      [2, 3],
      [2, 3],
    ],
    [
      [1, 2, 3, 3],
      [1, 2, 3, 4],
    ],
    [
      [1, 0, 3, 3],
      [1, 0, 3, 3],
    ],
  ] as number[][][]) {
    await t.rejects(
      tidy(async () => camFromActivation(zeros(a as number[]), zeros(g as number[]), size).data()),
      { code },
    );
  }
  const z = zeros([1, 1, 1, 1]);
  t.throws(() => camFromActivation(z, z, { height: 0, width: 4 }), { code: 'ERR_INVALID_ARGUMENT' });
  z.dispose();
});

t.test('maps of a network equal those from its activations and gradients', async (t) => {
  using bottleneck = await smallModel('bottleneck64');
  for (const [network, layer] of [
    [model, 'layer4.1'],
    [model, 'layer3.0'],
    [bottleneck, 'layer4.1'],
  ] as const) {
    await tidy(async () => {
      const result = gradCam(network, place(images, 'float32'), { layer, classes: [4, 0, 2] });
      t.same((await result.maps.ready()).shape, [3, 48, 64]);
      t.equal(result.maps.dtype, 'float32');
      const expected = await expectedMaps(network, layer, [4, 0, 2]);
      t.ok(worstDifference(await read(result.maps), expected) < 1e-4, `${network.options.head} ${layer}`);
    });
  }
});

t.test('explains the predicted class of the last feature map by default, with its logits', async (t) => {
  await tidy(async () => {
    const x = place(images, 'float32');
    const result = gradCam(model, x);
    const logits = await read(model.forward(x).detach());
    t.same(await read(result.logits), logits);
    const predicted = await read(result.classes);
    t.same(predicted, await read(model.forward(x).argmax({ dim: 1 })));
    t.equal((await result.classes.ready()).dtype, 'int64');
    const given = gradCam(model, x, { layer: 'layer4.1', classes: Int32Array.from(predicted) });
    t.same(await read(given.maps), await read(result.maps));
    const one = gradCam(model, x, { classes: 3 });
    t.same(await read(one.classes), Float64Array.of(3, 3, 3));
  });
});

t.test('each map is that of its image alone', async (t) => {
  await tidy(async () => {
    const x = place(images, 'float32');
    const together = await read(gradCam(model, x, { classes: 1 }).maps);
    const alone = await read(gradCam(model, x.slice(0, { start: 1, end: 2 }), { classes: 1 }).maps);
    t.ok(worstDifference(together.slice(48 * 64, 2 * 48 * 64), alone) < 1e-4);
  });
});

t.test('runs in eval mode, leaves weights, gradients, statistics and the mode as they were', async (t) => {
  await tidy(async () => {
    const x = place(images, 'float32');
    const inEval = await read(gradCam(model, x).maps);
    model.train();
    const parameters = await model.parameters();
    const weight = parameters.get('fc.weight') as Tensor;
    model.forward(x).sum().backward();
    const state = await model.stateDict();
    const watch = ['bn1.running_mean', 'bn1.num_batches_tracked', 'layer4.1.bn2.running_var', 'fc.weight'];
    const snapshot = async (): Promise<Float64Array[]> =>
      Promise.all([...watch.map((name) => read((state.get(name) as Tensor).detach())), read(weight.grad())]);

    const before = await snapshot();
    const inTraining = await read(noGrad(() => gradCam(model, x)).maps);
    t.same(await snapshot(), before);
    t.not(worstDifference(inTraining, inEval) === 0, true, 'the statistics had moved on');
    model.forward(x);
    const after = await snapshot();
    t.equal(after[1]?.[0], (before[1]?.[0] as number) + 1, 'training mode is back: statistics move again');
    model.eval();
    const again = await read(gradCam(model, x).logits);
    t.same(again, await read(model.forward(x).detach()));
    model.forward(x);
    t.same((await snapshot())[1], after[1], 'eval mode is back');
  });
});

t.test('wrong layers, classes and images are coded errors', async (t) => {
  const x = place(images, 'float32');
  const code = 'ERR_INVALID_ARGUMENT';
  const rejects = (call: () => ReturnType<typeof gradCam>, expected: { code: string; message?: RegExp }) =>
    t.rejects(
      tidy(async () => call().maps.data()),
      expected,
    );
  await rejects(() => gradCam(model, x, { layer: 'layer41' }), {
    code,
    message: /'layer41'.*nearest.*'layer4\.1'/,
  });
  await rejects(() => gradCam(model, x, { layer: 'avgpool' }), {
    code: 'ERR_INVALID_SHAPE',
    message: /\[B, K, h, w\]/,
  });
  await rejects(() => gradCam(model, x, { classes: 5 }), { code, message: /0 to 4/ });
  await rejects(() => gradCam(model, x, { classes: [0, 1] }), { code, message: /3 images/ });
  await rejects(() => gradCam(model, zeros([3, 48, 64])), { code: 'ERR_INVALID_SHAPE', message: /images/ });
  await rejects(() => gradCam(model, zeros([0, 3, 48, 64])), {
    code: 'ERR_INVALID_SHAPE',
    message: /images/,
  });
  await rejects(() => gradCam(model, full([1, 3, 48, 64], Number.NaN)), { code: 'ERR_NOT_FINITE' });
  t.throws(() => gradCam(model, x, { classes: -1 }), { code, message: /classes/ });
  t.throws(() => gradCam(model, x, { classes: [] }), { code, message: /classes/ });
  t.throws(() => gradCam(model, x, { layer: '' }), { code, message: /layer/ });
  t.throws(() => gradCam(model, x, { layers: 'layer4.1' } as never), { code, message: /'layer'/ });
  const usable = await tidy(async () => (await gradCam(model, x).maps.ready()).shape);
  t.same(usable, [3, 48, 64], 'the model works on after errors');
  x.dispose();
});

t.test('a hundred explanations leave no tensor behind', async (t) => {
  const x = place({ values: images.values.slice(0, 3 * 32 * 32), shape: [1, 3, 32, 32] }, 'float32');
  await x.ready();
  const before = memoryStats();
  for (let i = 0; i < 100; i++) await tidy(async () => gradCam(model, x).maps.ready());
  const after = memoryStats();
  t.equal(after.liveTensors, before.liveTensors);
  t.equal(after.hostBytes, before.hostBytes);
  const { maps, logits, classes } = gradCam(model, x);
  await maps.ready();
  for (const tensor of [maps, logits, classes]) tensor.dispose();
  t.equal(
    memoryStats().liveTensors,
    before.liveTensors,
    'what is not returned is freed, outside of tidy too',
  );
  x.dispose();
});

t.test('readMaps gives one plain map an image', async (t) => {
  const stack = tensor([[[0, 0.25, 0.5]], [[0.75, 1, 0]]]);
  const maps = await readMaps(stack);
  t.same(maps, [
    { width: 3, height: 1, data: Float32Array.of(0, 0.25, 0.5) },
    { width: 3, height: 1, data: Float32Array.of(0.75, 1, 0) },
  ]);
  const flatMap = zeros([3]);
  await t.rejects(readMaps(flatMap), { code: 'ERR_INVALID_SHAPE', message: /\[B, H, W\]/ });
  stack.dispose();
  flatMap.dispose();
});

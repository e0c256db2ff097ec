import t from 'tap';
import {
  attentionMap,
  type CamActivations,
  camActivations,
  gradientCamMethods,
} from '../../lib/cam/attention-map.js';
import { camFromActivation } from '../../lib/cam/from-activation.js';
import { scoreCam } from '../../lib/cam/score-cam.js';
import { localisationLoss, softAttention } from '../../lib/losses/localisation.js';
import { createModel, type Model } from '../../lib/models/model.js';
import { autocast, noGrad } from '../../lib/tensor/context.js';
import { full, gradients, memoryStats, tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { input, labelTensor, place, plain, read } from '../losses/support.js';
import { type Doubles, doubles, flat } from '../reference/array.js';
import * as twins from '../reference/grad-cam.js';
import { worstDifference } from '../support/gradient.js';

t.setTimeout(120_000);

const [height, width] = [48, 32];
const images = input('attention.images', [2, 3, height, width]);
const classes = [3, 1];
const small = input('attention.small', [2, 3, 32, 32]);

const doubleModel = (head: 'linear' | 'bottleneck64'): Model =>
  createModel({ architecture: 'resnet18', classes: 4, head, width: 16, seed: 1 })
    .to({ dtype: 'float64' })
    .eval();

const model = doubleModel('linear');
const single = createModel({ architecture: 'resnet18', classes: 4, width: 16, seed: 1 }).eval();
t.teardown(() => {
  model.dispose();
  single.dispose();
});

/** Activation of a layer and gradient of the chosen logits by it, through the ordinary forward pass. */
async function activationAndGradient(layer: string): Promise<[Doubles, Doubles]> {
  return tidy(async () => {
    const { logits, taps } = model.forwardWithTaps(place(images, 'float64', true), [layer]);
    const activation = taps[layer] as Tensor;
    const chosen = logits.gather(1, labelTensor(classes).unsqueeze(1)).sum();
    const [gradient] = gradients(chosen, [activation]) as [Tensor];
    const { shape } = await activation.ready();
    const [a, g] = [await read(activation.detach()), await read(gradient)];
    return [doubles(shape, a), doubles(shape, g)] as [Doubles, Doubles];
  });
}

t.test('the arithmetic of each method equals its twin', async (t) => {
  const a = input('attention.a', [2, 5, 3, 4]);
  const g = input('attention.g', [2, 5, 3, 4]);
  g.values[7] = 0;
  for (const method of gradientCamMethods) {
    const expected = flat(twins.gradCam(plain(a), plain(g), 10, 13, method));
    const size = { height: 10, width: 13, method };
    await tidy(async () => {
      const maps = camFromActivation(place(a, 'float64'), place(g, 'float64'), size);
      t.ok(worstDifference(await read(maps), expected) < 1e-10, method);
    });
  }
});

t.test('maps of a network, with a backward pass and without, equal those of their twins', async (t) => {
  for (const layer of ['layer4.1', 'layer3.0']) {
    const [a, g] = await activationAndGradient(layer);
    // One method that weighs channels and one that weighs elements say enough of the other layer.
    const methods = layer === 'layer4.1' ? gradientCamMethods : (['gradcam++', 'layercam'] as const);
    for (const method of methods) {
      await tidy(async () => {
        const result = attentionMap(model, place(images, 'float64'), { method, layer, classes });
        const expected = flat(twins.gradCam(a, g, height, width, method));
        t.ok(worstDifference(await read(result.maps), expected) < 1e-9, `${layer} ${method}`);
        const raw = classes.flatMap((_, b) => twins.rawMap(a, g, b, method).data);
        t.ok(worstDifference(await read(result.raw as Tensor), raw) < 1e-12, 'raw');
        t.same(result.weights === undefined, method === 'hirescam' || method === 'layercam');
        if (result.weights)
          t.same((await result.weights.ready()).shape, [2, layer === 'layer4.1' ? 128 : 64]);
      });
    }
  }
});

t.test('several layers are averaged, classes may be a tensor', async (t) => {
  const layers = ['layer3.1', 'layer4.1'];
  const [first, second] = [await activationAndGradient('layer3.1'), await activationAndGradient('layer4.1')];
  await tidy(async () => {
    const result = attentionMap(model, place(images, 'float64'), {
      layer: layers,
      classes: labelTensor(classes),
    });
    const expected = classes.flatMap((_, b) => {
      const raw = [first, second].map(([a, g]) => twins.rawMap(a, g, b));
      return twins.toImage(raw, height, width).data;
    });
    t.ok(worstDifference(await read(result.maps), expected) < 1e-9);
    t.equal(result.raw, undefined);
    t.same(await read(result.classes), Float64Array.from(classes));
    const reversed = attentionMap(model, place(images, 'float64'), { layer: layers.toReversed(), classes });
    t.ok(worstDifference(await read(reversed.maps), expected) < 1e-9, 'in any order');
  });
});

/** a + o of the differentiable map, and its gradient along a direction in the space of some parameters. */
async function slope(
  network: Model,
  layer: string,
  names: readonly string[],
  activations?: CamActivations,
): Promise<[number, number]> {
  const values = new Map(
    await tidy(async () => {
      const state = await network.stateDict();
      return Promise.all(
        names.map(async (name) => [name, await read((state.get(name) as Tensor).detach())] as const),
      );
    }),
  );
  const direction = new Map(
    names.map((name) => [name, input(name, [(values.get(name) as Float64Array).length])]),
  );
  const boxes = Int32Array.of(5, 8, 20, 30, 0, 3, 30, 40);
  const objective = (): Tensor => {
    const { maps, logits } = attentionMap(network, place(images, 'float64'), {
      layer,
      classes,
      differentiable: true,
      ...(activations && { activations }),
    });
    const terms = softAttention(maps, boxes, labelTensor([0, 0]), { regions: ['lower'], tau: 0.3 });
    return terms.attention.add(terms.outside).sum().add(logits.square().mean());
  };
  const at = (step: number): Promise<number> =>
    tidy(async () => {
      const state = await network.stateDict();
      for (const name of names) {
        const parameter = state.get(name) as Tensor;
        const { shape } = await parameter.ready();
        const along = (direction.get(name) as { values: Float64Array }).values;
        const moved = (values.get(name) as Float64Array).map((v, i) => v + step * (along[i] as number));
        noGrad(() => parameter.copy_(tensor(moved, shape)));
      }
      // Inside noGrad the same call gives the same value without a graph.
      return noGrad(objective).item();
    });
  const numeric = ((await at(1e-6)) - (await at(-1e-6))) / 2e-6;
  await at(0);
  return tidy(async () => {
    const parameters = await network.parameters();
    for (const parameter of parameters.values()) parameter.zeroGrad_();
    objective().backward();
    let exact = 0;
    for (const name of names) {
      const gradient = await read((parameters.get(name) as Tensor).grad());
      const along = (direction.get(name) as { values: Float64Array }).values;
      exact += gradient.reduce((sum, value, i) => sum + value * (along[i] as number), 0);
    }
    for (const parameter of parameters.values()) parameter.zeroGrad_();
    return [exact, numeric] as [number, number];
  });
}

t.test(
  'differentiable maps have exact gradients, in closed form and by a second backward pass',
  async (t) => {
    using bottleneck = doubleModel('bottleneck64');
    const cases: [Model, string, boolean, string[]][] = [
      [model, 'layer4.1', true, ['fc.weight', 'layer3.1.bn2.weight']],
      [bottleneck, 'layer4.1', false, ['fc.0.weight', 'fc.1.weight', 'layer4.1.bn2.weight']],
      // Batch normalisation lies behind this layer: its second derivative is needed.
      [
        model,
        'layer3.1',
        true,
        ['layer4.0.bn1.weight', 'layer4.1.bn2.bias', 'layer3.1.bn2.weight', 'fc.weight'],
      ],
    ];
    using pvt = createModel({ architecture: 'pvt_v2_b0', classes: 4, seed: 2 }).to({ dtype: 'float64' });
    // Attention lies behind this one.
    cases.push([
      pvt,
      'stages.2',
      true,
      ['stages.3.blocks.0.attn.q.weight', 'stages.2.norm.weight', 'head.weight'],
    ]);
    for (const [network, layer, training, names] of cases) {
      if (training) network.train();
      else network.eval();
      const [exact, numeric] = await slope(network, layer, names);
      network.eval();
      const what = `${network.architecture} ${network.options.head} ${layer} ${training ? 'training' : 'evaluation'}`;
      t.ok(
        Math.abs(exact - numeric) <= 1e-5 * (1 + Math.abs(numeric)),
        `${what}: ${exact} against ${numeric}`,
      );
      t.ok(Math.abs(exact) > 1e-4, 'it is not zero for want of a path');
    }
  },
);

t.test("maps of VGG's last convolution after its ReLU have exact gradients, too", async (t) => {
  using vgg = createModel({ architecture: 'vgg16', classes: 4, width: 8, dropout: 0, seed: 1 });
  vgg.to({ dtype: 'float64' }).train();
  const names = ['features.24.weight', 'features.28.bias', 'classifier.3.weight', 'classifier.6.weight'];
  const slopes: number[] = [];
  for (const activations of camActivations) {
    const [exact, numeric] = await slope(vgg, 'features.28', names, activations);
    const what = `${activations}: ${exact} against ${numeric}`;
    t.ok(Math.abs(exact - numeric) <= 1e-5 * (1 + Math.abs(numeric)), what);
    t.ok(Math.abs(exact) > 1e-4, 'it is not zero for want of a path');
    slopes.push(exact);
  }
  t.not(slopes[0], slopes[1]);
});

t.test('a map of zeros is cold everywhere, and has no gradient', async (t) => {
  // What comes of a ReLU is not negative: with a head of -1 nothing speaks for any class.
  using network = createModel({ architecture: 'resnet18', classes: 2, width: 8, seed: 1 });
  const boxes = Int32Array.of(4, 4, 20, 24, 6, 8, 20, 20);
  const [threshold, tau] = [0.3, 0.1];
  for (const mode of ['train', 'eval'] as const) {
    await tidy(async () => {
      network[mode]();
      const parameters = await network.parameters();
      const head = parameters.get('fc.weight') as Tensor;
      const { shape } = await head.ready();
      noGrad(() => head.copy_(full(shape, -1)));
      const labels = labelTensor([1, 1]);
      const { maps, raw, logits } = attentionMap(network, place(small, 'float32'), {
        ...{ classes: labels, differentiable: true },
      });
      const terms = softAttention(maps, boxes, labels, { regions: [null, 'lower'], threshold, tau });
      localisationLoss(logits.mean(), terms, { lambda: 0, penaliseOutside: 1 }).backward();
      t.ok(
        (await read((raw as Tensor).detach())).every((value) => value === 0),
        mode,
      );
      const cold = 1 - 1 / (1 + Math.exp(threshold / tau));
      t.ok(
        (await read(terms.attention)).every((a) => Math.abs(a - cold) < 1e-6),
        `a is ${cold}`,
      );
      for (const name of ['conv1.weight', 'layer4.1.conv2.weight', 'fc.weight']) {
        const gradient = await read((parameters.get(name) as Tensor).grad());
        t.ok(
          gradient.every((value) => value === 0),
          name,
        );
      }
      for (const parameter of parameters.values()) parameter.zeroGrad_();
    });
  }
});

t.test("each of PVT's layers can be explained, whatever the order of its axes", async (t) => {
  using pvt = createModel({ architecture: 'pvt_v2_b0', classes: 4, seed: 1 }).eval();
  const { taps, camLayer } = await pvt.tapNames();
  t.equal(camLayer, 'stages.3');
  const x = place(input('attention.wide', [1, 3, 64, 96]), 'float32');
  let hot = 0;
  for (const layer of taps) {
    const stride = layer === 'patch_embed' ? 4 : 4 << Number(layer.split('.')[1]);
    await tidy(async () => {
      const cut = attentionMap(pvt, x, { layer, method: 'layercam', classes: 1 });
      t.same((await (cut.raw as Tensor).ready()).shape, [1, 64 / stride, 96 / stride], layer);
      const kept = attentionMap(pvt, x, { layer, method: 'layercam', classes: 1, differentiable: true });
      const [a, b] = [await read(cut.maps), await read(kept.maps.detach())];
      t.ok(worstDifference(b, a) < 1e-4, 'the same map with the graph kept');
      hot += Number(a.some((value) => value > 0));
    });
  }
  t.ok(hot > taps.length / 2, `${hot} of ${taps.length} layers have something that speaks for the class`);
  await tidy(async () => {
    // The channels of patch_embed are its last axis.
    const { logits, taps: found } = pvt.forwardWithTaps(x.clone().requiresGrad_(true), ['patch_embed']);
    const activation = found.patch_embed as Tensor;
    const [gradient] = gradients(logits.select(1, 1).sum(), [activation]) as [Tensor];
    const turn = (values: Tensor): Tensor => values.permute([0, 3, 1, 2]).contiguous();
    const maps = camFromActivation(turn(activation.detach()), turn(gradient), { height: 64, width: 96 });
    const own = attentionMap(pvt, x, { layer: 'patch_embed', classes: 1 });
    t.ok(worstDifference(await read(own.maps), await read(maps)) < 1e-4);
  });
  x.dispose();
});

t.test("VGG's last convolution before and after its ReLU", async (t) => {
  using vgg = createModel({ architecture: 'vgg16', classes: 4, width: 8, seed: 1 });
  vgg.to({ dtype: 'float64' }).eval();
  await tidy(async () => {
    const x = place(input('attention.vgg', [2, 3, 32, 48]), 'float64');
    const { logits, taps } = vgg.forwardWithTaps(x.clone().requiresGrad_(true), ['features.28']);
    const activation = taps['features.28'] as Tensor;
    const chosen = logits.gather(1, labelTensor(classes).unsqueeze(1)).sum();
    const [gradient] = gradients(chosen, [activation]) as [Tensor];
    const { shape } = await activation.ready();
    const before = await read(activation.detach());
    const g = doubles(shape, await read(gradient));
    const after = before.map((value) => Math.max(value, 0));
    t.notSame(before, after, 'they differ');
    for (const [activations, a] of [
      ['before_relu', before],
      ['after_relu', after],
    ] as const) {
      const { maps } = attentionMap(vgg, x, { classes, activations });
      const expected = flat(twins.gradCam(doubles(shape, a), g, 32, 48));
      t.ok(worstDifference(await read(maps), expected) < 1e-9, activations);
    }
    const byDefault = await read(attentionMap(vgg, x, { classes }).maps);
    t.same(byDefault, await read(attentionMap(vgg, x, { classes, activations: 'before_relu' }).maps));
    t.throws(() => attentionMap(vgg, x, { layer: 'features.30', activations: 'after_relu' }), {
      message: /features\.28.*vgg16's features\.30/,
    });
  });
});

t.test(
  'a differentiable map is that of the pass in the mode of the network; others leave no graph',
  async (t) => {
    await tidy(async () => {
      const x = place(images, 'float64');
      const plainMap = await read(attentionMap(model, x).maps);
      const own = attentionMap(model, x, { differentiable: true });
      t.ok(worstDifference(await read(own.maps.detach()), plainMap) < 1e-12, 'eval mode is eval mode');
      t.ok(own.maps.requiresGrad && own.logits.requiresGrad && (own.raw as Tensor).requiresGrad);
      const cut = attentionMap(model, x, { layer: 'layer3.1' });
      t.same((await Promise.all([cut.maps.ready(), cut.logits.ready()])).length, 2);
      t.notOk(cut.maps.requiresGrad || cut.logits.requiresGrad);
      model.train();
      const state = await model.stateDict();
      const tracked = state.get('bn1.num_batches_tracked') as Tensor;
      const before = await tracked.clone().item();
      attentionMap(model, x, { differentiable: true });
      t.equal(await tracked.clone().item(), before + 1, 'statistics move: this is the pass that trains');
      attentionMap(model, x, { differentiable: true, evaluation: true });
      attentionMap(model, x);
      t.equal(await tracked.clone().item(), before + 1);
      model.eval();
    });
  },
);

t.test('under autocast, map and weights stay in float32', async (t) => {
  await tidy(async () => {
    const x = place(small, 'float32');
    const exact = attentionMap(single, x, { classes: 2 });
    const low = autocast({ dtype: 'bfloat16' }, () => attentionMap(single, x, { classes: 2 }));
    await Promise.all([low.maps.ready(), low.logits.ready()]);
    t.equal(low.maps.dtype, 'float32');
    t.equal(low.logits.dtype, 'float32');
    t.same(await read(low.weights as Tensor), await read(exact.weights as Tensor), 'the head itself');
    const graph = autocast({ dtype: 'bfloat16' }, () =>
      attentionMap(single, x, { classes: 2, layer: 'layer2.1', differentiable: true }),
    );
    graph.maps.mean().backward();
    const parameters = await single.parameters();
    const gradient = await read((parameters.get('conv1.weight') as Tensor).grad());
    t.ok(gradient.some((value) => value !== 0) && gradient.every(Number.isFinite));
  });
});

/** The map of one image by ScoreCAM's definition, looking through some channels. */
async function plainScoreCam(layer: string, b: number, channels: readonly number[]): Promise<number[]> {
  return tidy(async () => {
    const x = place(small, 'float32');
    const { taps } = noGrad(() => single.forwardWithTaps(x, [layer]));
    const activation = taps[layer] as Tensor;
    const a = doubles((await activation.ready()).shape, await read(activation));
    const masks = channels.flatMap((k) => twins.scoreMask(a, b, k, 32, 32));
    const seen = x
      .slice(0, { start: b, end: b + 1 })
      .mul(tensor(Float32Array.from(masks), [channels.length, 1, 32, 32]));
    const scores = await read(noGrad(() => single.forward(seen)).select(1, classes[b] as number));
    return twins.toImage([twins.scoreRaw(a, b, channels, [...scores])], 32, 32).data;
  });
}

t.test('ScoreCAM equals its definition', async (t) => {
  await tidy(async () => {
    const seen: number[] = [];
    const result = await scoreCam(single, place(small, 'float32').slice(0, { start: 0, end: 1 }), {
      ...{ layer: 'layer1.0', classes: classes[0] as number, batchSize: 6 },
      onProgress: ({ done, total }) => seen.push(done, total),
    });
    t.same(seen, [6, 16, 12, 16, 16, 16]);
    const all = Array.from({ length: 16 }, (_, k) => k);
    t.ok(worstDifference(await read(result.maps), await plainScoreCam('layer1.0', 0, all)) < 1e-4);
    t.same((await (result.raw as Tensor).ready()).shape, [1, 8, 8]);
    const sum = (await read(result.weights as Tensor)).reduce((total, value) => total + value, 0);
    t.ok(Math.abs(sum - 1) < 1e-6);
  });
});

t.test('ScoreCAM through the channels that vary most, of each image its own', async (t) => {
  const layer = 'layer1.0';
  await tidy(async () => {
    const x = place(small, 'float32');
    const { maps, weights } = await scoreCam(single, x, { layer, classes, topChannels: 3, batchSize: 4 });
    const [values, w] = [await read(maps), await read(weights as Tensor)];
    const { taps } = noGrad(() => single.forwardWithTaps(x, [layer]));
    const spread = await read((taps[layer] as Tensor).flatten(2).std({ dim: 2 }));
    for (const b of [0, 1]) {
      const order = Array.from({ length: 16 }, (_, k) => k).sort(
        (i, j) => (spread[b * 16 + j] as number) - (spread[b * 16 + i] as number),
      );
      const top = order.slice(0, 3).sort((i, j) => i - j);
      const used = [...w.keys()].filter((i) => Math.floor(i / 16) === b && w[i] !== 0);
      t.same(
        used.map((i) => i % 16),
        top,
      );
      const expected = await plainScoreCam(layer, b, top);
      t.ok(worstDifference(values.slice(b * 1024, (b + 1) * 1024), expected) < 1e-4);
    }
  });
});

t.test('ScoreCAM can be aborted and leaves nothing behind', async (t) => {
  const x = place(small, 'float32');
  await x.ready();
  const before = memoryStats().liveTensors;
  const stop = new AbortController();
  let passes = 0;
  const onProgress = (): void => {
    if (++passes === 2) stop.abort(new Error('enough'));
  };
  const options = { layer: 'layer1.0', topChannels: 5, batchSize: 2, onProgress, signal: stop.signal };
  await t.rejects(scoreCam(single, x, options), { code: 'ERR_ABORTED', cause: { message: 'enough' } });
  t.equal(passes, 2);
  await scoreCam(single, x, { ...options, signal: new AbortController().signal }).then((result) => {
    for (const part of Object.values(result)) part?.dispose();
  });
  t.equal(memoryStats().liveTensors, before);
  x.dispose();
});

t.test('what cannot be explained is a coded error', async (t) => {
  const x = place(images, 'float64');
  const code = 'ERR_INVALID_ARGUMENT';
  const throws = (call: () => unknown, message: RegExp): void => void t.throws(call, { code, message });
  throws(() => attentionMap(model, x, { method: 'gradcam+' as 'gradcam' }), /nearest: 'gradcam'/);
  throws(() => attentionMap(model, x, { layer: [] }), /layer/);
  throws(() => attentionMap(model, x, { layer: ['layer3.1', 'layer3.1'] }), /each layer once/);
  throws(() => attentionMap(model, x, { activations: 'after_relu' }), /features\.28.*resnet18/);
  throws(() => attentionMap(model, x, { topChannels: 3 } as never), /topChannels/);
  throws(() => void scoreCam(model, x, { topChannels: 0 }), /topChannels/);
  throws(() => void scoreCam(model, x, { signal: 1 as never }), /signal/);
  const rejects = (
    call: () => { maps: Tensor },
    error: { code: string; message?: RegExp },
  ): Promise<unknown> =>
    t.rejects(
      tidy(async () => call().maps.data()),
      error,
    );
  await rejects(() => attentionMap(model, x, { layer: 'avgpool' }), {
    code: 'ERR_INVALID_SHAPE',
    message: /'avgpool' gives .*the default is 'layer4/,
  });
  await rejects(() => attentionMap(model, x, { layer: ['layer3.1', 'layr4.1'] }), {
    code,
    message: /'layer4\.1'/,
  });
  await rejects(() => attentionMap(model, x, { classes: labelTensor([0]) }), { code: 'ERR_INVALID_SHAPE' });
  await rejects(() => attentionMap(model, x, { classes: labelTensor([0, 4]) }), {
    code,
    message: /classes\[1\]/,
  });
  await rejects(() => attentionMap(model, x, { classes: full([2], 0.5) }), { code: 'ERR_INVALID_DTYPE' });
  await t.rejects(scoreCam(model, x, { layer: 'avgpool' }), { code: 'ERR_INVALID_SHAPE' });
  await t.rejects(scoreCam(model, x, { layer: 'layer9' }), { code, message: /nearest/ });
  x.dispose();
});

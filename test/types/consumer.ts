/**
 * A strict program over the public face. It is compiled with the tests and never run: what must not compile is marked, and
 * the compiler fails where a marked line compiles after all.
 */
import type { NdArray } from 'ndarray';
import {
  type ClassificationLoss,
  CxrGazeError,
  createOptimizer,
  DataLoader,
  type Dataset,
  type DType,
  type ErrorCode,
  fromNdarray,
  GazeLT,
  type GroupName,
  Model,
  memoryStats,
  type Prediction,
  prepareImages,
  type Run,
  ShuffledSampler,
  Tensor,
  type TensorData,
  type TrainEvent,
  type TrainResult,
  tensor,
  tidy,
} from '../../lib/index.js';

/** Compiles where the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

export async function systems(train: Dataset, validation: Dataset): Promise<void> {
  const model = await GazeLT.create({
    classes: ['a', 'b'] as const,
    init: 'random',
    architecture: 'resnet18',
  });
  same<typeof model, GazeLT>(true);
  await GazeLT.create({ classes: ['a'], init: { weights: 'resnet50.pth' } });

  // @ts-expect-error initial weights are never assumed
  await GazeLT.create({ classes: ['a', 'b'] });
  // @ts-expect-error there is no such backbone
  await GazeLT.create({ classes: ['a', 'b'], init: 'random', architecture: 'vgg19' });
  // @ts-expect-error 'pretrained' is no source of weights
  await GazeLT.create({ classes: ['a', 'b'], init: 'pretrained' });
  // @ts-expect-error options have no such name
  await GazeLT.create({ classes: ['a', 'b'], init: 'random', image_size: 224 });
  // @ts-expect-error an option that is not given is left out, not undefined
  await GazeLT.create({ classes: ['a', 'b'], init: 'random', seed: undefined });
  // @ts-expect-error a constructor is not the way
  new GazeLT({});

  const run = model.fit({ train, validation, loss: 'ldam', weighting: 'balanced', deferred: { epoch: 3 } });
  same<typeof run, Run<TrainEvent, TrainResult>>(true);
  same<Awaited<typeof run.result>, TrainResult | undefined>(true);
  for await (const event of run) {
    if (event.type === 'step') event.loss satisfies number;
    // @ts-expect-error only some events have a loss
    event.loss;
    if (event.type === 'checkpoint') event.reason satisfies 'epoch' | 'improved' | 'step' | 'stopped';
  }
  // @ts-expect-error training needs something to validate on
  model.fit({ train });
  // @ts-expect-error no such loss
  model.fit({ train, validation, loss: 'mse' });
  // @ts-expect-error mixing is told its alpha
  model.fit({ train, validation, mixing: { kind: 'mixup' } });
  model.fit({ train, validation, distillation: { features: 'gazelt', featuresDir: 'features' } });

  const predictions = await model.predict(['film.png', new Uint8Array(10)], { onError: 'skip' });
  same<typeof predictions, Prediction[]>(true);
  const first = predictions[0];
  // @ts-expect-error there may be none
  first.class;
  same<NonNullable<typeof first>['group'], GroupName | null>(true);
  // @ts-expect-error what was predicted is not changed
  if (first) first.probability = 1;
  // @ts-expect-error an image is a path or bytes
  await model.predict(42);

  const { metrics } = await model.evaluate(validation, { bootstrap: { resamples: 100 } });
  metrics.balancedAccuracy satisfies number;
  // @ts-expect-error a class that is not in the truth has no AUROC
  metrics.auroc satisfies number;
  for await (const { map, overlay } of model.explain('films', { class: 'a' })) {
    map.data satisfies Float32Array;
    overlay.channels satisfies 1 | 3;
  }
  // @ts-expect-error the card is read, not written
  model.card.imageSize = 5;
}

export async function tensors(array: NdArray<Float32Array>): Promise<void> {
  const a: Tensor = tensor([[1, 2], [3]], [3], { dtype: 'float64' });
  const b = fromNdarray(array as unknown as NdArray<TensorData>);
  a.add(b).mul(2).sum({ dim: 0, keepdim: true });
  same<Awaited<ReturnType<typeof a.item>>, number>(true);
  same<Awaited<ReturnType<typeof a.data>>, TensorData>(true);
  a.dtype satisfies DType;
  const kept = tidy(() => [a.neg(), { b: a.abs() }] as const);
  same<typeof kept, readonly [Tensor, { readonly b: Tensor }]>(true);
  const later = tidy(async () => a.mean().item());
  same<typeof later, Promise<number>>(true);
  {
    using c = a.clone();
    c.add_(1);
  }
  // @ts-expect-error no such element type
  a.to({ dtype: 'float8' });
  // @ts-expect-error the axis is a number
  a.softmax('last');
  // @ts-expect-error no such option
  a.sum({ axis: 0 });
  // @ts-expect-error strings are no elements
  tensor(['1', '2']);
  // @ts-expect-error a shape is read only
  a.shape[0] = 3;
  // @ts-expect-error what a tensor needs is read with ready(), not a property
  a.info;
  memoryStats().liveTensors satisfies number;
}

export async function pieces(dataset: Dataset, model: Model): Promise<void> {
  const optimizer = createOptimizer(await model.parameters(), { kind: 'adamw', betas: [0.9, 0.99] });
  optimizer.learningRate = 1e-4;
  // @ts-expect-error no such rule
  createOptimizer(await model.parameters(), { kind: 'lion' });
  // @ts-expect-error two moments, two rates
  createOptimizer(await model.parameters(), { kind: 'adam', betas: [0.9] });
  using images = await prepareImages(dataset, { width: 224, height: 224 });
  const loader = new DataLoader({
    images,
    batchSize: 4,
    sampler: new ShuffledSampler({ length: 10, seed: 1 }),
  });
  for await (const batch of loader.batches(1)) batch.dispose();
  // @ts-expect-error both sides of the input
  await prepareImages(dataset, { width: 224 });
  const { logits, taps } = model.forwardWithTaps(tensor([0]), ['layer4']);
  logits satisfies Tensor;
  // @ts-expect-error a tap that was not asked for is not there
  taps.layer3 satisfies Tensor;
  await model.loadStateDict(await model.stateDict(), { strict: false });
  // @ts-expect-error a state dict is a Map
  await model.loadStateDict({});
}

export const mine: Dataset = {
  name: 'mine',
  classes: ['a'],
  length: 1,
  sample: (index) => ({ id: String(index), label: 0, image: { kind: 'file', path: '/film.png' } }),
};

export const wrong: Dataset = {
  name: 'mine',
  classes: ['a'],
  length: 1,
  // @ts-expect-error a sample has a label
  sample: () => ({ id: '0', image: { kind: 'file', path: '/film.png' } }),
};

export function errors(error: unknown): ErrorCode | undefined {
  if (!(error instanceof CxrGazeError)) return undefined;
  // @ts-expect-error no such code
  if (error.code === 'ERR_SOMETHING') return undefined;
  // @ts-expect-error a code stays what it is
  error.code = 'ERR_FILE';
  return error.code;
}

export const loss: ClassificationLoss = 'focal';
// @ts-expect-error classes of the package are not made by hand
export const made: Tensor = new Tensor();
// @ts-expect-error
export const model: Model = new Model({ architecture: 'resnet18' });

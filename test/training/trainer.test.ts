import t from 'tap';
import { DataLoader } from '../../lib/data/loader.js';
import { type PreparedImages, prepareImages } from '../../lib/data/prepare.js';
import {
  ClassBalancedSampler,
  labelsOf,
  SequentialSampler,
  ShuffledSampler,
} from '../../lib/data/samplers.js';
import { crossEntropy } from '../../lib/losses/cross-entropy.js';
import { createModel, type Model } from '../../lib/models/model.js';
import { memoryStats, zeros } from '../../lib/tensor/create.js';
import { disposeAll } from '../../lib/tensor/tensor.js';
import type { InputBatch, ObjectivePhase } from '../../lib/training/batch.js';
import { classificationScoring } from '../../lib/training/classification-scoring.js';
import { EpochSchedule } from '../../lib/training/epoch-schedule.js';
import { imagenetNormalisation } from '../../lib/training/inputs.js';
import { longTailObjective, type MixingOptions } from '../../lib/training/long-tail-objective.js';
import { createOptimizer, type Optimizer } from '../../lib/training/optimizer.js';
import { type Objective, type TrainEvent, Trainer, type TrainerOptions } from '../../lib/training/trainer.js';
import { failure } from '../support/outcome.js';
import { oneThread, temporaryFolder, tinyDataset, tinySize } from '../support/tiny.js';

await oneThread;
const size = { width: tinySize, height: tinySize };
const train = await prepareImages(tinyDataset('train', 8), size);
const validation = await prepareImages(tinyDataset('validation', 4), size);
t.teardown(() => {
  train.dispose();
  validation.dispose();
});

const plain = ((model, { images, labels }) => {
  const logits = model.forward(images);
  return { logits, loss: crossEntropy(logits, labels) };
}) satisfies Objective;

const shuffled = (images: PreparedImages) =>
  new DataLoader({
    images,
    sampler: new ShuffledSampler({ length: images.dataset.length, seed: 0 }),
    batchSize: 4,
  });
const inOrder = (images: PreparedImages) =>
  new DataLoader({ images, sampler: new SequentialSampler({ length: images.dataset.length }), batchSize: 4 });

/** Trains a fresh network; everything that was made for it is freed. */
async function fit(
  change: Partial<TrainerOptions>,
  each: (event: TrainEvent, model: Model) => void = () => {},
): Promise<TrainEvent[]> {
  using model = createModel({ architecture: 'resnet18', width: 8, classes: 3 });
  const parameters = await model.parameters();
  using optimizer: Optimizer = createOptimizer(parameters, { kind: 'adam', learningRate: 1 });
  disposeAll(parameters.values());
  const trainer = new Trainer({
    model,
    optimizer,
    objective: plain,
    scoring: classificationScoring,
    train: shuffled(train),
    validation: inOrder(validation),
    schedule: new EpochSchedule({ maxEpochs: 1, patience: 5, learningRate: 1e-3 }),
    precision: 'float32',
    normalisation: imagenetNormalisation,
    notes: { options: {}, card: {}, environment: {} },
    ...change,
  });
  const events: TrainEvent[] = [];
  for await (const event of trainer.fit()) {
    events.push(event);
    each(event, model);
  }
  return events;
}

const stepLosses = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));

t.test("an objective of one's own sees batches, phases and re-weighting", async (t) => {
  const seen: string[] = [];
  const objective: Objective = (model: Model, batch: InputBatch, phase: ObjectivePhase) => {
    const { epoch, step, labelList, ids, indices } = batch;
    seen.push(`${phase.phase} ${epoch}.${step} ${model.training} ${phase.reweighted}`);
    t.equal(ids.length, labelList.length);
    t.same(
      Array.from(indices, (index) => index % 3),
      Array.from(labelList),
    );
    t.equal(batch.device, 'cpu');
    t.equal(phase.balanced, undefined);
    return plain(model, batch);
  };
  const deferred = { epoch: 1, factor: 0.5 };
  const schedule = new EpochSchedule({ maxEpochs: 2, patience: 5, learningRate: 1e-3, deferred });
  const events = await fit({ objective, schedule });
  t.same(seen, [
    ...['train 1.0 true false', 'train 1.1 true false', 'val 1.0 false false'],
    ...['train 2.0 true true', 'train 2.1 true true', 'val 2.0 false true'],
  ]);
  t.same(
    events.map(({ type }) => type),
    ['start', 'step', 'step', 'epoch', 'epoch', 'reweighting', 'step', 'step', 'epoch', 'epoch'],
  );
});

t.test("the learning rate is the schedule's, not the optimizer's", async (t) => {
  const schedule = (learningRate: number) => new EpochSchedule({ maxEpochs: 1, patience: 0, learningRate });
  const [, still] = stepLosses(await fit({ schedule: schedule(0) }));
  const [, moved] = stepLosses(await fit({ schedule: schedule(1e-2) }));
  t.not(still, moved);
});

t.test('mixing with weight 1 is no mixing; with others it is', async (t) => {
  const criterion = (
    logits: Parameters<typeof crossEntropy>[0],
    labels: Parameters<typeof crossEntropy>[1],
  ) => crossEntropy(logits, labels);
  const labels = labelsOf(train.dataset);
  const balanced = () =>
    new DataLoader({ images: train, sampler: new ClassBalancedSampler({ labels, seed: 0 }), batchSize: 4 });
  const losses = async (mixing?: MixingOptions) => {
    const objective = longTailObjective({ plain: criterion, reweighted: criterion, mixing, seed: 0 });
    return stepLosses(
      await fit({ objective, ...(mixing?.kind === 'balanced-mixup' ? { balanced: balanced() } : {}) }),
    );
  };
  const unmixed = await losses();
  const near = (found: number[]) =>
    Math.max(...found.map((loss, i) => Math.abs(loss - (unmixed[i] as number))));
  for (const kind of ['mixup', 'balanced-mixup'] as const) {
    t.ok(near(await losses({ kind, alpha: 0 })) < 1e-3, `${kind} at α = 0`);
    t.ok(near(await losses({ kind, alpha: 5 })) > 1e-3, `${kind} at α = 5`);
  }
});

t.test('an objective that fails, at once or on the lane, fails the run and leaves nothing', async (t) => {
  const before = memoryStats().liveTensors;
  const broken: [Objective, object][] = [
    [
      () => {
        throw new RangeError('mine');
      },
      { message: 'mine' },
    ],
    [
      (model, batch) => {
        const { logits } = plain(model, batch);
        return { logits, loss: logits }; // no scalar
      },
      { code: 'ERR_INVALID_SHAPE' },
    ],
    [
      (model, batch) => {
        zeros([2]).add(zeros([3])); // nobody looks at it
        return plain(model, batch);
      },
      { code: 'ERR_INVALID_SHAPE' },
    ],
  ];
  for (const [objective, expected] of broken) {
    const error: unknown = await fit({ objective }).catch((cause: unknown) => cause);
    t.match(error, expected);
  }
  const late: Objective = (model, batch) => {
    const { logits, loss } = plain(model, batch);
    return { logits, loss: batch.step === 1 ? loss.mul(Number.POSITIVE_INFINITY) : loss };
  };
  const error = await failure(fit({ objective: late }));
  t.match(error, { code: 'ERR_NOT_FINITE', details: { epoch: 1, step: 1, phase: 'train' } });
  const inValidation: Objective = (model, batch, phase) => {
    const { logits, loss } = plain(model, batch);
    return { logits, loss: phase.phase === 'val' ? loss.mul(Number.NaN) : loss };
  };
  const second = await failure(fit({ objective: inValidation }));
  t.match(second, { code: 'ERR_NOT_FINITE', message: /validation batch 1/, details: { phase: 'val' } });
  t.equal(memoryStats().liveTensors, before);
});

t.test('no resuming without a folder; no checkpoint of another format', async (t) => {
  using model = createModel({ architecture: 'resnet18', width: 8, classes: 3 });
  const parameters = await model.parameters();
  using optimizer = createOptimizer(parameters, { kind: 'sgd' });
  disposeAll(parameters.values());
  const options: TrainerOptions = {
    ...{ model, optimizer, objective: plain, train: inOrder(train), validation: inOrder(validation) },
    scoring: classificationScoring,
    schedule: new EpochSchedule({ maxEpochs: 1, patience: 0, learningRate: 0 }),
    precision: 'float32',
    normalisation: imagenetNormalisation,
    notes: { options: {}, card: {}, environment: {} },
  };
  t.equal((await failure(new Trainer(options).fit({ resume: true }).result)).code, 'ERR_RESUME');
  const checkpoints = temporaryFolder(t);
  const nothing = await failure(new Trainer({ ...options, checkpoints }).fit({ resume: true }).result);
  t.equal(nothing.code, 'ERR_CHECKPOINT');
  t.throws(() => new Trainer({ ...options, saveEvery: 0 }), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => new Trainer({ ...options, keep: 'none' as 'all' }), { message: /'recent', 'all'/ });
  t.throws(() => new Trainer({ ...options, saveEvry: 2 } as TrainerOptions), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /did you mean 'saveEvery'/,
  });
  t.throws(() => new Trainer(options).fit({ resum: true } as never), /did you mean 'resume'/);
});

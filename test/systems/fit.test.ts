import { createHash } from 'node:crypto';
import path from 'node:path';
import t from 'tap';
import { readTensors } from '../../lib/checkpoints/read-tensors.js';
import { balancedClassWeights } from '../../lib/losses/class-weights.js';
import type { Classifier } from '../../lib/systems/classifier/classifier.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { eventsOf, rowsOf } from '../support/runs.js';
import {
  spoiltAfterFirst,
  temporaryFolder,
  tinyBaseline,
  tinyDataset,
  tinyFit,
  tinyGazeLT,
} from '../support/tiny.js';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Cross-entropies of the images of an evaluation, from their probabilities. */
function crossEntropies(evaluation: Awaited<ReturnType<Classifier['evaluate']>>): number[] {
  const { probabilities, labels, classes } = evaluation;
  return Array.from(labels, (label, i) => -Math.log(probabilities[i * classes.length + label] as number));
}

async function valuesOf(file: string, key: string): Promise<number[]> {
  return tidy(async () => {
    const value = (await readTensors(file)).get(key);
    return value ? Array.from(await value.data(), Number) : [];
  });
}

/** Some tensors by name, and a hash of them all. */
async function weightsOf(model: Classifier): Promise<{ hash: string; values: Map<string, number[]> }> {
  return tidy(async () => {
    const hash = createHash('sha256');
    const values = new Map<string, number[]>();
    for (const [name, tensor] of await model.network.stateDict()) {
      const data = await tensor.data();
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      if (data.length < 1000) values.set(name, Array.from(data, Number));
    }
    return { hash: hash.digest('hex'), values };
  });
}

t.test('events come in order, and their numbers are those of a plain recomputation', async (t) => {
  using model = await tinyGazeLT();
  const validation = tinyDataset('validation', 6);
  const events = await eventsOf(model, tinyFit({ maxEpochs: 1, validation }));
  t.same(
    events.map((event) => event.type),
    ['start', 'step', 'step', 'step', 'epoch', 'epoch'],
  );
  t.match(events[0], { epoch: 1, step: 0, resumed: false, history: [] });
  const steps = events.filter((event) => event.type === 'step');
  t.same(
    steps.map(({ epoch, step, steps, images }) => [epoch, step, steps, images]),
    [1, 2, 3].map((step) => [1, step, 3, 4]),
  );
  t.ok(steps.every(({ milliseconds, waited }) => waited >= 0 && milliseconds >= waited));
  const [train, val] = rowsOf(events);
  t.match(
    [train, val],
    [
      { phase: 'train', epoch: 1 },
      { phase: 'val', epoch: 1 },
    ],
  );
  t.equal(train?.loss, mean(steps.map(({ loss }) => loss)), 'the unweighted mean of the steps');

  // The best weights are those of the only epoch.
  const evaluation = await model.evaluate(validation);
  const losses = crossEntropies(evaluation);
  const batches = [losses.slice(0, 4), losses.slice(4)];
  t.ok(Math.abs(mean(batches.map(mean)) - (val?.loss as number)) < 1e-5);
  const { balancedAccuracy, mcc, auroc } = evaluation.metrics;
  t.same([val?.balancedAccuracy, val?.mcc, val?.auroc], [balancedAccuracy, mcc, auroc]);
});

t.test('it learns', async (t) => {
  using model = await tinyGazeLT();
  const train = tinyDataset('train', 24);
  const events = await eventsOf(model, tinyFit({ train, maxEpochs: 4, learningRate: 3e-3, augment: false }));
  const losses = rowsOf(events)
    .filter(({ phase }) => phase === 'train')
    .map(({ loss }) => loss);
  t.ok(Math.min(...losses) < 0.5 * (losses[0] as number), losses.join(', '));
});

t.test('deferred re-weighting switches the loss and the learning rate', async (t) => {
  // The rate is so small that the network stays what it is, and in legacy mode the statistics stay after epoch 1.
  using model = await tinyGazeLT();
  const labels = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2];
  const validation = tinyDataset('validation', 6, { labels: [0, 0, 0, 1, 1, 2] });
  const options = tinyFit({
    train: tinyDataset('train', 12, { labels }),
    validation,
    batchSize: 12,
    learningRate: 1e-12,
    maxEpochs: 3,
    patience: 10,
    legacyBatchNorm: true,
    augment: false,
    weighting: 'balanced',
    deferred: { epoch: 2, factor: 0.25 },
  });
  const events = await eventsOf(model, options);
  t.same(
    events.filter(({ type }) => type === 'reweighting'),
    [{ type: 'reweighting', epoch: 3, learningRate: 0.25e-12 }],
  );
  const weights = balancedClassWeights([7, 3, 2]);
  const evaluation = await model.evaluate(validation);
  const losses = crossEntropies(evaluation);
  const each = Array.from(evaluation.labels, (label) => weights[label] as number);
  const weighted = mean(losses.map((loss, i) => loss * (each[i] as number))) / mean(each);
  const plain = mean(losses);
  t.ok(Math.abs(weighted - plain) > 1e-3, 'the two can be told apart');
  const found = rowsOf(events)
    .filter(({ phase }) => phase === 'val')
    .map(({ loss }) => loss);
  t.ok(Math.abs((found[1] as number) - plain) < 1e-5, `${found[1]} against ${plain}`);
  t.ok(Math.abs((found[2] as number) - weighted) < 1e-5, `${found[2]} against ${weighted}`);
});

t.test('without re-weighting deferred, weights count from the first epoch', async (t) => {
  const losses: number[] = [];
  for (const weighting of [null, 'balanced', 'class-balanced'] as const) {
    using model = await tinyGazeLT();
    const train = tinyDataset('train', 8, { labels: [0, 0, 0, 0, 0, 1, 1, 2] });
    const [row] = rowsOf(await eventsOf(model, tinyFit({ train, weighting, batchSize: 8, maxEpochs: 1 })));
    losses.push(row?.loss as number);
  }
  t.equal(new Set(losses).size, 3, losses.join(', '));
});

t.test('the run ends after patience + 1 epochs without a better score', async (t) => {
  using model = await tinyGazeLT();
  const options = tinyFit({ learningRate: 1e-12, maxEpochs: 10, patience: 1, legacyBatchNorm: true });
  const result = await model.fit(options).result;
  const { epochsDone, bestEpoch } = result?.schedule ?? { epochsDone: 0, bestEpoch: 0 };
  t.equal(epochsDone, bestEpoch + 2);
  t.ok(bestEpoch >= 1 && epochsDone < 10);
});

t.test('the model ends with the weights of its best epoch, with and without checkpoints', async (t) => {
  const checkpoints = path.join(temporaryFolder(t), 'checkpoints');
  const options = tinyFit({ ...spoiltAfterFirst, maxEpochs: 2 });
  using saved = await tinyGazeLT();
  const result = await saved.fit({ ...options, checkpoints }).result;
  t.match(result?.schedule, { bestEpoch: 1, epochsDone: 2 });
  t.equal(result?.best, path.join(checkpoints, 'epoch-1'));
  using kept = await tinyGazeLT();
  t.equal((await kept.fit(options).result)?.best, undefined);
  const [first, second] = [await weightsOf(saved), await weightsOf(kept)];
  t.equal(first.hash, second.hash);
  const fileOf = (epoch: number) => path.join(checkpoints, `epoch-${epoch}`, 'model.safetensors');
  const values = first.values.get('fc.1.bias');
  t.same(values, await valuesOf(fileOf(1), 'fc.1.bias'));
  t.notSame(values, await valuesOf(fileOf(2), 'fc.1.bias'));
});

for (const [system, make, updates] of [
  ['GazeLT', tinyGazeLT, 2],
  ['Baseline', tinyBaseline, 1],
] as const) {
  t.test(`the original BatchNorm of ${system}`, async (t) => {
    const checkpoints = path.join(temporaryFolder(t), 'checkpoints');
    const fileOf = (epoch: number) => path.join(checkpoints, `epoch-${epoch}`, 'model.safetensors');
    using model = await make();
    await model.fit(tinyFit({ checkpoints, legacyBatchNorm: true, augment: false })).result;
    t.same(await valuesOf(fileOf(1), 'bn1.num_batches_tracked'), [3 * updates]);
    t.same(await valuesOf(fileOf(2), 'bn1.num_batches_tracked'), [3 * updates], 'evaluation mode in epoch 2');
    t.same(await valuesOf(fileOf(1), 'bn1.running_mean'), await valuesOf(fileOf(2), 'bn1.running_mean'));
    t.notSame(
      await valuesOf(fileOf(1), 'bn1.weight'),
      await valuesOf(fileOf(2), 'bn1.weight'),
      'it still learns',
    );
  });
}

t.test('BatchNorm is updated once a step by default, also after a fit as the original', async (t) => {
  using model = await tinyGazeLT();
  const tracked = async () => (await weightsOf(model)).values.get('bn1.num_batches_tracked');
  t.same(await tracked(), [0]);
  await model.fit(tinyFit({ maxEpochs: 1, legacyBatchNorm: true })).result;
  await model.fit(tinyFit({ maxEpochs: 1 })).result;
  t.same(await tracked(), [9]);
});

t.test('what training wants of the network is taken back at its end', async (t) => {
  for (const precision of ['float64', 'bfloat16'] as const) {
    using model = await tinyGazeLT();
    await model.fit(tinyFit({ maxEpochs: 1, precision })).result;
    t.equal(model.network.dtype, 'float32');
    t.equal(model.network.training, false);
    const folder = path.join(temporaryFolder(t), precision);
    await model.save(folder);
    using loaded = await GazeLT.load(folder);
    const test = tinyDataset('test', 5);
    const [first, second] = [await model.evaluate(test), await loaded.evaluate(test)];
    t.same(first.probabilities, second.probabilities, `after ${precision}`);
    t.equal((await model.predict(test.sample(0).image)).length, 1);
  }
});

import path from 'node:path';
import t from 'tap';
import { writeTensors } from '../../lib/checkpoints/write-tensors.js';
import { ClassBalancedSampler } from '../../lib/data/samplers.js';
import type { Classifier } from '../../lib/systems/classifier/classifier.js';
import { normalisedLayer } from '../../lib/systems/classifier/decoupling.js';
import { memoryStats, tensor } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { failure } from '../support/outcome.js';
import { eventsOf, outcomeOf, rowsOf } from '../support/runs.js';
import { temporaryFolder, tinyBaseline, tinyDataset, tinyFit, tinyGazeLT } from '../support/tiny.js';

/** All tensors of a model. */
async function valuesOf({ network }: Classifier): Promise<Map<string, Uint8Array>> {
  return tidy(async () => {
    const values = new Map<string, Uint8Array>();
    for (const [name, tensor] of await network.stateDict()) values.set(name, (await tensor.bytes()).bytes);
    return values;
  });
}

/** The float32 numbers of a tensor. */
function numbers(values: Map<string, Uint8Array>, name: string): number[] {
  const bytes = Uint8Array.from(values.get(name) as Uint8Array);
  return Array.from(new Float32Array(bytes.buffer));
}

/** Names of the tensors that differ. */
function changed(before: Map<string, Uint8Array>, after: Map<string, Uint8Array>): string[] {
  return [...before]
    .filter(([name, bytes]) => Buffer.compare(bytes, after.get(name) ?? new Uint8Array(0)) !== 0)
    .map(([name]) => name);
}

const labels = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2];
const longTailed = tinyDataset('train', 12, { labels });

t.test('cRT trains a fresh head and nothing else', async (t) => {
  const cases = [
    { make: tinyBaseline, layers: 'head', learns: ['fc.weight', 'fc.bias'] },
    { make: tinyGazeLT, layers: 'head', learns: ['fc.0.weight', 'fc.0.bias', 'fc.1.weight', 'fc.1.bias'] },
    { make: tinyGazeLT, layers: 'last', learns: ['fc.1.weight', 'fc.1.bias'] },
  ] as const;
  for (const { make, layers, learns } of cases) {
    using model = await make();
    const before = await valuesOf(model);
    await model.fit(tinyFit({ train: longTailed, decoupling: { method: 'crt', layers } })).result;
    // The backbone's running statistics are among what stays: the original let them drift.
    t.same(changed(before, await valuesOf(model)), learns, `${layers}: ${learns.join(', ')}`);
    t.equal((await model.network.parameters()).size > 50, true, 'everything may learn again afterwards');
  }
  using drifting = await tinyBaseline();
  const before = await valuesOf(drifting);
  await drifting.fit(tinyFit({ train: longTailed, legacyBatchNorm: true, decoupling: { method: 'crt' } }))
    .result;
  t.ok(changed(before, await valuesOf(drifting)).includes('bn1.running_mean'), 'as the benchmark had it');
});

t.test('cRT draws its images class-balanced', async (t) => {
  using model = await tinyBaseline();
  const options = {
    train: longTailed,
    batchSize: 12,
    maxEpochs: 1,
    learningRate: 1e-12,
    augment: false,
    seed: 3,
  };
  const [row] = rowsOf(await eventsOf(model, tinyFit({ ...options, decoupling: { method: 'crt' } })));
  // The head hardly moved, and the backbone is in evaluation mode: the losses are those of an evaluation.
  const { probabilities } = await model.evaluate(longTailed);
  const losses = labels.map((label, i) => -Math.log(probabilities[i * 3 + label] as number));
  const drawn = [...new ClassBalancedSampler({ labels, seed: 3 }).indices(1)];
  const mean = (indices: readonly number[]) =>
    indices.reduce((sum, i) => sum + (losses[i] as number), 0) / indices.length;
  t.ok(Math.abs((row?.loss as number) - mean(drawn)) < 1e-5, `${row?.loss} against ${mean(drawn)}`);
  t.ok(Math.abs(mean(drawn) - mean(labels.map((_, i) => i))) > 1e-3, 'natural draws would be told apart');
});

t.test('cRT begins with the weights that are given: of a saved model, a run, a file', async (t) => {
  const folder = temporaryFolder(t);
  using base = await tinyGazeLT({ seed: 5 });
  await base.fit(tinyFit({ maxEpochs: 1, checkpoints: path.join(folder, 'run', 'checkpoints') })).result;
  await base.save(path.join(folder, 'saved'));
  const expected = await valuesOf(base);
  await tidy(async () => {
    const wrapped = [...(await base.network.stateDict())].map(
      ([name, value]) => [`module.${name}`, value] as const,
    );
    await writeTensors(path.join(folder, 'file.safetensors'), new Map(wrapped));
  });
  for (const weights of ['run', 'saved', 'file.safetensors']) {
    using model = await tinyGazeLT();
    const decoupling = { method: 'crt', weights: path.join(folder, weights) } as const;
    await model.fit(tinyFit({ maxEpochs: 1, decoupling })).result;
    const found = changed(expected, await valuesOf(model));
    t.same(found, ['fc.0.weight', 'fc.0.bias', 'fc.1.weight', 'fc.1.bias'], weights);
  }
  // A base with another head serves as well, unless a part of it is to be kept.
  using linear = await tinyBaseline();
  await linear.fit(
    tinyFit({ maxEpochs: 1, decoupling: { method: 'crt', weights: path.join(folder, 'run') } }),
  ).result;
  t.same(
    changed(expected, await valuesOf(linear)).filter((name) => !name.startsWith('fc.')),
    [],
  );
  using other = await tinyGazeLT({ classes: ['a', 'b'] });
  await other.save(path.join(folder, 'other'));
  using student = await tinyGazeLT();
  const last = { method: 'crt', weights: path.join(folder, 'other'), layers: 'last' } as const;
  t.match(await failure(student.fit(tinyFit({ decoupling: last })).result), {
    code: 'ERR_STATE_DICT',
    message: /fc\.0\.weight.*does not fit/,
  });
  const nowhere = { method: 'crt', weights: path.join(folder, 'nowhere.pt') } as const;
  t.match(await failure(student.fit(tinyFit({ decoupling: nowhere })).result), {
    code: /ERR_FILE|ERR_CHECKPOINT/,
  });
});

t.test('an interrupted cRT ends as an unbroken one', async (t) => {
  const folder = temporaryFolder(t);
  const options = (name: string) =>
    tinyFit({ train: longTailed, decoupling: { method: 'crt' }, checkpoints: path.join(folder, name) });
  using whole = await tinyGazeLT();
  await whole.fit(options('whole')).result;
  using broken = await tinyGazeLT();
  await eventsOf(broken, options('broken'), ({ type }) => type === 'step');
  using resumed = await tinyGazeLT();
  await resumed.fit({ ...options('broken'), resume: true }).result;
  t.same(await outcomeOf(path.join(folder, 'broken')), await outcomeOf(path.join(folder, 'whole')));
});

t.test('decoupling that cannot be meant is refused at once', async (t) => {
  using model = await tinyGazeLT();
  const refused = (decoupling: unknown, message: RegExp, more: object = {}) =>
    t.throws(() => model.fit({ ...tinyFit(), decoupling: decoupling as { method: 'crt' }, ...more }), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    });
  refused({ method: 'cRT' }, /Expected 'crt' for /);
  refused({}, /decoupling\.method/);
  refused({ method: 'crt', weights: '' }, /decoupling\.weights/);
  refused({ method: 'crt', layers: 'all' }, /'head', 'last'/);
  refused({ method: 'crt', weight: 'x' }, /did you mean 'weights'/);
  const mixing = { kind: 'balanced-mixup', alpha: 0.2 } as const;
  refused({ method: 'crt' }, /class-balanced draws/, { mixing });
});

/** τ-normalisation from its formula. */
function plain(weight: readonly number[], classes: number, tau: number): number[] {
  const width = weight.length / classes;
  return weight.map((value, i) => {
    const row = weight.slice(Math.floor(i / width) * width, (Math.floor(i / width) + 1) * width);
    const length = Math.hypot(...row);
    return length === 0 ? 0 : value / length ** tau;
  });
}

t.test('tau-normalisation changes the last layer as its formula says', async (t) => {
  for (const [make, layer] of [
    [tinyBaseline, 'fc'],
    [tinyGazeLT, 'fc.1'],
  ] as const) {
    for (const tau of [undefined, 1, 0]) {
      using model = await make();
      const before = await valuesOf(model);
      t.equal(await model.tauNormalise(tau === undefined ? {} : { tau }), model);
      const after = await valuesOf(model);
      t.ok(
        changed(before, after).every((name) => name.startsWith(`${layer}.`)),
        `${layer} alone`,
      );
      const expected = plain(numbers(before, `${layer}.weight`), 3, tau ?? -4);
      const found = numbers(after, `${layer}.weight`);
      const worst = Math.max(...found.map((value, i) => Math.abs(value - (expected[i] as number))));
      // Rounding to float32 of numbers below 1.
      t.ok(worst < 1e-7, `${layer}, tau ${tau}: ${worst}`);
      t.same(numbers(after, `${layer}.bias`), [0, 0, 0]);
    }
  }
});

t.test('a row of zeros stays one', async (t) => {
  for (const tau of [-4, 1]) {
    const { weight, bias } = await tidy(async () => {
      const layer = { weight: tensor([3, 4, 0, 0], [2, 2]), bias: tensor([1, 2]) };
      const normal = await normalisedLayer(layer, tau);
      return { weight: [...(await normal.weight.data())], bias: [...(await normal.bias.data())] };
    });
    t.same(weight.map(Number), tau === 1 ? [0.6, 0.8, 0, 0].map(Math.fround) : [3 * 625, 4 * 625, 0, 0]);
    t.same(bias.map(Number), [0, 0]);
  }
});

t.test('tau-normalisation of what cannot be normalised', async (t) => {
  using model = await tinyBaseline();
  t.throws(() => model.tauNormalise({ tau: Number.NaN }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /options\.tau/,
  });
  t.throws(() => model.tauNormalise({ t: 1 } as object), { code: 'ERR_INVALID_ARGUMENT' });
  const before = await valuesOf(model);
  t.match(await failure(model.tauNormalise({ tau: 1e6 })), { code: 'ERR_NOT_FINITE', message: /fc\.weight/ });
  t.same(changed(before, await valuesOf(model)), [], 'nothing has been changed');
  const run = model.fit(tinyFit({ maxEpochs: 1 }));
  t.throws(() => model.tauNormalise(), { code: 'ERR_BUSY', message: /its fit has not ended/ });
  await run.result;
  // A fit that began meanwhile would lose its first steps, or its best epoch's head, to the normalised one.
  const normalised = model.tauNormalise({ tau: 1 });
  for (const again of [() => model.fit(tinyFit({ maxEpochs: 1 })), () => model.tauNormalise()])
    t.throws(again, { code: 'ERR_BUSY', message: /its τ-normalisation has not ended/ });
  await normalised;
  await model.fit(tinyFit({ maxEpochs: 1 })).result;
  model.dispose();
  t.throws(() => model.tauNormalise(), { code: 'ERR_DISPOSED' });
});

t.test('nothing is left behind', async (t) => {
  t.equal(memoryStats().liveTensors, 0);
});

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { writeNpy } from '../../lib/checkpoints/npy.js';
import type { Dataset, Sample } from '../../lib/data/dataset.js';
import { rng } from '../../lib/data/random.js';
import type { DistillationSettings } from '../../lib/systems/gazelt/distillation.js';
import type { GazeLTFitOptions } from '../../lib/systems/gazelt/gazelt.js';
import { failure } from '../support/outcome.js';
import { eventsOf, rowsOf } from '../support/runs.js';
import { temporaryFolder, tinyBaseline, tinyDataset, tinyFit, tinyGazeLT } from '../support/tiny.js';

const train = tinyDataset('train', 8);
const validation = tinyDataset('validation', 4);

function vector(prefix: string, id: string): Float32Array {
  const random = rng(5, prefix, id);
  return Float32Array.from({ length: 64 }, () => random.normal());
}

/** Vectors of every image; the shapes (64,) and (1, 64) take turns. */
async function featuresFor(
  t: Test,
  datasets: readonly Dataset[],
  prefixes: readonly string[],
): Promise<string> {
  const folder = path.join(temporaryFolder(t), 'features');
  mkdirSync(folder);
  for (const dataset of datasets) {
    for (let i = 0; i < dataset.length; i++) {
      const name = dataset.sample(i).id.replace('.png', '');
      for (const prefix of prefixes) {
        const file = path.join(folder, `${prefix}_${name}.npy`);
        await writeNpy(file, vector(prefix, name), i % 2 === 0 ? [64] : [1, 64]);
      }
    }
  }
  return folder;
}

const fit = (distillation?: DistillationSettings): GazeLTFitOptions => ({
  ...tinyFit({ train, validation, maxEpochs: 1, batchSize: 8, learningRate: 1e-12, augment: false }),
  ...(distillation ? { distillation } : {}),
});

async function lossesWith(distillation?: DistillationSettings): Promise<{ train: number; val: number }> {
  using model = await tinyGazeLT();
  const [first, second] = rowsOf(await eventsOf(model, fit(distillation)));
  return { train: first?.loss as number, val: second?.loss as number };
}

t.test('the term is added with its weight, its shares and its weight in validation', async (t) => {
  const featuresDir = await featuresFor(t, [train, validation], ['focal', 'global']);
  const settings = { features: 'gazelt', featuresDir };
  const plain = await lossesWith();
  t.same(await lossesWith({ ...settings, weight: 0 }), plain, 'a weight of 0 is no distillation');
  const whole = await lossesWith({ ...settings, weight: 1 });
  const term = { train: whole.train - plain.train, val: whole.val - plain.val };
  t.ok(term.train > 0.05 && term.val > 0.05, `divergences are above 0: ${term.train}, ${term.val}`);
  const near = (found: number, expected: number, what: string) =>
    t.ok(
      Math.abs(found - expected) < 1e-5 * Math.max(1, Math.abs(expected)),
      `${what}: ${found}, ${expected}`,
    );

  const half = await lossesWith({ ...settings, weight: 0.5, validationWeight: 0.25 });
  near(half.train - plain.train, 0.5 * term.train, 'weight');
  near(half.val - plain.val, 0.25 * term.val, 'weight in validation');
  const usual = await lossesWith(settings);
  near(usual.train - plain.train, 0.01 * term.train, 'default weight');
  near(usual.val - plain.val, 0.01 * term.val, 'default weight in validation');

  const focal = await lossesWith({ ...settings, weight: 1, shares: [1, 0] });
  const global = await lossesWith({ ...settings, weight: 1, shares: [0, 1] });
  near((focal.train + global.train) / 2, whole.train, 'equal shares by default');
  near((await lossesWith({ features: 'focal', featuresDir, weight: 1 })).train, focal.train, 'a single set');
});

t.test('a student learns from its teachers in bfloat16, with MixUp, and in float64', async (t) => {
  const featuresDir = await featuresFor(t, [train, validation], ['gazeradar']);
  const distillation = { features: 'gazeradar', featuresDir, weight: 1 };
  for (const precision of ['bfloat16', 'float64'] as const) {
    using model = await tinyGazeLT();
    const mixing = precision === 'bfloat16' ? { mixing: { kind: 'mixup', alpha: 0.2 } as const } : {};
    const options = { ...fit(distillation), precision, ...mixing, learningRate: 3e-3, maxEpochs: 4 };
    const losses = rowsOf(await eventsOf(model, options))
      .filter(({ phase }) => phase === 'train')
      .map(({ loss }) => loss);
    t.ok(Math.min(...losses) < (losses[0] as number), losses.join(', '));
  }
});

t.test('everything missing is listed before anything else is done', async (t) => {
  const featuresDir = await featuresFor(t, [train, validation], ['focal', 'global']);
  const missing = ['focal_train-3.npy', 'global_train-0.npy', 'focal_validation-1.npy'];
  for (const name of missing) rmSync(path.join(featuresDir, name));
  using model = await tinyGazeLT();
  let prepared = 0;
  const options = { ...fit({ features: 'gazelt', featuresDir }), onPrepare: () => prepared++ };
  const error = await failure(eventsOf(model, options));
  t.equal(error.code, 'ERR_DATASET');
  t.match(
    error.message,
    /^1 of 8 focal vectors of train, 1 of 8 global vectors of train, 1 of 4 focal .* missing:/,
  );
  const parts = error.details.missing as { paths: string[] }[];
  const listed = parts.flatMap(({ paths }) => paths.map((file) => path.basename(file))).sort();
  t.same(listed, [...missing].sort());
  for (const name of missing) t.ok(error.message.includes(name), name);
  t.equal(prepared, 0);
});

t.test('missing images and missing vectors are one list', async (t) => {
  const featuresDir = await featuresFor(t, [train, validation], ['one']);
  rmSync(path.join(featuresDir, 'one_validation-1.npy'));
  const gone = (sample: Sample, index: number): Sample =>
    index === 2 ? { ...sample, image: { kind: 'file', path: '/no/such/film.png' } } : sample;
  const films = tinyDataset('train', 8, { replace: gone });
  using model = await tinyGazeLT();
  const options = { ...fit({ features: 'one', featuresDir }), train: films };
  t.match(await failure(model.fit(options).result), {
    code: 'ERR_DATASET',
    message:
      /^1 of 8 images of train, 1 of 4 one vectors of validation are missing:\n {2}images of train: \/no\/such\/film\.png\n {2}one vectors of validation: .*one_validation-1\.npy$/,
    details: { count: 2, missing: [{ what: 'images of train', total: 8, count: 1 }, { count: 1 }] },
  });
  // Without distillation the images alone are looked for, and may be skipped.
  t.match(await failure(model.fit({ ...fit(), train: films }).result), {
    message: '1 of 8 images of train are missing: /no/such/film.png',
  });
  await model.fit({ ...fit(), train: films, onError: 'skip' }).result;
});

t.test('two images of one name have no vectors of their own', async (t) => {
  const featuresDir = await featuresFor(t, [train, validation], ['one']);
  const twins = tinyDataset('train', 8, {
    replace: (sample, index) => ({ ...sample, id: index > 5 ? `folder-${index}/film.png` : sample.id }),
  });
  using model = await tinyGazeLT();
  const options = { ...fit({ features: 'one', featuresDir }), train: twins };
  t.match(await failure(model.fit(options).result), {
    code: 'ERR_DATASET',
    message: /folder-6\/film\.png and folder-7\/film\.png are both 'film'/,
  });
});

t.test('a file that is no such vector is named', async (t) => {
  const featuresDir = await featuresFor(t, [train, validation], ['one']);
  const file = path.join(featuresDir, 'one_train-2.npy');
  using model = await tinyGazeLT();
  const refused = async (data: Float32Array, shape: number[]) => {
    await writeNpy(file, data, shape);
    const error = await failure(model.fit(fit({ features: 'one', featuresDir })).result);
    t.ok(error.message.includes(file), error.message);
    return error;
  };
  t.match(await refused(new Float32Array(63), [63]), { code: 'ERR_INVALID_SHAPE', message: /\(63\)|63/ });
  t.equal((await refused(new Float32Array(64), [64, 1])).code, 'ERR_INVALID_SHAPE');
  t.equal((await refused(new Float32Array(128), [2, 64])).code, 'ERR_INVALID_SHAPE');
  t.equal((await refused(new Float32Array(64), [1, 1, 64])).code, 'ERR_INVALID_SHAPE');
  t.equal((await refused(new Float32Array(64).fill(Number.NaN), [64])).code, 'ERR_NOT_FINITE');
});

t.test('a run does not go on with other vectors under the same names', async (t) => {
  const featuresDir = await featuresFor(t, [train, validation], ['one']);
  const checkpoints = path.join(temporaryFolder(t), 'run');
  const options = { ...fit({ features: 'one', featuresDir }), maxEpochs: 2, checkpoints };
  using model = await tinyGazeLT();
  for await (const { type } of model.fit(options)) if (type === 'checkpoint') break;
  const file = path.join(featuresDir, 'one_validation-2.npy');
  await writeNpy(file, new Float32Array(64), [64]);
  t.match(await failure(model.fit({ ...options, resume: true }).result), {
    code: 'ERR_RESUME',
    message: /distillation/,
  });
  // Files that are gone or torn are no other option.
  writeFileSync(file, 'torn');
  const torn = await failure(model.fit({ ...options, resume: true }).result);
  t.match(torn, { code: 'ERR_CHECKPOINT', message: /one_validation-2\.npy/ });
  rmSync(file);
  t.match(await failure(model.fit({ ...options, resume: true }).result), {
    code: 'ERR_DATASET',
    message: /^1 of 4 one vectors of validation are missing: .*one_validation-2\.npy$/,
  });
  await writeNpy(file, vector('one', 'validation-2'), [1, 64]);
  t.ok(await model.fit({ ...options, resume: true }).result);
});

t.test('what cannot be distilled is refused at once', async (t) => {
  using model = await tinyGazeLT();
  using linear = await tinyGazeLT({ head: 'linear' });
  using baseline = await tinyBaseline();
  const distillation = { features: 'gazelt', featuresDir: 'features' };
  const refuses = (run: () => unknown, message: RegExp) =>
    t.throws(run, { code: 'ERR_INVALID_ARGUMENT', message });
  refuses(() => linear.fit(fit(distillation)), /bottleneck64.*linear/);
  refuses(() => baseline.fit(fit(distillation)), /Unknown option options\.distillation/);
  refuses(() => model.fit({ ...fit(distillation), onError: 'skip' }), /onError 'throw'/);
  refuses(() => model.fit(fit({ ...distillation, shares: [1] })), /2 numbers.*shares/);
  refuses(() => model.fit(fit({ ...distillation, shares: [1, Number.NaN] })), /shares\[1\]/);
  refuses(() => model.fit(fit({ ...distillation, weight: -1 })), /distillation\.weight/);
  refuses(() => model.fit(fit({ ...distillation, featuresDir: '' })), /featuresDir/);
  refuses(
    () => model.fit(fit({ ...distillation, teacherBatchSize: 2 })),
    /nothing without teachers for options\.distillation\.teacherBatchSize/,
  );
  refuses(
    () => model.fit(fit({ ...distillation, weigth: 1 } as DistillationSettings)),
    /did you mean 'weight'/,
  );
});

/**
 * Does gaze help the student? Four arms at equal head, size, epochs and initial weights on the embedded sample: Softmax;
 * RW LDAM-DRW; the same with distillation (GazeLT); the same with the teachers' vectors shuffled between films. The best
 * epoch of each run is chosen on the validation split alone; runs of one seed are paired.
 *
 *     node bench/experiments/gaze-helps.mjs --out runs/gaze-helps --minutes 60 \
 *         --teachers runs/teachers/focal-seed0,runs/teachers/global-seed0
 *
 * One folder a run; stopped after `--minutes` (exit code 3), the same command goes on. `results.json` and `results.md` hold
 * what there is: accuracies of each arm, and differences of GazeLT with the mean and range over seeds and intervals from
 * resampling patients. "Gaze helps" only where GazeLT beats both the arm without distillation and the shuffled one in every
 * seed; the sample and the method are not tuned to the answer.
 */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { groupsFromCounts, phantomSplits, readNpy, rng, writeNpy } from '../../dist/lib/index.js';
import { extractVectors, runStudent, studentResult } from './students.mjs';
import { budget, drawnPatients, meanOf, middle, run, say, settingsFrom, table, write } from './support.mjs';

const settings = settingsFrom({
  out: 'runs/gaze-helps',
  // In the order of the shares.
  teachers: ['runs/teachers-predict-gaze/focal-seed0', 'runs/teachers-predict-gaze/global-seed0'],
  seeds: [0, 1, 2, 3, 4],
  // Those to train; softmax and rw-ldam-drw need no teachers.
  arms: ['softmax', 'rw-ldam-drw', 'gazelt', 'shuffled'],
  architecture: 'resnet18',
  size: 128,
  train: 1500,
  val_per_class: 10,
  test_per_class: 60,
  test: 400,
  epochs: 12,
  drw_epoch: 8,
  batch: 16,
  lr: 1e-3,
  kd_weight: 0.01,
  precision: 'float32',
  sample_seed: 1,
  resamples: 2000,
  minutes: 0,
  threads: 0,
});
const signal = budget(settings.minutes);
const arms = ['softmax', 'rw-ldam-drw', 'gazelt', 'shuffled'];
const measures = ['head', 'medium', 'tail', 'bAcc', 'bAcc on test'];

const splitsAt = (size) =>
  phantomSplits({
    ...{ seed: settings.sample_seed, size, train: settings.train, valPerClass: settings.val_per_class },
    ...{ testPerClass: settings.test_per_class, test: settings.test },
  });
const splits = splitsAt(settings.size);
const { classes } = splits.train;
const thresholds = { head: Math.floor(settings.train / 8), tail: Math.ceil(settings.train / 32) };
const features = path.join(settings.out, 'features');

/** Both teachers' vectors of another film of the same split, drawn for each seed. */
async function shuffle(seed, branches) {
  const folder = path.join(settings.out, `features-shuffled-seed${seed}`);
  const done = path.join(folder, 'done.json');
  if (existsSync(done)) return folder;
  mkdirSync(folder, { recursive: true });
  for (const split of ['train', 'balanced-val']) {
    const dataset = splits[split];
    const names = Array.from({ length: dataset.length }, (_, i) => dataset.sample(i).id);
    const others = derangement(names.length, rng(seed, 'shuffled', split));
    for (const branch of branches) {
      for (const [i, name] of names.entries()) {
        const { data, shape } = await readNpy(path.join(features, `${branch}_${names[others[i]]}.npy`));
        await writeNpy(path.join(folder, `${branch}_${name}.npy`), data, shape);
      }
    }
  }
  write(done, { seed, branches });
  return folder;
}

/** One cycle through all (Sattolo): no film keeps its own. */
function derangement(length, random) {
  const order = Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = random.integer(i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

async function runOne(arm, seed, { branches, set }) {
  await runStudent({
    ...{ arm, seed, settings, signal, folder: path.join(settings.out, `${arm}-seed${seed}`) },
    vectors: { set, folder: arm === 'shuffled' ? await shuffle(seed, branches) : features },
    create: {
      ...{ classes, architecture: settings.architecture, imageSize: settings.size },
      ...{ head: 'bottleneck64', thresholds },
    },
    splits: { train: splits.train, validation: splits['balanced-val'] },
    tests: { 'balanced-test': splits['balanced-test'], test: splits.test },
  });
}

const groups = groupsFromCounts(splits.train.classCounts, thresholds);

/** Accuracies by class, weighted; then the five measures. */
function scores({ evaluated }, weights) {
  const accuracy = (split) => {
    const { labels, predicted } = evaluated[split];
    const [right, all] = [new Float64Array(classes.length), new Float64Array(classes.length)];
    for (const [i, label] of labels.entries()) {
      const weight = weights?.[split][i] ?? 1;
      all[label] += weight;
      if (predicted[i] === label) right[label] += weight;
    }
    return Array.from(all, (n, k) => (n > 0 ? right[k] / n : Number.NaN));
  };
  const balanced = accuracy('balanced-test');
  const mean = (values) => {
    const defined = values.filter((value) => !Number.isNaN(value));
    return defined.reduce((sum, value) => sum + value, 0) / defined.length;
  };
  const group = (name) => mean(balanced.filter((_, k) => groups[k] === name));
  return [group('head'), group('medium'), group('tail'), mean(balanced), mean(accuracy('test'))];
}

/** How often each film counts in a resample of the patients of each split. */
function resampled({ evaluated }, r) {
  const splitsTested = ['balanced-test', 'test'];
  return Object.fromEntries(
    splitsTested.map((split) => [
      split,
      drawnPatients(evaluated[split].patients, rng(0, 'bootstrap', split, r)),
    ]),
  );
}

const percent = (value) => (100 * value).toFixed(1);

function summarise() {
  const results = new Map();
  for (const arm of arms)
    for (const seed of settings.seeds) {
      const result = studentResult(path.join(settings.out, `${arm}-seed${seed}`));
      if (result) results.set(`${arm} ${seed}`, result);
    }
  const seeds = settings.seeds.filter((seed) => arms.every((arm) => results.has(`${arm} ${seed}`)));
  if (seeds.length === 0) return;
  const of = (arm, weights) => seeds.map((seed) => scores(results.get(`${arm} ${seed}`), weights));
  const plain = Object.fromEntries(arms.map((arm) => [arm, of(arm)]));
  const means = arms.map((arm) => [
    arm,
    ...measures.map((_, m) => percent(meanOf(plain[arm].map((row) => row[m])))),
  ]);
  const draws = [];
  for (let r = 0; r < settings.resamples; r++) {
    const weights = resampled(results.get(`gazelt ${seeds[0]}`), r);
    draws.push(Object.fromEntries(arms.map((arm) => [arm, of(arm, weights)])));
  }
  const differences = arms
    .filter((arm) => arm !== 'gazelt')
    .flatMap((arm) => measures.map((measure, m) => difference({ arm, measure, m, plain, draws })));
  const verdicts = measures.map((measure) => {
    const rivals = differences.filter((one) => one.measure === measure && one.arm !== 'softmax');
    const helps = rivals.every(({ bySeed }) => bySeed.every((value) => value > 0));
    return { measure, seeds: seeds.length, helps: helps && seeds.length === settings.seeds.length };
  });
  const lines = [
    `Mean over ${seeds.length} seeds, per cent; head, medium, tail and bAcc on balanced-test (${settings.test_per_class} films a class), bAcc on the long-tailed test split (${settings.test} films).`,
    '',
    table(['arm', ...measures], means),
    '',
    'Differences in percentage points, paired by seed; intervals (95 %) from resampling patients.',
    '',
    table(
      ['GazeLT minus', 'measure', 'mean', 'range over seeds', 'interval'],
      differences.map(({ arm, measure, mean, low, high, interval }) => [
        ...[arm, measure, percent(mean), `${percent(low)} to ${percent(high)}`],
        `${percent(interval.low)} to ${percent(interval.high)}`,
      ]),
    ),
    '',
    ...verdicts.map(
      ({ measure, helps }) =>
        `- ${measure}: GazeLT ${helps ? 'beats' : 'does not beat'} both the arm without distillation and the shuffled arm in all ${settings.seeds.length} seeds`,
    ),
  ];
  write(path.join(settings.out, 'results.json'), {
    settings,
    seeds,
    thresholds,
    groups,
    plain,
    differences,
    verdicts,
  });
  write(path.join(settings.out, 'results.md'), `${lines.join('\n')}\n`);
  say(lines.join('\n'));
}

function difference({ arm, measure, m, plain, draws }) {
  const paired = (scored) => scored.gazelt.map((row, i) => row[m] - scored[arm][i][m]);
  const bySeed = paired(plain);
  const resampledMeans = draws.map((draw) => meanOf(paired(draw))).filter((value) => !Number.isNaN(value));
  return {
    ...{ arm, measure, bySeed, mean: meanOf(bySeed), low: Math.min(...bySeed), high: Math.max(...bySeed) },
    interval: middle(resampledMeans),
  };
}

await run(async () => {
  const taught = settings.arms.some((arm) => arm === 'gazelt' || arm === 'shuffled');
  // The teachers see the films at their own size; a film's name tells whose the vector is.
  const { train, 'balanced-val': validation } = splitsAt(224);
  const films = [train, validation];
  const vectors = await extractVectors(taught ? settings.teachers : [], films, { folder: features, signal });
  for (const seed of settings.seeds) {
    for (const arm of settings.arms) await runOne(arm, seed, vectors);
    summarise();
  }
}, settings);

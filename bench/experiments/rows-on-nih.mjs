/**
 * Three rows of GazeLT's table on real films of NIH: Softmax, RW LDAM-DRW, GazeLT with teachers that were trained on the
 * embedded sample. It shows that real files run; no ranking is claimed.
 *
 *     node bench/experiments/rows-on-nih.mjs --csv DATA/cxr/labels.csv --root DATA --out runs/nih --minutes 60 \
 *         --teachers runs/teachers/focal-seed0,runs/teachers/global-seed0
 *
 * One folder a run; stopped after `--minutes` (exit code 3), the same command goes on. Classes with fewer training films than
 * `--least_train` are dropped and listed. `results.md` has the accuracy of each class and group: mean over the seeds, and its
 * interval (95 %) from resampling the films within each class; `n/a` below 20 test films.
 */
import path from 'node:path';
import { groupsFromCounts, openTable, rng } from '../../dist/lib/index.js';
import { extractVectors, runStudent, studentResult } from './students.mjs';
import { budget, meanOf, middle, run, say, settingsFrom, table, write } from './support.mjs';

const settings = settingsFrom({
  out: 'runs/nih',
  csv: 'DATA/cxr/labels.csv',
  root: 'DATA',
  source: 'nih',
  // In the order of the shares.
  teachers: ['runs/teachers-predict-gaze/focal-seed0', 'runs/teachers-predict-gaze/global-seed0'],
  seeds: [0, 1, 2],
  arms: ['softmax', 'rw-ldam-drw', 'gazelt'],
  architecture: 'resnet18',
  size: 224,
  least_train: 8,
  // A class of more films than `head` is a head class, one of fewer than `tail` a tail class.
  head: 50,
  tail: 11,
  least_test: 20,
  epochs: 8,
  drw_epoch: 5,
  batch: 32,
  lr: 1e-3,
  kd_weight: 0.01,
  precision: 'float32',
  resamples: 2000,
  minutes: 0,
  threads: 0,
});
const signal = budget(settings.minutes);
const arms = ['softmax', 'rw-ldam-drw', 'gazelt'];
const thresholds = { head: settings.head, tail: settings.tail };
const features = path.join(settings.out, 'features');
const folderOf = (arm, seed) => path.join(settings.out, `${arm}-seed${seed}`);

const columns = { labelColumn: 'finding', splitColumn: 'split', patientColumn: 'patient' };
const open = (where) =>
  openTable({
    ...{ csv: settings.csv, root: settings.root, ...columns, emptyLabel: 'skip' },
    where: [{ column: 'source', equals: settings.source }, ...where],
  });

/** The films of the classes that have enough of them to train on, and what was dropped. */
async function films() {
  const all = await open([]);
  const counts = all.splits.get('train').classCounts;
  const kept = all.classes.filter((_, k) => counts[k] >= settings.least_train);
  const dropped = all.classes.flatMap((name, k) =>
    counts[k] < settings.least_train ? [{ name, films: counts[k] }] : [],
  );
  const { classes, splits } = await open([{ column: 'finding', equals: kept }]);
  const [train, validation, test] = ['train', 'val', 'test'].map((name) => splits.get(name));
  return { classes, train, validation, test, dropped, unlabelled: all.skipped.emptyLabel };
}

const percent = (value) => (100 * value).toFixed(1);

/** For each film of the test split, in how many of the seeds it was classified correctly, as a share. */
function shares(results) {
  return results[0].labels.map((label, i) =>
    meanOf(results.map(({ predicted }) => (predicted[i] === label ? 1 : 0))),
  );
}

/** Mean over classes of the mean over their films, and the same of resamples within each class. */
function accuracy(byClass) {
  const films = byClass.reduce((sum, values) => sum + values.length, 0);
  const mean = meanOf(byClass.map(meanOf));
  if (films < settings.least_test) return { films, mean, interval: null };
  const random = rng(0, 'within class');
  const draws = Array.from({ length: settings.resamples }, () =>
    meanOf(byClass.map((values) => meanOf(values.map(() => values[random.integer(values.length)])))),
  );
  return { films, mean, interval: middle(draws) };
}

const shown = ({ mean, interval }) =>
  interval === null ? 'n/a' : `${percent(mean)} (${percent(interval.low)} to ${percent(interval.high)})`;

function summarise({ classes, train, test, dropped, unlabelled }) {
  const seeds = settings.seeds.filter((seed) => arms.every((arm) => studentResult(folderOf(arm, seed))));
  if (seeds.length === 0) return;
  const groups = groupsFromCounts(train.classCounts, thresholds);
  const correct = Object.fromEntries(
    arms.map((arm) => [arm, shares(seeds.map((seed) => studentResult(folderOf(arm, seed)).evaluated.test))]),
  );
  const of = (arm, k) => correct[arm].filter((_, i) => test.labels[i] === k);
  const tested = classes.map((_, k) => k).filter((k) => test.classCounts[k] > 0);
  const rows = [
    ...tested.map((k) => ({ name: classes[k], group: groups[k], of: [k] })),
    ...['head', 'medium', 'tail'].map((name) => ({ name, of: tested.filter((k) => groups[k] === name) })),
    { name: 'bAcc', of: tested },
  ].map((row) => ({
    ...row,
    train: row.of.reduce((sum, k) => sum + train.classCounts[k], 0),
    accuracies: arms.map((arm) => accuracy(row.of.map((k) => of(arm, k)))),
  }));
  const lines = [
    `Accuracy in per cent, mean over ${seeds.length} seeds, with 95 % intervals from resampling films within each class; n/a below ${settings.least_test} test films.`,
    '',
    table(
      ['class', 'group', 'training films', 'test films', ...arms],
      rows.map(({ name, group = '', train: n, accuracies }) => [
        ...[name, group, n, accuracies[0].films],
        ...accuracies.map(shown),
      ]),
    ),
    '',
    `Dropped for want of ${settings.least_train} training films: ${dropped.map(({ name, films: n }) => `${name} (${n})`).join(', ')}; ${unlabelled} films without a single finding are left out.`,
  ];
  write(path.join(settings.out, 'results.json'), { settings, seeds, thresholds, dropped, unlabelled, rows });
  write(path.join(settings.out, 'results.md'), `${lines.join('\n')}\n`);
  say(lines.join('\n'));
}

await run(async () => {
  const found = await films();
  const { classes, train, validation, test } = found;
  const taught = settings.arms.includes('gazelt') ? settings.teachers : [];
  const vectors = await extractVectors(taught, [train, validation], { folder: features, signal });
  for (const seed of settings.seeds) {
    for (const arm of settings.arms)
      await runStudent({
        ...{ arm, seed, settings, signal, folder: folderOf(arm, seed) },
        vectors: { set: vectors.set, folder: features },
        create: {
          ...{ classes, architecture: settings.architecture, imageSize: settings.size },
          ...{ head: 'bottleneck64', thresholds },
        },
        splits: { train, validation },
        tests: { test },
      });
    summarise(found);
  }
}, settings);

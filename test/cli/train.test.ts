/** `train` and `prepare` by the built command line. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { writeNpy } from '../../lib/checkpoints/npy.js';
import { uniform } from '../golden/fill.js';
import { cli, linesOf } from '../support/cli.js';
import { filmFlags, smallRun, smallRunFolder, writeFilms } from '../support/small-run.js';

t.setTimeout(420_000);

const folder = t.testdir();
const run = smallRunFolder;
const train = smallRun(2);
const at = (...parts: string[]) => path.join(folder, ...parts);
const read = (...parts: string[]) => readFileSync(at(...parts), 'utf8');

t.before(() => writeFilms(folder));

t.test('train leaves a run with all its files', async (t) => {
  const { code, stdout, stderr } = await cli(train, folder);
  t.equal(code, 0, stderr);
  t.match(stdout, /labels: 9 classes; images: train 24, val 9, balanced-test 9, test 9/);
  t.match(stdout, /No Finding +\d+ training images {2}head/);
  t.match(stdout, /Distillation is off/);
  t.match(stdout, /Deferred re-weighting from epoch 2 on/);
  t.match(stdout, /balanced-test, 9 images: balanced accuracy .* x chance \(11\.1 %\)/);
  t.match(stdout, /Not for clinical use/);
  const split = (name: string) =>
    ['pred.csv', 'true.csv', 'summary.txt', 'cm.png', 'reliability.png', 'roc.png'].map(
      (part) => `${name}_${part}`,
    );
  const expected = [
    ...['auc.png', 'balanced_acc.png', 'loss.png', 'cam', 'checkpoints', 'history.csv', 'metrics.json'],
    ...['options.json', 'report.html', ...split('balanced-test'), ...split('test')],
  ];
  t.same(readdirSync(at(run)).sort(), expected.sort());
  t.equal(readdirSync(at(run, 'cam')).filter((name) => name.endsWith('.png')).length, 9);

  const rows = read(run, 'history.csv')
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  t.same(
    rows.map(([epoch, phase]) => `${epoch} ${phase}`),
    ['epoch phase', '1 train', '1 val', '2 train', '2 val'],
  );
  const options = JSON.parse(read(run, 'options.json'));
  t.match(options, {
    command: 'train gazelt',
    loss: 'ldam',
    drw: true,
    max_epochs: 2,
    csv: at('films/labels.csv'),
  });
  const metrics = JSON.parse(read(run, 'metrics.json'));
  t.match(metrics, {
    format: 'cxr-gaze/metrics',
    run: { trainingPrecision: 'float32', notices: [{ code: 'distillation-off' }] },
  });
  const tested = metrics.splits['balanced-test'];
  t.equal(tested.samples, 9);
  t.ok(tested.intervals.resamples === 20 && tested.intervals.unit === 'patient');
  t.same(tested.longTail.thresholds, { head: 4, tail: 2 });
  // The prediction tables say the same as the metrics.
  const table = read(run, 'balanced-test_pred.csv').trim().split('\n').slice(1);
  const truth = read(run, 'balanced-test_true.csv').trim().split('\n').slice(1);
  const top = (line: string) =>
    line
      .split(',')
      .map(Number)
      .reduce((best, p, k, all) => (p > (all[best] as number) ? k : best), 0);
  const right = table.filter((line, i) => truth[i]?.split(',')[top(line)] === '1').length;
  t.equal(right / 9, tested.accuracy);
  const report = read(run, 'report.html');
  t.match(report, /Distillation is off/);
  t.match(report, /Not for clinical use/);
});

t.test('a run that is there is refused, and replaced only when told', async (t) => {
  const marker = at(run, 'marker');
  writeFileSync(marker, '');
  const refused = await cli(train, folder);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /^ERR_EXISTS: .*--resume.*--overwrite/m);
  t.ok(existsSync(marker));

  const other = await cli([...train, '--resume', '--cb_beta', '0.5'], folder);
  t.equal(other.code, 1);
  t.match(other.stderr, /^ERR_RESUME: .*beta: 0\.9999 -> 0\.5/m);
  const larger = await cli([...train, '--resume', '--image_size', '64'], folder);
  t.equal(larger.code, 1);
  t.match(larger.stderr, /^ERR_RESUME: .*imageSize: 32 -> 64/m);
  t.ok(existsSync(marker));

  // Its features are missing: what was there stays.
  const broken = train.map((part) => (part === 'none' ? 'gazelt' : part));
  const failed = await cli([...broken, '--features_dir', 'nowhere', '--overwrite'], folder);
  t.equal(failed.code, 1);
  t.match(failed.stderr, /^ERR_DATASET: 24 of 24 focal vectors of .* are missing:[\s\S]*nowhere/m);
  t.ok(existsSync(marker) && existsSync(at(run, 'report.html')));
  t.same(readdirSync(at('results/train')), [path.basename(run)], 'nothing is left beside');

  const replaced = await cli([...train, '--overwrite', '--max_epochs', '1', '--json'], folder);
  t.equal(replaced.code, 0, replaced.stderr);
  t.notOk(existsSync(marker));
  const kinds = new Set(linesOf(replaced).map(({ type }) => type));
  for (const kind of ['data', 'prepared', 'start', 'step', 'epoch', 'checkpoint', 'evaluation', 'done']) {
    t.ok(kinds.has(kind), kind);
  }
  t.same(readdirSync(at('results/train')), [path.basename(run)], 'nothing is left beside');
});

t.test('prepare fills a cache that training reads', async (t) => {
  const first = await cli(
    ['prepare', ...filmFlags, '--image-size', '32', '--cache_dir', 'cache', '--json'],
    folder,
  );
  t.equal(first.code, 0, first.stderr);
  t.match(linesOf(first)[0], { type: 'prepared', split: 'train', decoded: 24, reused: 0 });
  const flags = [...train, '--cache_dir', 'cache', '--out_dir', 'cached', '--max_epochs', '1', '--json'];
  const second = await cli(flags, folder);
  t.equal(second.code, 0, second.stderr);
  const prepared = linesOf(second).filter(({ type }) => type === 'prepared');
  t.match(prepared, [
    { decoded: 0, reused: 24 },
    { decoded: 0, reused: 9 },
  ]);
});

t.test('teacher vectors draw the student', async (t) => {
  mkdirSync(at('features'));
  const table = read('films/labels.csv').trim().split('\n').slice(1);
  for (const id of table.map((line) => line.split(',')[0] as string)) {
    for (const teacher of ['focal', 'global']) {
      const vector = Float32Array.from(uniform(`${teacher} ${id}`, 64));
      await writeNpy(at('features', `${teacher}_${id}.npy`), vector, [64]);
    }
  }
  const flags = train.map((part) => (part === 'none' ? 'gazelt' : part));
  const taught = [
    '--features-dir',
    'features',
    '--kd_weight',
    '5',
    '--kd_shares',
    '0.7,0.3',
    '--out_dir',
    'taught',
  ];
  const { code, stdout, stderr } = await cli([...flags, ...taught, '--max_epochs', '1'], folder);
  t.equal(code, 0, stderr);
  t.notMatch(stdout, /Distillation is off/);
  const loss = (folder: string) =>
    Number(read(folder, path.basename(run), 'history.csv').split('\n')[1]?.split(',')[2]);
  t.ok(loss('taught') > loss('cached'), 'the distillation term is in the loss');
});

/** The way of a user: sample, train, evaluate, predict, explain, by the built command line. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { cli, linesOf } from '../support/cli.js';

const folder = t.testdir();
const run = 'results/train/labels_resnet18_rand_rw-sklearn_ldam-drw_lr-0.001_bs-6';
const data = ['--csv', 'films/labels.csv', '--split-column', 'split', '--patient_column', 'patient'];
const network = ['--rand_init', '--model-name', 'resnet18', '--image_size', '32', '--precision', 'float32'];
const loss = ['--loss', 'ldam', '--rw_method', 'sklearn', '--drw', '--drw_epoch', '1'];
const schedule = ['--batch_size', '6', '--lr', '1e-3', '--max_epochs', '2', '--bootstrap', '20'];
const train = [
  ...['train', 'gazelt', '--features', 'none', '--group_thresholds', '4,2', '--n_TTA', '1'],
  ...data,
  ...network,
  ...loss,
  ...schedule,
];
const at = (...parts: string[]) => path.join(folder, ...parts);
const read = (...parts: string[]) => readFileSync(at(...parts), 'utf8');

t.before(async () => {
  const splits = ['--val_per_class', '1', '--test_per_class', '1', '--test', '9'];
  const { code, stderr } = await cli(['sample', 'films', '--size', '64', '--train', '24', ...splits], folder);
  if (code !== 0) throw new Error(stderr);
});

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
    ['pred.csv', 'true.csv', 'summary.txt', 'cm.png'].map((part) => `${name}_${part}`);
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
  t.ok(existsSync(marker));

  // Its features are missing: what was there stays.
  const broken = train.map((part) => (part === 'none' ? 'gazelt' : part));
  const failed = await cli([...broken, '--features_dir', 'nowhere', '--overwrite'], folder);
  t.equal(failed.code, 1);
  t.match(failed.stderr, /^ERR_(DATASET|FILE): .*nowhere/m);
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

t.test('evaluate repeats the run, and takes other splits', async (t) => {
  const again = await cli(['evaluate', run, '--tta', '1', '--bootstrap', '0', '--json'], folder);
  t.equal(again.code, 0, again.stderr);
  const before = JSON.parse(read(run, 'metrics.json'));
  for (const line of linesOf(again).filter(({ type }) => type === 'evaluation')) {
    t.equal(
      line.balancedAccuracy,
      before.splits[line.split as string].balancedAccuracy,
      line.split as string,
    );
  }
  const target = 'results/evaluate/labels_resnet18_rand_rw-sklearn_ldam-drw_lr-0.001_bs-6_labels';
  t.ok(existsSync(at(target, 'report.html')) && existsSync(at(target, 'test_summary.txt')));
  const refused = await cli(['evaluate', run], folder);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /^ERR_EXISTS: /m);
  const val = await cli(['evaluate', run, '--test_split', 'val', '--bootstrap', '0', '--overwrite'], folder);
  t.equal(val.code, 0, val.stderr);
  t.match(val.stdout, /^val, 9 images/m);
  t.notOk(existsSync(at(target, 'test_summary.txt')), 'the old one is replaced whole');
  const where = await cli(
    ['evaluate', run, ...data, '--where', 'label=Hernia,Mass', '--bootstrap', '0', '--out_dir', 'part'],
    folder,
  );
  t.equal(where.code, 0, where.stderr);
  t.match(where.stdout, /rows are not asked for by --where/);
  const unknown = await cli(['evaluate', run, '--test_split', 'tset'], folder);
  t.equal(unknown.code, 2);
  t.match(unknown.stderr, /did you mean 'test'/);
});

t.test('predict and explain', async (t) => {
  const films = readdirSync(at('films/images'))
    .sort()
    .slice(0, 3)
    .map((name) => `films/images/${name}`);
  const [first, second, third] = films as [string, string, string];
  const predicted = await cli(['predict', run, first, second, '--json', '--csv', 'out.csv'], folder);
  t.equal(predicted.code, 0, predicted.stderr);
  t.match(predicted.stderr, /Not for clinical use/);
  const lines = linesOf(predicted);
  t.equal(lines.length, 2);
  const probabilities = Object.values(lines[0]?.probabilities as Record<string, number>);
  t.ok(Math.abs(probabilities.reduce((a, b) => a + b, 0) - 1) < 1e-5);
  t.equal(Math.max(...probabilities), lines[0]?.probability);
  const table = read('out.csv').trim().split('\n');
  t.equal(table.length, 3);
  t.match(table[0], /^id,class,probability,group,No Finding,/);
  const shown = await cli(['predict', run, first], folder);
  t.match(shown.stdout, new RegExp(`^image.*\\n.*${path.basename(first)} +${lines[0]?.class} `));

  writeFileSync(at('bad.png'), 'not an image');
  const thrown = await cli(['predict', run, third, 'bad.png'], folder);
  t.equal(thrown.code, 1);
  t.match(thrown.stderr, /^ERR_IMAGE: .*bad\.png/m);
  const skipped = await cli(['predict', run, third, 'bad.png', '--on_error', 'skip', '--json'], folder);
  t.equal(skipped.code, 0, skipped.stderr);
  t.match(linesOf(skipped), [{ type: 'warning', kind: 'image-skipped' }, { type: 'prediction' }]);

  const explain = [
    'explain',
    run,
    first,
    second,
    '--class',
    'Hernia',
    '--layer',
    'layer3.1',
    '--out_dir',
    'maps',
  ];
  const explained = await cli([...explain, '--json'], folder);
  t.equal(explained.code, 0, explained.stderr);
  t.match(linesOf(explained), [{ type: 'explanation', explained: 'Hernia' }, { explained: 'Hernia' }]);
  t.equal(readdirSync(at('maps')).length, 2);
  t.equal((await cli(explain, folder)).code, 1, 'overlays that are there are not overwritten');
  const wrong = await cli(['explain', run, first, '--class', 'Hernai', '--out_dir', 'maps'], folder);
  t.equal(wrong.code, 2);
  t.match(wrong.stderr, /Hernia/);
});

t.test('prepare fills a cache that training reads', async (t) => {
  const first = await cli(
    ['prepare', ...data, '--image-size', '32', '--cache_dir', 'cache', '--json'],
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

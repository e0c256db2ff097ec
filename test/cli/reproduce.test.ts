/** `reproduce gazelt` by the built command line, on a few small films. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import { writeNpy } from '../../lib/checkpoints/npy.js';
import { featuresLacking, planRow } from '../../lib/cli/reproduce/plan.js';
import { tableRows } from '../../lib/cli/reproduce/rows.js';
import { refuseFailed } from '../../lib/cli/reproduce/run-rows.js';
import { CxrGazeError } from '../../lib/errors.js';
import { uniform } from '../golden/fill.js';
import { cli, interrupted, linesOf } from '../support/cli.js';

t.setTimeout(420_000);

const folder = t.testdir();
const at = (...parts: string[]) => path.join(folder, ...parts);
const command = [
  ...['reproduce', 'gazelt', '--csv', 'films/labels.csv', '--split_column', 'split'],
  ...['--patient_column', 'patient', '--group_thresholds', '4,2', '--bootstrap', '20', '--batch_size', '6'],
  ...['--rand_init', '--model_name', 'resnet18', '--width', '8', '--image_size', '32'],
  ...['--lr', '1e-3', '--max_epochs', '1'],
];
const equal = (...more: string[]) => [...command, '--conditions', 'equal', '--precision', 'float32', ...more];
const table = (out: string) =>
  parse(readFileSync(at(out, 'table.csv'), 'utf8'), { columns: true }) as Record<string, string>[];

t.before(async () => {
  const splits = ['--val_per_class', '1', '--test_per_class', '1', '--test', '9'];
  const { code, stderr } = await cli(['sample', 'films', '--size', '64', '--train', '24', ...splits], folder);
  if (code !== 0) throw new Error(stderr);
});

t.test('rows in folders of their own, decoupled ones from the base, one table', async (t) => {
  const rows = ['--rows', 'crt,tau-norm,gazelt'];
  const { code, stdout, stderr } = await cli(equal(...rows), folder);
  t.equal(code, 0, stderr);
  t.match(stdout, /GazeLT: needs features: focal_NAME\.npy and global_NAME\.npy/);
  const out = 'results/reproduce/labels_equal';
  for (const file of ['table.html', 'table.csv', 'table.md']) t.ok(existsSync(at(out, file)), file);
  t.notOk(existsSync(at(out, 'gazelt')), 'nothing stands in for a row without features');
  t.match(
    table(out).map(({ row, status }) => [row, status]),
    [
      ['softmax', 'done'],
      ['crt', 'done'],
      ['tau-norm', 'done'],
      ['gazelt', 'needs-features'],
    ],
    'the base is added',
  );
  t.match(table(out)[3], { note: /needs features/, head: '', head_published: '' });
  for (const { status, head, balanced_accuracy_low } of table(out))
    t.equal(head !== '' && balanced_accuracy_low !== '', status === 'done');

  const options = JSON.parse(readFileSync(at(out, 'crt', 'options.json'), 'utf8'));
  t.match(options, { head: 'bottleneck64', image_size: 32, max_epochs: 1, decoupling_method: 'cRT' });
  t.equal(options.decoupling_weights, at(out, 'softmax'));
  t.ok(existsSync(at(out, 'tau-norm', 'model', 'model.safetensors')));
  const figures = JSON.parse(readFileSync(at(out, 'tau-norm', 'metrics.json'), 'utf8'));
  t.equal(figures.run.trainingPrecision, null);
  t.equal(figures.splits.test.longTail.groups.length, 3);

  // Once more: nothing is trained; a further row joins the table, and other options are refused.
  const before = statSync(at(out, 'softmax', 'row.json')).mtimeMs;
  const again = await cli([...equal('--rows', 'crt,mixup'), '--fl_gamma', '1', '--json'], folder);
  t.equal(again.code, 0, again.stderr);
  t.match(
    again.stderr,
    /--fl_gamma is without effect: none of the rows softmax, mixup, crt has a use for it/,
  );
  t.equal(linesOf(again).filter(({ type }) => type === 'start').length, 1, 'only the new row is trained');
  t.equal(statSync(at(out, 'softmax', 'row.json')).mtimeMs, before);
  t.same(
    table(out).map(({ row }) => row),
    ['softmax', 'mixup', 'crt', 'tau-norm'],
  );
  const other = await cli([...equal(...rows), '--max_epochs', '2'], folder);
  t.equal(other.code, 1);
  t.match(other.stderr, /^ERR_RESUME: The row softmax .*max_epochs: 1 -> 2/m);
});

t.test('interrupted, it goes on to the same table; a row that fails does not lose the others', async (t) => {
  const rows = ['--rows', 'softmax,focal,rw-softmax', '--out_dir', 'broken'];
  const when = (line: { type: string }) =>
    line.type === 'start' && existsSync(at('broken/labels_equal/softmax/row.json'));
  const stopped = await interrupted(equal(...rows), folder, { when, signal: 'SIGINT' });
  t.equal(stopped.code, 130);
  t.match(stopped.stderr, /The same command goes on/);
  const out = 'broken/labels_equal';
  t.same(
    table(out).map(({ status }) => status),
    ['done', 'not-trained', 'not-trained'],
  );
  // What is no run cannot be written to.
  writeFileSync(at(out, 'focal'), 'a file');
  const failed = await cli(equal(...rows), folder);
  t.equal(failed.code, 1);
  t.match(failed.stderr, /1 of 3 rows failed \(focal\); the others are in the table/);
  t.same(
    table(out).map(({ status }) => status),
    ['done', 'done', 'failed'],
  );
  t.match(failed.stdout, /Softmax: finished already[\s\S]*Going on from the last checkpoint/);
  rmSync(at(out, 'focal'));
  t.equal((await cli(equal(...rows), folder)).code, 0);
  t.same(
    table(out).map(({ status }) => status),
    ['done', 'done', 'done'],
  );
});

t.test('published conditions, and the published figures beside ours', async (t) => {
  mkdirSync(at('features'));
  const names = readFileSync(at('films/labels.csv'), 'utf8').trim().split('\n').slice(1);
  for (const id of names.map((line) => line.split(',')[0] as string)) {
    const vector = Float32Array.from(uniform(`gazeradar ${id}`, 64));
    await writeNpy(at('features', `gazeradar_${id}.npy`), vector, [1, 64]);
  }
  const flags = ['--rows', 'gazeradar,gazelt', '--features_dir', 'features', '--published', 'mimic-cxr-lt'];
  const run = await cli([...command, '--conditions', 'published', ...flags], folder);
  t.equal(run.code, 0, run.stderr);
  t.match(run.stderr, /begin with torchvision's ImageNet weights/);
  t.match(run.stderr, /--image_size is 32 where the published runs have 224/);
  const [gazeradar, gazelt] = table('results/reproduce/labels_published');
  t.match(gazeradar, { status: 'done', average_of_classes_published: '0.279' });
  t.match(gazelt, { status: 'needs-features', note: /has no focal_NAME\.npy and no global_NAME\.npy/ });
  t.match(JSON.parse(readFileSync(at('results/reproduce/labels_published/gazeradar/options.json'), 'utf8')), {
    ...{ legacy_batchnorm: true, kd_val_weight: 0.05, precision: 'float32', features: 'gazeradar' },
  });
  // Other numbers under the same names are no reason to take over what was trained with the first ones.
  const [changed] = readdirSync(at('features')) as [string];
  const vector = readFileSync(at('features', changed));
  await writeNpy(at('features', changed), new Float32Array(64), [1, 64]);
  const replaced = await cli([...command, '--conditions', 'published', ...flags], folder);
  t.equal(replaced.code, 1);
  t.match(replaced.stderr, /^ERR_RESUME: The row gazeradar .* began with other content of --features_dir/m);
  writeFileSync(at('features', changed), vector);
  const restored = await cli([...command, '--conditions', 'published', ...flags], folder);
  t.match(restored.stdout, /GazeRadar: finished already/);
  // A vector that is missing is told before anything is trained.
  rmSync(at('features', changed));
  const lacking = await cli([...command, '--conditions', 'published', ...flags, '--out_dir', 'none'], folder);
  t.equal(lacking.code, 1);
  t.match(lacking.stderr, /^ERR_DATASET: 1 of (24|9) gazeradar vectors of .* are missing/m);
  t.notOk(existsSync(at('none')));
});

t.test('what cannot be meant', async (t) => {
  const none = await cli(command, folder);
  t.equal(none.code, 2);
  t.match(none.stderr, /--conditions equal or published/);
  const base = await cli(equal('--base_row', 'crt'), folder);
  t.equal(base.code, 2);
  t.match(base.stderr, /trained from initial weights/);
  const misspelt = await cli(equal('--rows', 'softmax,rw-ldma'), folder);
  t.equal(misspelt.code, 2);
  t.match(misspelt.stderr, /Did you mean 'rw-ldam'/);
});

t.test('every row has the flags of its method, under both conditions', async (t) => {
  const options = { common: ['--weights', 'a.pth'], folder: 'out', base: 'softmax' } as const;
  for (const name of tableRows.keys()) {
    const fair = planRow(name, { ...options, conditions: 'equal', featuresDir: 'f' });
    t.match(
      fair,
      { system: 'gazelt', flags: { head: 'bottleneck64', image_size: 224, max_epochs: 100 } },
      name,
    );
    t.notOk(fair.flags.legacy_batchnorm);
    const own = planRow(name, { ...options, conditions: 'published', featuresDir: 'f' });
    const taught = ['gazeradar', 'radiotransformer', 'gazelt'].includes(name);
    const size = taught ? { image_size: 224, max_epochs: 100 } : { image_size: 256, max_epochs: 60 };
    t.match(
      own,
      { system: taught ? 'gazelt' : 'baseline', flags: { ...size, legacy_batchnorm: true } },
      name,
    );
    t.equal(fair.flags.weights, fair.row.fromBase ? undefined : 'a.pth');
  }
  // Teachers on the fly are GazeLT's own: no other row may have them in place of its features.
  const teachers = ['global', 'focal'];
  const own = planRow('gazelt', { ...options, conditions: 'equal', teachers });
  t.match(own, { flags: { teachers } });
  t.equal(await featuresLacking(own), undefined);
  const other = planRow('gazeradar', { ...options, conditions: 'equal', teachers });
  t.equal(other.flags.teachers, undefined);
  t.match(await featuresLacking(other), /^needs features: gazeradar_NAME\.npy/);

  const flagsOf = (name: Parameters<typeof planRow>[0]) =>
    planRow(name, { ...options, conditions: 'published' }).flags;
  t.match(flagsOf('cb-ldam-drw'), { loss: 'ldam', rw_method: 'cb', drw: true, cb_beta: 0.9999 });
  t.match(flagsOf('rw-focal'), { loss: 'focal', rw_method: 'sklearn', fl_gamma: 2 });
  t.match(flagsOf('balanced-mixup'), { loss: 'ce', bal_mixup: true, bal_mixup_distribution: 'symmetric' });
  t.match(flagsOf('tau-norm'), {
    decoupling_method: 'tau_norm',
    tau: -4,
    decoupling_weights: path.join('out', 'softmax'),
  });
  t.match(flagsOf('gazelt'), { loss: 'ldam', rw_method: 'sklearn', drw: true, features: 'none' });
});

t.test('flags of a method go to the rows that have it, the others to all', async (t) => {
  const common = [
    ...['--tta', '2', '--cb_beta', '0.99', '--fl_gamma', '1', '--drw_epoch', '5', '--mixup_alpha', '0.4'],
    ...['--bal_mixup_distribution', 'alpha-one', '--crt_layers', 'last', '--tau', '-1'],
    ...['--kd_weight', '0.02', '--kd_val_weight', '0.03', '--kd_shares', '0.25,0.75', '--rand_init'],
  ];
  for (const conditions of ['equal', 'published'] as const) {
    const options = { conditions, common, folder: 'out', base: 'softmax', featuresDir: 'f' } as const;
    const planOf = (name: Parameters<typeof planRow>[0]) => planRow(name, options);
    const flagsOf = (name: Parameters<typeof planRow>[0]) => planOf(name).flags;
    for (const name of tableRows.keys()) t.equal(flagsOf(name).tta, 2, name);
    const unmoved = { cb_beta: 0.9999, fl_gamma: 2, drw_epoch: 10, mixup_alpha: 0.2, tau: -4 };
    t.match(flagsOf('softmax'), unmoved);
    t.match(flagsOf('cb-focal'), { ...unmoved, cb_beta: 0.99, fl_gamma: 1 });
    t.match(flagsOf('rw-ldam-drw'), { ...unmoved, drw_epoch: 5 });
    t.match(flagsOf('mixup'), { ...unmoved, mixup_alpha: 0.4 });
    t.match(flagsOf('balanced-mixup'), { mixup_alpha: 0.4, bal_mixup_distribution: 'alpha-one' });
    t.match(flagsOf('crt'), { ...unmoved, crt_layers: 'last' });
    t.match(flagsOf('tau-norm'), { ...unmoved, tau: -1, crt_layers: 'head' });
    t.match(flagsOf('gazelt'), {
      ...{ ...unmoved, drw_epoch: 5 },
      ...{ kd_weight: 0.02, kd_val_weight: 0.03, kd_shares: [0.25, 0.75] },
    });
    t.match(flagsOf('gazeradar'), { kd_weight: 0.02, kd_val_weight: 0.03, kd_shares: undefined });
    const deviations = planOf('gazelt').deviations.join('\n');
    if (conditions === 'equal') t.equal(deviations, '');
    else
      for (const told of [
        /--tta is 2 where .* 0$/m,
        /--kd_weight is 0\.02/,
        /--kd_shares is .* equal shares/,
      ])
        t.match(deviations, told);
  }
});

t.test('what a later row cannot open is told before the first one is trained', async (t) => {
  const flags = ['--rows', 'softmax,gazelt', '--out_dir', 'unopened'];
  const taught = await cli(equal(...flags, '--teachers', 'focal,globl'), folder);
  t.equal(taught.code, 1);
  t.match(taught.stderr, /^ERR_FILE: .*focal could not be examined/m);
  const weights = equal(...flags).map((word) => (word === '--rand_init' ? '--weights' : word));
  weights.splice(weights.indexOf('--weights') + 1, 0, 'films/labels.csv');
  const begun = await cli([...weights, '--rows', 'softmax'], folder);
  t.equal(begun.code, 1);
  t.match(begun.stderr, /^ERR_\w+: .*labels\.csv/m);
  t.notOk(existsSync(at('unopened')));
});

t.test('rows that failed end the command with the first failure, whatever it was', (t) => {
  const done = { name: 'softmax', status: 'done', note: null };
  const failed = (name: string, error: unknown) => ({ name, status: 'failed', note: 'told', error });
  refuseFailed([done]);
  t.throws(() => refuseFailed([done, failed('focal', new CxrGazeError('ERR_FILE', 'gone'))]), {
    code: 'ERR_FILE',
    message: /1 of 2 rows failed \(focal\)/,
  });
  const mistake = new TypeError('a mistake of the program');
  t.throws(() => refuseFailed([failed('focal', mistake), done]), mistake);
  t.end();
});

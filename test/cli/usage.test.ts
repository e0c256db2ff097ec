import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { cli, cliProcess, linesOf } from '../support/cli.js';
import { root } from '../support/paths.js';

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
const commands = [
  'train',
  'evaluate',
  'predict',
  'explain',
  'sample',
  'heatmaps',
  'prepare',
  'quickstart',
  'build',
  'doctor',
];

t.test(
  'the program ends with the exit code, and keeps results apart from what is said of them',
  async (t) => {
    const folder = t.testdir();
    const [shown, mistaken, failed, object] = await Promise.all([
      cliProcess(['--version'], folder),
      cliProcess(['trian'], folder),
      cliProcess(['predict', 'nowhere', 'a.png', '--debug'], folder),
      cliProcess(['predict', 'nowhere', 'a.png', '--json'], folder),
    ]);
    t.same(shown, { code: 0, signal: null, stdout: `${version}\n`, stderr: '' });
    t.equal(mistaken.code, 2);
    t.equal(mistaken.stdout, '');
    t.match(mistaken.stderr, /unknown command 'trian'[\s\S]*train/);
    t.equal(failed.code, 1);
    t.equal(failed.stdout, '');
    t.match(failed.stderr, /^ERR_CHECKPOINT: nowhere[\s\S]*^ +at /m);
    t.equal(object.code, 1);
    t.match(linesOf(object), [{ type: 'error', code: 'ERR_CHECKPOINT' }]);
  },
);

t.test('help and version', async (t) => {
  const folder = t.testdir();
  const shown = await cli(['--version'], folder);
  t.equal(shown.code, 0);
  t.equal(shown.stdout.trim(), version);
  const help = await cli([], folder);
  t.equal(help.code, 0);
  for (const name of commands) t.match(help.stdout, new RegExp(`^  ${name} `, 'm'), name);
  t.match(help.stdout, /Not for clinical use/);
  for (const args of [...commands.map((name) => [name]), ['train', 'gazelt'], ['train', 'baseline']]) {
    const { code, stdout, stderr } = await cli([...args, '--help'], folder);
    t.equal(code, 0, args.join(' '));
    t.match(stdout, new RegExp(`Usage: cxr-gaze ${args.join(' ')}`));
    t.equal(stderr, '');
  }
  t.same(readdirSync(folder), [], 'help makes no file');
});

t.test('wrong usage ends with 2 and says what was meant', async (t) => {
  const folder = t.testdir({ 'labels.csv': 'path,label\na.png,x\n' });
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['trian'], /unknown command 'trian'[\s\S]*train/],
    [['train', 'gazzelt'], /gazzelt/],
    [['train', 'baseline', '--lr', '0'], /--lr <rate>.*above 0/],
    [['train', 'baseline', '--bacth-size', '4'], /unknown option '--bacth_size'[\s\S]*--batch_size/],
    [['train', 'baseline', '--csv', 'labels.csv'], /--weights FILE or --rand_init/],
    [['train', 'gazelt', '--csv', 'labels.csv', '--rand-init'], /--features none, gazelt or a prefix/],
    [['train', 'baseline', '--rand_init'], /--csv FILE for a table, or --dataset NAME/],
    [['train', 'baseline', '--rand_init', '--csv', 'labels.csv', '--where', 'label'], /--where COLUMN=VALUE/],
    [['predict', 'model'], /missing required argument 'files'/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await cli(args, folder);
    t.equal(code, 2, args.join(' '));
    t.match(stderr, message);
    t.notMatch(stderr, /^ +at /m, 'no stack');
  }
  t.same(readdirSync(folder), ['labels.csv'], 'nothing is written');
});

t.test('failures end with 1, a code and a message that names file and line', async (t) => {
  const folder = t.testdir({
    'labels.csv': 'path,label,split\na.png,x,train\nb.png,y,val\n',
    'torn.csv': 'path,label,split\na.png\n',
    'escape.csv': 'path,label,split\n../a.png,x,train\n',
  });
  const train = ['train', 'baseline', '--rand_init', '--model_name', 'resnet18'];
  const cases: readonly (readonly [string[], RegExp])[] = [
    [[...train, '--csv', 'none.csv'], /^ERR_FILE: .*none\.csv/m],
    [[...train, '--csv', 'labels.csv', '--label_column', 'finding'], /^ERR_TABLE: .*labels\.csv.*finding/m],
    [
      [...train, '--csv', 'labels.csv', '--split_column', 'split'],
      /^ERR_DATASET: 1 of 1 images .* are missing:[\s\S]*a\.png .*line 2/m,
    ],
    [[...train, '--csv', 'torn.csv', '--split_column', 'split'], /^ERR_TABLE: .*torn\.csv.*line 2/m],
    [
      [...train, '--csv', 'escape.csv', '--split_column', 'split'],
      /^ERR_PATH_ESCAPE: .*escape\.csv.*line 2/m,
    ],
    [['predict', 'nowhere', 'a.png'], /^ERR_CHECKPOINT: nowhere/m],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await cli(args, folder);
    t.equal(code, 1, args.join(' '));
    t.match(stderr, message);
    t.notMatch(stderr, /^ +at /m, 'no stack');
  }
  const debug = await cli(['predict', 'nowhere', 'a.png', '--debug'], folder);
  t.match(debug.stderr, /^ +at /m, '--debug shows the stack');
  const json = await cli(['predict', 'nowhere', 'a.png', '--json'], folder);
  t.match(linesOf(json), [{ type: 'error', code: 'ERR_CHECKPOINT' }]);
  t.same(readdirSync(folder).sort(), ['escape.csv', 'labels.csv', 'torn.csv'], 'nothing is written');
});

t.test('sample writes a set once, and again only when told', async (t) => {
  const folder = t.testdir();
  const args = [
    'sample',
    'films',
    '--size',
    '64',
    '--train',
    '9',
    '--val-per-class',
    '0',
    '--test_per_class',
    '0',
    '--test',
    '0',
  ];
  const first = await cli([...args, '--json'], folder);
  t.equal(first.code, 0, first.stderr);
  t.match(linesOf(first), [{ type: 'sample', images: 9 }]);
  t.equal(readdirSync(path.join(folder, 'films/images')).length, 9);
  const second = await cli(args, folder);
  t.equal(second.code, 1);
  t.match(second.stderr, /^ERR_EXISTS: /m);
  writeFileSync(path.join(folder, 'films/stale.txt'), '');
  const third = await cli([...args, '--overwrite'], folder);
  t.equal(third.code, 0, third.stderr);
  t.notOk(readdirSync(path.join(folder, 'films')).includes('stale.txt'), 'the old set is gone');
});

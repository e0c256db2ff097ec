/** From films and fixations to a student that learned from a teacher, by the built command line. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import t from 'tap';
import { choiceOf } from '../../lib/cli/features.js';
import { addTeacherTraining, fitFlags, type TeacherFlags } from '../../lib/cli/teacher-flags.js';
import { NIH_CXR_LT_CLASSES } from '../../lib/data/nih-cxr-lt.js';
import { cli, linesOf } from '../support/cli.js';

t.setTimeout(600_000);

const folder = t.testdir();
const at = (...parts: string[]) => path.join(folder, ...parts);
const read = (...parts: string[]) => readFileSync(at(...parts), 'utf8');
const run = 'results/train/teacher-focal_few_rand_lr-0.0001_bs-2';
const table = ['--csv', 'few.csv', '--split_column', 'split', '--data_dir', 'films'];
const gaze = ['--gaze', 'films/gaze/fixations.csv', '--film_size', '64,64'];
const train = ['train', 'teacher', '--focal', ...table, ...gaze, '--rand_init', '--max_epochs', '1'];

t.before(async () => {
  const splits = ['--val_per_class', '1', '--test_per_class', '1', '--test', '0'];
  const { code, stderr } = await cli(['sample', 'films', '--size', '64', '--train', '9', ...splits], folder);
  if (code !== 0) throw new Error(stderr);
  // A few of the films: the teachers are large.
  const [header = '', ...rows] = read('films/labels.csv').trim().split('\n');
  const label = header.split(',').indexOf('label');
  const of = (split: string, films: number) =>
    rows.filter((row) => row.split(',')[3] === split).slice(0, films);
  const few = [header, ...of('train', 2), ...of('val', 1), ...of('balanced-test', 1)];
  writeFileSync(at('few.csv'), `${few.join('\n')}\n`);
  const plain = few.map((row) =>
    row
      .split(',')
      .filter((_, i) => i !== label)
      .join(','),
  );
  writeFileSync(at('unlabelled.csv'), `${plain.join('\n')}\n`);
});

t.test('train teacher leaves a run with its report', async (t) => {
  const ended = await cli([...train, '--batch_size', '2', '--bootstrap', '20', '--json'], folder);
  t.equal(ended.code, 0, ended.stderr);
  const lines = linesOf(ended);
  t.match(
    lines.filter(({ type }) => type === 'gaze').map(({ split, readings }) => [split, readings]),
    [
      ['training', 2],
      ['validation', 1],
      ['balanced-test', 1],
    ],
  );
  // The table of fixations has all films, of which few are read here.
  t.match(ended.stderr, /^warning: \d+ of \d+ recordings are of films that are in no split: /m);
  const files = readdirSync(at(run));
  const block = files.find((name) => /^focal_epoch_0_attentionloss_\d\.\d+\.safetensors$/.test(name));
  t.ok(block, files.join(', '));
  for (const name of ['checkpoints', 'gaze', 'history.csv', 'metrics.json', 'options.json', 'report.html'])
    t.ok(files.includes(name), name);
  const [header, ...rows] = read(run, 'history.csv').trim().split('\n');
  t.equal(
    header,
    'epoch,phase,loss,attention_loss,attention_loss_0,attention_loss_1,attention_loss_2,attention_loss_3,empty_windows',
  );
  t.match(rows, [/^1,train,/, /^1,val,/]);
  const metrics = JSON.parse(read(run, 'metrics.json'));
  t.equal(metrics.splits['balanced-test'].windows.length, 5);
  t.equal(metrics.run.options.gaze, at('films/gaze/fixations.csv'));
  t.match(read(run, 'report.html'), /centre bias.*Predicted and recorded maps/s);
  t.equal(readdirSync(at(run, 'gaze')).length, 1);
});

t.test('features writes the vectors, and the student learns from files or from the teacher', async (t) => {
  const features = [
    'features',
    '--focal',
    '--csv',
    'few.csv',
    '--split_column',
    'split',
    '--data_path',
    'films',
  ];
  const source = ['--model_path', run, '--save_features_path', 'features'];
  const first = await cli([...features, ...source], folder);
  t.equal(first.code, 0, first.stderr);
  t.match(first.stdout, /4 vectors of the focal teacher written to .*features, 0 were there already/);
  const unlabelled = features.map((argument) => (argument === 'few.csv' ? 'unlabelled.csv' : argument));
  const again = await cli([...unlabelled, ...source, '--json'], folder);
  t.match(linesOf(again).at(-1), { type: 'features', branch: 'focal', written: 0, kept: 4 });

  const student = [
    'train',
    'gazelt',
    ...table,
    '--rand_init',
    '--model_name',
    'resnet18',
    '--bootstrap',
    '0',
  ];
  const small = ['--image_size', '32', '--batch_size', '2', '--max_epochs', '1', '--precision', 'float32'];
  const losses: unknown[] = [];
  for (const teachers of [
    ['--features', 'focal', '--features_dir', 'features', '--out_dir', 'files'],
    ['--teachers', run, '--out_dir', 'hand'],
  ]) {
    const ended = await cli([...student, ...small, ...teachers, '--kd_weight', '1', '--json'], folder);
    t.equal(ended.code, 0, ended.stderr);
    losses.push(linesOf(ended).find(({ type }) => type === 'epoch')?.loss);
    t.notMatch(ended.stdout, /distillation-off/);
  }
  const [files, hand] = losses as [number, number];
  t.ok(Math.abs(files - hand) < 1e-4 * files, `${files} and ${hand}`);
});

t.test('features reads NIH-CXR-LT with the flags of the original', async (t) => {
  mkdirSync(at('nih', 'images'), { recursive: true });
  const films = readdirSync(at('films', 'images')).slice(0, 3);
  const ids = films.map((film, i) => {
    const id = `0000000${i}_000.png`;
    copyFileSync(at('films', 'images', film), at('nih', 'images', id));
    return id;
  });
  const header = ['id', ...NIH_CXR_LT_CLASSES, 'subject_id'].join(',');
  const row = (i: number) =>
    [ids[i], ...NIH_CXR_LT_CLASSES.map((_, k) => Number(k === 0)), `0000000${i}`].join(',');
  const splits = { train: [0], 'balanced-val': [1], test: [2], 'balanced-test': [2] };
  for (const [split, rows] of Object.entries(splits))
    writeFileSync(
      at('nih', `nih-cxr-lt_single-label_${split}.csv`),
      `${[header, ...rows.map(row)].join('\r\n')}\r\n`,
    );
  const data = ['--nih', '--data_path', 'nih/images', '--labels_path', 'nih'];
  const rest = ['--model_path', run, '--save_features_path', 'nih-features'];
  const first = await cli(['features', '--focal', ...data, ...rest], folder);
  t.equal(first.code, 0, first.stderr);
  t.same(
    readdirSync(at('nih-features')).filter((name) => name.endsWith('.npy')),
    ids.map((id) => `focal_${id.replace('.png', '.npy')}`),
  );
  const bal = await cli(['features', '--focal', ...data, ...rest, '--mode', 'bal'], folder);
  t.match(bal.stdout, /0 vectors .* 1 were there already/);
  const both = await cli(['features', '--global', '--focal', '--mimic', ...data, ...rest], folder);
  t.equal(both.code, 1);
  t.match(both.stderr, /--global.*expected a global teacher but found a focal one/s);
});

t.test('what cannot be meant is refused', async (t) => {
  const usage: [string[], RegExp][] = [
    [['train', 'teacher', ...table, ...gaze, '--rand_init'], /one of --global .* and --focal/],
    [['train', 'teacher', '--focal', ...table, ...gaze], /--weights FILE or --rand_init/],
    [['train', 'teacher', '--focal', ...table, '--rand_init'], /one of --egd FOLDER/],
    // Before any film is looked at.
    [['train', 'teacher', '--focal', '--csv', 'none.csv', '--rand_init'], /one of --egd FOLDER/],
    [
      ['train', 'teacher', '--focal', '--csv', 'none.csv', ...gaze, '--chest_box', '--rand_init'],
      /--chest_box does not belong to --gaze/,
    ],
    [
      [...train, '--csv', 'none.csv', '--val_share', '0.1', '--val_split', 'val'],
      /--val_share and --val_split exclude each other/,
    ],
    [
      ['train', 'teacher', '--focal', '--dataset', 'sample', '--siim', 'x.json', '--rand_init'],
      /--siim does not belong to --dataset sample/,
    ],
    [['features', '--global', '--nih'], /--model_path/],
    [['features', '--global', '--nih', '--dataset', 'sample'], /exclude each other/],
    [
      ['features', '--global', '--mimic', '--model_path', 'x', '--save_features_path', 'y'],
      /--data_path FOLDER and --labels_path FOLDER/,
    ],
  ];
  for (const [args, message] of usage) {
    const { code, stderr } = await cli(args, folder);
    t.equal(code, 2, args.join(' '));
    t.match(stderr, message);
  }
  const nothing = await cli(['features', '--nih'], folder);
  t.equal(nothing.code, 0, 'as the original');
  t.match(nothing.stdout, /Nothing to do/);
});

t.test('--as_published cuts the windows as published', (t) => {
  const windowsOf = (...argv: string[]) => {
    const command = new Command();
    addTeacherTraining(command);
    return fitFlags(command.parse(argv, { from: 'user' }).opts<TeacherFlags>()).windows;
  };
  t.equal(windowsOf(), 'half-open');
  t.equal(windowsOf('--as_published'), 'as-published');
  t.end();
});

t.test('where several are named, the first of the original counts', (t) => {
  const named = { global: true, focal: true, nih: true, mimic: true };
  t.same(choiceOf(named), { branch: 'global', kind: 'nih-cxr-lt' });
  t.same(choiceOf({ ...named, global: false }), { branch: 'focal', kind: 'nih-cxr-lt' });
  t.same(choiceOf({ ...named, nih: false }), { branch: 'global', kind: 'mimic-cxr-lt' });
  t.same(choiceOf({ focal: true, mimic: true }), { branch: 'focal', kind: 'mimic-cxr-lt' });
  t.same(choiceOf({ focal: true, csv: 'films.csv' }), { branch: 'focal', kind: 'csv' });
  t.equal(choiceOf({ nih: true }), undefined);
  t.equal(choiceOf({ global: true }), undefined);
  t.end();
});

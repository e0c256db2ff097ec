/** From tables and folders to masks, boxes and tasks, by the command line. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { openPairs } from '../../lib/cli/pair-options.js';
import { decodeImage } from '../../lib/data/decode.js';
import { lungBoxesOfMasks } from '../../lib/data/lung-boxes.js';
import { writePhantoms } from '../../lib/data/phantom/write.js';
import { LungSegmenter } from '../../lib/systems/segmenter/segmenter.js';
import { noGrad } from '../../lib/tensor/context.js';
import { tensor } from '../../lib/tensor/create.js';
import { cli, linesOf } from '../support/cli.js';

t.setTimeout(600_000);

const folder = t.testdir();
const at = (...parts: string[]) => path.join(folder, ...parts);
const read = (...parts: string[]) => readFileSync(at(...parts), 'utf8');
const run = 'results/train/segmenter_pairs_64-w2_rand_lr-0.01_bs-4';
const network = ['--rand_init', '--size', '64', '--width', '2', '--lr', '0.01', '--batch_size', '4'];
const table = ['--csv', 'films/pairs.csv', '--split_column', 'split', '--patient_column', 'patient'];
const train = [
  'train',
  'segmenter',
  ...table,
  '--group_column',
  'label',
  '--train_where',
  'label=ill',
  ...network,
];

t.before(async () => {
  await writePhantoms(at('films'), { size: 64, train: 9, valPerClass: 1, testPerClass: 0, test: 9 });
  const [, ...rows] = read('films/labels.csv').trim().split('\n');
  const pairs = rows.map((row) => {
    const [id, image, label, split, patient] = row.split(',') as [string, string, string, string, string];
    return [image, `masks/${id}.png`, label === 'No Finding' ? 'healthy' : 'ill', split, patient].join();
  });
  // A mask of a film that is trained on shows no lung, that of a film that is tested on is half as large.
  const maskOf = (split: string) => {
    const found = pairs.map((pair) => pair.split(',')).find((pair) => pair[2] === 'ill' && pair[3] === split);
    return at('films', found?.[1] as string);
  };
  await sharp(new Uint8Array(64 * 64), { raw: { width: 64, height: 64, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(maskOf('train'));
  const small = await sharp(maskOf('test')).resize(32, 32).toColourspace('b-w').png().toBuffer();
  writeFileSync(maskOf('test'), small);
  writeFileSync(at('films/pairs.csv'), `image,mask,label,split,patient\n${pairs.join('\n')}\n`);
});

t.test('train segmenter leaves a run, scored group by group', async (t) => {
  const ended = await cli([...train, '--max_epochs', '2', '--json'], folder);
  t.equal(ended.code, 0, ended.stderr);
  const lines = linesOf(ended);
  t.match(
    lines.find(({ type }) => type === 'data'),
    { pairs: { train: 8, validation: 8, test: 9 } },
  );
  t.match(
    lines.filter(({ type }) => type === 'pairs'),
    [
      { pairs: 8, empty: 1, otherSize: 0, otherShape: 0 },
      { pairs: 8, empty: 0 },
      { pairs: 9, empty: 0, otherSize: 1 },
    ],
  );
  t.match(ended.stderr, /1 of 8 masks are empty: .*\n.*1 of 9 masks are not of the size of their image; /);
  const files = readdirSync(at(run));
  for (const name of ['checkpoints', 'history.csv', 'metrics.json', 'options.json', 'test_overlap.csv'])
    t.ok(files.includes(name), name);
  t.match(read(run, 'history.csv'), /^epoch,phase,loss,dice,iou\n1,train,.*\n1,val,/);
  const { test, run: about } = JSON.parse(read(run, 'metrics.json'));
  t.strictSame(Object.keys(test), ['name', 'images', 'dice', 'iou', 'groups']);
  t.same(test.groups.map(({ group }: { group: string }) => group).sort(), ['healthy', 'ill']);
  t.equal(test.images, 9);
  t.match(about.options, { command: 'train segmenter', csv: at('films/pairs.csv'), size: 64 });
  t.equal(read(run, 'test_overlap.csv').trim().split('\n').length, 10);
  const resumed = await cli([...train, '--max_epochs', '2', '--resume'], folder);
  t.match(resumed, {
    code: 0,
    stdout: /Trained 2 epochs; .*\n.*each group by itself:\n {2}.*: Dice 0\.\d{4}, IoU/s,
  });
});

t.test('a bad film to test on is left out of the scores where bad films are skipped', async (t) => {
  const csv = read('films/pairs.csv');
  const tested = csv.split('\n').find((row) => row.includes(',test,')) as string;
  writeFileSync(at('films/bad.png'), 'no image');
  writeFileSync(at('films/bad.csv'), csv.replace(/^.*?(?=,)/.exec(tested)?.[0] as string, 'bad.png'));
  const flags = train.map((flag) => (flag === 'films/pairs.csv' ? 'films/bad.csv' : flag));
  const ended = await cli([...flags, '--max_epochs', '1', '--on_error', 'skip', '--json'], folder);
  t.equal(ended.code, 0, ended.stderr);
  t.match(
    linesOf(ended).filter(({ type }) => type === 'warning'),
    [{ kind: 'empty-masks' }, { kind: 'image-skipped', message: /bad\.png/ }],
  );
  const { test } = JSON.parse(read('results/train/segmenter_bad_64-w2_rand_lr-0.01_bs-4/metrics.json'));
  t.equal(test.images, 8);
});

t.test('segment writes masks, overlays and boxes, which are taken for masks', async (t) => {
  const ended = await cli(['segment', run, 'films/images', '--out_dir', 'lungs', '--overlay'], folder);
  t.equal(ended.code, 0, ended.stderr);
  const images = readdirSync(at('films/images'));
  t.same(readdirSync(at('lungs/masks')), images);
  t.same(readdirSync(at('lungs/overlays')), images);
  const [header, ...rows] = read('lungs/boxes.csv').trim().split('\n');
  t.equal(header, 'id,mask,x,y,width,height,size,finding,reasons');
  t.equal(rows.length, images.length);
  const picture = await decodeImage({ kind: 'file', path: at('lungs/overlays', images[0] as string) });
  t.equal(picture.channels, 3);
  const film = (name: string) => ({ kind: 'file', path: at('films/images', name) }) as const;
  const dataset = {
    ...{ name: 'films', classes: ['a'], length: images.length },
    sample: (index: number) => ({ id: String(index), label: 0, image: film(images[index] as string) }),
  };
  const { boxes } = await lungBoxesOfMasks(dataset, at('lungs/masks'));
  const written = rows.map((row) => row.split(',').slice(2, 6).map(Number));
  t.same(
    boxes.map(({ x, y, width, height }) => [x, y, width, height]),
    written,
    'the boxes of the masks are those written',
  );
  t.match(await cli(['segment', run, 'films/images', '--out_dir', 'lungs'], folder), {
    code: 1,
    stderr: /ERR_EXISTS/,
  });
  t.match(await cli(['segment', run, 'films/images', '--out_dir', 'films', '--overwrite'], folder), {
    code: 1,
    stderr: /not segmented lungs/,
  });
  const two = ['films/images', at('films/masks')];
  // Told before anything that takes time, even before the model is looked at.
  t.match(await cli(['segment', 'nowhere', ...two, '--out_dir', 'both'], folder), {
    code: 1,
    stderr: /have one name/,
  });
  t.notOk(readdirSync(folder).includes('both'), 'nothing is left behind');
});

t.test('segment warns of lungs that deserve a look', async (t) => {
  using segmenter = await LungSegmenter.create({ init: 'random', imageSize: 32, width: 2 });
  const images = readdirSync(at('films/images')).slice(0, 2);
  mkdirSync(at('two'));
  for (const name of images) copyFileSync(at('films/images', name), at('two', name));
  /** What is said of a network that sees lungs nowhere, or everywhere. */
  const said = async (bias: number) => {
    const state = await segmenter.network.stateDict();
    noGrad(() => state.get('outputs.bias')?.copy_(tensor([bias], [1])));
    await segmenter.save(at(`says${bias}`));
    const ended = await cli(['segment', `says${bias}`, 'two', '--out_dir', `out${bias}`, '--json'], folder);
    t.equal(ended.code, 0, ended.stderr);
    const warnings = linesOf(ended).filter(({ type }) => type === 'warning');
    t.match(ended.stderr, `warning: ${warnings[0]?.message}`);
    return warnings;
  };
  const ids = images.map((name) => at('two', name));
  t.match(await said(-1000), [
    { kind: 'no-lung', message: /2 of 2 images have no lung.*whole image: .*, /, details: { ids } },
  ]);
  t.match(await said(1000), [
    { kind: 'implausible-lungs', message: /2 of 2 .* an implausible box.*; the first: /, details: { ids } },
  ]);
});

t.test('prepare-tasks divides a table, and checks a folder', async (t) => {
  const names = Array.from({ length: 26 }, (_, i) => `${String(i).padStart(8, '0')}_000.png`);
  const labelled = names.map((name, i) => `${name},${i < 5 ? 'Effusion' : 'No Finding'},1,1`);
  mkdirSync(at('nih'));
  for (const name of names.slice(1)) writeFileSync(at('nih', name), name);
  writeFileSync(at('table.csv'), `Image Index,Finding Labels,O[W,H]\n${labelled.join('\n')}\n`);
  const from = ['prepare-tasks', '--table', 'table.csv', '--images', 'nih', '--out', 'tasks', '--task', 'ne'];
  const ended = await cli([...from, '--no_exchange', '--json'], folder);
  t.equal(ended.code, 0, ended.stderr);
  t.match(ended.stderr, /not NIH's Data_Entry.*\n.*1 of 10 images are not in .*00000000_000.png/);
  t.match(linesOf(ended).at(-1), { type: 'task', task: 'ne', missing: 1, verified: false });
  t.equal(read('tasks/nofind_effusion.csv').trim().split('\n').length, 10);
  const check = ['prepare-tasks', '--check', 'tasks/nofind_effusion', '--task'];
  t.match(await cli([...check, 'ne'], folder), {
    code: 0,
    stdout: /train: 0NoFinding 3, 1Effusion 2\n.*fits the task ne/s,
  });
  t.match(await cli([...check, 'neps'], folder), { code: 1, stderr: /has 4 classes/ });
  t.match(await cli([...check, 'nex'], folder), { code: 2, stderr: /one of 'ne', 'np'/ });
  t.match(await cli(from, folder), { code: 1, stderr: /exchanges by name/ });
  t.match(await cli(['prepare-tasks'], folder), { code: 2, stderr: /--table FILE and --images FOLDER/ });
  t.match(await cli([...from, '--copy', '--link'], folder), { code: 2, stderr: /exclude each other/ });
});

t.test('wrong use', async (t) => {
  const segmenter = (...flags: string[]) => cli(['train', 'segmenter', ...flags], folder);
  t.match(await segmenter('--phantoms', '9'), { code: 2, stderr: /--weights FILE or --rand_init/ });
  t.match(await segmenter('--rand_init', '--csv', 'films/pairs.csv', '--train_where', 'label=ill'), {
    code: 2,
    stderr: /--train_where needs --split_column/,
  });
  t.match(await segmenter('--rand_init'), { code: 2, stderr: /one of --images FOLDER with --masks/ });
  t.match(await segmenter('--rand_init', '--images', 'films/images'), { code: 2, stderr: /together/ });
  t.match(await segmenter('--rand_init', '--phantoms', '9', '--size', '100'), {
    code: 2,
    stderr: /multiple of 16/,
  });
  t.match(await segmenter('--rand_init', '--csv', 'films/labels.csv'), {
    code: 1,
    stderr: /no column '(image|mask)'/,
  });
  t.match(await cli(['segment', 'films', 'films/images'], folder), { code: 1, stderr: /ERR_CHECKPOINT/ });
  const folders = ['--images', 'films/images', '--masks', 'films/masks'];
  const idle: readonly (readonly [readonly string[], RegExp])[] = [
    [[...folders, '--group_column', 'label'], /--group_column is without effect with --images and --masks/],
    [[...folders, '--train_where', 'label=ill'], /--train_where is without effect with --images/],
    [[...folders, '--test_phantoms', '50'], /--test_phantoms is without effect with --images/],
    [
      ['--phantoms', '9', '--patient_column', 'patient'],
      /--patient_column is without effect with --phantoms/,
    ],
    [['--phantoms', '9', '--val_share', '0.1'], /--val_share is without effect with --phantoms/],
    [[...table, '--test_share', '0.2'], /--test_share is without effect with --split_column/],
    [[...table, '--test_phantoms', '9'], /--test_phantoms is without effect with --csv/],
  ];
  for (const [flags, stderr] of idle)
    t.match(await segmenter('--rand_init', ...flags), { code: 2, stderr }, flags.join(' '));
});

t.test('the split to validate on has the names that other commands know', async (t) => {
  const named = (name: string) => read('films/pairs.csv').replaceAll(/,(balanced-)?val,/g, `,${name},`);
  const open = async (name: string) => {
    writeFileSync(at(`films/${name}.csv`), named(name));
    const flags = { csv: at(`films/${name}.csv`), split_column: 'split', seed: 1 };
    return openPairs({ ...flags, val_share: 0.1, test_share: 0.1, test_phantoms: 50 }, 64, new Set());
  };
  for (const name of ['val', 'valid', 'validation', 'dev'])
    t.match(await open(name), { validation: { masks: { length: 9 } }, test: { masks: { length: 9 } } }, name);
  await t.rejects(open('vla'), /expected the splits train and val .* but found .*vla/);
});

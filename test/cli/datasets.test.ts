/** `train` by the built command line on every kind of data set that is not a table of one's own, and from a `.pth` file. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { writeNpy } from '../../lib/checkpoints/npy.js';
import { readTensors } from '../../lib/checkpoints/read-tensors.js';
import { MIMIC_CXR_LT_CLASSES } from '../../lib/data/mimic-cxr-lt.js';
import { NIH_CXR_LT_CLASSES } from '../../lib/data/nih-cxr-lt.js';
import { writePhantoms } from '../../lib/data/phantom/write.js';
import { createModel } from '../../lib/models/model.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { uniform } from '../golden/fill.js';
import { cli } from '../support/cli.js';
import { oneThread } from '../support/tiny.js';
import { type MadeTensor, torchFile } from '../support/torch-file.js';

t.setTimeout(420_000);
await oneThread;

interface Film {
  readonly id: string;
  readonly file: string;
  readonly label: string;
  readonly split: string;
  readonly patient: string;
}

const folder = t.testdir();
const at = (...parts: string[]) => path.join(folder, ...parts);
const linesIn = (...parts: string[]) =>
  readFileSync(at(...parts), 'utf8')
    .trim()
    .split(/\r?\n/);
const splits = ['train', 'balanced-val', 'balanced-test', 'test'] as const;
let films: readonly Film[] = [];
const inSplit = (split: string) => films.filter((film) => film.split === split);

const small = [
  '--model_name',
  'resnet18',
  '--image_size',
  '32',
  '--precision',
  'float32',
  '--batch_size',
  '6',
];
const short = [...small, '--lr', '1e-3', '--max_epochs', '1', '--bootstrap', '0'];

t.before(async () => {
  const sizes = { train: 24, valPerClass: 1, testPerClass: 1, test: 9 };
  await writePhantoms(at('films'), { seed: 5, size: 64, ...sizes });
  films = linesIn('films/labels.csv')
    .slice(1)
    .map((line) => {
      const [id = '', file = '', label = '', split = '', patient = ''] = line.split(',');
      return { id, file: at('films', file), label, split: split === 'val' ? 'balanced-val' : split, patient };
    });
});

/** Writes `{dataset}_single-label_{split}.csv` with the classes' columns sorted by name, as the published files have them. */
function writeLabels(
  dataset: string,
  classes: readonly string[],
  rowsOf: (
    split: string,
  ) => readonly { readonly before: string; readonly label: string; readonly after: string }[],
  { header, end }: { readonly header: readonly [before: string, after: string]; readonly end: string },
): void {
  const columns = [...classes].sort();
  mkdirSync(at('labels'), { recursive: true });
  for (const split of splits) {
    const rows = rowsOf(split).map(({ before, label, after }) => [
      before,
      ...columns.map((name) => Number(name === label)),
      after,
    ]);
    const lines = [[header[0], ...columns, header[1]], ...rows].map((cells) =>
      cells.filter((cell) => cell !== '').join(','),
    );
    writeFileSync(at('labels', `${dataset}_single-label_${split}.csv`), `${lines.join(end)}${end}`);
  }
}

/** The classes that a table of ones and zeros says, row by row. */
function truthOf(run: string, split: string): string[] {
  const [header = '', ...rows] = linesIn(run, `${split}_true.csv`);
  const classes = header.split(',');
  return rows.map((row) => classes[row.split(',').indexOf('1')] as string);
}

t.test('NIH-CXR-LT', async (t) => {
  // The published balanced test set is a part of the test set, and lines end with CR LF.
  const rowsOf = (split: string) =>
    [...inSplit(split), ...(split === 'test' ? inSplit('balanced-test') : [])].map(
      ({ id, label, patient }) => ({
        before: `${id}.png`,
        label,
        after: patient,
      }),
    );
  writeLabels('nih-cxr-lt', NIH_CXR_LT_CLASSES, rowsOf, { header: ['id', 'subject_id'], end: '\r\n' });
  const flags = ['--dataset', 'nih-cxr-lt', '--data_dir', 'films/images', '--rand_init'];
  const { code, stdout, stderr } = await cli(['train', 'baseline', ...flags, ...short], folder);
  t.equal(code, 0, stderr);
  t.match(stdout, /nih-cxr-lt: 20 classes; images: train 24, balanced-val 9, balanced-test 9, test 18/);
  t.match(
    stdout,
    /No Finding +\d+ training images[\s\S]*Infiltration +\d+ [\s\S]*Pneumomediastinum +0 training/,
  );
  t.match(stderr, /^warning: \d+ classes have no training image: .*Fibrosis/m);
  t.notMatch(stderr, /more than one split/, 'balanced-test is a part of test, which is no leak');

  const run = 'results/train/nih-cxr-lt_resnet18_rand_ce_lr-0.001_bs-6';
  t.equal(
    linesIn(run, 'balanced-test_pred.csv')[0],
    NIH_CXR_LT_CLASSES.join(','),
    'class order, not column order',
  );
  t.same(
    truthOf(run, 'balanced-test'),
    inSplit('balanced-test').map(({ label }) => label),
  );
  const { splits: before } = JSON.parse(readFileSync(at(run, 'metrics.json'), 'utf8'));
  t.match(before.test.notices, [{ code: 'class-missing', message: /Pneumomediastinum/ }]);

  // Elsewhere, and without being told where the data are.
  mkdirSync(at('elsewhere'));
  const again = [
    'evaluate',
    at(run),
    '--test_split',
    'balanced-test',
    '--bootstrap',
    '0',
    '--out_dir',
    'out',
  ];
  const evaluated = await cli(again, at('elsewhere'));
  t.equal(evaluated.code, 0, evaluated.stderr);
  const after = JSON.parse(
    readFileSync(at('elsewhere/out', `${path.basename(run)}_nih-cxr-lt`, 'metrics.json'), 'utf8'),
  ).splits;
  t.same(Object.keys(after), ['balanced-test']);
  t.equal(after['balanced-test'].logLoss, before['balanced-test'].logLoss);

  const margins = await cli(['train', 'baseline', ...flags, ...short, '--loss', 'ldam'], folder);
  t.equal(margins.code, 1);
  t.match(
    margins.stderr,
    /^ERR_DATASET: --loss ldam needs at least one training image of every class.*Fibrosis/m,
  );

  // The published figures stand beside ours; the tables of predictions have ids where they are asked for.
  const rows = ['--conditions', 'equal', '--rows', 'softmax', '--with_ids'];
  const table = await cli(['reproduce', 'gazelt', ...flags, ...short, ...rows], folder);
  t.equal(table.code, 0, table.stderr);
  t.match(table.stdout, /\| Softmax \| – \/ 0\.419 .* \/ 0\.115 \|/);
  const row = 'results/reproduce/nih-cxr-lt_equal/softmax';
  const [header, first] = linesIn(row, 'balanced-test_pred.csv');
  t.equal(header, `id,${NIH_CXR_LT_CLASSES.join(',')}`);
  t.equal(first?.split(',')[0], `${inSplit('balanced-test')[0]?.id}.png`);
  t.equal(linesIn(row, 'balanced-test_true.csv')[0], header);
});

t.test('MIMIC-CXR-LT, with teacher vectors by the name of the image', async (t) => {
  const names: Readonly<Record<string, string>> = {
    ...{ Infiltration: 'Lung Opacity', Effusion: 'Pleural Effusion', Mass: 'Lung Lesion' },
    Hernia: 'Support Devices',
  };
  const mimic = films.map((film, i) => {
    const study = `p10/p1${film.patient.slice(1)}/s${50_000_000 + i}`;
    const dicom = `${String(i).padStart(8, '0')}-0a1b2c3d`;
    return { ...film, label: names[film.label] ?? film.label, dicom, jpg: `files/${study}/${dicom}.jpg` };
  });
  const rowsOf = (split: string) =>
    mimic
      .filter((film) => film.split === split)
      .map(({ patient, dicom, jpg, label }, i) => ({
        before: [`1${patient.slice(1)}`, 50_000_000 + i, dicom, jpg].join(','),
        label,
        after: '',
      }));
  const header = ['subject_id,study_id,dicom_id,path', ''] as const;
  writeLabels('mimic-cxr-lt', MIMIC_CXR_LT_CLASSES, rowsOf, { header, end: '\n' });
  // Its long-tailed test split is not needed where nobody asks for it.
  rmSync(at('labels/mimic-cxr-lt_single-label_test.csv'));
  for (const { jpg, file } of mimic) {
    mkdirSync(at('mimic', path.dirname(jpg)), { recursive: true });
    await sharp(file).jpeg({ quality: 95 }).toFile(at('mimic', jpg));
  }
  mkdirSync(at('features'));
  for (const { dicom } of mimic) {
    for (const teacher of ['focal', 'global'])
      await writeNpy(
        at('features', `${teacher}_${dicom}.npy`),
        Float32Array.from(uniform(`${teacher} ${dicom}`, 64)),
        [64],
      );
  }

  const flags = ['--dataset', 'mimic-cxr-lt', '--data_dir', 'mimic', '--rand_init', ...short];
  const taught = ['train', 'gazelt', ...flags, '--features', 'gazelt', '--features_dir', 'features'];
  const { code, stdout, stderr } = await cli([...taught, '--test_split', 'balanced-test'], folder);
  t.equal(code, 0, stderr);
  t.match(stdout, /mimic-cxr-lt: 19 classes; images: train 24, balanced-val 9, balanced-test 9\n/);
  t.notMatch(stdout, /Distillation is off/);
  const run = 'results/train/mimic-cxr-lt_resnet18_rand_ce_lr-0.001_bs-6';
  t.equal(linesIn(run, 'balanced-test_pred.csv')[0], MIMIC_CXR_LT_CLASSES.join(','));
  t.same(
    truthOf(run, 'balanced-test'),
    mimic.filter(({ split }) => split === 'balanced-test').map(({ label }) => label),
  );

  const whole = await cli(taught, folder);
  t.equal(whole.code, 1);
  t.match(
    whole.stderr,
    /^ERR_FILE: Expected the label file mimic-cxr-lt_single-label_test\.csv in .*labels/m,
  );
});

t.test("an image folder, from a .pth file with torchvision's keys", async (t) => {
  for (const { file, label, split } of films.filter((film) => film.split !== 'test')) {
    const target = at('tree', split === 'balanced-val' ? 'val' : split, label);
    mkdirSync(target, { recursive: true });
    copyFileSync(file, path.join(target, path.basename(file)));
  }
  const weights = await backbone();
  writeFileSync(at('backbone.pth'), torchFile(weights));
  // A rate so small that no weight moves: what is saved is what was loaded.
  const flags = ['--dataset', 'folder', '--data_dir', 'tree', '--weights', 'backbone.pth', ...small];
  const still = [...flags, '--lr', '1e-30', '--max_epochs', '1', '--bootstrap', '20'];
  const { code, stdout, stderr } = await cli(['train', 'baseline', ...still], folder);
  t.equal(code, 0, stderr);
  t.match(stdout, /tree: 9 classes; images: balanced-test 9, train 24, val 9/);
  const counts = [...stdout.matchAll(/(\d+) training images/g)].map((found) => Number(found[1]));
  t.same(
    counts,
    [...counts].sort((a, b) => b - a),
    'classes by falling frequency',
  );
  t.match(
    stdout,
    /head does not fit 9 classes and the head 'linear': fc\.weight, fc\.bias begin with random/,
  );
  t.match(stdout, /Patients are not known/);

  const run = 'results/train/tree_resnet18_ce_lr-1e-30_bs-6';
  await tidy(async () => {
    const saved = await readTensors(at(run, 'checkpoints/epoch-1/model.safetensors'));
    for (const name of [
      'conv1.weight',
      'layer2.0.downsample.0.weight',
      'layer4.1.conv2.weight',
      'bn1.weight',
    ]) {
      const values = (await saved.get(name)?.data()) as Float32Array;
      const given = weights.get(name)?.data as Float32Array;
      t.ok(values.length === given.length && values.every((value, i) => value === given[i]), name);
    }
  });

  const other = await cli(
    ['train', 'baseline', ...still, '--model_name', 'resnet34', '--out_dir', 'other'],
    folder,
  );
  t.equal(other.code, 1);
  t.match(
    other.stderr,
    /^ERR_STATE_DICT: backbone\.pth: expected weights of resnet34 but the file holds those of resnet18/m,
  );
  const undivided = ['--dataset', 'folder', '--data_dir', 'tree/train', '--rand_init', ...short];
  const none = await cli(['train', 'baseline', ...undivided], folder);
  t.equal(none.code, 1);
  t.match(none.stderr, /^ERR_DATASET: Expected a split for training in train but its splits are all/m);
});

/** A network as ImageNet's weights come: other classes, the same keys. */
async function backbone(): Promise<Map<string, MadeTensor>> {
  using model = createModel({ architecture: 'resnet18', classes: 5, seed: 11 });
  return tidy(async () => {
    const made = new Map<string, MadeTensor>();
    for (const [name, tensor] of await model.stateDict()) {
      const { shape } = await tensor.ready();
      made.set(name, { shape, data: (await tensor.data()) as MadeTensor['data'] });
    }
    return made;
  });
}

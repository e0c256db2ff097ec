import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { readCsv } from '../../../lib/data/csv.js';
import { readLabelTable } from '../../../lib/data/long-tailed.js';
import { phantomClasses } from '../../../lib/data/phantom/findings.js';
import { phantomSplits } from '../../../lib/data/phantom/splits.js';
import { writePhantoms } from '../../../lib/data/phantom/write.js';
import { openTable } from '../../../lib/data/table-dataset.js';

const choice = { seed: 4, size: 64, train: 24, valPerClass: 1, testPerClass: 1, test: 9 };
const total = 24 + 9 + 9 + 9;

t.test('a written set reads back as what was made', async (t) => {
  const folder = join(t.testdir(), 'new', 'sample');
  const seen: number[] = [];
  const written = await writePhantoms(folder, {
    ...choice,
    onProgress: (done, all) => {
      t.equal(all, total);
      seen.push(done);
    },
  });
  t.same([written.folder, written.images], [folder, total]);
  t.same(
    seen,
    Array.from({ length: total }, (_, i) => i + 1),
  );
  t.same(readdirSync(folder).sort(), [
    'README.txt',
    'boxes.csv',
    'gaze',
    'images',
    'labels.csv',
    'masks',
    'phantoms.json',
    'sample_single-label_balanced-test.csv',
    'sample_single-label_balanced-val.csv',
    'sample_single-label_test.csv',
    'sample_single-label_train.csv',
  ]);
  t.same(readdirSync(join(folder, '..')), ['sample'], 'nothing unfinished is left beside it');
  t.equal(readdirSync(join(folder, 'images')).length, total);

  const splits = phantomSplits(choice);
  const table = await openTable({
    csv: join(folder, 'labels.csv'),
    root: folder,
    splitColumn: 'split',
    patientColumn: 'patient',
    idColumn: 'id',
    classes: phantomClasses,
  });
  t.same(table.warnings, [], 'nothing odd: no patient in two splits');
  t.same([...table.splits.keys()], ['train', 'val', 'balanced-test', 'test']);
  const train = table.splits.get('train');
  t.same(train?.classCounts, splits.train.classCounts);

  const made = splits.train.phantom(5);
  for (const [part, expected] of [
    ['images', made.pixels.data],
    ['masks', made.lungMask],
  ] as const) {
    const file = sharp(join(folder, part, `${made.id}.png`));
    t.match(await file.metadata(), { format: 'png', width: 64, height: 64, channels: 1, depth: 'uchar' });
    t.ok((await file.toColourspace('b-w').raw().toBuffer()).equals(expected), `${part} hold the very pixels`);
  }

  const boxes = readFileSync(join(folder, 'boxes.csv'), 'utf8').split('\n');
  const positives = Object.values(splits)
    .flatMap((split) => [...split.labels])
    .filter((label) => label > 0);
  t.equal(boxes.length - 2, positives.length, 'a box for each film with a finding');
  const box = boxes.find((line) => line.startsWith(`${made.id},`));
  t.equal(box, made.box ? [made.id, made.finding, ...Object.values(made.box)].join(',') : undefined);

  const fixations = readFileSync(join(folder, 'gaze', 'fixations.csv'), 'utf8')
    .trim()
    .split('\n');
  t.equal(fixations[0], 'id,x,y,start,end');
  const mine = fixations
    .filter((line) => line.startsWith(`${made.id},`))
    .map((line) => line.split(',').slice(1));
  t.equal(mine.length, made.fixations.length);
  mine.forEach((cells, i) => {
    const { x, y, start, end } = made.fixations[i] as (typeof made.fixations)[number];
    [x, y, start, end].forEach((value, k) => {
      t.ok(Math.abs(value - Number(cells[k])) < 0.006);
    });
  });
  t.match(readFileSync(join(folder, 'README.txt'), 'utf8'), /Not for clinical use/);
});

t.test("label tables in NIH-CXR-LT's layout", async (t) => {
  const folder = join(t.testdir(), 'sample');
  await writePhantoms(folder, choice);
  const splits = phantomSplits(choice);
  for (const [name, split] of Object.entries(splits)) {
    const table = readLabelTable(await readCsv(join(folder, `sample_single-label_${name}.csv`)), {
      dataset: 'nih-cxr-lt',
      classes: phantomClasses,
      idColumn: 'id',
      pathColumn: 'id',
      patientColumn: 'subject_id',
    });
    t.same(table.labels, split.labels);
    t.same(table.classCounts, split.classCounts);
    t.same(table.ids[0], `${split.sample(0).id}.png`);
    t.same(table.patients[0], split.sample(0).patient);
    t.same(table.warnings, []);
  }
});

t.test('what is there already', async (t) => {
  const parent = t.testdir({ file: 'mine' });
  const folder = join(parent, 'sample');
  await writePhantoms(folder, choice);
  const before = readFileSync(join(folder, 'labels.csv'), 'utf8');
  await t.rejects(writePhantoms(folder, choice), { code: 'ERR_EXISTS', message: /sample is there already/ });
  await writePhantoms(folder, { ...choice, seed: 5, overwrite: true });
  t.not(readFileSync(join(folder, 'labels.csv'), 'utf8'), before, 'replaced');

  mkdirSync(join(parent, 'thesis'));
  writeFileSync(join(parent, 'thesis', 'chapter.txt'), 'years of work');
  await t.rejects(writePhantoms(join(parent, 'thesis'), { ...choice, overwrite: true }), {
    code: 'ERR_EXISTS',
    message: /not a set of phantoms/,
  });
  t.equal(readFileSync(join(parent, 'thesis', 'chapter.txt'), 'utf8'), 'years of work');
  await t.rejects(writePhantoms(join(parent, 'file'), { ...choice, overwrite: true }), {
    code: 'ERR_EXISTS',
  });
  await t.rejects(writePhantoms(join(parent, 'file', 'sample'), choice), { code: 'ERR_FILE' });
  t.same(readdirSync(parent).sort(), ['file', 'sample', 'thesis'], 'no remains');
});

t.test('giving up leaves what was there', async (t) => {
  const parent = t.testdir();
  const folder = join(parent, 'sample');
  await writePhantoms(folder, choice);
  const before = readFileSync(join(folder, 'phantoms.json'), 'utf8');
  const controller = new AbortController();
  const work = writePhantoms(folder, {
    ...choice,
    seed: 9,
    overwrite: true,
    signal: controller.signal,
    onProgress: (done) => {
      if (done === 3) controller.abort();
    },
  });
  await t.rejects(work, { code: 'ERR_ABORTED' });
  t.equal(readFileSync(join(folder, 'phantoms.json'), 'utf8'), before);
  t.same(readdirSync(parent), ['sample']);
});

t.test('wrong options', async (t) => {
  await t.rejects(writePhantoms('', choice), { code: 'ERR_INVALID_ARGUMENT', message: /folder/ });
  const odd = { ...choice, overwrite: 'yes' } as unknown as typeof choice;
  await t.rejects(writePhantoms(join(t.testdir(), 'x'), odd), { code: 'ERR_INVALID_ARGUMENT' });
  const unknown = { ...choice, count: 3 } as unknown as typeof choice;
  await t.rejects(writePhantoms(join(t.testdir(), 'x'), unknown), { message: /options.count/ });
});

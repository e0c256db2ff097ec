/** The readings of a teacher's splits, where not every film can be read. */
import path from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { openData } from '../../lib/cli/datasets.js';
import { Output, type Session } from '../../lib/cli/session.js';
import type { TeacherFlags } from '../../lib/cli/teacher-flags.js';
import { openSplits } from '../../lib/cli/teacher-gaze.js';
import type { Dataset } from '../../lib/data/dataset.js';
import { MIMIC_CXR_LT_CLASSES } from '../../lib/data/mimic-cxr-lt.js';

/** A session, and what it said. */
function heard() {
  const [lines, notes]: [string[], string[]] = [[], []];
  const session: Session = {
    signal: new AbortController().signal,
    print: (line) => lines.push(line),
    note: (line) => notes.push(line),
    progress: () => ({ update: () => {}, end: () => {} }) as unknown as ReturnType<Session['progress']>,
  };
  return { session, lines, notes };
}

t.test('films that cannot be measured are an error, or left out with a warning', async (t) => {
  const rows = ['good', 'bad', 'gone'].map((name) => `${name}.png,x,train`);
  const gaze = ['good', 'bad', 'gone', 'val', 'stranger'].map((name) => `${name},1,1,0,1`);
  const folder = t.testdir({
    'films.csv': ['path,label,split', ...rows, 'val.png,x,val'].join('\n'),
    'gaze.csv': ['id,x,y,start,end', ...gaze].join('\n'),
    'bad.png': 'no image',
  });
  for (const name of ['good', 'val'])
    await sharp({ create: { width: 4, height: 3, channels: 3, background: 'grey' } }).toFile(
      path.join(folder, `${name}.png`),
    );
  const flags = { csv: path.join(folder, 'films.csv'), split_column: 'split' };
  const data = await openData(flags, { imageSize: 32, purpose: 'training', skipMissing: true });
  const open = async (on_error: 'throw' | 'skip') => {
    const { session, notes } = heard();
    const source = { gaze: path.join(folder, 'gaze.csv'), max_faults: 0.05, on_error };
    const splits = await openSplits(data, source as TeacherFlags, session, new Output(session, false));
    return { splits, notes };
  };
  const { splits, notes } = await open('skip');
  t.match(splits.train.readings, [{ id: 'good', width: 4, height: 3 }]);
  t.equal(splits.train.images.length, 1);
  t.match(splits.validation.readings, [{ id: 'val' }]);
  t.match(notes.sort(), [
    /^warning: 3 rows of films whose size is not known: 'bad', 'gone', 'stranger'$/,
    /^warning: .*bad\.png/,
    /^warning: .*gone\.png/,
  ]);
  await t.rejects(open('throw'), { message: /(bad|gone)\.png/ });
});

t.test('a table that is called sample has the gaze that flags name', async (t) => {
  const folder = t.testdir({
    'sample.csv': 'path,split\na.png,train\nb.png,val\n',
    'gaze.csv': 'id,x,y,start,end\na,1,1,0,1\nb,1,1,0,1\n',
  });
  const flags = { csv: path.join(folder, 'sample.csv'), split_column: 'split' };
  const asked = { imageSize: 32, purpose: 'training', unlabelled: true, skipMissing: true } as const;
  const source = { gaze: path.join(folder, 'gaze.csv'), film_size: [4, 4], max_faults: 0, on_error: 'skip' };
  const { session } = heard();
  const given = source as unknown as TeacherFlags;
  const { train } = await openSplits(
    await openData(flags, asked),
    given,
    session,
    new Output(session, false),
  );
  t.match(train.readings, [{ id: 'a' }]);
});

const classes = MIMIC_CXR_LT_CLASSES.join();
const labels = MIMIC_CXR_LT_CLASSES.map((_, i) => Number(i === 0)).join();

/** A label file of MIMIC-CXR-LT: two films a patient. */
function labelFile(split: string, films: number): string {
  const rows = Array.from({ length: films }, (_, i) => {
    const [name, patient] = [`${split}-${i}`, `${split}-p${i >> 1}`];
    return `${name},${labels},${patient},files/${name}.jpg`;
  });
  return [`dicom_id,${classes},subject_id,path`, ...rows].join('\n');
}

t.test('a published set, of whose films a share validates', async (t) => {
  const splits = { train: 24, 'balanced-val': 4, 'balanced-test': 2, test: 2 };
  const files = Object.entries(splits).map(([split, films]) => [
    `mimic-cxr-lt_single-label_${split}.csv`,
    labelFile(split, films),
  ]);
  const read = Array.from({ length: 24 }, (_, i) => `train-${i}`);
  const gazeOf = (names: readonly string[]) =>
    ['id,x,y,start,end', ...names.map((name) => `${name},1,1,0,1`)].join('\n');
  const folder = t.testdir({
    labels: Object.fromEntries(files),
    'train.csv': gazeOf(read),
    'both.csv': gazeOf([...read, 'balanced-val-1']),
  });
  const label_dir = path.join(folder, 'labels');
  const dataFlags = { dataset: 'mimic-cxr-lt', data_dir: folder, label_dir } as const;
  const data = await openData(dataFlags, { imageSize: 32, purpose: 'training', skipMissing: true });
  const open = async (flags: object) => {
    const { session, lines } = heard();
    const given = { ...dataFlags, film_size: [4, 4], max_faults: 0.05, on_error: 'skip', seed: 0, ...flags };
    const gaze = await openSplits(
      data,
      given as unknown as TeacherFlags,
      session,
      new Output(session, false),
    );
    return { ...gaze, said: lines.join('\n') };
  };
  const patients = ({ images }: { images: Dataset }) =>
    new Set(Array.from({ length: images.length }, (_, i) => images.sample(i).patient));

  const nothing = await open({ gaze: path.join(folder, 'train.csv') });
  t.match(nothing.said, /None of the 24 recordings is of a film of mimic-cxr-lt balanced-val.*A share/);
  t.match(
    nothing.said,
    /validation: 2 readings of 2 other films of train, drawn by patient \(--val_share 0\.1, --seed 0\); balanced-val takes/,
  );
  t.equal(nothing.train.readings.length, 22);

  const own = await open({ gaze: path.join(folder, 'both.csv') });
  t.match(own.said, /training: 24 readings of 24 films$/m);
  t.match(own.said, /validation: 1 readings of 4 films of balanced-val$/m);

  const share = { gaze: path.join(folder, 'both.csv'), val_share: 0.25 };
  const drawn = await open(share);
  const validating = patients(drawn.validation);
  t.equal(validating.size, 3);
  t.notOk([...patients(drawn.train)].some((patient) => validating.has(patient)));
  t.equal(drawn.train.readings.length + drawn.validation.readings.length, 24);
  t.same(patients((await open(share)).validation), validating, 'a seed, a draw');
  t.notSame(patients((await open({ ...share, seed: 1 })).validation), validating);

  await t.rejects(open({ ...share, val_share: 0.01 }), {
    code: 'ERR_DATASET',
    message: /12 patients are too few to train on some and validate on 1 % of them/,
  });
});

t.test("a table of one's own without a split to validate on", async (t) => {
  const names = Array.from({ length: 10 }, (_, i) => `film-${i}`);
  const folder = t.testdir({
    'films.csv': ['path,split', ...names.map((name) => `${name}.png,train`)].join('\n'),
    'gaze.csv': ['id,x,y,start,end', ...names.map((name) => `${name},1,1,0,1`)].join('\n'),
  });
  const table = { csv: path.join(folder, 'films.csv'), split_column: 'split' };
  const asked = { imageSize: 32, purpose: 'training', skipMissing: true } as const;
  await t.rejects(openData(table, asked), { code: 'ERR_TABLE', message: /no column 'label'/ });
  const data = await openData(table, { ...asked, unlabelled: true });
  const labelled = openData({ ...table, empty_label: 'skip' }, { ...asked, unlabelled: true });
  await t.rejects(labelled, { message: /no column 'label'/ }, 'whoever sorts rows by labels wants them');
  const source = {
    gaze: path.join(folder, 'gaze.csv'),
    film_size: [4, 4],
    max_faults: 0.05,
    on_error: 'skip',
  };
  const open = (flags: object) => {
    const { session } = heard();
    const given = { ...source, seed: 0, ...flags } as unknown as TeacherFlags;
    return openSplits(data, given, session, new Output(session, false));
  };
  const { train, validation } = await open({ val_share: 0.2 });
  t.same([train.readings.length, validation.readings.length], [8, 2], 'by film where patients are not known');
  await t.rejects(open({}), { code: 'ERR_DATASET', message: /Expected a split for validation/ });
});

import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parseCsv } from '../../lib/data/csv.js';
import { longTailedFormat, openLongTailed, readLabelTable } from '../../lib/data/long-tailed.js';
import { MIMIC_CXR_LT, MIMIC_CXR_LT_CLASSES } from '../../lib/data/mimic-cxr-lt.js';
import { NIH_CXR_LT, NIH_CXR_LT_CLASSES } from '../../lib/data/nih-cxr-lt.js';

/** A label file: columns in alphabetical order, which is not the class order. */
function labelFile(
  format: typeof NIH_CXR_LT,
  rows: readonly (readonly [id: string, patient: string, ones: readonly string[]])[],
  end = '\n',
): string {
  const classes = [...format.classes].sort();
  const path = format.pathColumn === format.idColumn ? [] : [format.pathColumn];
  const header = [format.idColumn, ...path, ...classes, format.patientColumn, 'extra'];
  const lines = rows.map(([id, patient, ones]) =>
    [
      id,
      ...path.map(() => `files/${id}.jpg`),
      ...classes.map((c) => (ones.includes(c) ? 1 : 0)),
      patient,
      'x',
    ].join(),
  );
  return [header.join(), ...lines, ''].join(end);
}

t.test('the class lists', async (t) => {
  t.equal(new Set(NIH_CXR_LT_CLASSES).size, 20);
  t.equal(new Set(MIMIC_CXR_LT_CLASSES).size, 19);
  t.equal(longTailedFormat('nih-cxr-lt'), NIH_CXR_LT);
  t.equal(longTailedFormat('mimic-cxr-lt'), MIMIC_CXR_LT);
  t.throws(() => longTailedFormat('nih-lt' as 'nih-cxr-lt'), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /nih-cxr-lt/,
  });
});

t.test('labels in class order, whatever the order of the columns and the line ends', async (t) => {
  for (const format of [NIH_CXR_LT, MIMIC_CXR_LT])
    for (const end of ['\n', '\r\n']) {
      const rows = format.classes.map((name, i) => [`i${i}`, `0000${i}`, [name]] as const);
      const table = readLabelTable(await parseCsv(labelFile(format, rows, end), 'x.csv'), format);
      t.strictSame(
        [...table.labels],
        format.classes.map((_, i) => i),
        `${format.dataset}: each class once`,
      );
      t.strictSame(
        table.classCounts,
        format.classes.map(() => 1),
      );
      t.strictSame(
        table.patients,
        rows.map((row) => row[1]),
        'leading zeros stay',
      );
      t.strictSame(
        table.paths,
        rows.map(([id]) => (format === NIH_CXR_LT ? id : `files/${id}.jpg`)),
      );
      t.strictSame(table.warnings, []);
    }
});

t.test('rows that do not hold exactly one 1', async (t) => {
  const rows = [
    ['a', '1', ['Hernia', 'Mass']],
    ['b', '1', []],
    ['c', '2', ['Edema']],
  ] as const;
  const table = readLabelTable(await parseCsv(labelFile(NIH_CXR_LT, rows), 'x.csv'), NIH_CXR_LT);
  const label = (name: (typeof NIH_CXR_LT_CLASSES)[number]): number => NIH_CXR_LT_CLASSES.indexOf(name);
  t.strictSame(
    [...table.labels],
    [label('Mass'), 0, label('Edema')],
    'the first class with the largest value',
  );
  t.equal(table.classCounts[label('Hernia')], 1, 'counts are column sums');
  t.match(table.warnings, [{ kind: 'not-single-label', details: { lines: [2, 3] } }]);
});

t.test('what is wrong with a table', async (t) => {
  const read = async (content: string): Promise<unknown> =>
    readLabelTable(await parseCsv(content, 'x.csv'), NIH_CXR_LT);
  const good = labelFile(NIH_CXR_LT, [
    ['a', '1', ['Mass']],
    ['b', '2', ['Mass']],
  ]);
  await t.rejects(read(good.replace('Pleural_Thickening', 'Pleural Thickening')), {
    code: 'ERR_TABLE',
    message: /no column 'Pleural_Thickening'; did you mean 'Pleural Thickening'/,
  });
  await t.rejects(read(good.replace('subject_id', 'subj_id')), {
    code: 'ERR_TABLE',
    message: /did you mean 'subj_id'/,
  });
  await t.rejects(read(good.replace('\nb,', '\na,')), {
    code: 'ERR_TABLE',
    message: /line 3, column 'id': "a" was already given in line 2/,
  });
  await t.rejects(read(good.replace('\nb,', '\n,')), {
    code: 'ERR_TABLE',
    message: /line 3, column 'id': the image name is empty/,
  });
  await t.rejects(read(good.replace('\nb,0', '\nb,yes')), {
    code: 'ERR_TABLE',
    message: /line 3, column 'Atelectasis': expected 0 or 1 but found "yes"/,
  });
  await t.rejects(read(good.replace('\nb,0', '\nb,')), { code: 'ERR_TABLE', message: /found ""/ });
  await t.rejects(read(labelFile(NIH_CXR_LT, [])), { code: 'ERR_TABLE', message: /no rows/ });
});

t.test('a data set from its folder', async (t) => {
  const rows = [
    ['00000011_000.png', '00000011', ['Atelectasis']],
    ['00000200_001.png', '00000200', ['No Finding']],
  ] as const;
  const dir = t.testdir({
    labels: { 'nih-cxr-lt_single-label_train.csv': labelFile(NIH_CXR_LT, rows, '\r\n') },
    data: {},
  });
  const options = {
    dataset: 'nih-cxr-lt',
    labelDir: join(dir, 'labels'),
    dataDir: join(dir, 'data'),
    split: 'train',
  } as const;
  const dataset = await openLongTailed(options);
  t.equal(dataset.name, 'nih-cxr-lt train');
  t.strictSame(dataset.classes, NIH_CXR_LT_CLASSES);
  t.strictSame(dataset.sample(0), {
    id: '00000011_000.png',
    image: { kind: 'file', path: join(dir, 'data', '00000011_000.png') },
    label: 2,
    patient: '00000011',
  });
  t.strictSame([dataset.length, dataset.classCounts[0], dataset.classCounts[2]], [2, 1, 1]);
  t.match(dataset.origin(1), /nih-cxr-lt_single-label_train\.csv, line 3$/);
  t.equal(
    (await openLongTailed({ ...options, dataDir: join(dir, 'not there') })).length,
    2,
    'images need not be there',
  );
  for (const index of [-1, 2, 0.5]) t.throws(() => dataset.sample(index), { code: 'ERR_INVALID_ARGUMENT' });
  await t.rejects(openLongTailed({ ...options, split: 'test' }), {
    code: 'ERR_FILE',
    message:
      /Expected the label file nih-cxr-lt_single-label_test\.csv in .*; there is nih-cxr-lt_single-label_train\.csv/,
  });
  await t.rejects(openLongTailed({ ...options, labelDir: join(dir, 'x') }), {
    code: 'ERR_FILE',
    message: /no such folder/,
  });
  await t.rejects(openLongTailed({ ...options, split: 'val' as 'test' }), { code: 'ERR_INVALID_ARGUMENT' });
  await t.rejects(openLongTailed({ ...options, data_dir: 'x' } as typeof options), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /dataDir/,
  });
});

t.test('paths out of the data folder', async (t) => {
  const dir = t.testdir({ secret: { 'x.png': '' }, labels: {}, data: {} });
  const open = async (id: string): Promise<unknown> => {
    const content = labelFile(NIH_CXR_LT, [
      ['a.png', '1', ['Mass']],
      [id, '1', ['Mass']],
    ]);
    await writeFile(join(dir, 'labels', 'nih-cxr-lt_single-label_test.csv'), content);
    return openLongTailed({
      dataset: 'nih-cxr-lt',
      labelDir: join(dir, 'labels'),
      dataDir: join(dir, 'data'),
      split: 'test',
    });
  };
  await symlink(join(dir, 'secret', 'x.png'), join(dir, 'data', 'link.png'));
  await symlink(join(dir, 'secret'), join(dir, 'data', 'folder'));
  await mkdir(join(dir, 'data', 'sub'));
  for (const id of ['../secret/x.png', '/etc/passwd', 'sub/../../secret/x.png', 'link.png', 'folder/x.png'])
    await t.rejects(
      open(id),
      { code: 'ERR_PATH_ESCAPE', message: /test\.csv, line 3, column 'id'/, details: { line: 3, path: id } },
      id,
    );
  await t.resolves(open('sub/x.png'));
});

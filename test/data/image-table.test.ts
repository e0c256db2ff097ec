import t from 'tap';
import { checkImages, findMissingImages } from '../../lib/data/check-images.js';
import type { Dataset, ImageSource } from '../../lib/data/dataset.js';
import { featureName, ImageTable, sharedPatients } from '../../lib/data/image-table.js';

const table = (
  root: string,
  paths: readonly string[],
  patients: readonly (string | undefined)[] = [],
): ImageTable =>
  new ImageTable({
    name: 'seven',
    classes: ['a', 'b'],
    root,
    ids: paths.map((_, i) => `i${i}`),
    paths,
    labels: Int32Array.from(paths, (_, i) => i % 2),
    patients: paths.map((_, i) => patients[i]),
    origin: (index) => `labels.csv, line ${index + 2}`,
  });

t.test('names of feature files', async (t) => {
  t.equal(featureName('00000011_000.png'), '00000011_000');
  t.equal(featureName('files/p10/s5/0a1b-2c.jpg'), '0a1b-2c');
  t.equal(featureName('files\\p10\\x.jpg'), 'x');
  t.equal(featureName('0a1b-2c'), '0a1b-2c', 'without extension');
  t.equal(featureName('dir.d/a.b.png'), 'a.b', 'only the last extension goes');
  t.equal(featureName('.hidden'), '.hidden');
  t.equal(featureName('.png'), '.png');
  t.equal(featureName('1.2.840.10008.5'), '1.2.840.10008.5', 'the numbers of a DICOM id are no extension');
  t.equal(featureName('1.2.840.10008.5.DCM'), '1.2.840.10008.5');
});

t.test('all missing images at once, with counts and first examples', async (t) => {
  const root = t.testdir({ 'a.png': '', 'folder.png': {} });
  await t.resolves(checkImages(table(root, ['a.png', 'a.png'])));
  const missing = table(root, ['a.png', 'x0.png', 'folder.png', 'x1.png', 'x2.png', 'x3.png', 'x4.png']);
  t.match(await findMissingImages(missing), [
    { index: 1, id: 'i1', path: /x0\.png$/, state: 'missing' },
    { index: 2, id: 'i2', path: /folder\.png$/, state: 'not-a-file' },
    { index: 3 },
    { index: 4 },
    { index: 5 },
    { index: 6 },
  ]);
  await t.rejects(checkImages(missing), {
    code: 'ERR_DATASET',
    message:
      /^6 of 7 images of seven are missing: .*x0\.png \(labels\.csv, line 3\); .*folder\.png \(not a file\).*; \.\.\.$/,
    details: {
      count: 6,
      missing: [{ what: 'images of seven', total: 7, count: 6, paths: Array(6).fill(String) }],
    },
  });
});

t.test('samples in memory are not looked for', async (t) => {
  const sources: ImageSource[] = [
    { kind: 'bytes', name: 'upload', bytes: new Uint8Array() },
    {
      kind: 'pixels',
      name: 'phantom',
      pixels: () => ({ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }),
    },
    { kind: 'file', path: '/no/such/file.png' },
  ];
  const dataset: Dataset = {
    name: 'mixed',
    classes: ['a'],
    length: 3,
    sample: (i) => ({ id: `${i}`, image: sources[i] as ImageSource, label: 0 }),
  };
  t.strictSame(await findMissingImages(dataset), [
    { index: 2, id: '2', path: '/no/such/file.png', state: 'missing' },
  ]);
  await t.rejects(checkImages(dataset), {
    code: 'ERR_DATASET',
    message: '1 of 3 images of mixed are missing: /no/such/file.png',
  });
});

t.test('patients in two data sets', async (t) => {
  const splits = new Map([
    ['train', table('/d', ['1', '2', '3'], ['p1', 'p2', undefined])],
    ['val', table('/d', ['4', '5'], ['p3', 'p1'])],
    ['test', table('/d', ['6', '7'], ['p1', undefined])],
  ]);
  t.match(sharedPatients(splits), [
    {
      kind: 'patient-in-two-splits',
      details: { patients: [{ patient: 'p1', splits: ['train', 'val', 'test'] }] },
    },
  ]);
  splits.delete('val');
  splits.delete('test');
  t.strictSame(sharedPatients(splits), []);
  const many = Array.from({ length: 9 }, (_, i) => `p${i}`);
  const [warning] = sharedPatients(
    new Map([
      ['a', table('/d', many, many)],
      ['b', table('/d', many, many)],
    ]),
  );
  t.match(warning?.message, /^9 patients are in more than one split: p0 \(a, b\); .*p4 \(a, b\); \.\.\.$/);
});

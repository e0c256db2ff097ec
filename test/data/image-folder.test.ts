import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { listImages } from '../../lib/data/image-files.js';
import { openImageFolder } from '../../lib/data/image-folder.js';
import { nihPatients } from '../../lib/data/nih-tasks.js';
import { failure } from '../support/outcome.js';

t.test('root/split/class', async (t) => {
  const root = t.testdir({
    train: {
      Mass: { '1.png': '', '2.JPG': '' },
      Edema: { '3.dcm': '' },
      Nodule: { '4.tif': '', '.DS_Store': '' },
    },
    test: { Mass: { '5.png': '', 'notes.txt': '' }, Edema: {} },
  });
  const { classes, splits, warnings } = await openImageFolder({ root });
  t.strictSame(classes, ['Mass', 'Edema', 'Nodule'], 'by training frequency, then by name');
  t.strictSame(
    [...splits].map(([name, set]) => [name, set.length, set.classCounts]),
    [
      ['test', 1, [1, 0, 0]],
      ['train', 4, [2, 1, 1]],
    ],
  );
  t.strictSame(splits.get('train')?.sample(1), {
    id: 'train/Mass/1.png',
    image: { kind: 'file', path: join(root, 'train', 'Mass', '1.png') },
    label: 0,
  });
  t.match(warnings, [
    { kind: 'other-files', details: { files: ['test/Mass/notes.txt', 'train/Nodule/.DS_Store'] } },
  ]);
  const own = await openImageFolder({ root, classes: ['Nodule', 'Edema', 'Mass'] });
  t.strictSame([...(own.splits.get('train')?.labels ?? [])], [1, 2, 2, 0]);
  await t.rejects(openImageFolder({ root, classes: ['Edema', 'Nodules', 'Mass'] }), {
    code: 'ERR_DATASET',
    message: /train.Nodule.4\.tif.*did you mean 'Nodules'/,
  });
  await t.rejects(openImageFolder({ root, trainSplit: 'training' }), {
    code: 'ERR_DATASET',
    message: /'test', 'train'/,
  });
});

t.test('patients from a table, by path or by name', async (t) => {
  const root = t.testdir({
    images: { train: { a: { '1.png': '', '2.png': '' }, b: { '1.png': '' } }, test: { a: { '3.png': '' } } },
  });
  const images = join(root, 'images');
  const open = (...rows: string[]) => {
    const patients = join(root, 'patients.csv');
    writeFileSync(patients, ['patient,image', ...rows].join('\n'));
    return openImageFolder({ root: images, patients });
  };
  const { splits, warnings } = await open(
    'p1,train/a/1.png',
    'p2,train/b/1.png',
    'p1,2.png',
    'p1,3.png',
    'p9,9.png',
  );
  t.strictSame(splits.get('train')?.patients, ['p1', 'p1', 'p2']);
  t.match(warnings, [{ kind: 'patient-in-two-splits', message: /p1 \(test, train\)/ }]);
  const refused = async (rows: string[], code: string, message: RegExp) =>
    t.match(await failure(open(...rows)), { code, message });
  await refused(['p1,1.png', 'p1,2.png'], 'ERR_TABLE', /line 2, column 'image': 2 images are called 1\.png/);
  await refused(
    ['p1,train/a/1.png', 'p2,2.png'],
    'ERR_DATASET',
    /2 of 4 images have no patient: 'test\/a\/3\.png'/,
  );
  await refused(
    ['p1,2.png', 'p2,2.png'],
    'ERR_TABLE',
    /line 3, column 'patient': 2\.png is of patient p1 on line 2/,
  );
  await refused(
    ['p1,3.png', 'p2,test/a/3.png', 'p1,train/a/1.png', 'p1,train/b/1.png', 'p1,2.png'],
    'ERR_TABLE',
    /line 3, column 'patient': test\/a\/3\.png is of patient p1 on line 2, here of p2/,
  );
  await refused(['p1,', 'p2,'], 'ERR_TABLE', /line 2, column 'image': expected the name of an image/);
  for (const classes of [[], ['a', 'a']])
    t.match(await failure(openImageFolder({ root: images, classes })), { code: 'ERR_INVALID_ARGUMENT' });
  await refused([',2.png'], 'ERR_TABLE', /line 2, column 'patient': expected a patient/);
  t.match(await failure(openImageFolder({ root: images, patients: join(root, 'none.csv') })), {
    code: 'ERR_FILE',
  });
});

t.test("patients are known where every image is called as NIH's are", async (t) => {
  const root = t.testdir({
    train: { a: { '00000013_033.png': '', '00000013_034.PNG': '' }, b: { '13000000_000.dcm': '' } },
    test: { a: { '00000013_035.png': '' }, b: { '00000002_000.jpg': '' } },
  });
  const { splits, warnings } = await openImageFolder({ root });
  t.strictSame(splits.get('train')?.patients, ['00000013', '00000013', '13000000']);
  t.equal(splits.get('test')?.sample(1).patient, '00000002');
  t.match(warnings, [
    { kind: 'patient-in-two-splits', message: /^1 patient is .*: 00000013 \(test, train\)$/ },
  ]);
  for (const other of ['1_0.png', '00000013_0330.png', 'x00000013_033.png', '00000013_033']) {
    t.strictSame(nihPatients(['a/00000001_000.png', `b/${other}`]), [undefined, undefined], other);
  }
});

t.test('root/class', async (t) => {
  const root = t.testdir({ b: { '1.png': '' }, a: { '2.webp': '', '3.png': '' } });
  const { classes, splits } = await openImageFolder({ root });
  t.strictSame(classes, ['a', 'b']);
  t.strictSame(splits.get('all')?.ids, ['a/2.webp', 'a/3.png', 'b/1.png']);
  await t.rejects(openImageFolder({ root, layout: 'split/class' }), {
    code: 'ERR_DATASET',
    message: /as split\/class\/\*.*a\/2\.webp/,
  });
});

t.test("classes by the bytes of their names, as loc-attention's original", async (t) => {
  // In UTF-16 the first of these two would come first.
  const [astral, tilde] = ['\u{1F600}', '\uFF5E'];
  const root = t.testdir({
    train: {
      [astral]: { '1.png': '', sub: { deep: { '2.png': '' } } },
      [tilde]: { '3.png': '' },
      a: { '4.png': '' },
    },
  });
  const { classes, splits } = await openImageFolder({ root, classOrder: 'name', layout: 'split/class' });
  t.strictSame(classes, ['a', tilde, astral]);
  t.strictSame([...(splits.get('train')?.labels ?? [])].sort(), [0, 1, 2, 2]);
  await t.rejects(openImageFolder({ root }), { code: 'ERR_DATASET', message: /deep.2\.png/ });
  const wrong = { root, classOrder: 'names' as 'name' };
  await t.rejects(openImageFolder(wrong), { code: 'ERR_INVALID_ARGUMENT', message: /nearest: 'name'/ });
});

t.test('folders that fit no layout', async (t) => {
  const refuses = async (content: object, message: RegExp): Promise<unknown> =>
    t.rejects(openImageFolder({ root: t.testdir(content as Record<string, never>) }), {
      code: 'ERR_DATASET',
      message,
    });
  await refuses({}, /Expected images .* found none/);
  await refuses({ '1.png': '' }, /found 1\.png/);
  await refuses({ a: { '1.png': '' }, b: { c: { '2.png': '' } } }, /found b\/c\/2\.png/);
  await refuses({ a: { b: { c: { d: { '1.png': '' } } } } }, /found a\/b\/c\/d\/1\.png/);
  await t.rejects(openImageFolder({ root: join(t.testdir({}), 'none') }), { code: 'ERR_FILE' });
  await t.rejects(openImageFolder({ root: '' }), { code: 'ERR_INVALID_ARGUMENT' });
  await t.rejects(openImageFolder({ root: 'x', layout: 'flat' as 'class' }), {
    code: 'ERR_INVALID_ARGUMENT',
  });
  await t.rejects(openImageFolder({ rot: 'x' } as unknown as { root: string }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /did you mean 'root'/,
  });
});

t.test('listing images', async (t) => {
  const dir = t.testdir({
    in: { 'b.png': '', 'a.PNG': '', '._a.png': '', sub: { deep: { 'c.jpeg': '' } }, 'x.txt': '' },
    out: { 'o.png': '', d: { 'p.png': '' } },
  });
  const folder = join(dir, 'in');
  await symlink(join(folder, 'b.png'), join(folder, 'inside.png'));
  await symlink('nowhere', join(folder, 'dead.png'));
  t.strictSame(await listImages(folder), {
    images: ['a.PNG', 'b.png', 'inside.png', 'sub/deep/c.jpeg'],
    others: ['._a.png', 'dead.png', 'x.txt'],
  });
  await symlink(join(dir, 'out', 'o.png'), join(folder, 'outside.png'));
  await t.rejects(listImages(folder), { code: 'ERR_PATH_ESCAPE', message: /outside\.png leads out/ });
  await t.rejects(listImages(join(folder, 'b.png')), { code: 'ERR_FILE', message: /is a file/ });
});

t.test('a folder within that cannot be listed', { skip: process.platform !== 'linux' }, async (t) => {
  // Not a fixture of the test's: that is taken away by path.
  const root = mkdtempSync(join(tmpdir(), 'cxr-gaze-deep-'));
  const [home, name] = [process.cwd(), 'n'.repeat(250)];
  try {
    process.chdir(root);
    // No path of more than 4096 bytes can be opened, whoever asks; step by step it can be made.
    for (let depth = 0; depth < 17; depth++) {
      mkdirSync(name);
      process.chdir(name);
    }
    process.chdir(home);
    t.match(await failure(listImages(root)), {
      code: 'ERR_FILE',
      message: /n could not be listed: ENAMETOOLONG/,
    });
  } finally {
    process.chdir(home);
    execFileSync('rm', ['-rf', root]);
  }
});

import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { readNihTable } from '../../lib/data/nih-table.js';
import { patientOf, splitNihTask, taskSplits } from '../../lib/data/nih-tasks.js';
import { PythonRandom } from '../../lib/data/python-random.js';
import { openTable } from '../../lib/data/table-dataset.js';
import { checkTaskFolder } from '../../lib/data/task-folder.js';
import { writeNihTasks } from '../../lib/data/write-tasks.js';
import { failure } from '../support/outcome.js';

t.test("draws are those of Python's generator", async (t) => {
  t.same(new PythonRandom(42).sample(['a', 'b', 'c'], 2), ['c', 'a']);
  const wide = new PythonRandom(2 ** 40 + 5);
  t.same(
    [wide.bits(32), wide.bits(32), wide.bits(32)],
    [2166296868, 2220160828, 1153647273],
    'a seed of two words',
  );
  t.same(new PythonRandom(1).sample([1, 2], 0), []);
  t.throws(() => new PythonRandom(-1), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => new PythonRandom(1).sample([1], 2), { code: 'ERR_INVALID_ARGUMENT' });
});

/** A made-up table: `diseases` patients with one image of each disease, and `well` patients with two of No Finding. */
function rows({ diseases, well }: { diseases: number; well: number }): string[] {
  const name = (patient: number, image: number) => `${String(patient).padStart(8, '0')}_00${image}.png`;
  const sick = ['Effusion', 'Pneumothorax', 'Cardiomegaly'].flatMap((finding, k) =>
    Array.from({ length: diseases }, (_, i) => `${name(1000 * (k + 1) + i, 0)},${finding}`),
  );
  const healthy = Array.from({ length: 2 * well }, (_, i) => `${name(9000 + (i >> 1), i & 1)},No Finding`);
  return [...sick, ...healthy, `${name(1, 0)},Effusion|Mass`];
}

const header = 'Image Index,Finding Labels,OriginalImage[Width,Height]';
const tableOf = (lines: readonly string[]) =>
  `${[header, ...lines.map((line) => `${line},2000,2000`)].join('\n')}\n`;

t.test('a table is read plain and packed, and its faults are named', async (t) => {
  const content = tableOf(rows({ diseases: 2, well: 2 }));
  const folder = t.testdir({
    'plain.csv': content,
    'packed.csv.gz': gzipSync(content),
    'path.csv': `${header}\n../a.png,Mass,1,1\n`,
    'empty.csv': `${header}\na.png,,1,1\n`,
    'twice.csv': `${header}\na.png,Mass,1,1\na.png,Mass,1,1\n`,
    'other.csv': 'Image,Finding Labels\na.png,Mass\n',
    'torn.csv.gz': gzipSync(content).subarray(0, 40),
  });
  const at = (name: string) => path.join(folder, name);
  const [plain, packed] = [await readNihTable(at('plain.csv')), await readNihTable(at('packed.csv.gz'))];
  t.same(packed, plain);
  t.same(plain.images[0], { name: '00001000_000.png', labels: 'Effusion' });
  t.match(await failure(readNihTable(at('path.csv'))), {
    code: 'ERR_TABLE',
    message: /line 2, column 'Image Index'/,
  });
  t.match(await failure(readNihTable(at('empty.csv'))), { code: 'ERR_TABLE', message: /findings are empty/ });
  t.match(await failure(readNihTable(at('twice.csv'))), {
    code: 'ERR_TABLE',
    message: /already given in line 2/,
  });
  t.match(await failure(readNihTable(at('other.csv'))), {
    code: 'ERR_TABLE',
    message: /no column 'Image Index'/,
  });
  t.match(await failure(readNihTable(at('torn.csv.gz'))), { code: 'ERR_FILE' });
  t.match(await failure(readNihTable(at('none.csv'))), { code: 'ERR_FILE' });
});

t.test('parts share no patient, and a table that is too small is refused', async (t) => {
  const images = rows({ diseases: 10, well: 30 }).map((row) => {
    const [name, labels] = row.split(',') as [string, string];
    return { name, labels };
  });
  for (const task of ['ne', 'np', 'nep', 'cardiomegaly'] as const) {
    const lists = splitNihTask(images, task, { exchange: false });
    const patients = taskSplits.map((split) => new Set(lists[split].flat().map(patientOf)));
    t.same(
      taskSplits.map((split) => lists[split].map((list) => list.length)),
      task === 'nep'
        ? [
            [6, 6, 6],
            [2, 2, 2],
            [2, 2, 2],
          ]
        : [
            [6, 6],
            [2, 2],
            [2, 2],
          ],
    );
    const [train, val, test] = patients as [Set<string>, Set<string>, Set<string>];
    t.notOk(
      [...val, ...test].some((patient) => train.has(patient)) || [...val].some((p) => test.has(p)),
      task,
    );
  }
  t.throws(() => splitNihTask(images, 'ne'), {
    code: 'ERR_DATASET',
    message: /00022233_000.png .* exchanges by name/,
  });
  const few = images.filter(({ labels }, i) => labels !== 'No Finding' || i < 40);
  t.throws(() => splitNihTask(few, 'ne', { exchange: false }), {
    code: 'ERR_DATASET',
    message: /at least 6 patients of No Finding for train/,
  });
  t.throws(() => splitNihTask(images, 'neps' as 'nep'), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test(
  'a task is laid out, missing images are reported, what is there is not replaced unasked',
  async (t) => {
    const lines = rows({ diseases: 5, well: 15 });
    const names = lines.map((line) => line.split(',')[0] as string);
    const gone = '00001004_000.png';
    const files = Object.fromEntries(names.filter((name) => name !== gone).map((name) => [name, name]));
    const folder = t.testdir({
      'table.csv': tableOf(lines),
      nih: { images_001: { images: files } },
      none: {},
    });
    const nih = await readNihTable(path.join(folder, 'table.csv'));
    const out = path.join(folder, 'out');
    const options = { images: path.join(folder, 'nih'), tasks: ['ne'] as const, exchange: false };
    const [task] = await writeNihTasks(out, nih, options);
    t.match(task, { counts: { train: [3, 3], val: [1, 1], test: [1, 1] }, missing: [gone] });
    t.equal(task?.differing.length, 6, 'none of the lists is that of the real table');
    const copied = path.join(out, 'nofind_effusion', 'train', '1Effusion', '00001000_000.png');
    t.equal(readFileSync(copied, 'utf8'), '00001000_000.png');
    t.same(readdirSync(out).sort(), ['nofind_effusion', 'nofind_effusion.csv', 'nofind_effusion.json']);
    const report = await checkTaskFolder(path.join(folder, 'out', 'nofind_effusion'), 'ne').catch(
      (e: Error) => e.message,
    );
    t.match(
      report,
      /test has no image of '1Effusion'/,
      'the one image of the test split is the one that is missing',
    );
    const { splits, classes } = await openTable({
      ...{ csv: task?.table ?? '', root: options.images, splitColumn: 'split', patientColumn: 'patient' },
      classes: ['0NoFinding', '1Effusion'],
    });
    t.same(
      [splits.get('train')?.length, splits.get('val')?.length],
      [6, 2],
      'the table opens without the copies',
    );
    t.same(classes, ['0NoFinding', '1Effusion']);
    t.match(await failure(writeNihTasks(out, nih, options)), { code: 'ERR_EXISTS' });
    await writeNihTasks(out, nih, { ...options, how: 'link', overwrite: true });
    t.equal(statSync(copied).nlink, 2, 'a hard link');
    const foreign = path.join(folder, 'foreign');
    mkdirSync(path.join(foreign, 'nofind_effusion'), { recursive: true });
    t.match(await failure(writeNihTasks(foreign, nih, { ...options, overwrite: true })), {
      code: 'ERR_EXISTS',
      message: /not prepared here/,
    });
    t.same(readdirSync(path.join(foreign, 'nofind_effusion')), []);
    t.match(
      await failure(
        writeNihTasks(path.join(folder, 'x'), nih, { ...options, images: path.join(folder, 'none') }),
      ),
      {
        code: 'ERR_DATASET',
        message: /None of the 10 images of the task ne/,
      },
    );
    t.throws(() => writeNihTasks(out, nih, { ...options, how: 'move' as 'copy' }), {
      code: 'ERR_INVALID_ARGUMENT',
    });
    await writeNihTasks(path.join(folder, 'tables'), nih, { ...options, how: 'tables' });
    t.same(readdirSync(path.join(folder, 'tables')).sort(), ['nofind_effusion.csv', 'nofind_effusion.json']);
    const { images: _, ...nowhere } = options;
    const [listed] = await writeNihTasks(path.join(folder, 'tables'), nih, {
      ...nowhere,
      how: 'tables',
      overwrite: true,
    });
    t.equal(
      readFileSync(listed?.table ?? '', 'utf8').split('\n').length,
      12,
      'without a folder all are listed',
    );
    t.throws(() => writeNihTasks(out, nih, nowhere), { code: 'ERR_INVALID_ARGUMENT' });
    t.throws(() => writeNihTasks(out, nih, { ...options, signal: {} as AbortSignal }), {
      message: /options\.signal/,
    });
    const stop = AbortSignal.abort();
    t.match(await failure(writeNihTasks(path.join(folder, 'y'), nih, { ...options, signal: stop })), {
      code: 'ERR_ABORTED',
    });
    t.same(readdirSync(path.join(folder, 'y')), [], 'nothing is left of a task that was given up');
  },
);

t.test('a folder of tasks is checked', async (t) => {
  const split = (...classes: string[]) =>
    Object.fromEntries(classes.map((name, i) => [name, { [`p${i}_0.png`]: '' }]));
  const whole = () => ({ train: split('0nf', '1e'), val: { '0nf': { 'a.png': '' }, '1e': { 'b.png': '' } } });
  const swapped = () => split('effusion', 'nofinding');
  const test = { '0nf': { 'a.png': '' }, '1e': { 'c.png': '', 'notes.txt': '' } };
  const folder = t.testdir({
    good: { ...whole(), test },
    swapped: { train: swapped(), val: swapped(), test: swapped() },
    short: { ...whole() },
    lacking: { ...whole(), test: split('0nf') },
    flat: { 'a.png': '' },
  });
  const check = (name: string, task: 'ne' | 'neps' = 'ne') => checkTaskFolder(path.join(folder, name), task);
  const good = await check('good');
  t.match(good, { classFolders: ['0nf', '1e'], counts: { train: [1, 1], val: [1, 1], test: [1, 1] } });
  t.same(
    good.warnings.map(({ kind }) => kind),
    ['image-in-two-splits', 'other-files'],
  );
  t.match(good.warnings[1]?.message, /: 1 file is not taken for images: 'test\/1e\/notes\.txt'$/);
  t.match(await failure(check('good', 'neps')), {
    code: 'ERR_DATASET',
    message: /has 4 classes .* but the folder has 2/,
  });
  t.match(await failure(check('swapped')), { message: /folder of No Finding has to begin with 0/ });
  t.match(await failure(check('short')), { message: /expected a folder test/ });
  t.match(await failure(check('lacking')), { message: /test has no image of '1e'/ });
  t.match(await failure(check('flat')), { message: /SPLIT\/CLASS\/IMAGE but found a.png/ });
  t.match(await failure(check('none')), { code: 'ERR_FILE' });
});

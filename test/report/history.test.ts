import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { writeFileAtomic } from '../../lib/checkpoints/atomic.js';
import type { HistoryRow } from '../../lib/report/history.js';
import { classificationColumns, HistoryFile, readHistory } from '../../lib/report/history.js';

const row = (epoch: number, phase: 'train' | 'val', auroc: number | null = 0.75): HistoryRow => ({
  epoch,
  phase,
  loss: 1 / epoch,
  balancedAccuracy: 1 / 3,
  mcc: 1e-5,
  auroc,
});

t.test('rows as they come, with all their digits', async (t) => {
  const path = join(t.testdir(), 'history.csv');
  const history = await HistoryFile.create(path, classificationColumns);
  t.equal(await readFile(path, 'utf8'), 'epoch,phase,loss,balanced_acc,mcc,auroc\n');
  await history.append(row(3, 'train'));
  await history.append(row(3, 'val', null));
  t.equal(
    await readFile(path, 'utf8'),
    'epoch,phase,loss,balanced_acc,mcc,auroc\n' +
      '3,train,0.3333333333333333,0.3333333333333333,1e-05,0.75\n' +
      '3,val,0.3333333333333333,0.3333333333333333,1e-05,\n',
  );
  t.strictSame(await readHistory(path, classificationColumns), history.rows);
});

t.test('a resumed history is cut back to its checkpoint', async (t) => {
  const path = join(t.testdir(), 'history.csv');
  const first = await HistoryFile.create(path, classificationColumns);
  for (const epoch of [1, 2, 3])
    for (const phase of ['train', 'val'] as const) await first.append(row(epoch, phase));
  const resumed = await HistoryFile.resume(path, classificationColumns, 2);
  t.strictSame(await readHistory(path, classificationColumns), first.rows.slice(0, 4));
  await resumed.append(row(3, 'train', 0.5));
  t.equal((await readHistory(path, classificationColumns)).at(-1)?.auroc, 0.5);
  await t.rejects(resumed.append(row(2, 'train')), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('a missing file is an empty history', async (t) => {
  t.strictSame(await readHistory(join(t.testdir(), 'none.csv'), classificationColumns), []);
});

t.test('CR LF and a byte order mark are read', async (t) => {
  const path = join(t.testdir(), 'history.csv');
  await writeFile(path, '\ufeffepoch,phase,loss,balanced_acc,mcc,auroc\r\n1,val,2,0.5,0,\r\n');
  t.strictSame(await readHistory(path, classificationColumns), [
    { epoch: 1, phase: 'val', loss: 2, balancedAccuracy: 0.5, mcc: 0, auroc: null },
  ]);
});

for (const [name, text, message] of [
  ['another header', 'epoch,loss\n1,2\n', /line 1: expected the header/],
  ['nothing', '', /line 1: expected the header .* found nothing/],
  [
    'a phase that is none',
    'epoch,phase,loss,balanced_acc,mcc,auroc\n1,test,1,1,1,1\n',
    /line 2: .*phase.*'test'/,
  ],
  [
    'a word for a number',
    'epoch,phase,loss,balanced_acc,mcc,auroc\n1,val,nan,1,1,1\n',
    /line 2: .*loss.*'nan'/,
  ],
  ['a torn row', 'epoch,phase,loss,balanced_acc,mcc,auroc\n1,val,0.5\n', /history.csv/],
] as const) {
  t.test(`${name} is ERR_TABLE`, async (t) => {
    const path = join(t.testdir(), 'history.csv');
    await writeFile(path, text);
    await t.rejects(readHistory(path, classificationColumns), { code: 'ERR_TABLE', message });
  });
}

t.test('rows that are no numbers are refused before anything is written', async (t) => {
  const path = join(t.testdir(), 'history.csv');
  const history = await HistoryFile.create(path, classificationColumns);
  await t.rejects(history.append({ ...row(1, 'train'), loss: Number.NaN }), { code: 'ERR_INVALID_ARGUMENT' });
  await t.rejects(history.append({ ...row(1, 'train'), epoch: 0 }), { code: 'ERR_INVALID_ARGUMENT' });
  t.strictSame(history.rows, []);
  t.strictSame(await readHistory(path, classificationColumns), []);
});

t.test('an atomic write replaces the file and leaves nothing else', async (t) => {
  const folder = t.testdir({ 'a.txt': 'old' });
  await writeFileAtomic(join(folder, 'a.txt'), 'new');
  t.equal(await readFile(join(folder, 'a.txt'), 'utf8'), 'new');
  t.strictSame(await readdir(folder), ['a.txt']);
});

t.test('a write that fails is ERR_FILE with the path, and leaves what was there', async (t) => {
  const folder = t.testdir({ taken: {} });
  await t.rejects(writeFileAtomic(join(folder, 'missing', 'a.txt'), 'x'), {
    code: 'ERR_FILE',
    message: /missing/,
  });
  await t.rejects(writeFileAtomic(join(folder, 'taken'), 'x'), { code: 'ERR_FILE' });
  t.strictSame(await readdir(folder), ['taken'], 'no temporary file');
});

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { script } from '../support/setup-scripts.js';

interface LockScript {
  withLock<T>(file: string, log: (line: string) => void, work: () => Promise<T>): Promise<T>;
}
const { withLock } = await script<LockScript>('lock.mjs');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

t.test('work under one lock never overlaps, and the waiting says so', async (t) => {
  const file = path.join(t.testdir(), 'lock');
  const lines: string[] = [];
  let running = 0;
  let most = 0;
  const work = async () => {
    running += 1;
    most = Math.max(most, running);
    await pause(20);
    running -= 1;
    return running;
  };
  const results = await Promise.all([1, 2, 3].map(() => withLock(file, (line) => lines.push(line), work)));
  t.same(results, [0, 0, 0]);
  t.equal(most, 1);
  t.match(lines[0], new RegExp(`waiting for process ${process.pid}`));
  t.notOk(existsSync(file));
});

t.test('the lock is given back when the work fails', async (t) => {
  const file = path.join(t.testdir(), 'lock');
  await t.rejects(
    withLock(
      file,
      () => {},
      async () => Promise.reject(new Error('broken')),
    ),
    { message: 'broken' },
  );
  t.notOk(existsSync(file));
});

t.test('the lock of a dead process is taken over', async (t) => {
  const file = path.join(t.testdir(), 'lock');
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(file, `${dead}\n`);
  t.equal(
    await withLock(
      file,
      () => {},
      async () => 'done',
    ),
    'done',
  );
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { dataThreads, resizeArea } from '../../../lib/data/resize.js';
import { native } from '../../../lib/native.js';
import { childEnv } from '../../support/child.js';
import { noise } from '../../support/images.js';

const resizeModule = new URL('../../../lib/data/resize.js', import.meta.url).href;

/** A program that keeps the lane busy: 60 resizes of 4 megapixels, begun at once. */
const busy = `
  import { resizeArea } from ${JSON.stringify(resizeModule)};
  const data = new Uint8Array(2048 * 2048).fill(9);
  const image = { width: 2048, height: 2048, channels: 1, data };
  const work = Array.from({ length: 60 }, () => resizeArea(image, 1999, 1999));
`;

/** Runs a program in a process of its own; its exit code, or the signal that ended it. */
async function exitOf(program: string): Promise<number | string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: childEnv(),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const deadline = sleep(60_000, 'late' as const, { ref: false });
  const outcome = await Promise.race([ended, deadline]);
  if (outcome === 'late') {
    child.kill('SIGKILL');
    return 'still running after a minute';
  }
  return outcome[0] ?? (outcome[1] as string);
}

/** Whether the lane comes to rest: a job counts until after its promise has been settled. */
async function idle(): Promise<boolean> {
  for (let wait = 0; wait < 20_000 && native().pendingDataJobs() > 0; wait++) await sleep(1);
  return native().pendingDataJobs() === 0;
}

t.test('many jobs at once give each its own result, with any number of threads', async (t) => {
  const image = noise('lane', 301, 203, 1);
  const expected = await Promise.all([10, 20, 30].map((side) => resizeArea(image, side, side)));
  t.equal(dataThreads(), 1);
  for (const threads of [2, 4, 1]) {
    t.equal(dataThreads(threads), threads);
    const work = Array.from({ length: 90 }, (_, i) =>
      resizeArea(image, 10 * ((i % 3) + 1), 10 * ((i % 3) + 1)),
    );
    // In the middle of the work: threads that are too many finish their job and leave.
    dataThreads(threads === 4 ? 1 : threads);
    for (const [i, resized] of (await Promise.all(work)).entries()) {
      if (Buffer.compare(resized.data, expected[i % 3]?.data as Uint8Array) !== 0)
        t.fail(`${threads} threads, job ${i}`);
    }
  }
  t.ok(await idle());
  for (const wrong of [0, 17, 1.5]) t.throws(() => dataThreads(wrong), { code: 'ERR_INVALID_ARGUMENT' });
  t.equal(dataThreads(), 1);
});

t.test('the event loop turns while the lane works, and waits for it at the end', async (t) => {
  const begun = performance.now();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const image = noise('loop', 2048, 1024, 1);
  await Promise.all(Array.from({ length: 20 }, () => resizeArea(image, 1000, 700)));
  clearInterval(timer);
  t.ok(turns > 3, `${turns} turns in ${performance.now() - begun} ms`);
  const program = `${busy}
    process.exitCode = 3;
    Promise.all(work.slice(0, 20)).then(() => { process.exitCode = 7; });`;
  t.equal(await exitOf(program), 7, 'open promises keep the process alive');
});

t.test('process.exit in the middle of work is clean and keeps its code', async (t) => {
  for (const wait of [0, 1, 10, 40]) {
    t.equal(await exitOf(`${busy} setTimeout(() => process.exit(5), ${wait});`), 5, `after ${wait} ms`);
  }
  t.equal(
    await exitOf(`${busy} work[0].then(() => { throw new Error('expected by the test'); });`),
    1,
    'a throw',
  );
});

t.test('worker threads share the lane; one that is terminated harms nobody', async (t) => {
  const image = noise('workers', 640, 480, 1);
  const expected = await resizeArea(image, 99, 77);
  const program = `${busy}
    import { parentPort } from 'node:worker_threads';
    work[0].then(() => parentPort.postMessage('begun'));`;
  for (let round = 0; round < 3; round++) {
    const workers = [0, 1].map(() => new Worker(program, { eval: true, execArgv: ['--input-type=module'] }));
    const ours = Array.from({ length: 30 }, () => resizeArea(image, 99, 77));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const ended = await Promise.race([
      Promise.all(workers.map((worker) => worker.terminate())),
      sleep(60_000, undefined, { ref: false }),
    ]);
    t.same(ended, [1, 1], 'both ended before the deadline');
    for (const resized of await Promise.all(ours)) t.same(resized.data, expected.data);
  }
  t.ok(await idle());
});

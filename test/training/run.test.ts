import { spawnSync } from 'node:child_process';
import process from 'node:process';
import t from 'tap';
import { CxrGazeError } from '../../lib/errors.js';
import { Run } from '../../lib/training/run.js';
import { failure } from '../support/outcome.js';

const pause = (ms = 1) => new Promise((resolve) => setTimeout(resolve, ms));

async function* counting(stop: AbortSignal, to: number, saved: string[] = []) {
  for (let i = 1; i <= to; i++) {
    await pause(0);
    yield i;
    if (!stop.aborted) continue;
    await pause(5);
    saved.push(`after ${i}`);
    return undefined;
  }
  return 'done';
}

async function* failing(events: number) {
  for (let i = 0; i < events; i++) yield i;
  await pause();
  throw new CxrGazeError('ERR_NOT_FINITE', 'it broke');
}

t.test('runs to its end without being iterated', async (t) => {
  t.equal(await new Run((stop) => counting(stop, 3)).result, 'done');
});

t.test('gives all events, also to a slow listener', async (t) => {
  const total = 6000;
  const run = new Run(async function* () {
    for (let i = 0; i < total; i++) yield i;
    return 'done';
  });
  const seen: number[] = [];
  for await (const event of run) {
    if (seen.length === 0) await run.result; // the work is done before the second event is taken
    seen.push(event);
  }
  t.same(
    seen,
    Array.from({ length: total }, (_, i) => i),
  );
});

t.test('keeps the newest events for a listener that comes late', async (t) => {
  const run = new Run(async function* () {
    for (let i = 0; i < 20_000; i++) yield i;
    return 'done';
  });
  await run.result;
  const seen: number[] = [];
  for await (const event of run) seen.push(event);
  t.equal(seen.at(-1), 19_999);
  t.ok(seen.length >= 2048 && seen.length <= 4096, `${seen.length} were kept`);
});

t.test('a break ends the work and waits until it has saved', async (t) => {
  const saved: string[] = [];
  const run = new Run((stop) => counting(stop, 1000, saved));
  for await (const event of run) if (event === 2) break;
  t.equal(saved.length, 1);
  t.equal(await run.result, undefined);
});

t.test('an error in the loop is thrown, and ends the work as a break does', async (t) => {
  const saved: string[] = [];
  const run = new Run((stop) => counting(stop, 1000, saved));
  const looping = async () => {
    for await (const event of run) if (event === 2) throw new RangeError('mine');
  };
  await t.rejects(looping(), RangeError);
  t.equal(saved.length, 1);
});

t.test('a failure is thrown by the iteration, after the events before it', async (t) => {
  const run = new Run(() => failing(3));
  const seen: number[] = [];
  const looping = async () => {
    for await (const event of run) seen.push(event);
  };
  t.match(await failure(looping()), { code: 'ERR_NOT_FINITE', message: 'it broke' });
  t.same(seen, [0, 1, 2]);
  t.equal((await failure(run.result)).code, 'ERR_NOT_FINITE');
});

t.test('a failure without iteration rejects the result', async (t) => {
  t.equal((await failure(new Run(() => failing(0)).result)).code, 'ERR_NOT_FINITE');
});

t.test('a failure of the last save is thrown by a break', async (t) => {
  const run = new Run(async function* (stop) {
    for (;;) {
      yield 1;
      await pause();
      if (stop.aborted) throw new CxrGazeError('ERR_FILE', 'the disk is full');
    }
  });
  const looping = async () => {
    for await (const _ of run) break;
  };
  t.equal((await failure(looping())).code, 'ERR_FILE');
});

t.test('a failure that nobody asks for ends the process', async (t) => {
  const url = new URL('../../lib/training/run.js', import.meta.url).href;
  const script = `import { Run } from '${url}';
    new Run(async function* () { yield 1; throw new Error('nobody asked'); });
    setTimeout(() => console.log('still here'), 500);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  t.equal(status, 1);
  t.match(stderr, /nobody asked/);
  t.notMatch(stdout, /still here/);
});

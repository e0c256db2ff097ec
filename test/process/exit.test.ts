import t from 'tap';
import { crash, prelude, runScript, trainingChild } from '../support/child.js';

t.test('process.exit in mid-step, 20 of 20 clean', { timeout: 230_000 }, async (t) => {
  const timings = Array.from({ length: 20 }, (_, i) => [0, 1, 2, 5, 9, 14, 20, 27, 35, 50][i % 10] as number);
  for (const [i, after] of timings.entries()) {
    const code = 10 + i;
    // Half of them with one thread, half with more: OpenMP's pool must not matter, whether its threads wait asleep or (two
    // of them: on busy cores that costs five times the work) running.
    const training = trainingChild(i < 10 ? 1 : 2);
    const env = i === 10 || i === 15 ? {} : { OMP_WAIT_POLICY: 'passive' };
    const how =
      i % 2 === 0
        ? `void train(); setTimeout(() => process.exit(${code}), ${after});`
        : `void train(); process.exitCode = ${code}; setTimeout(() => process.exit(), ${after});`;
    const ended = await runScript(training + how, { env });
    t.strictSame([ended.code, ended.signal], [code, null], `exit(${code}) after ${after} ms`);
    t.notMatch(ended.err, crash);
  }
});

t.test('process.exit with jobs queued by the hundred', { timeout: 120_000 }, async (t) => {
  const queued = 'const steps = []; for (let i = 0; i < 300; i++) steps.push(step());';
  const atOnce = await runScript(`${trainingChild(1)}${queued} process.exit(7);`);
  t.strictSame([atOnce.code, atOnce.err], [7, '']);
  const fromExit = await runScript(
    `${trainingChild(1)}process.once('exit', () => { try { x.add(1); } catch (e) { console.log(e.code); } });
    process.prependOnceListener('exit', () => x.add(1)); ${queued} process.exit(8);`,
  );
  t.strictSame([fromExit.code, fromExit.err], [8, '']);
  t.match(fromExit.out, /ERR_CLOSED/, 'work asked for after the close is refused');
});

t.test('process.exit while failures are on their way', { timeout: 120_000 }, async (t) => {
  const failing = `${prelude} const bad = () => randn([2, 3], 1).matmul(randn([2, 3], 1));
    await full([1], 0).ready();
    for (let i = 0; i < 2000; i++) { bad().backward().catch(() => {}); tidy(() => { bad(); }); }`;
  for (const wait of [0, 1, 5, 20]) {
    // Blocks the JavaScript thread, so that answers pile up undelivered.
    const ended = await runScript(
      `${failing} const until = performance.now() + ${wait}; while (performance.now() < until); process.exit(5);`,
    );
    t.strictSame([ended.code, ended.signal], [5, null], `after ${wait} ms`);
  }
});

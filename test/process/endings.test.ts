import t from 'tap';
import { crash, prelude, runScript, trainingChild } from '../support/child.js';

t.test('natural end', { timeout: 120_000 }, async (t) => {
  const queued = await runScript(
    `${prelude} for (let i = 0; i < 50; i++) randn([300, 300], i).matmul(randn([300, 300], 1));`,
  );
  t.strictSame(
    [queued.code, queued.signal, queued.err],
    [0, null, ''],
    'jobs that nobody waits for do not hold it',
  );
  const awaited = await runScript(
    `${prelude} let y = randn([500, 500], 1); for (let i = 0; i < 20; i++) y = y.matmul(y);
    y.isnan().any().item().then((v) => console.log('item', v));`,
  );
  t.strictSame([awaited.code, awaited.out], [0, 'item 1\n'], 'an open promise does');
  const unused = await runScript(`${prelude} console.log('imported');`);
  t.strictSame([unused.code, unused.out], [0, 'imported\n']);
  const loadedOnly = await runScript(
    `${prelude} memoryStats(); const m = createModel({ architecture: 'resnet18', width: 8, classes: 2 });`,
  );
  t.strictSame([loadedOnly.code, loadedOnly.err], [0, '']);
});

t.test('an uncaught exception in mid-step', { timeout: 120_000 }, async (t) => {
  for (const after of [0, 3, 17]) {
    const ended = await runScript(
      `${trainingChild(1)} void train(); setTimeout(() => { throw new Error('on purpose'); }, ${after});`,
    );
    t.strictSame([ended.code, ended.signal], [1, null]);
    t.match(ended.err, /on purpose/);
    t.notMatch(ended.err, crash);
  }
});

t.test('signals', { timeout: 120_000 }, async (t) => {
  const killed = await runScript(`${trainingChild(1)} void train();`, {
    signal: { name: 'SIGTERM', after: 15 },
  });
  t.strictSame([killed.code, killed.signal], [null, 'SIGTERM'], 'the library installs no handler');
  t.equal(killed.err, '');
  const handled = await runScript(
    `${trainingChild(1)} process.once('SIGTERM', () => process.exit(143)); void train();`,
    { signal: { name: 'SIGTERM', after: 15 } },
  );
  t.strictSame([handled.code, handled.signal, handled.err], [143, null, '']);
  const interrupted = await runScript(
    `${trainingChild(1)} let on = true; process.once('SIGINT', () => { on = false; }); while (on) await step(); console.log('stopped');`,
    { signal: { name: 'SIGINT', after: 15 } },
  );
  t.strictSame([interrupted.code, interrupted.signal], [0, null]);
  t.match(interrupted.out, /stopped/);
});

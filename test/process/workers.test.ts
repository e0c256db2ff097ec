import t from 'tap';
import { prelude, runScript } from '../support/child.js';

/** What a worker does first: load the addon and train a little. */
const workerPrelude = `${prelude}
  import { parentPort, workerData } from 'node:worker_threads';
  await threads(1); // several processes of tests share the machine
  const model = createModel({ architecture: 'resnet18', width: 8, classes: 3, seed: workerData?.seed ?? 0 });
  const optimizer = createOptimizer(await model.parameters(), { kind: 'sgd', learningRate: 0.01, momentum: 0.9 });
  const x = randn([2, 3, 32, 32], 5);
  const step = () => tidy(async () => {
    const loss = model.forward(x).logSoftmax(-1).select(1, 0).mean().neg();
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    return loss.item();
  });
`;

/** Code of the main thread that can start workers from text. */
const main = (worker: string): string => `
  import { Worker } from 'node:worker_threads';
  import { setTimeout as sleep } from 'node:timers/promises';
  const url = new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(worker)}));
  const start = (workerData) => new Worker(url, { workerData });
  const once = (emitter, event) => new Promise((done) => emitter.once(event, done));
  const ended = (worker) => new Promise((done, fail) => { worker.once('exit', done); worker.once('error', fail); });
`;

const threeSteps = `${workerPrelude}
  const losses = [];
  for (let i = 0; i < 3; i++) losses.push(await step());
  parentPort.postMessage(losses);
`;

t.test(
  'workers load, use and leave the addon, in parallel and again and again',
  { timeout: 200_000 },
  async (t) => {
    const ended = await runScript(
      `${main(threeSteps)}
    const seen = new Set();
    for (let round = 0; round < 4; round++) {
      await Promise.all([0, 1, 2].map(async () => {
        const worker = start({ seed: 3 });
        worker.once('message', (losses) => seen.add(JSON.stringify(losses)));
        const code = await ended(worker);
        if (code !== 0) throw new Error('worker ended with ' + code);
      }));
    }
    console.log('distinct', seen.size);`,
      { deadline: 180_000 },
    );
    t.strictSame([ended.code, ended.signal, ended.err], [0, null, '']);
    t.match(ended.out, /distinct 1\n/, 'the same seed gives the same numbers whatever else the lane did');
  },
);

t.test('main and workers take turns on the lane', { timeout: 200_000 }, async (t) => {
  const busy = `${workerPrelude} parentPort.postMessage('on'); for (;;) await step();`;
  const ended = await runScript(
    `${workerPrelude.replace(/import \{ parentPort.*\n/, 'const workerData = undefined;\n')}
    ${main(busy)}
    const worker = start();
    await once(worker, 'message');
    const before = performance.now();
    for (let i = 0; i < 3; i++) await step();
    console.log('three steps beside the worker');
    await worker.terminate();
    for (let i = 0; i < 3; i++) await step();
    console.log('three steps after it');`,
    { deadline: 120_000 },
  );
  t.strictSame([ended.code, ended.err], [0, '']);
  t.match(ended.out, /beside[\s\S]*after/);
});

t.test("a terminated worker drops its own jobs and nobody else's", { timeout: 230_000 }, async (t) => {
  const flood = `${workerPrelude}
    const steps = [];
    for (let i = 0; i < 200; i++) steps.push(step());
    parentPort.postMessage('on');
    await Promise.all(steps);`;
  const ended = await runScript(
    `${prelude}${main(flood)}
    await threads(1); // the lane is one for all threads: sums must be added up in one order before and after
    const a = randn([200, 200], 1).mul(0.05);
    const reference = await a.matmul(a).sum().item();
    for (const after of [0, 1, 5, 10, 20, 40, 0, 3]) {
      const worker = start();
      await once(worker, 'message');
      const mine = Array.from({ length: 50 }, () => a.matmul(a).sum().item());
      await sleep(after);
      const from = performance.now();
      const code = await worker.terminate();
      const took = performance.now() - from;
      const values = await Promise.all(mine);
      if (values.some((value) => value !== reference)) throw new Error('a job of the main thread was hurt');
      console.log('terminated', code, took < 5000 ? 'soon' : 'late: the environment did not close for ' + took + ' ms');
    }
    while (memoryStats().pendingJobs > 0) await sleep(1);
    console.log("left", memoryStats().pendingJobs);`,
    { deadline: 200_000 },
  );
  t.strictSame([ended.code, ended.signal, ended.err], [0, null, '']);
  t.equal(ended.out.match(/terminated 1 soon/g)?.length, 8, ended.out);
  t.match(ended.out, /left 0/);
});

t.test('a worker that throws, and one that exits', { timeout: 120_000 }, async (t) => {
  const throws = `${workerPrelude} const steps = [step(), step(), step()]; throw new Error('on purpose');`;
  const exits = `${workerPrelude} void step(); void step(); process.exit(6);`;
  const lost = `${workerPrelude} full([2, 3], 1).matmul(full([2, 3], 1)).backward(); await new Promise(() => setTimeout(() => {}, 5000));`;
  const ended = await runScript(
    `${prelude}${main(throws)}
    const outcome = async (text) => {
      const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)));
      worker.on('error', (error) => console.log('error', error.code ?? '-', error.message));
      console.log('exit', await once(worker, 'exit'));
    };
    await outcome(${JSON.stringify(throws)});
    await outcome(${JSON.stringify(exits)});
    await outcome(${JSON.stringify(lost)});
    console.log('main', await full([3], 2).sum().item());`,
  );
  t.strictSame([ended.code, ended.err], [0, '']);
  t.match(
    ended.out,
    /error - on purpose\nexit 1\nexit 6\nerror ERR_INVALID_SHAPE matmul: [\s\S]*\nexit 1\nmain 6\n$/,
  );
});

t.test('the process exits while workers are in mid-step', { timeout: 120_000 }, async (t) => {
  const busy = `${workerPrelude} parentPort.postMessage('on'); for (;;) await step();`;
  for (const after of [0, 10, 30]) {
    const ended = await runScript(
      `${prelude}${main(busy)}
      await full([1], 1).ready();
      await Promise.all([start(), start()].map((worker) => once(worker, 'message')));
      setTimeout(() => process.exit(9), ${after});`,
    );
    t.strictSame([ended.code, ended.signal, ended.err], [9, null, ''], `after ${after} ms`);
  }
  const onlyWorkers = await runScript(
    `${main(busy)} await Promise.all([start(), start()].map((worker) => once(worker, 'message'))); process.exit(4);`,
  );
  t.strictSame(
    [onlyWorkers.code, onlyWorkers.signal, onlyWorkers.err],
    [4, null, ''],
    'main never loaded it',
  );
});

t.test('the process exits while workers are loading the addon', { timeout: 120_000 }, async (t) => {
  const loads = `${prelude} for (;;) await full([300, 300], 1).matmul(full([300, 300], 1)).sum().item();`;
  for (const after of [0, 60, 120, 180, 240, 300, 400, 500]) {
    const ended = await runScript(
      `${main(loads)} [start(), start(), start()]; setTimeout(() => process.exit(3), ${after});`,
    );
    t.strictSame([ended.code, ended.signal, ended.err], [3, null, ''], `after ${after} ms`);
  }
});

t.test('workers that come and go while none else has the addon', { timeout: 200_000 }, async (t) => {
  // The last one to leave ends the lane's thread while the next one starts it.
  const tiny = `${prelude} import { parentPort } from 'node:worker_threads'; parentPort.postMessage(await full([2, 2], 3).sum().item());`;
  const ended = await runScript(
    `${main(tiny)}
    let sum = 0;
    const chain = async (count) => {
      for (let i = 0; i < count; i++) {
        const worker = start();
        worker.once('message', (value) => { sum += value; });
        const code = await ended(worker);
        if (code !== 0) throw new Error('worker ended with ' + code);
      }
    };
    await Promise.all([chain(8), chain(8), chain(8)]);
    console.log('sum', sum);`,
    { deadline: 180_000 },
  );
  t.strictSame([ended.code, ended.signal, ended.err], [0, null, '']);
  t.match(ended.out, /sum 288/);
});

import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { full, memoryStats, randn, tensor } from '../../lib/tensor/create.js';
import { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { prelude, runScript } from '../support/child.js';
import { tidyTest } from '../support/tensors.js';

tidyTest(t, 'in-place operations take their turn', async (t) => {
  const x = tensor([1, 2, 3]);
  const before = x.add(0);
  x.mul_(10);
  const after = x.add(0);
  x.copy_(tensor([7]))
    .sub_(1)
    .div_(2)
    .add_(tensor([1, 2, 3]));
  t.strictSame(await before.data(), Float32Array.of(1, 2, 3), 'the call before sees the old values');
  t.strictSame(await after.data(), Float32Array.of(10, 20, 30), 'the call after the new ones');
  t.strictSame(await x.data(), Float32Array.of(4, 5, 6), 'chained');
  const view = x.select(0, 1);
  x.mul_(0);
  t.equal(await view.item(), 0, 'a view shares the memory');
  const copy = x.clone();
  x.add_(1);
  t.equal(await copy.sum().item(), 0, 'a clone does not');
});

tidyTest(t, 'jobs run in call order behind a busy lane', async (t) => {
  const big = randn([400, 400], 1);
  const sum = full([], 0, { dtype: 'float64' });
  const seen: Promise<number>[] = [];
  for (let i = 1; i <= 20; i++) {
    big.matmul(big);
    sum.add_(i);
    seen.push(sum.item());
  }
  t.strictSame(
    await Promise.all(seen),
    Array.from({ length: 20 }, (_, i) => ((i + 1) * (i + 2)) / 2),
  );
});

t.test('dispose', async (t) => {
  const before = memoryStats().liveTensors;
  const a = tensor([1, 2]);
  t.equal(a.disposed, false);
  const pending = a.mul(2);
  const reading = pending.data();
  a.dispose();
  pending.dispose();
  a.dispose();
  t.equal(a.disposed, true);
  t.strictSame(await reading, Float32Array.of(2, 4), 'a pending read pins its tensor');
  for (const use of [
    () => a.add(1),
    () => tensor([1]).add(a),
    () => a.add_(1),
    () => a.ready(),
    () => a.item(),
    () => a.data(),
    () => a.toNdarray(),
    () => a.shape,
    () => a.requiresGrad,
    () => a.backward(),
    () => a.topk(1),
  ]) {
    t.throws(use, { code: 'ERR_DISPOSED' }, String(use));
  }
  {
    using inBlock = tensor([1]);
    t.equal(inBlock.disposed, false);
  }
  t.throws(() => Reflect.construct(Tensor, [{}]).add(1), { code: 'ERR_INVALID_ARGUMENT' }, 'a forged handle');
  await tidy(async () => tensor([1]).ready());
  t.ok(memoryStats().liveTensors <= before + 1);
});

/** Memory once nothing changes any more: a job lets its operands go a moment after its answer is there. */
async function settledStats(): Promise<ReturnType<typeof memoryStats>> {
  let stats = memoryStats();
  for (let same = 0; same < 5; ) {
    await sleep(5);
    const next = memoryStats();
    same = next.hostBytes === stats.hostBytes && next.pendingJobs === 0 ? same + 1 : 0;
    stats = next;
  }
  return stats;
}

t.test('a job that holds operands does not hold handles', async (t) => {
  const start = await settledStats();
  for (let round = 0; round < 50; round++) {
    tidy(() => {
      let x = randn([64, 64], round);
      for (let i = 0; i < 10; i++) x = x.matmul(x).tanh();
    });
  }
  const queued = memoryStats();
  t.equal(queued.liveTensors, start.liveTensors, 'no handle is left while jobs are queued');
  await tidy(async () => tensor([1]).ready());
  const end = await settledStats();
  t.equal(end.hostBytes, start.hostBytes, 'and no byte once they have run');
});

t.test('memory stays flat over a hundred steps', async (t) => {
  const w = randn([64, 64], 1, { requiresGrad: true });
  const step = (i: number): Promise<number> =>
    tidy(async () => {
      const x = randn([16, 64], i);
      const loss = x.matmul(w).relu().square().mean();
      w.zeroGrad_();
      loss.backward();
      return loss.item();
    });
  await step(0);
  const before = await settledStats();
  for (let i = 1; i <= 100; i++) await step(i);
  const { liveTensors, hostBytes } = await settledStats();
  t.strictSame({ liveTensors, hostBytes }, { liveTensors: before.liveTensors, hostBytes: before.hostBytes });
  w.dispose();
});

t.test('forgotten tensors are collected, and their memory is given back', { timeout: 120_000 }, async (t) => {
  const ended = await runScript(
    `${prelude}
    const turn = () => new Promise(setImmediate);
    const settle = async () => { for (let i = 0; i < 5; i++) { gc(); await turn(); } await full([], 1).ready(); };
    const make = async () => { for (let i = 0; i < 50; i++) await full([256, 1024], i).ready(); };
    await settle();
    const before = memoryStats().hostBytes;
    await make();
    await settle();
    const model = createModel({ architecture: 'resnet18', classes: 2 });
    await (async () => {
      const m = createModel({ architecture: 'resnet18', classes: 2 });
      const o = createOptimizer(await m.parameters(), { kind: 'adam' });
      m.forward(full([2, 3, 32, 32], 1)).sum().backward();
      await o.step();
    })();
    await settle();
    console.log('left', memoryStats().hostBytes - before, memoryStats().liveTensors);`,
    { flags: ['--expose-gc'] },
  );
  const [, bytes, tensors] = /left (-?\d+) (\d+)/.exec(ended.out) ?? [];
  t.ok(Number(bytes) < 3 * 1024 * 1024, `of 50 MiB ${bytes} bytes are left`);
  t.ok(Number(tensors) < 10, `${tensors} handles are left`);
});

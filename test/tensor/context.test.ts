import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { autocast, enableGrad, noGrad } from '../../lib/tensor/context.js';
import { randn, tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { tidyTest } from '../support/tensors.js';

async function records(make: () => Tensor): Promise<boolean> {
  const made = make();
  await made.ready();
  return made.requiresGrad;
}

async function typeOf(make: () => Tensor): Promise<string> {
  return (await make().ready()).dtype;
}

tidyTest(t, 'noGrad and enableGrad nest', async (t) => {
  const a = tensor([1, 2], undefined, { requiresGrad: true });
  const twice = (): Tensor => a.mul(2);
  t.equal(await records(twice), true);
  t.equal(await noGrad(() => records(twice)), false);
  t.equal(await noGrad(() => enableGrad(() => records(twice))), true);
  t.equal(await enableGrad(() => noGrad(() => records(twice))), false);
  t.equal(
    noGrad(() => 5),
    5,
    'gives what the function gives',
  );
  t.throws(
    () =>
      noGrad(() => {
        throw new Error('mine');
      }),
    { message: 'mine' },
  );
  t.equal(await records(twice), true, 'over after a throw');
});

tidyTest(t, 'the setting of the call counts, not that of the run', async (t) => {
  const a = tensor([1, 2], undefined, { requiresGrad: true });
  const busy = randn([600, 600], 1);
  let keep = busy;
  for (let i = 0; i < 5; i++) keep = keep.matmul(busy); // the lane is busy while the next calls are made
  const [without, withGraph] = [noGrad(() => a.mul(2)), a.mul(3)];
  await Promise.all([without.ready(), withGraph.ready()]);
  t.strictSame([without.requiresGrad, withGraph.requiresGrad], [false, true]);
});

tidyTest(t, 'autocast', async (t) => {
  const [a, b] = [randn([4, 8], 1), randn([8, 2], 2)];
  const product = (): Tensor => a.matmul(b);
  t.equal(await typeOf(product), 'float32');
  t.equal(await autocast({ dtype: 'bfloat16' }, () => typeOf(product)), 'bfloat16');
  t.equal(await autocast({ dtype: 'float16' }, () => typeOf(product)), 'float16');
  const inner = autocast({ dtype: 'bfloat16' }, () => autocast({ dtype: undefined }, () => typeOf(product)));
  t.equal(await inner, 'float32', 'undefined switches it off');
  t.equal(await typeOf(product), 'float32', 'over afterwards');
  t.equal(await autocast({ dtype: 'bfloat16' }, () => typeOf(() => a.sum())), 'float32', 'sums stay precise');
  for (const bad of ['float32', 'int8', 5, null]) {
    t.throws(() => autocast({ dtype: bad as never }, () => 1), { code: 'ERR_INVALID_ARGUMENT' });
  }
  t.throws(() => autocast({ type: 'bfloat16' } as never, () => 1), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => autocast(undefined as never, () => 1), { code: 'ERR_INVALID_ARGUMENT' });
});

tidyTest(t, 'weights are cast anew after they have changed', async (t) => {
  const w = tensor(
    [
      [1, 0],
      [0, 1],
    ],
    undefined,
    { requiresGrad: true },
  );
  const x = tensor([[3, 5]]);
  const out = (): Tensor => autocast({ dtype: 'bfloat16' }, () => x.matmul(w));
  t.strictSame(await out().data(), Float32Array.of(3, 5));
  w.detach().mul_(2);
  t.strictSame(await out().data(), Float32Array.of(6, 10));
});

tidyTest(t, "concurrent tasks do not see each other's settings", async (t) => {
  const a = tensor(
    [
      [1, 2],
      [3, 4],
    ],
    undefined,
    { requiresGrad: true },
  );
  const task = async (round: number): Promise<string> => {
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      await sleep((round * 7 + i * 3) % 5);
      const made = a.matmul(a);
      const { dtype } = await made.ready();
      seen.push(`${dtype} ${made.requiresGrad}`);
    }
    return [...new Set(seen)].join();
  };
  const found = await Promise.all(
    [0, 1, 2, 3, 4, 5].flatMap((round) => [
      tidy(() => task(round)),
      noGrad(() => task(round)),
      autocast({ dtype: 'bfloat16' }, () => noGrad(() => task(round))),
      noGrad(() => autocast({ dtype: 'bfloat16' }, () => enableGrad(() => task(round)))),
    ]),
  );
  const expected = ['float32 true', 'float32 false', 'bfloat16 false', 'bfloat16 true'];
  t.strictSame(
    found,
    [0, 1, 2, 3, 4, 5].flatMap(() => expected),
  );
});

import t from 'tap';
import { full, gradients, tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { type Doubles, doubles, flat } from '../reference/array.js';
import { map } from '../reference/tensor.js';
import { distance, isClose, randomArray, tidyTest, toTensor } from '../support/tensors.js';

const x = randomArray(1, [2, 3], 0.3, 2);
const y = randomArray(2, [3], 0.3, 2);

/** Differentiable operations, each reduced to a number by a fixed weighting. */
const differentiable: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
  add: (a, b) => a.add(b),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  div: (a, b) => a.div(b),
  pow: (a, b) => a.pow(b),
  maximum: (a, b) => a.maximum(b),
  minimum: (a, b) => a.minimum(b),
  exp: (a) => a.exp(),
  log: (a) => a.log(),
  log1p: (a) => a.log1p(),
  sqrt: (a) => a.sqrt(),
  square: (a) => a.square(),
  reciprocal: (a) => a.reciprocal(),
  sigmoid: (a) => a.sigmoid(),
  tanh: (a) => a.tanh(),
  relu: (a) => a.sub(1).relu(),
  gelu: (a) => a.gelu(),
  abs: (a) => a.sub(1).abs(),
  clamp: (a) => a.clamp({ min: 0.6, max: 1.4 }),
  where: (a, b) => a.gt(b).where(a.mul(b), b),
  sum: (a) => a.sum({ dim: 1 }),
  mean: (a) => a.mean({ dim: [0, 1], keepdim: true }),
  amax: (a) => a.amax({ dim: 1 }),
  std: (a) => a.std({ dim: 1 }),
  norm: (a) => a.norm({ dim: 0 }),
  logsumexp: (a) => a.logsumexp({ dim: 1 }),
  softmax: (a) => a.softmax(1),
  logSoftmax: (a) => a.logSoftmax(0),
  cumsum: (a) => a.cumsum(1),
  matmul: (a, b) => a.matmul(b),
  reshape: (a) => a.reshape([3, 2]),
  permute: (a) => a.permute([1, 0]),
  expand: (a) => a.unsqueeze(0).expand([4, -1, -1]),
  flip: (a) => a.flip([1]),
  select: (a) => a.select(1, 2),
  slice: (a) => a.slice(1, { start: 1 }),
  gather: (a) => a.gather(1, tensor(BigInt64Array.of(2n, 2n), [2, 1])),
  indexSelect: (a) => a.indexSelect(0, tensor(BigInt64Array.of(1n, 1n, 0n))),
  maskedSelect: (a) => a.maskedSelect(a.gt(1)),
  maskedFill: (a) => a.maskedFill(a.gt(1), 3),
  topk: (a) => a.topk(2).values,
  sort: (a) => a.sort().values,
  to: (a) => a.to({ dtype: 'float64', memoryFormat: 'contiguous' }),
  interpolate: (a) => a.reshape([1, 1, 2, 3]).interpolate([3, 5]),
};

async function weighted(result: Tensor): Promise<Tensor> {
  const { shape } = await result.ready();
  return result.mul(toTensor(randomArray(3, shape))).sum();
}

/** Central differences of `f` by each element of `at`. */
async function numeric(f: (at: Tensor) => Promise<Tensor>, at: Doubles): Promise<Doubles> {
  const h = 1e-6;
  const values = flat(at);
  const slopes: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const moved = (by: number): Tensor =>
      toTensor(doubles(at.shape, values.with(i, (values[i] as number) + by)));
    const [above, below] = [await f(moved(h)), await f(moved(-h))];
    slopes.push(((await above.item()) - (await below.item())) / (2 * h));
  }
  return doubles(at.shape, slopes);
}

for (const [name, f] of Object.entries(differentiable)) {
  tidyTest(t, `gradient of ${name}`, async (t) => {
    const [a, b] = [toTensor(x, 'float64', true), toTensor(y, 'float64', true)];
    const loss = await weighted(f(a, b));
    loss.backward();
    await isClose(t, a.grad(), await numeric((at) => weighted(f(at, b.detach())), x), {
      tolerance: 1e-8,
      name: 'by the first',
    });
    if (f.length < 2) return;
    await isClose(t, b.grad(), await numeric((at) => weighted(f(a.detach(), at)), y), {
      tolerance: 1e-8,
      name: 'by the second',
    });
  });
}

tidyTest(t, 'gradients add up until they are forgotten', async (t) => {
  const a = toTensor(x, 'float64', true);
  t.ok((await a.ready()) && a.requiresGrad);
  a.mul(3).sum().backward();
  a.mul(4).sum().backward();
  await isClose(
    t,
    a.grad(),
    map(x, () => 7),
  );
  a.zeroGrad_();
  await t.rejects(a.grad().ready(), { code: 'ERR_INVALID_ARGUMENT' }, 'none is there');
  a.square().sum().backward();
  const grad = a.grad();
  await isClose(
    t,
    grad,
    map(x, (v) => 2 * v),
  );
  a.square().sum().backward();
  await isClose(
    t,
    grad,
    map(x, (v) => 4 * v),
    { name: 'grad() shares the memory' },
  );
});

tidyTest(t, 'backward options', async (t) => {
  const a = toTensor(x, 'float64', true);
  const out = a.square();
  await t.rejects(out.backward(), { code: 'ERR_INVALID_SHAPE' }, 'no seed for several elements');
  await out.backward({ gradient: toTensor(map(x, () => 0.5)), retainGraph: true });
  await out.backward({ gradient: toTensor(map(x, () => 0.5)) });
  await isClose(
    t,
    a.grad(),
    map(x, (v) => 2 * v),
  );
  await t.rejects(out.sum().backward(), { code: 'ERR_INVALID_ARGUMENT', message: /second time/ });
  await t.rejects(toTensor(x).sum().backward(), { code: 'ERR_INVALID_ARGUMENT' }, 'nothing records');
  t.throws(() => out.backward({ retain: true } as never), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => out.backward({ gradient: 1 as never }), { code: 'ERR_INVALID_ARGUMENT' });
  await t.rejects(a.square().backward({ gradient: full([7], 1) }), { code: 'ERR_INVALID_SHAPE' });
});

tidyTest(t, 'gradients() leaves grad alone', async (t) => {
  const [a, b] = [toTensor(x, 'float64', true), toTensor(y, 'float64', true)];
  const out = a.mul(b).sum();
  const [byA, byB] = gradients(out, [a, b], { retainGraph: true }) as [Tensor, Tensor];
  await isClose(t, byA, doubles([2, 3], [...flat(y), ...flat(y)]));
  t.strictSame((await byB.ready()).shape, [3]);
  await t.rejects(a.grad().ready(), { code: 'ERR_INVALID_ARGUMENT' });
  const stranger = toTensor(x, 'float64', true);
  await t.rejects((gradients(out, [stranger], { retainGraph: true })[0] as Tensor).ready(), {
    code: 'ERR_INVALID_ARGUMENT',
  });
  const [nothing] = gradients(out, [stranger], { allowUnused: true, retainGraph: true }) as [Tensor];
  await isClose(
    t,
    nothing,
    map(x, () => 0),
  );
  const [seeded] = gradients(a.mul(2), [a], { gradient: toTensor(map(x, () => 3)) }) as [Tensor];
  await isClose(
    t,
    seeded,
    map(x, () => 6),
  );
  t.throws(() => gradients(out, []), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => gradients(out, [null as never]), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => gradients(out, [a], { unused: true } as never), { code: 'ERR_INVALID_ARGUMENT' });
});

tidyTest(t, 'second order: a gradient is differentiated', async (t) => {
  const a = toTensor(x, 'float64', true);
  const [slope] = gradients(a.pow(3).sum(), [a], { createGraph: true }) as [Tensor]; // 3 a²
  slope.square().sum().backward(); // d Σ 9 a⁴ = 36 a³
  await isClose(
    t,
    a.grad(),
    map(x, (v) => 36 * v ** 3),
    { tolerance: 1e-10 },
  );

  const b = toTensor(x, 'float64', true);
  b.sigmoid().sum().backward({ createGraph: true });
  const first = b.grad();
  const [second] = gradients(first.sum(), [b]) as [Tensor];
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  await isClose(
    t,
    second,
    map(x, (v) => sigmoid(v) * (1 - sigmoid(v)) * (1 - 2 * sigmoid(v))),
  );
  b.zeroGrad_(); // unties the leaf and its gradient
});

tidyTest(t, 'leaves and graphs', async (t) => {
  const a = toTensor(x, 'float64', true);
  await t.rejects(a.add_(1).ready(), { code: 'ERR_INVALID_ARGUMENT' }, 'a leaf that records is not written');
  const b = toTensor(x, 'float64', true);
  const squared = b.square();
  const held = b.mul(squared);
  squared.mul_(2);
  await t.rejects(held.sum().backward(), { code: 'ERR_INVALID_ARGUMENT', message: /inplace/ });
  const c = toTensor(x, 'float64', true);
  const cut = c.exp().detach();
  t.ok((await cut.ready()) && !cut.requiresGrad, 'detach');
  c.requiresGrad_(false);
  t.ok((await c.ready()) && !c.requiresGrad, 'requiresGrad_(false)');
  await t.rejects(tensor(Int32Array.of(1)).requiresGrad_().ready(), { code: 'ERR_INVALID_DTYPE' });
  await t.rejects(toTensor(x, 'float64', true).exp().requiresGrad_(false).ready(), {
    code: 'ERR_INVALID_ARGUMENT',
  });
  const d = toTensor(x, 'float64', true);
  const made = d.clone().add_(1).mul_(2);
  made.sum().backward();
  t.equal(
    await distance(
      d.grad(),
      map(x, () => 2),
    ),
    0,
    'in place on what is no leaf is differentiated',
  );
});

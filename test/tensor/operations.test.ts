import type { NdArray } from 'ndarray';
import t from 'tap';
import { arange, cat, full, ones, stack, tensor, zeros } from '../../lib/tensor/create.js';
import type { DType } from '../../lib/tensor/dtype.js';
import { Tensor } from '../../lib/tensor/tensor.js';
import { type Doubles, doubles, flat } from '../reference/array.js';
import { along, bilinear, broadcast, erf, map, matmul, pick, reduce } from '../reference/tensor.js';
import { isClose, randomArray, tidyTest, toTensor } from '../support/tensors.js';

/** An operation and its twin. Operands are float64 tensors of the arrays. */
interface Row {
  readonly name: string;
  readonly operands: readonly Doubles[];
  readonly run: (...tensors: Tensor[]) => Tensor;
  readonly twin: (...arrays: Doubles[]) => NdArray;
  readonly dtype?: DType;
  readonly tolerance?: number;
}

type Operand = Tensor | number;
const covered = new Set<string>();
const rows: Row[] = [];

function row(method: string, definition: Omit<Row, 'name'> & { readonly label?: string }): void {
  covered.add(method);
  const { label, ...rest } = definition;
  rows.push({ name: label === undefined ? method : `${method} ${label}`, ...rest });
}

const x = randomArray(1, [2, 3, 4]);
const positive = randomArray(2, [2, 3, 4], 0.2, 3);
const awkward = doubles([9], [-2.5, -1.5, -0.5, -0, 0, 0.5, 1.5, 2.5, 3]);
const bit = (value: boolean): number => (value ? 1 : 0);

const unary: Record<string, [f: (v: number) => number, input?: Doubles]> = {
  neg: [(v) => -v],
  abs: [Math.abs],
  exp: [Math.exp],
  log: [Math.log, positive],
  log1p: [Math.log1p, positive],
  sqrt: [Math.sqrt, positive],
  square: [(v) => v * v],
  reciprocal: [(v) => 1 / v, positive],
  sigmoid: [(v) => 1 / (1 + Math.exp(-v))],
  tanh: [Math.tanh],
  relu: [(v) => Math.max(0, v)],
  gelu: [(v) => (v / 2) * (1 + erf(v / Math.SQRT2))],
  floor: [Math.floor, awkward],
  round: [(v) => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v)), awkward],
  sign: [Math.sign, awkward],
};
for (const [name, [f, input]] of Object.entries(unary)) {
  row(name, {
    operands: [input ?? x],
    run: (a) => (a as unknown as Record<string, () => Tensor>)[name]?.call(a) as Tensor,
    twin: (a) => map(a, f),
  });
}

const odd = doubles([5], [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -3]);
const boolean: Record<string, (v: number) => number> = {
  isfinite: (v) => bit(Number.isFinite(v)),
  isnan: (v) => bit(Number.isNaN(v)),
  logicalNot: (v) => bit(v === 0),
};
for (const [name, f] of Object.entries(boolean)) {
  row(name, {
    operands: [odd],
    run: (a) => (a as unknown as Record<string, () => Tensor>)[name]?.call(a) as Tensor,
    twin: (a) => map(a, f),
    dtype: 'bool',
  });
}

const binary: Record<string, [f: (a: number, b: number) => number, dtype?: DType]> = {
  add: [(a, b) => a + b],
  sub: [(a, b) => a - b],
  mul: [(a, b) => a * b],
  div: [(a, b) => a / b],
  pow: [(a, b) => a ** b],
  maximum: [Math.max],
  minimum: [Math.min],
  eq: [(a, b) => bit(a === b), 'bool'],
  ne: [(a, b) => bit(a !== b), 'bool'],
  lt: [(a, b) => bit(a < b), 'bool'],
  le: [(a, b) => bit(a <= b), 'bool'],
  gt: [(a, b) => bit(a > b), 'bool'],
  ge: [(a, b) => bit(a >= b), 'bool'],
};
const partners: [label: string, Doubles][] = [
  ['same shape', map(positive, (v) => Math.max(v, 1))],
  ['one axis', randomArray(4, [4], 0.5, 2)],
  ['an axis of 1', randomArray(5, [3, 1], 0.5, 2)],
  ['more axes', randomArray(6, [2, 1, 1, 4], 0.5, 2)],
  ['no axes', doubles([], [1.25])],
];
for (const [name, [f, dtype]] of Object.entries(binary)) {
  const call = (a: Tensor, b: Operand): Tensor =>
    (a as unknown as Record<string, (b: Operand) => Tensor>)[name]?.call(a, b) as Tensor;
  for (const [label, partner] of partners) {
    row(name, {
      label: `with ${label}`,
      operands: [positive, partner],
      run: call,
      twin: (a, b) => broadcast(f, a, b),
      ...(dtype && { dtype }),
    });
  }
  for (const number of [2, 0.75]) {
    row(name, {
      label: `with ${number}`,
      operands: [positive],
      run: (a) => call(a, number),
      twin: (a) => map(a, (v) => f(v, number)),
      ...(dtype && { dtype }),
    });
  }
}
for (const name of ['add_', 'sub_', 'mul_', 'div_'] as const) {
  const f = (binary[name.slice(0, -1)] as [(a: number, b: number) => number])[0];
  row(name, {
    operands: [positive, randomArray(7, [3, 1], 0.5, 2)],
    run: (a, b) => a.clone()[name](b as Tensor),
    twin: (a, b) => broadcast(f, a, b),
  });
  row(name, {
    label: 'with 0.3',
    operands: [positive],
    run: (a) => a.clone()[name](0.3),
    twin: (a) => map(a, (v) => f(v, 0.3)),
  });
}
row('copy_', {
  operands: [x, randomArray(8, [4])],
  run: (a, b) => a.clone().copy_(b as Tensor),
  twin: (a, b) => broadcast((_, v) => v, a, b),
});

const truth = doubles([2, 3], [0, 1, 1, 0, 1, 0]);
row('logicalAnd', {
  operands: [truth, doubles([3], [1, 0, 1])],
  run: (a, b) => a.logicalAnd(b as Tensor),
  twin: (a, b) => broadcast((p, q) => bit(p !== 0 && q !== 0), a, b),
  dtype: 'bool',
});
row('logicalOr', {
  operands: [truth, doubles([3], [1, 0, 0])],
  run: (a, b) => a.logicalOr(b as Tensor),
  twin: (a, b) => broadcast((p, q) => bit(p !== 0 || q !== 0), a, b),
  dtype: 'bool',
});
row('where', {
  operands: [truth, randomArray(9, [2, 3]), randomArray(10, [2, 1])],
  run: (a, b, c) => a.gt(0).where(b as Tensor, c as Tensor),
  twin: (a, b, c) => broadcast((p, q, r) => (p > 0 ? q : r), a, b, c),
});
for (const [label, bounds] of [
  ['both', { min: -0.5, max: 0.25 }],
  ['min', { min: 0.1 }],
  ['max', { max: -0.1 }],
] as const) {
  row('clamp', {
    label,
    operands: [x],
    run: (a) => a.clamp(bounds),
    twin: (a) =>
      map(a, (v) => {
        const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = bounds as {
          min?: number;
          max?: number;
        };
        return Math.min(Math.max(v, min), max);
      }),
  });
}

const sum = (values: number[]): number => values.reduce((total, v) => total + v, 0);
const mean = (values: number[]): number => sum(values) / values.length;
const variance = (values: number[], correction = 1): number =>
  sum(values.map((v) => (v - mean(values)) ** 2)) / (values.length - correction);
const first = (values: number[]): number => values.indexOf(Math.max(...values));
const reductions: Record<string, [f: (values: number[]) => number, dtype?: DType]> = {
  sum: [sum],
  mean: [mean],
  amax: [(values) => Math.max(...values)],
  amin: [(values) => Math.min(...values)],
  logsumexp: [(values) => Math.log(sum(values.map(Math.exp)))],
  std: [(values) => Math.sqrt(variance(values))],
  var: [variance],
  norm: [(values) => Math.sqrt(sum(values.map((v) => v * v)))],
  all: [(values) => bit(values.every((v) => v !== 0)), 'bool'],
  any: [(values) => bit(values.some((v) => v !== 0)), 'bool'],
  argmax: [first, 'int64'],
};
const axisChoices: { readonly dim?: number | readonly number[]; readonly keepdim?: boolean }[] = [
  {},
  { keepdim: true },
  { dim: 1 },
  { dim: -1, keepdim: true },
  { dim: [0, 2] },
  { dim: [-1, 1], keepdim: true },
];
for (const [name, [f, dtype]] of Object.entries(reductions)) {
  for (const options of axisChoices) {
    if (name === 'argmax' && Array.isArray(options.dim)) continue; // has no meaning over several axes
    const dims = typeof options.dim === 'number' ? [options.dim] : options.dim;
    row(name, {
      label: JSON.stringify(options),
      operands: [map(x, (v) => (Math.abs(v) < 0.1 ? 0 : v))],
      run: (a) => (a as unknown as Record<string, (o: object) => Tensor>)[name]?.call(a, options) as Tensor,
      twin: (a) => reduce(a, (values) => f(values), dims, options.keepdim),
      ...(dtype && { dtype }),
    });
  }
}
row('var', {
  label: 'without correction',
  operands: [x],
  run: (a) => a.var({ dim: 0, correction: 0 }),
  twin: (a) => reduce(a, (values) => variance(values, 0), [0]),
});
row('norm', {
  label: 'p 1',
  operands: [x],
  run: (a) => a.norm({ dim: 1, p: 1 }),
  twin: (a) => reduce(a, (values) => sum(values.map(Math.abs)), [1]),
});

const softmax = (line: number[]): number[] => {
  const total = sum(line.map(Math.exp));
  return line.map((v) => Math.exp(v) / total);
};
for (const dim of [-1, 0, 1]) {
  row('softmax', {
    label: `${dim}`,
    operands: [x],
    run: (a) => a.softmax(dim),
    twin: (a) => along(a, dim, softmax),
  });
  row('logSoftmax', {
    label: `${dim}`,
    operands: [x],
    run: (a) => a.logSoftmax(dim),
    twin: (a) => along(a, dim, (line) => softmax(line).map(Math.log)),
  });
  row('cumsum', {
    label: `${dim}`,
    operands: [x],
    run: (a) => a.cumsum(dim),
    twin: (a) => along(a, dim, (line) => line.map((_, i) => sum(line.slice(0, i + 1)))),
  });
}

for (const [left, right] of [
  [
    [3, 4],
    [4, 2],
  ],
  [[4], [4]],
  [[3, 4], [4]],
  [[4], [4, 2]],
  [
    [5, 3, 4],
    [4, 2],
  ],
  [
    [2, 1, 3, 4],
    [5, 4, 2],
  ],
] as [number[], number[]][]) {
  row('matmul', {
    label: `[${left}] x [${right}]`,
    operands: [randomArray(11, left), randomArray(12, right)],
    run: (a, b) => a.matmul(b as Tensor),
    twin: (a, b) => matmul(a, b),
  });
}
for (const alignCorners of [false, true]) {
  row('interpolate', {
    label: `alignCorners ${alignCorners}`,
    operands: [randomArray(13, [2, 2, 3, 4])],
    run: (a) => a.interpolate([7, 5], { alignCorners }),
    twin: (a) => bilinear(a, 7, 5, alignCorners),
  });
}

const reshaped = (shape: readonly number[]) => (a: Doubles) => doubles(shape, flat(a));
row('reshape', { operands: [x], run: (a) => a.reshape([4, -1]), twin: reshaped([4, 6]) });
row('flatten', { operands: [x], run: (a) => a.flatten(1), twin: reshaped([2, 12]) });
row('flatten', { label: 'all', operands: [x], run: (a) => a.flatten(), twin: reshaped([24]) });
row('unsqueeze', { operands: [x], run: (a) => a.unsqueeze(-1), twin: reshaped([2, 3, 4, 1]) });
row('squeeze', {
  operands: [randomArray(14, [2, 1, 3, 1])],
  run: (a) => a.squeeze(1),
  twin: reshaped([2, 3, 1]),
});
row('squeeze', {
  label: 'all',
  operands: [randomArray(14, [2, 1, 3, 1])],
  run: (a) => a.squeeze(),
  twin: reshaped([2, 3]),
});
row('expand', {
  operands: [randomArray(15, [3, 1])],
  run: (a) => a.expand([2, -1, 4]),
  twin: (a) => pick(a, [2, 3, 4], ([, i]) => [i as number, 0]),
});
row('permute', {
  operands: [x],
  run: (a) => a.permute([2, 0, 1]),
  twin: (a) => pick(a, [4, 2, 3], ([k, i, j]) => [i, j, k] as number[]),
});
row('transpose', {
  operands: [x],
  run: (a) => a.transpose(0, -1),
  twin: (a) => pick(a, [4, 3, 2], ([k, j, i]) => [i, j, k] as number[]),
});
row('flip', {
  operands: [x],
  run: (a) => a.flip([0, 2]),
  twin: (a) => pick(a, [2, 3, 4], ([i, j, k]) => [1 - (i as number), j as number, 3 - (k as number)]),
});
row('select', {
  operands: [x],
  run: (a) => a.select(1, -1),
  twin: (a) => pick(a, [2, 4], ([i, k]) => [i as number, 2, k as number]),
});
row('slice', {
  operands: [x],
  run: (a) => a.slice(2, { start: 1, end: 4, step: 2 }),
  twin: (a) => pick(a, [2, 3, 2], ([i, j, k]) => [i as number, j as number, 1 + 2 * (k as number)]),
});
row('slice', {
  label: 'from the end',
  operands: [x],
  run: (a) => a.slice(1, { start: -2 }),
  twin: (a) => pick(a, [2, 2, 4], ([i, j, k]) => [i as number, 1 + (j as number), k as number]),
});
row('gather', {
  operands: [x],
  run: (a) => a.gather(1, tensor(BigInt64Array.of(2n, 0n, 1n, 1n), [2, 2, 1])),
  twin: (a) =>
    pick(a, [2, 2, 1], ([i, j]) => [
      i as number,
      [
        [2, 0],
        [1, 1],
      ][i as number]?.[j as number] as number,
      0,
    ]),
});
row('indexSelect', {
  operands: [x],
  run: (a) => a.indexSelect(2, tensor(BigInt64Array.of(3n, 3n, 0n))),
  twin: (a) =>
    pick(a, [2, 3, 3], ([i, j, k]) => [i as number, j as number, [3, 3, 0][k as number] as number]),
});
row('maskedSelect', {
  operands: [x],
  run: (a) => a.maskedSelect(a.gt(0)),
  twin: (a) => {
    const chosen = flat(a).filter((v) => v > 0);
    return doubles([chosen.length], chosen);
  },
});
row('maskedFill', {
  operands: [x],
  run: (a) => a.maskedFill(a.gt(0), -7.5),
  twin: (a) => map(a, (v) => (v > 0 ? -7.5 : v)),
});
row('oneHot', {
  operands: [doubles([2, 2], [0, 3, 1, 1])],
  run: (a) => a.to({ dtype: 'int64' }).oneHot(4),
  twin: (a) => pick(a, [2, 2, 4], ([i, j]) => [i, j] as number[]),
  dtype: 'int64',
});
// The twin of a one-hot row is judged by its class: 1 where the index equals it.
rows.push({
  ...(rows.pop() as Row),
  twin: (a) =>
    broadcast((index, k) => bit(index === k), doubles([2, 2, 1], flat(a)), doubles([4], [0, 1, 2, 3])),
});
const ties = doubles([2, 5], [3, 1, 3, 2, 1, -1, 4, 0, 4, 4]);
const order = (line: number[], descending: boolean): number[] =>
  line
    .map((_, i) => i)
    .sort((p, q) => {
      const [vp, vq] = [line[p] as number, line[q] as number];
      return (descending ? vq - vp : vp - vq) || p - q;
    });
for (const descending of [false, true]) {
  row('sort', {
    label: `values, descending ${descending}`,
    operands: [ties],
    run: (a) => a.sort({ descending }).values,
    twin: (a) => along(a, -1, (line) => order(line, descending).map((i) => line[i] as number)),
  });
  row('sort', {
    label: `indices, descending ${descending}`,
    operands: [ties],
    run: (a) => a.sort({ dim: 1, descending }).indices,
    twin: (a) => along(a, -1, (line) => order(line, descending)),
    dtype: 'int64',
  });
}
row('topk', {
  operands: [x],
  run: (a) => a.topk(2, 1).values,
  twin: (a) => along(a, 1, (line) => line.toSorted((p, q) => q - p).slice(0, 2)),
});
row('topk', {
  label: 'indices',
  operands: [x],
  run: (a) => a.topk(3).indices,
  twin: (a) => along(a, -1, (line) => order(line, true).slice(0, 3)),
  dtype: 'int64',
});
for (const name of ['contiguous', 'clone', 'detach'] as const) {
  row(name, { operands: [x], run: (a) => a.transpose(0, 1)[name]().transpose(0, 1), twin: (a) => a });
}
row('to', {
  operands: [x],
  run: (a) => a.mul(10).to({ dtype: 'int32' }),
  twin: (a) => map(a, (v) => Math.trunc(v * 10)),
  dtype: 'int32',
});

for (const { name, operands, run, twin, dtype, tolerance } of rows) {
  tidyTest(t, name, async (t) => {
    const result = run(...operands.map((operand) => toTensor(operand)));
    await isClose(t, result, twin(...operands), {
      ...(dtype && { dtype }),
      ...(tolerance !== undefined && { tolerance }),
    });
  });
}

tidyTest(t, 'functions that make tensors', async (t) => {
  await isClose(t, zeros([2, 2], { dtype: 'float64' }), doubles([2, 2]), { name: 'zeros' });
  await isClose(t, ones([3], { dtype: 'int16' }), doubles([3], [1, 1, 1]), { dtype: 'int16', name: 'ones' });
  await isClose(t, full([2], 2.5), doubles([2], [2.5, 2.5]), { dtype: 'float32', name: 'full' });
  await isClose(t, arange(4), doubles([4], [0, 1, 2, 3]), { dtype: 'int64', name: 'arange' });
  await isClose(t, arange(0, { start: 3, step: -1.5, dtype: 'float64' }), doubles([2], [3, 1.5]), {
    name: 'arange down',
  });
  await isClose(t, arange(0), doubles([0]), { dtype: 'int64', name: 'empty arange' });
  const [a, b] = [randomArray(20, [2, 3]), randomArray(21, [2, 3])];
  await isClose(
    t,
    cat([toTensor(a), toTensor(b)], -1),
    doubles(
      [2, 6],
      [...flat(a).slice(0, 3), ...flat(b).slice(0, 3), ...flat(a).slice(3), ...flat(b).slice(3)],
    ),
    {
      name: 'cat',
    },
  );
  await isClose(t, stack([toTensor(a), toTensor(b)]), doubles([2, 2, 3], [...flat(a), ...flat(b)]), {
    name: 'stack',
  });
});

tidyTest(t, 'types promote as in PyTorch', async (t) => {
  const dtypeOf = async (result: Tensor): Promise<string> => (await result.ready()).dtype;
  const ints = tensor(BigInt64Array.of(1n, 2n));
  const bytes = tensor(Uint8Array.of(200, 100));
  const floats = tensor([1, 2]);
  t.equal(await dtypeOf(ints.add(1)), 'int64', 'whole numbers are integers');
  t.equal(await dtypeOf(ints.mul(0.5)), 'float32');
  t.equal(await dtypeOf(ints.div(2)), 'float32');
  t.equal(await dtypeOf(bytes.add(ints)), 'int64');
  t.equal(await dtypeOf(floats.add(ints)), 'float32');
  t.equal(await dtypeOf(floats.to({ dtype: 'float64' }).add(floats)), 'float64');
  t.equal(await dtypeOf(floats.to({ dtype: 'bfloat16' }).mul(0.1)), 'bfloat16', 'a number does not widen');
  t.equal(await dtypeOf(ints.sum()), 'int64');
  await isClose(t, bytes.add(100), doubles([2], [44, 200]), { dtype: 'uint8', name: 'uint8 wraps' });
  await isClose(t, ints.clone().mul_(3), doubles([2], [3, 6]), { dtype: 'int64', name: 'in place' });
  await t.rejects(
    ints.clone().mul_(0.5).ready(),
    { code: 'ERR_INVALID_DTYPE' },
    'no silent truncation in place',
  );
});

tidyTest(t, 'empty tensors', async (t) => {
  const empty = zeros([0, 3], { dtype: 'float64' });
  await isClose(t, empty.add(1), doubles([0, 3]));
  await isClose(t, empty.sum(), doubles([], [0]), { name: 'sum' });
  await isClose(t, empty.sum({ dim: 0 }), doubles([3]), { name: 'sum over rows' });
  await isClose(t, empty.matmul(zeros([3, 2], { dtype: 'float64' })), doubles([0, 2]), { name: 'matmul' });
  await t.rejects(empty.amax().ready(), { code: 'ERR_INVALID_SHAPE' });
});

t.test('every method of Tensor is tested here or in the files named', async (t) => {
  const elsewhere: Record<string, string> = {
    constructor: 'all',
    dispose: 'lifetime',
    disposed: 'lifetime',
    [Symbol.dispose as unknown as string]: 'lifetime',
    ready: 'conversion',
    shape: 'conversion',
    dtype: 'conversion',
    device: 'conversion',
    item: 'conversion',
    data: 'conversion',
    toNdarray: 'conversion',
    bytes: 'conversion',
    requiresGrad: 'autograd',
    requiresGrad_: 'autograd',
    grad: 'autograd',
    zeroGrad_: 'autograd',
    backward: 'autograd',
  };
  for (const name of Object.getOwnPropertyNames(Tensor.prototype)) {
    t.ok(covered.has(name) || name in elsewhere, name);
  }
});

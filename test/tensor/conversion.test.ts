import ndarray, { type NdArray } from 'ndarray';
import t from 'tap';
import { full, tensor } from '../../lib/tensor/create.js';
import { type DType, dtypes, type TensorData } from '../../lib/tensor/dtype.js';
import { fromNdarray } from '../../lib/tensor/ndarray.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidyTest } from '../support/tensors.js';

/** One array of each kind with the extremes of its type. */
const arrays: [DType, TensorData][] = [
  ['float64', Float64Array.of(0.1, -1e300, 5e-324, Number.NaN, Number.POSITIVE_INFINITY, -0)],
  ['float32', Float32Array.of(0.1, -3e38, 1e-45, Number.NaN, Number.NEGATIVE_INFINITY, -0)],
  ['int64', BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 0n, -1n, 7n)],
  ['int32', Int32Array.of(2 ** 31 - 1, -(2 ** 31), 0, -1, 7, 9)],
  ['int16', Int16Array.of(32767, -32768, 0, -1, 7, 9)],
  ['int8', Int8Array.of(127, -128, 0, -1, 7, 9)],
  ['uint8', Uint8Array.of(0, 255, 128, 127, 7, 9)],
];

/** What checkpoints read a tensor by; not part of the public types. */
function rawBytes(from: Tensor): Promise<{ bytes: Uint8Array; dtype: DType; shape: number[] }> {
  return (from as unknown as { bytes(): ReturnType<typeof rawBytes> }).bytes();
}

for (const [dtype, array] of arrays) {
  tidyTest(t, `${dtype}: array to tensor and back, bit for bit`, async (t) => {
    const made = tensor(array, [2, 3]);
    t.strictSame(await made.ready(), { dtype, shape: [2, 3], device: 'cpu' });
    t.strictSame([made.dtype, made.shape, made.device, made.requiresGrad], [dtype, [2, 3], 'cpu', false]);
    t.strictSame(await made.data(), array, 'the same type of array with the same elements');
    const back = await made.toNdarray();
    t.strictSame([back.shape, back.stride, back.offset, back.data], [[2, 3], [3, 1], 0, array]);
    const raw = await rawBytes(made);
    t.strictSame(Buffer.from(raw.bytes), Buffer.from(array.buffer), 'raw bytes');
    t.strictSame([raw.dtype, raw.shape], [dtype, [2, 3]]);
  });
}

tidyTest(t, 'what JavaScript has no array for', async (t) => {
  const values = [1.5, -2, 0.1, 65504];
  const half = tensor(values, [4], { dtype: 'float16' });
  t.strictSame(
    await half.data(),
    Float32Array.of(1.5, -2, 0.0999755859375, 65504),
    'float16 read as float32',
  );
  const brain = tensor(values, [4], { dtype: 'bfloat16' });
  t.strictSame(
    await brain.data(),
    Float32Array.of(1.5, -2, 0.10009765625, 65536),
    'bfloat16 read as float32',
  );
  t.equal((await brain.ready()).dtype, 'bfloat16', 'reading changes nothing');
  const raw = await rawBytes(brain);
  t.strictSame([raw.dtype, raw.bytes.length], ['bfloat16', 8]);
  const truth = tensor(Uint8Array.of(0, 1, 7, 255), [2, 2], { dtype: 'bool' });
  t.strictSame(await truth.data(), Uint8Array.of(0, 1, 1, 1), 'bool read as bytes of 0 and 1');
  t.strictSame((await truth.toNdarray()).get(1, 1), 1);
  t.strictSame(await tensor(Uint8ClampedArray.of(3, 255)).data(), Uint8Array.of(3, 255));
});

tidyTest(t, 'every type converts to every other', async (t) => {
  for (const from of dtypes) {
    for (const to of dtypes) {
      const converted = tensor([0, 1, 2, 3], [2, 2], { dtype: from }).to({ dtype: to });
      const expected = from === 'bool' || to === 'bool' ? [0, 1, 1, 1] : [0, 1, 2, 3];
      t.equal((await converted.ready()).dtype, to, `${from} to ${to}`);
      t.strictSame(Array.from(await converted.data(), Number), expected, `${from} to ${to}: values`);
    }
  }
});

tidyTest(t, 'the array is copied at the call, and read at the call', async (t) => {
  const array = Float32Array.of(1, 2, 3);
  const made = tensor(array);
  array.fill(9);
  t.strictSame(await made.data(), Float32Array.of(1, 2, 3), 'later writes do not reach the tensor');
  const copy = await made.data();
  (copy as Float32Array).fill(5);
  t.strictSame(await made.data(), Float32Array.of(1, 2, 3), 'nor do writes to what was read');
  const [reading, asNdarray] = [made.data(), made.toNdarray()];
  made.mul_(10);
  t.strictSame(await reading, Float32Array.of(1, 2, 3), 'a read sees what was there at its call');
  t.strictSame((await asNdarray).data, Float32Array.of(1, 2, 3));
  const wide = made.to({ dtype: 'bfloat16' });
  const early = wide.data();
  wide.mul_(2);
  t.strictSame(await early, Float32Array.of(10, 20, 30), 'also when it converts');
});

tidyTest(t, 'parts of larger buffers', async (t) => {
  const whole = Float64Array.of(0, 1, 2, 3, 4, 5);
  t.strictSame(await tensor(whole.subarray(2, 5)).data(), Float64Array.of(2, 3, 4));
  const bytes = Buffer.from([9, 8, 7]);
  t.strictSame(await tensor(bytes.subarray(1)).data(), Uint8Array.of(8, 7), "Node's Buffer, from its pool");
  const shared = new Int16Array(new SharedArrayBuffer(8));
  shared.set([1, -2, 3, -4]);
  t.strictSame(await tensor(shared as Int16Array).data(), Int16Array.of(1, -2, 3, -4), 'shared memory');
});

tidyTest(t, 'nested arrays', async (t) => {
  const made = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  t.strictSame(await made.ready(), { dtype: 'float32', shape: [2, 3], device: 'cpu' });
  t.strictSame((await tensor(7).ready()).shape, [], 'a number has no axes');
  t.strictSame((await tensor([[], []]).ready()).shape, [2, 0]);
  t.strictSame((await tensor([1, 2], [2, 1]).ready()).shape, [2, 1], 'a shape of its own');
  t.strictSame(await tensor([1, 2], undefined, { dtype: 'int64' }).data(), BigInt64Array.of(1n, 2n));
  const endless: unknown[] = [];
  endless.push(endless);
  for (const bad of [[[1], [2, 3]], [[1], 2], [1, 'x'], 'x', null, { 0: 1 }, [1n], new Date(), endless]) {
    t.throws(() => tensor(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
  }
  for (const bad of [
    new Uint16Array(2),
    new Uint32Array(2),
    new BigUint64Array(2),
    new DataView(new ArrayBuffer(4)),
  ]) {
    t.throws(() => tensor(bad as never), { code: 'ERR_INVALID_ARGUMENT' }, bad.constructor.name);
  }
});

tidyTest(t, 'ndarrays keep type, shape and strides', async (t) => {
  const data = Float32Array.from({ length: 24 }, (_, i) => i);
  const whole = ndarray(data, [2, 3, 4]);
  const views: Record<string, NdArray<Float32Array>> = {
    whole,
    transposed: whole.transpose(2, 0, 1),
    'with an offset': whole.lo(1, 1, 1),
    stepped: whole.step(1, 2, 3),
    reversed: whole.step(-1, 1, -2),
    'one plane': whole.pick(null, 1, null),
    'one number': whole.pick(1, 2, 3),
    'row repeated': ndarray(data, [3, 4], [0, 1], 8),
    empty: ndarray(data, [0, 4], [4, 1], 0),
  };
  for (const [name, view] of Object.entries(views)) {
    const made = fromNdarray(view);
    const back = (await made.toNdarray()) as unknown as NdArray<Float32Array>;
    t.strictSame([(await made.ready()).dtype, back.shape], ['float32', view.shape], name);
    t.strictSame(elements(back), elements(view), `${name}: elements`);
  }
  const slanted = fromNdarray(ndarray(Int32Array.of(1, 2, 3, 4), [2, 2], [1, 2]));
  t.strictSame((await slanted.flatten().data()) as Int32Array, Int32Array.of(1, 3, 2, 4));
  const flags = ndarray(Uint8Array.of(1, 0, 1), [3]);
  t.strictSame(await fromNdarray(flags).data(), Uint8Array.of(1, 0, 1));
  const big = ndarray(BigInt64Array.of(2n ** 60n, -5n) as unknown as Float64Array, [2], [-1], 1);
  t.strictSame(await fromNdarray(big as never).data(), BigInt64Array.of(-5n, 2n ** 60n), 'int64 reversed');
});

function elements(array: NdArray): number[] {
  const found: number[] = [];
  const visit = (index: number[]): void => {
    const axis = index.length;
    if (axis === array.dimension) found.push(array.get(...index));
    else for (let i = 0; i < (array.shape[axis] as number); i++) visit([...index, i]);
  };
  visit([]);
  return found;
}

tidyTest(t, 'ndarrays that do not fit', async (t) => {
  t.throws(() => fromNdarray(ndarray([1, 2, 3]) as never), { code: 'ERR_INVALID_ARGUMENT' });
  for (const bad of [[1, 2], null, undefined, 5]) {
    t.throws(() => fromNdarray(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
  }
  t.throws(
    () => fromNdarray(ndarray(new Float32Array(3), [2, 2]) as never),
    { code: 'ERR_INVALID_SHAPE' },
    'short',
  );
  t.throws(() => fromNdarray(ndarray(new Float32Array(4), [2, 2], [2, 1], 3) as never), {
    code: 'ERR_INVALID_SHAPE',
  });
  t.throws(() => fromNdarray(ndarray(new Float32Array(4), [2, 2], [-2, 1], 0) as never), {
    code: 'ERR_INVALID_SHAPE',
  });
});

tidyTest(t, 'item', async (t) => {
  t.equal(await tensor([2.5]).item(), 2.5);
  t.equal(await tensor([[7]], undefined, { dtype: 'int8' }).item(), 7);
  t.equal(await tensor(Uint8Array.of(1), [1], { dtype: 'bool' }).item(), 1);
  t.equal(await tensor(BigInt64Array.of(-(2n ** 53n) + 1n)).item(), -(2 ** 53) + 1);
  await t.rejects(
    tensor(BigInt64Array.of(2n ** 53n + 1n)).item(),
    { code: 'ERR_INVALID_DTYPE' },
    'not rounded',
  );
  t.ok(Number.isNaN(await full([], Number.NaN).item()));
  await t.rejects(tensor([1, 2]).item(), { code: 'ERR_INVALID_SHAPE' });
  await t.rejects(tensor([]).item(), { code: 'ERR_INVALID_SHAPE' });
});

tidyTest(t, 'shape and dtype before the tensor is there', async (t) => {
  const pending = full([512, 512], 1).matmul(full([512, 512], 1));
  t.throws(() => pending.add(1).shape, { code: 'ERR_INVALID_ARGUMENT', message: /await ready\(\)/ });
  await pending.ready();
  t.strictSame(pending.shape, [512, 512]);
});

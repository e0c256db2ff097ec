import type { NdArray } from 'ndarray';
import type { Test } from 'tap';
import { memoryStats, tensor } from '../../lib/tensor/create.js';
import type { DType } from '../../lib/tensor/dtype.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { type Doubles, doubles, flat } from '../reference/array.js';

/** The tests' own random numbers: the same at every run, of nothing that is under test. */
export function noise(seed: number, length: number, low = -1, high = 1): Float64Array {
  let state = seed >>> 0;
  return Float64Array.from({ length }, () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return low + ((high - low) * ((x ^ (x >>> 14)) >>> 0)) / 4294967296;
  });
}

/** A random array of doubles. */
export function randomArray(seed: number, shape: readonly number[], low = -1, high = 1): Doubles {
  const size = shape.reduce((product, length) => product * length, 1);
  return doubles(shape, noise(seed, size, low, high));
}

/** An array as a tensor, float64 unless another type is asked for. */
export function toTensor(array: NdArray, dtype: DType = 'float64', requiresGrad = false): Tensor {
  return tensor(Float64Array.from(flat(array)), array.shape, { dtype, requiresGrad });
}

/** The largest distance between a tensor and an array; infinite where one is NaN and the other is not. */
export async function distance(actual: Tensor, expected: NdArray): Promise<number> {
  const values = flat((await actual.toNdarray()) as unknown as NdArray);
  return flat(expected).reduce((worst, want, i) => {
    const got = values[i] as number;
    if (Object.is(want, got) || want === got) return worst;
    const far = Math.abs(want - got);
    return Number.isNaN(far) ? Number.POSITIVE_INFINITY : Math.max(worst, far);
  }, 0);
}

/** Asserts shape, type and values. */
export async function isClose(
  t: Test,
  actual: Tensor,
  expected: NdArray,
  options: { readonly tolerance?: number; readonly dtype?: DType; readonly name?: string } = {},
): Promise<void> {
  const { tolerance = 1e-12, dtype = 'float64', name = 'values' } = options;
  const info = await actual.ready();
  t.strictSame([info.dtype, info.shape], [dtype, expected.shape], `${name}: type and shape`);
  const far = await distance(actual, expected);
  t.ok(far <= tolerance, `${name}: within ${tolerance}, off by ${far}`);
}

/** A subtest in its own tidy scope, after which as many tensors live as before. */
export function tidyTest(t: Test, name: string, body: (t: Test) => Promise<void>): void {
  t.test(name, async (inner) => {
    const before = memoryStats().liveTensors;
    await tidy(() => body(inner));
    inner.equal(memoryStats().liveTensors, before, 'no tensor is left');
  });
}

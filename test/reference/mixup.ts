import type { NdArray } from 'ndarray';
import { type Doubles, doubles, flat, length } from './array.js';

/** lambda x + (1 - lambda) x[permutation] over the first dimension. */
export function mixup(x: NdArray, permutation: ArrayLike<number>, lambda: number): Doubles {
  const values = flat(x);
  const stride = values.length / length(x, 0);
  return doubles(
    x.shape,
    values.map((value, i) => {
      const partner = (permutation[Math.floor(i / stride)] as number) * stride + (i % stride);
      return lambda * value + (1 - lambda) * (values[partner] as number);
    }),
  );
}

/** (1 - lambda) natural + lambda balanced. */
export function balancedMixup(natural: NdArray, balanced: NdArray, lambda: number): Doubles {
  const other = flat(balanced);
  return doubles(
    natural.shape,
    flat(natural).map((value, i) => (1 - lambda) * value + lambda * (other[i] as number)),
  );
}

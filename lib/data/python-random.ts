import { mersenneFromState } from 'pure-rand/generator/mersenne';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { integer, invalidArgument } from '../validate.js';

/** Words of the Mersenne Twister's state. */
const words = 624;

/**
 * The draws of Python's `random` module, number for number: MT19937 (Matsumoto and Nishimura, ACM TOMACS 8, 1998) seeded
 * as `random.seed(seed)` does, and `random.sample` of CPython 3.11 (`Lib/random.py`). With it a split that an original
 * drew with Python can be drawn again.
 *
 * @example
 * ```ts
 * new PythonRandom(42).sample(['a', 'b', 'c'], 2); // ['c', 'a'], as random.seed(42); random.sample('abc', 2)
 * ```
 */
export class PythonRandom {
  readonly #generator: RandomGenerator;

  /** @param seed at least 0 */
  constructor(seed: number) {
    integer('seed', seed, { min: 0 });
    const high = Math.floor(seed / 2 ** 32);
    const key = high === 0 ? [seed] : [seed >>> 0, high];
    this.#generator = mersenneFromState([0, ...seededState(key)]);
    // pure-rand works on the state one round ahead: a round of draws brings it there.
    for (let i = 0; i < words; i++) this.#generator.next();
  }

  /**
   * @param count of bits, 1 to 32
   * @returns an integer of so many random bits: `random.getrandbits(count)`
   */
  bits(count: number): number {
    integer('count', count, { min: 1, max: 32 });
    return this.#generator.next() >>> (32 - count);
  }

  /**
   * @param n 1 to 2³² - 1
   * @returns an integer from 0 to `n - 1`: Python's `random._randbelow(n)`
   */
  below(n: number): number {
    const count = 32 - Math.clz32(integer('n', n, { min: 1, max: 0xffffffff }));
    for (;;) {
      const drawn = this.bits(count);
      if (drawn < n) return drawn;
    }
  }

  /**
   * @param population left as it is
   * @param k how many, at most all
   * @returns so many items in the order in which they were drawn: `random.sample(population, k)`
   */
  sample<T>(population: readonly T[], k: number): T[] {
    const n = population.length;
    if (!(Number.isInteger(k) && k >= 0 && k <= n))
      throw invalidArgument('k', `an integer from 0 to ${n}`, k);
    // Python takes whichever of two ways needs less memory; they draw different items.
    const setSize = 21 + (k > 5 ? 4 ** Math.ceil(Math.log(k * 3) / Math.log(4)) : 0);
    return n <= setSize ? this.#fromPool([...population], k) : this.#bySet(population, k);
  }

  #fromPool<T>(pool: T[], k: number): T[] {
    return Array.from({ length: k }, (_, i) => {
      const j = this.below(pool.length - i);
      const taken = pool[j] as T;
      pool[j] = pool[pool.length - i - 1] as T;
      return taken;
    });
  }

  #bySet<T>(population: readonly T[], k: number): T[] {
    const drawn = new Set<number>();
    return Array.from({ length: k }, () => {
      let j = this.below(population.length);
      while (drawn.has(j)) j = this.below(population.length);
      drawn.add(j);
      return population[j] as T;
    });
  }
}

/** The Mersenne Twister's `init_by_array`: how Python turns a seed into a state. */
function seededState(key: readonly number[]): number[] {
  const state = new Int32Array(words);
  const mixed = (i: number, factor: number): number => {
    const before = state[i - 1] as number;
    return Math.imul(before ^ (before >>> 30), factor);
  };
  state[0] = 19650218;
  for (let i = 1; i < words; i++) state[i] = mixed(i, 1812433253) + i;
  let i = 1;
  const step = (value: number): void => {
    state[i] = value;
    i += 1;
    if (i < words) return;
    state[0] = state[words - 1] as number;
    i = 1;
  };
  for (let k = 0; k < Math.max(words, key.length); k++) {
    const j = k % key.length;
    step(((state[i] as number) ^ mixed(i, 1664525)) + (key[j] as number) + j);
  }
  for (let k = 1; k < words; k++) step(((state[i] as number) ^ mixed(i, 1566083941)) - i);
  state[0] = 0x80000000;
  return [...state];
}

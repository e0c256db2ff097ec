import { createHash } from 'node:crypto';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { integer as checkInteger, number as checkNumber, invalidArgument } from '../validate.js';

/** Part of the key of a stream of random numbers: an epoch, a sample index, or the purpose in words. */
export type StreamKey = number | string;

/** The draws that sampling, augmentation and MixUp need, from one stream. Made by {@link rng}. */
export class Random {
  readonly #generator: RandomGenerator;
  #spareNormal: number | undefined;

  /** @param generator the source of bits, moved on by every draw */
  constructor(generator: RandomGenerator) {
    this.#generator = generator;
  }

  /**
   * @param low lower end, included; 0 by default
   * @param high upper end, excluded; 1 by default
   * @returns a number uniform in `[low, high)`, of 53 random bits
   */
  uniform(low = 0, high = 1): number {
    const value = low + (high - low) * uniformFloat64(this.#generator);
    // Rounding of low + (high - low) * u can reach the excluded end.
    return value < high ? value : low;
  }

  /**
   * @param n number of possible values, 1 to 2^53 - 1
   * @returns an integer uniform in 0 to `n - 1`, without modulo bias
   */
  integer(n: number): number {
    return uniformInt(this.#generator, 0, checkInteger('n', n, { min: 1 }) - 1);
  }

  /** @returns a standard normal number, by the polar method (Marsaglia and Bray, SIAM Review 6, 1964) */
  normal(): number {
    const spare = this.#spareNormal;
    if (spare !== undefined) {
      this.#spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const x = this.uniform(-1, 1);
      const y = this.uniform(-1, 1);
      const square = x * x + y * y;
      if (square === 0 || square >= 1) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spareNormal = y * factor;
      return x * factor;
    }
  }

  /**
   * Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26, 2000; below
   * shape 1 by their boost G(k) = G(k + 1) * U^(1/k).
   *
   * @param shape above 0
   * @returns a gamma number of this shape and scale 1
   */
  gamma(shape: number): number {
    checkNumber('shape', shape, { above: 0 });
    if (shape < 1) return this.gamma(shape + 1) * this.#positive() ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      if (Math.log(this.#positive()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /**
   * The mixing weight of MixUp is such a number. With both parameters at most 1 by Jöhnk's method
   * (Metrika 8, 1964), in logarithms where the powers underflow, as small parameters make them; else
   * from two gamma numbers.
   *
   * @param a first parameter, above 0
   * @param b second parameter, above 0
   * @returns a number in `[0, 1]` of the distribution Beta(a, b)
   */
  beta(a: number, b: number): number {
    checkNumber('a', a, { above: 0 });
    checkNumber('b', b, { above: 0 });
    if (a <= 1 && b <= 1) return this.#johnk(a, b);
    const x = this.gamma(a);
    const y = this.gamma(b);
    return x === 0 && y === 0 ? (a < b ? 0 : 1) : x / (x + y);
  }

  /**
   * @param n number of items
   * @returns the integers 0 to `n - 1` in random order (Fisher and Yates; Durstenfeld, CACM 7, 1964)
   */
  permutation(n: number): Uint32Array {
    checkInteger('n', n, { min: 0, max: 0xffffffff });
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = uniformInt(this.#generator, 0, i);
      const moved = order[i] as number;
      order[i] = order[j] as number;
      order[j] = moved;
    }
    return order;
  }

  /** Uniform in (0, 1]: its logarithm is finite. */
  #positive(): number {
    return 1 - this.uniform();
  }

  #johnk(a: number, b: number): number {
    for (;;) {
      const u = this.#positive();
      const v = this.#positive();
      const x = u ** (1 / a);
      const y = v ** (1 / b);
      const sum = x + y;
      if (sum > 1) continue;
      if (sum > 0) return x / sum;
      const logX = Math.log(u) / a;
      const logY = Math.log(v) / b;
      // x / (x + y) with both scaled by the larger one.
      return 1 / (1 + Math.exp(logY - logX));
    }
  }
}

/**
 * A generator that depends on its key alone, so that a sample gets the same numbers whichever worker
 * draws them and in whatever order. The key is hashed (SHA-256), because xoroshiro128+ needs a state
 * without long runs of zeros and neighbouring keys have to give unrelated streams.
 *
 * @param seed the one seed of the run, an integer
 * @param streams what the numbers are for, such as `'augmentation', epoch, index`
 * @returns a fresh stream
 */
export function rng(seed: number, ...streams: readonly StreamKey[]): Random {
  checkInteger('seed', seed);
  let key = `${seed}`;
  for (const part of streams) {
    if (typeof part === 'number') checkInteger('stream key', part);
    else if (typeof part !== 'string') throw invalidArgument('stream key', 'an integer or a string', part);
    // The length keeps 'a', 'bc' and 'ab', 'c' apart, the type 1 and '1'.
    key += typeof part === 'number' ? `|n${part}` : `|s${part.length}:${part}`;
  }
  const digest = createHash('sha256').update(key).digest();
  const state = [0, 4, 8, 12].map((offset) => digest.readInt32LE(offset));
  return new Random(xoroshiro128plusFromState(state));
}

import { type Random, rng, type StreamKey } from '../random.js';

/**
 * Draws for the parts of a phantom, from a stream that is fixed by its key alone. Every part has a stream of its own,
 * so that a change in one part (one more vessel, say) leaves every other part as it was.
 */
export class Draw {
  readonly #random: Random;

  /**
   * @param seed of the set
   * @param key what the stream is for, such as `'patient', 12`
   */
  constructor(seed: number, ...key: readonly StreamKey[]) {
    this.#random = rng(seed, 'phantom', ...key);
  }

  /** A number in `[min, max)`. */
  uniform(min: number, max: number): number {
    return this.#random.uniform(min, max);
  }

  /** An integer from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + this.#random.integer(max - min + 1);
  }

  /** A key for hashed noise: any 31 bits. */
  key(): number {
    return this.#random.integer(0x7fffffff);
  }

  /** `true` with the given probability. */
  chance(probability: number): boolean {
    return this.#random.uniform() < probability;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.#random.integer(items.length)] as T;
  }

  /**
   * A normal number, cut off at 2.5 standard deviations: anatomy has no far tails, and a single monster among many
   * phantoms would only be a puzzle.
   */
  normal(mean: number, deviation: number): number {
    return mean + deviation * Math.max(-2.5, Math.min(2.5, this.#random.normal()));
  }

  /** The items in random order, as a new array. */
  shuffle<T>(items: readonly T[]): T[] {
    return Array.from(this.#random.permutation(items.length), (i) => items[i] as T);
  }
}

import { CxrGazeError } from '../errors.js';

/** @throws `ERR_ABORTED` once the signal has fired. @internal */
export function throwIfAborted(signal: AbortSignal | undefined, work: string): void {
  if (signal?.aborted)
    throw new CxrGazeError('ERR_ABORTED', `${work} was given up`, { cause: signal.reason });
}

/**
 * Runs `work` for 0 to `count - 1`, a few at a time, begun in order. After the first failure nothing new is begun; what
 * runs is waited for, then the failure is thrown.
 *
 * @internal
 */
export async function forEachBounded(
  count: number,
  concurrency: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const runner = async (): Promise<void> => {
    while (next < count && !failed) {
      try {
        await work(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(concurrency, count) }, runner));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Lets at most so many tasks run at once; the others wait in order. @internal */
export class Gate {
  readonly #most: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

import type { CxrGazeError } from '../errors.js';

/** Events kept for an iterator that has not come yet. */
const BACKLOG = 4096;

/**
 * A long piece of work under way: an async iterable of typed events, and a promise of its result. It runs whether or
 * not it is iterated. Breaking out of the iteration ends it after the current step and waits until it has saved what it
 * reached; the result then resolves with `undefined`. A failure is thrown by the iteration and rejects the result;
 * whoever neither iterates nor awaits gets it as an unhandled rejection.
 *
 * @typeParam Event what the iteration gives
 * @typeParam Result what {@link Run.result} resolves with
 */
export class Run<Event, Result> implements AsyncIterable<Event> {
  /** Resolves at the end; rejects with whatever stopped the work. */
  readonly result: Promise<Result | undefined>;
  readonly #events: Event[] = [];
  readonly #stop = new AbortController();
  #wake: () => void = () => {};
  #listening = false;
  #done = false;
  #failure: { readonly error: unknown } | undefined;

  /** @hidden @param work the generator; it looks at `stop` between its steps and returns early when it fires */
  constructor(work: (stop: AbortSignal) => AsyncGenerator<Event, Result | undefined>) {
    this.result = this.#pump(work(this.#stop.signal));
  }

  async #pump(work: AsyncGenerator<Event, Result | undefined>): Promise<Result | undefined> {
    try {
      for (;;) {
        const next = await work.next();
        if (next.done) return next.value;
        this.#events.push(next.value);
        // Nobody listens: keep the newest only. A listener, however slow, misses nothing.
        if (!this.#listening && this.#events.length > BACKLOG) this.#events.splice(0, BACKLOG / 2);
        this.#wake();
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      this.#done = true;
      this.#wake();
    }
  }

  /** The events from the beginning, if called at once. One iteration only. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void> {
    this.#listening = true;
    // Whoever iterates meets the failure there; it must not also count as unhandled.
    this.result.catch(() => {});
    try {
      for (;;) {
        while (this.#events.length > 0) yield this.#events.shift() as Event;
        if (this.#failure) throw this.#failure.error as CxrGazeError;
        if (this.#done) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#stop.abort();
      // After a `break` the loop waits here for the last save, and meets its failure.
      await this.result;
    }
  }
}

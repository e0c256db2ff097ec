import { CxrGazeError } from '../errors.js';
import { raiseLost } from './context.js';

/**
 * The promise of work that need not be awaited, such as `backward()` or `optimizer.step()`. If the work fails and
 * nobody has attached a handler, the error is thrown at the end of the enclosing `tidy` scope, or is an unhandled
 * rejection where there is none.
 */
export class Work<T> extends Promise<T> {
  #observed = false;

  /** What `then` gives is a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Like `Promise.then`; attaching a handler makes the caller answerable for the error. */
  // biome-ignore lint/suspicious/noThenProperty: a promise subclass that must know whether anybody listens
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#observed = true;
    return super.then(onFulfilled, onRejected);
  }

  /** @internal `scope` is the path of the scope that was active at the call; empty for none. */
  static of<T>(promise: Promise<T>, scope: string): Work<T> {
    const work = new Work<T>((resolve, reject) => {
      promise.then(resolve, reject);
    });
    // Without a scope, a rejection that nobody handles is already what it should be: an unhandled one.
    if (scope === '') return work;
    Promise.prototype.then.call(work, undefined, (error: unknown) => {
      if (work.#observed) return;
      if (error instanceof CxrGazeError) raiseLost(error, scope, () => work.#observed);
      else void Promise.reject(error);
    });
    return work;
  }
}

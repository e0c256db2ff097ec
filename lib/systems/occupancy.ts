import { CxrGazeError } from '../errors.js';

/** Who uses the weights of a system's network: one who changes them, or any number who need them to stay as they are. */
export class Occupancy {
  readonly #network: { readonly disposed: boolean };
  readonly #kind: string;
  readonly #holds = new Set<{ readonly taken: string }>();
  #change: string | undefined;

  /**
   * @param network whose weights
   * @param kind what messages call the system, such as `segmenter`
   */
  constructor(network: { readonly disposed: boolean }, kind: string) {
    this.#network = network;
    this.#kind = kind;
  }

  /** Whether the weights are changing. */
  get changing(): boolean {
    return this.#change !== undefined;
  }

  /** @throws CxrGazeError `ERR_DISPOSED` */
  requireLive(): void {
    if (this.#network.disposed)
      throw new CxrGazeError('ERR_DISPOSED', `Expected a live ${this.#kind} but it has been disposed`);
  }

  /** @throws CxrGazeError `ERR_BUSY` where the weights are changing */
  requireIdle(): void {
    if (this.#change !== undefined)
      throw new CxrGazeError(
        'ERR_BUSY',
        `Expected a ${this.#kind} whose weights are not changing; its ${this.#change} has not ended`,
      );
  }

  /** @throws CxrGazeError `ERR_BUSY` where the weights are changing, or have to stay as they are */
  requireFree(): void {
    this.requireIdle();
    const [hold] = this.#holds;
    if (hold)
      throw new CxrGazeError(
        'ERR_BUSY',
        `Expected a ${this.#kind} whose ${hold.taken} are not being taken just now`,
      );
  }

  /**
   * Nobody else changes the weights, nor relies on them, until the function that it returns is called.
   *
   * @param change what messages call it, such as `fit`
   * @throws CxrGazeError `ERR_BUSY`
   */
  claim(change: string): () => void {
    this.requireFree();
    this.#change = change;
    return () => {
      this.#change = undefined;
    };
  }

  /**
   * The weights stay as they are until the function that it returns is called.
   *
   * @param taken what is computed from them meanwhile, such as `boxes`
   * @throws CxrGazeError `ERR_BUSY` where they are changing
   */
  hold(taken: string): () => void {
    this.requireIdle();
    const hold = { taken };
    this.#holds.add(hold);
    return () => {
      this.#holds.delete(hold);
    };
  }
}

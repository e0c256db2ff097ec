import type { Batch } from '../data/batch.js';
import type { Network } from '../models/network.js';
import { noGrad } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { type Normalisation, toInputs } from '../training/inputs.js';
import {
  type Precision,
  type PrecisionChoice,
  resolvePrecision,
  withPrecision,
} from '../training/precision.js';

/** What a pass over images needs of a system's network. */
export interface SystemLike<N extends Network> {
  /** The network. */
  readonly network: N;
  /** What its input is. */
  readonly card: { readonly imageSize: number; readonly normalisation: Normalisation };
  /** Where it computes. */
  readonly device: string;
}

/**
 * A system's network as a pass without training computes with it: in the pass's precision, whatever training is doing to the
 * same network meanwhile.
 */
export class PassNetwork<N extends Network> {
  /** What computes. */
  readonly network: N;
  /** Arithmetic. */
  readonly precision: Precision;
  readonly #system: SystemLike<N>;

  private constructor(system: SystemLike<N>, network: N, precision: Precision) {
    this.#system = system;
    this.network = network;
    this.precision = precision;
  }

  /**
   * @param system whose network
   * @param choice of the pass; in `float64` it computes with a copy of the weights as they are now
   * @param copy makes another network of that kind; its weights are of no concern
   */
  static async open<N extends Network>(
    system: SystemLike<N>,
    choice: PrecisionChoice,
    copy: (network: N) => N,
  ): Promise<PassNetwork<N>> {
    const precision = await resolvePrecision(choice, system.device);
    const network = precision === 'float64' ? await copyInDouble(system, copy) : system.network;
    return new PassNetwork(system, network, precision);
  }

  /**
   * Calls `fn` with a batch's normalised images `[B, 3, H, W]`, under the pass's precision; the batch is disposed. Call it in
   * a `tidy` scope, and queue the network's work in `fn` before anything is awaited.
   */
  run<T>(batch: Batch, fn: (network: N, images: Tensor) => T): T {
    // A network that is being trained in float64 meanwhile takes nothing else.
    const precision = this.network.dtype === 'float64' ? 'float64' : this.precision;
    const { card, device } = this.#system;
    const place = { epoch: 1, step: 0, normalisation: card.normalisation, precision, device };
    const { images } = toInputs(batch, place);
    // bfloat16 convolutions are fast in this order only.
    const ordered = precision === 'bfloat16' ? images.to({ memoryFormat: 'channelsLast' }) : images;
    return withPrecision(precision, () => fn(this.network, ordered));
  }

  /** As {@link PassNetwork.run}, without a graph. */
  ask<T>(batch: Batch, fn: (network: N, images: Tensor) => T): T {
    return this.run(batch, (network, images) => noGrad(() => fn(network, images)));
  }

  /** Frees the copy, if it is one. */
  [Symbol.dispose](): void {
    if (this.network !== this.#system.network) this.network.dispose();
  }
}

async function copyInDouble<N extends Network>(
  { network, device }: SystemLike<N>,
  make: (network: N) => N,
): Promise<N> {
  const copy = make(network);
  try {
    copy.to({ dtype: 'float64', device });
    await tidy(async () => {
      await copy.loadStateDict(await network.stateDict());
    });
    return copy;
  } catch (error) {
    copy.dispose();
    throw error;
  }
}

import type { Batch } from '../../data/batch.js';
import { createModel, type Model, probabilities } from '../../models/model.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { toInputs } from '../../training/inputs.js';
import {
  type Precision,
  type PrecisionChoice,
  resolvePrecision,
  withPrecision,
} from '../../training/precision.js';
import type { Network } from './passes.js';

/**
 * A classifier's network as a pass without training computes with it: in evaluation mode and in the pass's precision,
 * whatever training is doing to the same network meanwhile.
 */
export class PassNetwork {
  /** What computes. */
  readonly model: Model;
  /** Arithmetic. */
  readonly precision: Precision;
  readonly #network: Network;

  private constructor(network: Network, model: Model, precision: Precision) {
    this.#network = network;
    this.model = model;
    this.precision = precision;
  }

  /** @param choice of the pass; in `float64` it computes with a copy of the weights */
  static async open(network: Network, choice: PrecisionChoice): Promise<PassNetwork> {
    const precision = await resolvePrecision(choice, network.device);
    const model = precision === 'float64' ? await copyInDouble(network) : network.model;
    return new PassNetwork(network, model, precision);
  }

  /**
   * Calls `fn` with a batch's normalised images `[B, 3, H, W]`, under the pass's precision. Call it in a `tidy` scope, and
   * queue the network's work in `fn` before anything is awaited.
   */
  run<T>(batch: Batch, fn: (model: Model, images: Tensor) => T): T {
    // A network that is being trained in float64 meanwhile takes nothing else.
    const precision = this.model.dtype === 'float64' ? 'float64' : this.precision;
    const { card, device } = this.#network;
    const place = { epoch: 1, step: 0, normalisation: card.normalisation, precision, device };
    const { images } = toInputs(batch, place);
    // bfloat16 convolutions are fast in this order only.
    const ordered = precision === 'bfloat16' ? images.to({ memoryFormat: 'channelsLast' }) : images;
    return withPrecision(precision, () => fn(this.model, ordered));
  }

  /** Class probabilities of a batch, `[B, C]` row-major; the batch is disposed. */
  probabilities(batch: Batch): Promise<Float32Array> {
    return tidy(async () => (await this.run(batch, probabilities).data()) as Float32Array);
  }

  /** Frees the copy, if it is one. */
  [Symbol.dispose](): void {
    if (this.model !== this.#network.model) this.model.dispose();
  }
}

async function copyInDouble({ model, device }: Network): Promise<Model> {
  const copy = createModel(model.options);
  try {
    copy.to({ dtype: 'float64', device });
    await tidy(async () => {
      await copy.loadStateDict(await model.stateDict());
    });
    return copy;
  } catch (error) {
    copy.dispose();
    throw error;
  }
}

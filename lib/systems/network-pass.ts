import { createHash } from 'node:crypto';
import type { Batch } from '../data/batch.js';
import type { Network } from '../models/network.js';
import { noGrad } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { type Normalisation, toInputs } from '../training/inputs.js';
import { type PrecisionChoice, resolvePrecision, withPrecision } from '../training/precision.js';

/** What a pass over images needs of a system's network. */
export interface Asked<N extends Network> {
  /** The network. */
  readonly network: N;
  /** What its input is. */
  readonly card: { readonly imageSize: number; readonly normalisation: Normalisation };
  /** Where it computes. */
  readonly device: string;
}

/**
 * Calls `fn` with a batch's normalised images, without a graph and under the pass's precision; the batch is disposed. Call
 * it in a `tidy` scope.
 */
export async function askNetwork<N extends Network, T>(
  { network, card, device }: Asked<N>,
  batch: Batch,
  choice: PrecisionChoice | undefined,
  fn: (network: N, images: Tensor) => T,
): Promise<T> {
  // A network that is being trained in float64 meanwhile takes nothing else.
  const wanted = await resolvePrecision(choice ?? 'float32', device);
  const precision = network.dtype === 'float64' ? 'float64' : wanted;
  const place = { epoch: 1, step: 0, normalisation: card.normalisation, precision, device };
  const { images } = toInputs(batch, place);
  // bfloat16 convolutions are fast in this order only.
  const ordered = precision === 'bfloat16' ? images.to({ memoryFormat: 'channelsLast' }) : images;
  return noGrad(() => withPrecision(precision, () => fn(network, ordered)));
}

/**
 * SHA-256 of a network's state: names, types, shapes and bytes.
 *
 * @param wanted which tensors count; default: all
 */
export async function stateHash(
  network: Network,
  wanted: (name: string) => boolean = () => true,
): Promise<string> {
  return tidy(async () => {
    const hash = createHash('sha256');
    for (const [name, tensor] of await network.stateDict()) {
      if (!wanted(name)) continue;
      const { bytes, dtype, shape } = await tensor.bytes();
      hash.update(`${name} ${dtype} ${shape.join('x')}\n`).update(bytes);
    }
    return hash.digest('hex');
  });
}

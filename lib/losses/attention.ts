import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { knownKeys, oneOf } from '../validate.js';

/** Options of {@link attentionLoss}. */
export interface AttentionOptions {
  /**
   * What is done with the H W positions of a map. `'mean'`: the published value, which is logged and compared, at most
   * 2 / (H W). `'sum'`: H W times that, for training, because the gradients of the mean (1e-9 an element) drown in Adam's
   * ε. Default `'mean'`.
   */
  readonly reduction?: 'mean' | 'sum';
}

/**
 * Mean over the batch, and mean or sum over positions, of (A(x) - A(y))², where A(t) is the mean over channels of the
 * squares, flattened and scaled to unit length. A map of zeros stays zero. Zagoruyko and Komodakis, "Paying More
 * Attention to Attention", ICLR 2017; `lordmoinak1/gazelt: src/losses.py`, global_loss and focal_loss.
 *
 * @param x [B, C, H, W], floating point
 * @param y [B, C', H, W]; the number of channels may differ
 * @param options the reduction
 * @returns a scalar
 * @throws CxrGazeError `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`
 */
export function attentionLoss(x: Tensor, y: Tensor, options: AttentionOptions = {}): Tensor {
  knownKeys('options', options, ['reduction']);
  const reduction = oneOf('options.reduction', options.reduction ?? 'mean', ['mean', 'sum']);
  return run('loss.attention', [x, y], { reduction });
}

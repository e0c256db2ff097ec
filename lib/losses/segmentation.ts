import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { knownKeys, number } from '../validate.js';

/** Options of {@link segmentationLoss}. */
export interface SegmentationLossOptions {
  /** Added above and below the overlap's fraction, so that a batch without foreground has one; default 1. */
  readonly smooth?: number;
}

/**
 * Binary cross-entropy and soft Dice loss: mean over pixels of -m log p - (1 - m) log(1 - p), plus
 * 1 - (2 Σ p m + s) / (Σ p + Σ m + s) with the sums over the whole batch; p = sigmoid of the logits, m the mask. The recipe
 * of `nikhilroxtomar/Retina-Blood-Vessel-Segmentation-in-PyTorch: UNET/loss.py`, whose U-Net loc-attention's is
 * (section 3.4).
 *
 * @param logits floating point, such as [B, 1, H, W]
 * @param targets of the same shape, 0 to 1
 * @param options smoothing
 * @returns a scalar
 * @throws CxrGazeError `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`
 */
export function segmentationLoss(
  logits: Tensor,
  targets: Tensor,
  options: SegmentationLossOptions = {},
): Tensor {
  knownKeys('options', options, ['smooth']);
  const smooth = number('options.smooth', options.smooth ?? 1, { min: 0 });
  return run('loss.segmentation', [logits, targets], { smooth });
}

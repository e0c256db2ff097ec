import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { knownKeys, number } from '../validate.js';
import { type ClassValues, withClassValues } from './class-values.js';

/** Options of {@link focalLoss}. */
export interface FocalOptions {
  /** Weight α of each class, [C]. Default: all 1. */
  readonly weights?: ClassValues | undefined;
  /** Exponent γ of (1 - p), 0 or more. Default 2. */
  readonly gamma?: number;
}

/**
 * Mean over the batch of α_{y_i} (1 - p_i)^γ (-log p_i), p_i the softmax probability of the true class. The mean is over
 * images, not over weights, so that γ = 0 with weights is not the weighted cross-entropy. Labels of -100 are left out;
 * without any other label the loss is 0. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, as
 * `adeelh/pytorch-multi-class-focal-loss` computes it.
 *
 * @param logits [B, C], floating point; lower precision than float32 is cast up
 * @param labels int64 [B], 0 to C - 1 or -100
 * @param options class weights and γ
 * @returns a scalar
 * @throws CxrGazeError `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`; `ERR_INVALID_ARGUMENT` for a label out of range
 */
export function focalLoss(logits: Tensor, labels: Tensor, options: FocalOptions = {}): Tensor {
  knownKeys('options', options, ['weights', 'gamma']);
  const gamma = number('options.gamma', options.gamma ?? 2, { min: 0, max: 1000 });
  return withClassValues('options.weights', options.weights, (weights) =>
    run('loss.focal', [logits, labels, weights], { gamma }),
  );
}

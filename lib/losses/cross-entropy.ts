import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { knownKeys } from '../validate.js';
import { type ClassValues, withClassValues } from './class-values.js';

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Weight of each class, [C]. Default: all 1. */
  readonly weights?: ClassValues | undefined;
}

/**
 * Σ_i w_{y_i} (-log p_{i, y_i}) / Σ_i w_{y_i} with p = softmax of the logits: the weighted mean, as
 * `torch.nn.CrossEntropyLoss`.
 *
 * @param logits [B, C], floating point; lower precision than float32 is cast up
 * @param labels int64 [B], 0 to C - 1; may stay on the CPU beside logits on a GPU
 * @param options class weights
 * @returns a scalar
 * @throws CxrGazeError `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`; `ERR_INVALID_ARGUMENT` for a label out of range
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  knownKeys('options', options, ['weights']);
  return withClassValues('options.weights', options.weights, (weights) =>
    run('loss.crossEntropy', [logits, labels, weights]),
  );
}

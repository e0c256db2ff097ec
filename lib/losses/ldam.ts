import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { invalidArgument, knownKeys, number } from '../validate.js';
import { type ClassValues, withClassValues } from './class-values.js';

/** Options of {@link ldamLoss}. */
export interface LdamOptions {
  /** Margin of each class, [C], as {@link ldamMargins} gives them. */
  readonly margins: ClassValues;
  /** Weight of each class, [C]. Default: all 1. */
  readonly weights?: ClassValues | undefined;
  /** Factor s on the logits inside the loss. Default 30. */
  readonly scale?: number;
}

/**
 * Weighted-mean cross-entropy of s z, where z is the logits with the margin of the true class taken off its logit. Only
 * the loss is scaled: probabilities are the softmax of the logits as they are. Cao et al., "Learning Imbalanced Datasets
 * with Label-Distribution-Aware Margin Loss", NeurIPS 2019.
 *
 * @param logits [B, C], floating point; lower precision than float32 is cast up
 * @param labels int64 [B], 0 to C - 1
 * @param options margins, weights and scale
 * @returns a scalar
 * @throws CxrGazeError `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`; `ERR_INVALID_ARGUMENT` for a label out of range
 */
export function ldamLoss(logits: Tensor, labels: Tensor, options: LdamOptions): Tensor {
  knownKeys('options', options, ['margins', 'weights', 'scale']);
  if (options.margins === undefined)
    throw invalidArgument('options.margins', 'one margin for each class', undefined);
  const scale = number('options.scale', options.scale ?? 30, { above: 0 });
  return withClassValues('options.margins', options.margins, (margins) =>
    withClassValues('options.weights', options.weights, (weights) =>
      run('loss.ldam', [logits, labels, margins, weights], { scale }),
    ),
  );
}

import type { Tensor } from '../tensor/tensor.js';
import { invalidArgument, knownKeys, number, oneOf } from '../validate.js';
import type { ClassValues } from './class-values.js';
import { ldamMargins } from './class-weights.js';
import { crossEntropy } from './cross-entropy.js';
import { focalLoss } from './focal.js';
import { ldamLoss } from './ldam.js';

/** Logits [B, C] and labels int64 [B] to a scalar loss. */
export type Criterion = (logits: Tensor, labels: Tensor) => Tensor;

/** A long-tailed classification loss: cross-entropy, focal or LDAM. */
export type ClassificationLoss = 'ce' | 'focal' | 'ldam';

/** The values of {@link ClassificationLoss}. */
export const classificationLosses: readonly ClassificationLoss[] = ['ce', 'focal', 'ldam'];

/** Options of {@link classificationLoss}. */
export interface ClassificationLossOptions {
  /** Which loss. */
  readonly loss: ClassificationLoss;
  /** Weight of each class, [C]. Default: all 1. Deferred re-weighting makes a second criterion with them. */
  readonly weights?: ClassValues | undefined;
  /** Training images of each class; LDAM makes its margins of them. */
  readonly counts?: readonly number[];
  /** LDAM: margin of the rarest class. Default 0.5. */
  readonly maxMargin?: number;
  /** LDAM: factor on the logits. Default 30. */
  readonly scale?: number;
  /** Focal: exponent γ. Default 2. */
  readonly gamma?: number;
  /** Class names for error messages. */
  readonly classes?: readonly string[];
}

/**
 * Binds a loss to its settings, so that a trainer need not know which one it is.
 *
 * @param options the loss and its settings; those of other losses are ignored
 * @returns the loss as a function of logits and labels
 */
export function classificationLoss(options: ClassificationLossOptions): Criterion {
  knownKeys('options', options, ['loss', 'weights', 'counts', 'maxMargin', 'scale', 'gamma', 'classes']);
  const loss = oneOf('options.loss', options.loss, classificationLosses);
  const { weights } = options;
  if (loss === 'ce') return (logits, labels) => crossEntropy(logits, labels, { weights });
  if (loss === 'focal') {
    const gamma = number('options.gamma', options.gamma ?? 2, { min: 0, max: 1000 });
    return (logits, labels) => focalLoss(logits, labels, { weights, gamma });
  }
  const { counts, maxMargin = 0.5, classes } = options;
  if (counts === undefined)
    throw invalidArgument('options.counts', 'training counts, which LDAM needs,', counts);
  const margins = ldamMargins({ counts, maxMargin, ...(classes === undefined ? {} : { classes }) });
  const scale = number('options.scale', options.scale ?? 30, { above: 0 });
  return (logits, labels) => ldamLoss(logits, labels, { margins, weights, scale });
}

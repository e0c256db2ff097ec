import { flag, integer, invalidArgument, knownKeys, number } from '../validate.js';

/** Options of {@link attentionWeight}. */
export interface AttentionWeightOptions {
  /** λ of every epoch, 0 to 1; needed unless `adaptive`, and then ignored. The paper's are 1, 0.75, 0.5 and 0.25. */
  readonly lambda?: number | undefined;
  /** λ(e) = max(0.2, 1 - 0.023 e) instead. Default `false`. */
  readonly adaptive?: boolean;
}

/**
 * λ of an epoch: the share of cross-entropy in `localisationLoss`.
 * `deeplearninglab21/cxr-loc-attention: scripts/model_loss_attent.py`, training loop.
 *
 * @param epoch counted from 0
 * @param options fixed or adaptive
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for λ outside 0 to 1, or none where one is needed
 */
export function attentionWeight(epoch: number, options: AttentionWeightOptions): number {
  knownKeys('options', options, ['lambda', 'adaptive']);
  const { lambda } = options;
  const passed = integer('epoch', epoch, { min: 0 });
  const fixed = lambda === undefined ? undefined : number('options.lambda', lambda, { min: 0, max: 1 });
  if (flag('options.adaptive', options.adaptive ?? false)) return Math.max(0.2, 1 - 0.023 * passed);
  if (fixed === undefined) throw invalidArgument('options.lambda', 'a number from 0 to 1', lambda);
  return fixed;
}

import type { Model } from '../models/model.js';

/** How BatchNorm behaves over the epochs: see {@link batchNormMode}. */
export type BatchNormKind = 'standard' | 'legacy' | 'frozen';

/**
 * BatchNorm's mode by epoch, as a trainer's `mode`. `standard`: batch statistics in every epoch. `legacy`: as the
 * originals, evaluation mode from epoch 2 on, and in epoch 1 several updates of the running statistics a step (gazelt F7,
 * F8). `frozen`: evaluation mode always, for a network of which only layers without BatchNorm learn.
 *
 * @param kind which
 * @param legacyUpdates updates of the running statistics a step under `legacy`: how often the original ran the network
 */
export function batchNormMode(
  kind: BatchNormKind,
  legacyUpdates: number,
): (model: Model, epoch: number) => void {
  const legacy = kind === 'legacy';
  return (model, epoch) => {
    model.setBatchNormUpdates(legacy ? legacyUpdates : 1);
    if (kind === 'frozen' || (legacy && epoch > 1)) model.eval();
    else model.train();
  };
}

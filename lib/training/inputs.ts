import type { Batch } from '../data/batch.js';
import { halfOfEach, imagenetMean, imagenetStd, normalizeImages } from '../data/normalize.js';
import { tensor } from '../tensor/create.js';
import type { InputBatch } from './batch.js';
import type { Precision } from './precision.js';

/** Per channel, on pixels in [0, 1]. */
export interface Normalisation {
  /** Subtracted: red, green, blue. */
  readonly mean: readonly [number, number, number];
  /** Divided by: red, green, blue. */
  readonly std: readonly [number, number, number];
}

/** ImageNet's statistics, which most originals use. */
export const imagenetNormalisation: Normalisation = { mean: imagenetMean, std: imagenetStd };

/** To [-1, 1]: what loc-attention's classifiers see. */
export const halfNormalisation: Normalisation = { mean: halfOfEach, std: halfOfEach };

/** None: the pixels stay in [0, 1], as loc-attention's lung segmentation takes them. */
export const noNormalisation: Normalisation = { mean: [0, 0, 0], std: [1, 1, 1] };

/**
 * A loaded batch as the network takes it; the loaded pixels are disposed. Call it in a `tidy` scope.
 *
 * @param batch what the loader gave
 * @param place epoch and step, where the normalisation is and in which precision the model computes
 */
export function toInputs(
  batch: Batch,
  place: {
    readonly epoch: number;
    readonly step: number;
    readonly normalisation: Normalisation;
    readonly precision: Precision;
    readonly device: string;
  },
): InputBatch {
  const { normalisation, precision, device, epoch, step } = place;
  const moved = device === 'cpu' ? batch.pixels : batch.pixels.to({ device });
  const normal = normalizeImages(moved, normalisation);
  const images = precision === 'float64' ? normal.to({ dtype: 'float64' }) : normal;
  batch.dispose();
  return {
    images,
    labels: tensor(batch.labels, undefined, { dtype: 'int64', device }),
    labelList: batch.labels,
    indices: batch.indices,
    ids: batch.ids,
    epoch,
    step,
    device,
  };
}

import type { Batch } from '../../data/batch.js';
import type { Dataset } from '../../data/dataset.js';
import type { ImageStore } from '../../data/image-store.js';
import { DataLoader } from '../../data/loader.js';
import { prepareImages, type SkippedImage } from '../../data/prepare.js';
import { SequentialSampler } from '../../data/samplers.js';
import { CxrGazeError } from '../../errors.js';
import type { Model } from '../../models/model.js';
import type { PrecisionChoice } from '../../training/precision.js';
import type { ModelCard } from './model-card.js';

/** What a pass over images needs of a classifier. */
export interface Network {
  readonly model: Model;
  readonly card: ModelCard;
  readonly device: string;
}

/** Options of every pass over images without training. */
export interface PassOptions {
  /** Images a batch; default 16. */
  readonly batchSize?: number;
  /** Arithmetic; prediction: `auto`, evaluation and explanation: `float32` by default. */
  readonly precision?: PrecisionChoice;
  /** What a bad image does: end the work (`throw`, default), or be left out and told to `onSkip`. */
  readonly onError?: 'throw' | 'skip';
  /** Called for each image left out. */
  readonly onSkip?: (image: SkippedImage) => void;
  /** Called after each batch. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Ends the work between two batches with `ERR_ABORTED`. */
  readonly signal?: AbortSignal;
}

/** @internal The names of {@link PassOptions}. */
export const passKeys = ['batchSize', 'precision', 'onError', 'onSkip', 'onProgress', 'signal'] as const;

/** Images decoded at a time: bounds the memory of a pass over a large folder. */
const CHUNK = 256;

/** A part of a data set: `length` samples from `start` on. */
function part(dataset: Dataset, start: number): Dataset {
  const { name, classes } = dataset;
  const length = Math.min(CHUNK, dataset.length - start);
  return {
    name,
    classes,
    length,
    sample: (index) => dataset.sample(start + index),
    ...(dataset.origin ? { origin: (index: number) => dataset.origin?.(start + index) ?? '' } : {}),
  };
}

/**
 * Decodes a data set in bounded memory and gives its batches in order. A batch belongs to whoever receives it.
 *
 * @throws CxrGazeError `ERR_ABORTED`, and what a bad image throws
 */
export async function* passOver(
  network: Network,
  dataset: Dataset,
  options: PassOptions,
): AsyncGenerator<{ readonly batch: Batch; readonly images: ImageStore }, void> {
  const { imageSize } = network.card;
  const { batchSize = 16, onError = 'throw', signal, onProgress } = options;
  let done = 0;
  for (let start = 0; start < dataset.length; start += CHUNK) {
    using images = await prepareImages(part(dataset, start), {
      ...{ width: imageSize, height: imageSize, onError },
      ...(signal ? { signal } : {}),
    });
    for (const skipped of images.skipped) options.onSkip?.({ ...skipped, index: skipped.index + start });
    done += images.skipped.length;
    const sampler = new SequentialSampler({ length: images.dataset.length });
    for await (const batch of new DataLoader({ images, sampler, batchSize }).batches(1)) {
      if (signal?.aborted) {
        batch.dispose();
        throw new CxrGazeError('ERR_ABORTED', `The pass over ${dataset.name} was aborted`, {
          cause: signal.reason,
        });
      }
      done += batch.labels.length;
      yield { batch, images };
      onProgress?.({ done, total: dataset.length });
    }
  }
}

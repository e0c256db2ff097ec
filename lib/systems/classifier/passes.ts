import { Batch } from '../../data/batch.js';
import { type Dataset, subsetOf } from '../../data/dataset.js';
import { DataLoader } from '../../data/loader.js';
import { prepareImages, type SkippedImage } from '../../data/prepare.js';
import type { Interpolation } from '../../data/resize.js';
import { SequentialSampler } from '../../data/samplers.js';
import type { Model } from '../../models/model.js';
import { type PrecisionChoice, precisionChoices } from '../../training/precision.js';
import { callback, checkSignal, integer, knownKeys, oneOf } from '../../validate.js';
import type { SystemLike } from '../pass-network.js';
import type { ModelCard } from './model-card.js';

/** What a pass over images needs of a classifier. */
export interface ClassifierLike extends SystemLike<Model> {
  readonly card: ModelCard;
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

const passKeys = ['batchSize', 'precision', 'onError', 'onSkip', 'onProgress', 'signal'] as const;

/**
 * Checks what can be judged at once.
 *
 * @internal
 * @param further names of options that the pass has besides
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function checkPass(
  options: Omit<PassOptions, 'onSkip'> & { readonly onSkip?: unknown },
  further: readonly string[] = [],
): void {
  knownKeys('options', options, [...passKeys, ...further]);
  const { batchSize, precision, onError, onSkip, onProgress, signal } = options;
  if (batchSize !== undefined) integer('options.batchSize', batchSize, { min: 1 });
  if (precision !== undefined) oneOf('options.precision', precision, precisionChoices);
  if (onError !== undefined) oneOf('options.onError', onError, ['throw', 'skip']);
  callback('options.onSkip', onSkip);
  callback('options.onProgress', onProgress);
  checkSignal('options.signal', signal);
}

/** Images decoded at a time: bounds the memory of a pass over a large folder. */
const CHUNK = 256;

/**
 * Decodes a data set in bounded memory and gives its batches in order, with the samples' indices in that data set. A
 * batch is disposed when the next is asked for.
 *
 * @param system whose input size the images get
 * @throws CxrGazeError `ERR_ABORTED`, and what a bad image throws
 */
export async function* passOver(
  system: { readonly card: { readonly imageSize: number; readonly interpolation?: Interpolation } },
  dataset: Dataset,
  options: PassOptions,
): AsyncGenerator<Batch, void> {
  const { imageSize, interpolation = 'area' } = system.card;
  const { batchSize = 16, onError = 'throw', signal, onProgress } = options;
  let done = 0;
  for (let start = 0; start < dataset.length; start += CHUNK) {
    const chunk = Array.from({ length: Math.min(CHUNK, dataset.length - start) }, (_, i) => start + i);
    using images = await prepareImages(subsetOf(dataset, chunk), {
      ...{ width: imageSize, height: imageSize, interpolation, onError, allowNone: true },
      ...(signal ? { signal } : {}),
    });
    for (const skipped of images.skipped) options.onSkip?.({ ...skipped, index: skipped.index + start });
    done += images.skipped.length;
    onProgress?.({ done, total: dataset.length });
    if (images.dataset.length === 0) continue;
    const sampler = new SequentialSampler({ length: images.dataset.length });
    const loader = new DataLoader({ images, sampler, batchSize });
    for await (using batch of loader.batches(1, signal ? { signal } : {})) {
      done += batch.labels.length;
      const indices = batch.indices.map((index) => start + (images.kept[index] as number));
      yield new Batch({ ...batch, indices });
      onProgress?.({ done, total: dataset.length });
    }
  }
}

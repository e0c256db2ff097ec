import sharp from 'sharp';
import { CxrGazeError } from '../errors.js';
import type { PixelFileHandle } from '../native.js';
import { invalidArgument } from '../validate.js';
import { throwIfAborted } from './bounded.js';
import { CacheFolder } from './cache-folder.js';
import type { Dataset } from './dataset.js';
import { ImageStore, type PixelPlace } from './image-store.js';
import { Preparation, type Prepared } from './preparation.js';
import {
  type CheckedPrepareOptions,
  checkPrepareOptions,
  type PrepareOptions,
  type SkippedImage,
} from './prepare-options.js';

export type { PrepareOptions, PrepareProgress, SkippedImage } from './prepare-options.js';

/** To be raised whenever decoding or resizing gives other bytes than before. */
const pipelineVersion = 1;

/** The images of a data set, decoded and stretched. Made by {@link prepareImages}. */
export class PreparedImages extends ImageStore {
  /** Images that were decoded now. */
  readonly decoded: number;
  /** Images that were found prepared and unchanged. */
  readonly reused: number;
  /** Images that could not be prepared; they are left out of {@link ImageStore.dataset}. */
  readonly skipped: readonly SkippedImage[];
  /** Index of each image in the data set as it was given, in the order of {@link ImageStore.dataset}. */
  readonly kept: readonly number[];
  /** In words why prepared images that were found are not used, or not all of them. */
  readonly distrust?: string;
  #places: readonly PixelPlace[] | undefined;
  readonly #files: readonly PixelFileHandle[];

  /** @hidden */
  constructor(parts: Prepared, { width, height }: Pick<PrepareOptions, 'width' | 'height'>) {
    super(parts.dataset, width, height);
    this.kept = parts.kept;
    this.#places = parts.places;
    this.#files = parts.files;
    this.decoded = parts.report.decoded;
    this.reused = parts.report.reused;
    this.skipped = parts.report.skipped;
    if (parts.distrust !== undefined) this.distrust = parts.distrust;
  }

  /**
   * @param index of a sample in {@link ImageStore.dataset}
   * @returns where its pixels lie
   * @throws `ERR_DISPOSED` after {@link PreparedImages.dispose}
   */
  override locate(index: number): PixelPlace {
    if (!this.#places)
      throw new CxrGazeError('ERR_DISPOSED', 'Expected live prepared images but they have been disposed');
    return this.#places[index] as PixelPlace;
  }

  /** Closes the cache's files or lets the memory go; batches already begun are finished. */
  override dispose(): void {
    if (!this.#places) return;
    this.#places = undefined;
    for (const file of this.#files) file.close();
  }
}

/**
 * Decodes every image of a data set and stretches it to a network's input, once: with a `cacheDir`
 * the pixels are kept in a file there, and an image is decoded again only when its file has changed. What was prepared
 * before an interruption is not lost. Files that are torn or were meddled with are not trusted.
 *
 * @param dataset whose images are prepared
 * @param options size, cache, policy
 * @returns the images for a `DataLoader`, with the report of what was left out
 * @throws `ERR_IMAGE` or `ERR_FILE` for a bad image under the policy `'throw'`, with file, sample and line; `ERR_DATASET`
 *   if more than `maxSkipped` images, or all, cannot be used; `ERR_ABORTED`
 * @example
 * ```ts
 * using images = await prepareImages(dataset, { width: 224, height: 224, cacheDir: 'cache' });
 * const loader = new DataLoader({ images, sampler, batchSize: 16 });
 * ```
 */
export function prepareImages(dataset: Dataset, options: PrepareOptions): Promise<PreparedImages> {
  const checked = checkPrepareOptions(options);
  if (dataset.length === 0 && !checked.allowNone)
    throw invalidArgument('dataset', 'at least one sample', `${dataset.name}, which is empty`);
  return prepare(dataset, checked);
}

async function prepare(dataset: Dataset, options: CheckedPrepareOptions): Promise<PreparedImages> {
  const { width, height, interpolation, cacheDir } = options;
  throwIfAborted(options.signal, `Preparing the images of ${dataset.name}`);
  const recipe = `${interpolation}, pipeline ${pipelineVersion}, sharp ${sharp.versions.sharp} with libvips ${sharp.versions.vips}`;
  const folder =
    cacheDir === undefined ? undefined : await CacheFolder.open({ cacheDir, width, height, recipe });
  const run = new Preparation(dataset, options, folder);
  try {
    await run.all();
  } finally {
    await folder?.close();
  }
  return new PreparedImages(run.finish(), options);
}

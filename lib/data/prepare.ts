import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import sharp from 'sharp';
import { CxrGazeError } from '../errors.js';
import { native, type PixelFileHandle } from '../native.js';
import { flag, integer, invalidArgument, knownKeys, oneOf, text } from '../validate.js';
import { forEachBounded, throwIfAborted } from './bounded.js';
import { CacheFolder } from './cache-folder.js';
import type { Entry } from './cache-index.js';
import { type Dataset, subsetOf } from './dataset.js';
import { imageName } from './decode.js';
import { checkLimits, type DecodeLimits } from './decode-limits.js';
import { edgesOf, type Fingerprint, fingerprintOf } from './fingerprint.js';
import { ImageStore, maxInputSide, type PixelPlace } from './image-store.js';
import { prepareSample, withSample } from './prepare-sample.js';
import { type Interpolation, interpolations } from './resize.js';

/** To be raised whenever decoding or resizing gives other bytes than before. */
const pipelineVersion = 1;

/** So often a long build makes what it has done so far permanent. */
const commitEveryMs = 20_000;

/** How far {@link prepareImages} has come. */
export interface PrepareProgress {
  /** Images dealt with. */
  readonly done: number;
  /** Images of the data set. */
  readonly total: number;
  /** Images decoded. */
  readonly decoded: number;
  /** Images found prepared and unchanged. */
  readonly reused: number;
  /** Images left out. */
  readonly skipped: number;
}

/** An image that could not be prepared. */
export interface SkippedImage {
  /** Index in the data set given to {@link prepareImages}. */
  readonly index: number;
  /** Id of the sample. */
  readonly id: string;
  /** Path or name of the image. */
  readonly image: string;
  /** Why; names file and line. */
  readonly error: CxrGazeError;
}

/** Options of {@link prepareImages}. */
export interface PrepareOptions {
  /** Columns of the network's input, 1 to 16384. */
  readonly width: number;
  /** Rows of the network's input, 1 to 16384. */
  readonly height: number;
  /** How images are stretched; default `area`. Prepared images of one kind are kept apart from those of another. */
  readonly interpolation?: Interpolation;
  /**
   * Folder of the prepared cache, made if it is not there; shared by all data sets and sizes. Without one the prepared
   * images are kept in memory.
   */
  readonly cacheDir?: string;
  /** What a bad or missing image does: end the work (`'throw'`, default), or be left out and reported (`'skip'`). */
  readonly onError?: 'throw' | 'skip';
  /** With `'skip'`, how many images may be left out; any number by default. */
  readonly maxSkipped?: number;
  /**
   * Whether a data set that is empty, or of which with `'skip'` nothing is left, is given, empty, rather than refused; default
   * `false`.
   */
  readonly allowNone?: boolean;
  /** Images decoded at once; as many as the machine has processors, 2 to 8, by default. */
  readonly concurrency?: number;
  /** Against image headers that promise too much. */
  readonly limits?: DecodeLimits;
  /** Called after each image. */
  readonly onProgress?: (progress: PrepareProgress) => void;
  /** Gives the work up between images; what is prepared by then stays in `cacheDir`. */
  readonly signal?: AbortSignal;
}

type Checked = Required<
  Pick<PrepareOptions, 'width' | 'height' | 'interpolation' | 'onError' | 'concurrency' | 'limits'>
> &
  PrepareOptions & { readonly maxSkipped: number };

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
  constructor(parts: {
    readonly dataset: Dataset;
    readonly kept: readonly number[];
    readonly options: Checked;
    readonly places: readonly PixelPlace[];
    readonly files: readonly PixelFileHandle[];
    readonly report: PrepareReport;
    readonly distrust: string | undefined;
  }) {
    super(parts.dataset, parts.options.width, parts.options.height);
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

interface PrepareReport {
  decoded: number;
  reused: number;
  readonly skipped: SkippedImage[];
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
  const checked = checkOptions(options);
  if (dataset.length === 0 && !checked.allowNone)
    throw invalidArgument('dataset', 'at least one sample', `${dataset.name}, which is empty`);
  return prepare(dataset, checked);
}

function checkOptions(options: PrepareOptions): Checked {
  knownKeys('options', options, [
    'width',
    'height',
    'interpolation',
    'cacheDir',
    'onError',
    'maxSkipped',
    'allowNone',
    'concurrency',
    'limits',
    'onProgress',
    'signal',
  ]);
  if (options.cacheDir !== undefined) text('options.cacheDir', options.cacheDir);
  flag('options.allowNone', options.allowNone ?? false);
  checkLimits(options.limits ?? {});
  const { maxSkipped } = options;
  return {
    ...options,
    width: integer('options.width', options.width, { min: 1, max: maxInputSide }),
    height: integer('options.height', options.height, { min: 1, max: maxInputSide }),
    interpolation: oneOf('options.interpolation', options.interpolation ?? 'area', interpolations),
    onError: oneOf('options.onError', options.onError ?? 'throw', ['throw', 'skip']),
    maxSkipped: maxSkipped === undefined ? Infinity : integer('options.maxSkipped', maxSkipped, { min: 0 }),
    concurrency: integer('options.concurrency', options.concurrency ?? defaultConcurrency(), { min: 1 }),
    limits: options.limits ?? {},
  };
}

function defaultConcurrency(): number {
  return Math.min(8, Math.max(2, availableParallelism()));
}

async function prepare(dataset: Dataset, options: Checked): Promise<PreparedImages> {
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
  return run.finish();
}

/** One call of {@link prepareImages}. */
class Preparation {
  readonly #dataset: Dataset;
  readonly #options: Checked;
  readonly #folder: CacheFolder | undefined;
  readonly #found: (Entry | PixelPlace | undefined)[];
  readonly #report: PrepareReport = { decoded: 0, reused: 0, skipped: [] };
  /** Images under way or done, by key: a data set may name an image twice. */
  readonly #begun = new Map<string, Promise<Entry | PixelPlace>>();
  #done = 0;
  #committed = performance.now();
  #committing: Promise<void> | undefined;

  constructor(dataset: Dataset, options: Checked, folder: CacheFolder | undefined) {
    this.#dataset = dataset;
    this.#options = options;
    this.#folder = folder;
    this.#found = new Array(dataset.length);
  }

  async all(): Promise<void> {
    const { concurrency, signal, allowNone = false } = this.#options;
    await forEachBounded(this.#dataset.length, concurrency, async (index) => {
      throwIfAborted(signal, `Preparing the images of ${this.#dataset.name}`);
      await this.#one(index);
      this.#progress();
      await this.#commitNowAndThen();
    });
    if (!allowNone && this.#report.skipped.length === this.#dataset.length) throw this.#tooManySkipped('all');
  }

  finish(): PreparedImages {
    const kept = [...this.#found.keys()].filter((index) => this.#found[index] !== undefined);
    const found = kept.map((index) => this.#found[index] as Entry | PixelPlace);
    const handles = this.#openFiles(found);
    this.#report.skipped.sort((a, b) => a.index - b.index);
    return new PreparedImages({
      dataset: kept.length === this.#dataset.length ? this.#dataset : subsetOf(this.#dataset, kept),
      kept,
      options: this.#options,
      places: found.map((place) => ('segment' in place ? fileplace(place, handles) : place)),
      files: [...handles.values()],
      report: this.#report,
      distrust: this.#folder?.distrust,
    });
  }

  #openFiles(found: readonly (Entry | PixelPlace)[]): Map<string, PixelFileHandle> {
    const handles = new Map<string, PixelFileHandle>();
    try {
      for (const place of found) {
        if (!('segment' in place) || handles.has(place.segment) || !this.#folder) continue;
        const { path, bytes } = this.#folder.segment(place.segment);
        handles.set(place.segment, native().openPixelFile(path, bytes));
      }
    } catch (error) {
      for (const handle of handles.values()) handle.close();
      throw error;
    }
    return handles;
  }

  async #one(index: number): Promise<void> {
    const { image } = this.#dataset.sample(index);
    let fingerprint: Awaited<ReturnType<typeof fingerprintOf>>;
    try {
      fingerprint = await fingerprintOf(image);
    } catch (error) {
      this.#skip(index, withSample(error, this.#dataset, index));
      return;
    }
    const earlier = this.#begun.get(fingerprint.key);
    const work = earlier ?? this.#place(index, fingerprint);
    this.#begun.set(fingerprint.key, work);
    try {
      this.#found[index] = await work;
      if (earlier) this.#report.reused++;
    } catch (error) {
      if (error instanceof CacheFailure) throw error.cause;
      this.#skip(index, error);
    }
  }

  async #place(
    index: number,
    fingerprint: Awaited<ReturnType<typeof fingerprintOf>>,
  ): Promise<Entry | PixelPlace> {
    const known = await this.#known(index, fingerprint);
    if (typeof known === 'object') {
      this.#report.reused++;
      return known;
    }
    const pixels = await prepareSample(this.#dataset, index, this.#options, fingerprint.pixels);
    this.#report.decoded++;
    if (!this.#folder) return { source: pixels.data, offset: 0, channels: pixels.channels };
    try {
      return await this.#folder.add(fingerprint, known, pixels);
    } catch (cause) {
      throw new CacheFailure(cause);
    }
  }

  /** @returns the record of an image that has not changed, else the hash of the file's ends */
  async #known(index: number, fingerprint: Fingerprint): Promise<Entry | string> {
    if (!this.#folder) return '';
    const { image } = this.#dataset.sample(index);
    try {
      return (await this.#folder.find(image, fingerprint)) ?? (await edgesOf(image));
    } catch (error) {
      throw withSample(error, this.#dataset, index);
    }
  }

  #skip(index: number, error: unknown): void {
    const { onError, maxSkipped } = this.#options;
    const bad = error instanceof CxrGazeError && (error.code === 'ERR_IMAGE' || error.code === 'ERR_FILE');
    if (!bad || onError === 'throw') throw error;
    const { id, image } = this.#dataset.sample(index);
    this.#report.skipped.push({ index, id, image: imageName(image), error });
    if (this.#report.skipped.length > maxSkipped) throw this.#tooManySkipped(`more than ${maxSkipped}`);
  }

  #tooManySkipped(how: string): CxrGazeError {
    const { skipped } = this.#report;
    const first = skipped[0] as SkippedImage;
    return new CxrGazeError(
      'ERR_DATASET',
      `Of the ${this.#dataset.length} images of ${this.#dataset.name} ${how} cannot be used; the first: ${first.error.message}`,
      {
        cause: first.error,
        details: { dataset: this.#dataset.name, skipped: skipped.map(({ image }) => image) },
      },
    );
  }

  #progress(): void {
    const { decoded, reused, skipped } = this.#report;
    const done = ++this.#done;
    this.#options.onProgress?.({
      done,
      total: this.#dataset.length,
      decoded,
      reused,
      skipped: skipped.length,
    });
  }

  async #commitNowAndThen(): Promise<void> {
    if (!this.#folder || this.#committing || performance.now() - this.#committed < commitEveryMs) return;
    this.#committing = this.#folder.commit();
    try {
      await this.#committing;
    } finally {
      this.#committing = undefined;
      this.#committed = performance.now();
    }
  }
}

/** A failure of the cache, told apart from one of the image. */
class CacheFailure extends Error {
  constructor(cause: unknown) {
    super('the prepared cache failed', { cause });
  }
}

function fileplace(entry: Entry, handles: ReadonlyMap<string, PixelFileHandle>): PixelPlace {
  const { segment, offset, channels } = entry;
  return { source: handles.get(segment) as PixelFileHandle, offset, channels };
}

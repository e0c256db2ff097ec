import { performance } from 'node:perf_hooks';
import { CxrGazeError } from '../errors.js';
import { native, type PixelFileHandle } from '../native.js';
import { forEachBounded, throwIfAborted } from './bounded.js';
import type { CacheFolder } from './cache-folder.js';
import type { Entry } from './cache-index.js';
import { type Dataset, subsetOf } from './dataset.js';
import { imageName } from './decode.js';
import { edgesOf, type Fingerprint, fingerprintOf } from './fingerprint.js';
import type { PixelPlace } from './image-store.js';
import type { CheckedPrepareOptions, SkippedImage } from './prepare-options.js';
import { prepareSample, withSample } from './prepare-sample.js';

/** So often a long build makes what it has done so far permanent. */
const commitEveryMs = 20_000;

interface PrepareReport {
  decoded: number;
  reused: number;
  readonly skipped: SkippedImage[];
}

/** What a {@link Preparation} leaves. */
export interface Prepared {
  /** The images that can be used. */
  readonly dataset: Dataset;
  /** Their indices in the data set as it was given. */
  readonly kept: readonly number[];
  /** Where the pixels of each lie. */
  readonly places: readonly PixelPlace[];
  /** Files that hold pixels; to be closed. */
  readonly files: readonly PixelFileHandle[];
  readonly report: PrepareReport;
  /** In words why prepared images that were found are not used, or not all of them. */
  readonly distrust: string | undefined;
}

/** One call of `prepareImages`: finds or decodes each image, with bounded concurrency. */
export class Preparation {
  readonly #dataset: Dataset;
  readonly #options: CheckedPrepareOptions;
  readonly #folder: CacheFolder | undefined;
  readonly #found: (Entry | PixelPlace | undefined)[];
  readonly #report: PrepareReport = { decoded: 0, reused: 0, skipped: [] };
  /** Images under way or done, by key: a data set may name an image twice. */
  readonly #begun = new Map<string, Promise<Entry | PixelPlace>>();
  #done = 0;
  #committed = performance.now();
  #committing: Promise<void> | undefined;

  constructor(dataset: Dataset, options: CheckedPrepareOptions, folder: CacheFolder | undefined) {
    this.#dataset = dataset;
    this.#options = options;
    this.#folder = folder;
    this.#found = new Array(dataset.length);
  }

  /** Deals with all images. */
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

  /** What there is now, its files opened. */
  finish(): Prepared {
    const kept = [...this.#found.keys()].filter((index) => this.#found[index] !== undefined);
    const found = kept.map((index) => this.#found[index] as Entry | PixelPlace);
    const handles = this.#openFiles(found);
    this.#report.skipped.sort((a, b) => a.index - b.index);
    return {
      dataset: kept.length === this.#dataset.length ? this.#dataset : subsetOf(this.#dataset, kept),
      kept,
      places: found.map((place) => ('segment' in place ? fileplace(place, handles) : place)),
      files: [...handles.values()],
      report: this.#report,
      distrust: this.#folder?.distrust,
    };
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

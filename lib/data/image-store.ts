import type { PixelFileHandle } from '../native.js';
import { integer, knownKeys, oneOf } from '../validate.js';
import { Gate } from './bounded.js';
import type { Dataset } from './dataset.js';
import { checkLimits, type DecodeLimits } from './decode-limits.js';
import { prepareSample } from './prepare-sample.js';
import { type Interpolation, interpolations } from './resize.js';

/** Where the pixels of one sample lie: `width * height * channels` bytes, row-major, channels interleaved. */
export interface PixelPlace {
  /** The pixels themselves, or an open file that holds them. */
  readonly source: PixelFileHandle | Uint8Array;
  /** Where in the file they begin; 0 in memory. */
  readonly offset: number;
  /** 1 = grey, 3 = RGB. */
  readonly channels: 1 | 3;
}

/**
 * The images of a data set at the size of a network's input, still 8-bit: what a `DataLoader` reads. Made by
 * `prepareImages` (all decoded beforehand) or as {@link ImagesOnDemand}; another kind extends this class and says where
 * pixels lie.
 */
export abstract class ImageStore {
  /** The samples whose images these are, in order. */
  readonly dataset: Dataset;
  /** Columns of every image. */
  readonly width: number;
  /** Rows of every image. */
  readonly height: number;

  /**
   * @param dataset the samples
   * @param width columns of every image
   * @param height rows of every image
   */
  constructor(dataset: Dataset, width: number, height: number) {
    this.dataset = dataset;
    this.width = width;
    this.height = height;
  }

  /**
   * @param index of a sample in {@link ImageStore.dataset}
   * @returns where its pixels lie, decoded if need be
   */
  abstract locate(index: number): PixelPlace | Promise<PixelPlace>;

  /** Gives files and memory up; batches already begun are finished. Calling it again does nothing. */
  dispose(): void {}

  /** Same as {@link ImageStore.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Options of {@link ImagesOnDemand}. */
export interface OnDemandOptions {
  /** Columns of the network's input, 1 to 16384. */
  readonly width: number;
  /** Rows of the network's input, 1 to 16384. */
  readonly height: number;
  /** How images are stretched; default `area`. */
  readonly interpolation?: Interpolation;
  /** Images decoded at once; 2 by default. */
  readonly concurrency?: number;
  /** Against image headers that promise too much. */
  readonly limits?: DecodeLimits;
}

/** The largest side of a network's input. @internal */
export const maxInputSide = 16384;

/**
 * Decodes each image whenever it is asked for: for a single pass, such as prediction. Training reads every image again
 * and again; `prepareImages` decodes them once.
 */
export class ImagesOnDemand extends ImageStore {
  readonly #gate: Gate;
  readonly #limits: DecodeLimits;
  readonly #interpolation: Interpolation;

  /**
   * @param dataset whose images are decoded
   * @param options size and limits
   */
  constructor(dataset: Dataset, options: OnDemandOptions) {
    knownKeys('options', options, ['width', 'height', 'interpolation', 'concurrency', 'limits']);
    const { width, height, interpolation = 'area', concurrency = 2, limits = {} } = options;
    super(
      dataset,
      integer('options.width', width, { min: 1, max: maxInputSide }),
      integer('options.height', height, { min: 1, max: maxInputSide }),
    );
    this.#gate = new Gate(integer('options.concurrency', concurrency, { min: 1 }));
    checkLimits(limits);
    this.#limits = limits;
    this.#interpolation = oneOf('options.interpolation', interpolation, interpolations);
  }

  /**
   * @param index of a sample in the data set
   * @returns its pixels
   * @throws `ERR_IMAGE`, `ERR_FILE` for an image that cannot be decoded, with file, sample and line
   */
  override async locate(index: number): Promise<PixelPlace> {
    const { width, height } = this;
    const { data, channels } = await this.#gate.run(() =>
      prepareSample(this.dataset, index, {
        ...{ width, height, limits: this.#limits, interpolation: this.#interpolation },
      }),
    );
    return { source: data, offset: 0, channels };
  }
}

import { availableParallelism } from 'node:os';
import type { CxrGazeError } from '../errors.js';
import { callback, checkSignal, flag, integer, knownKeys, oneOf, text } from '../validate.js';
import { checkLimits, type DecodeLimits } from './decode-limits.js';
import { maxInputSide } from './image-store.js';
import { type Interpolation, interpolations } from './resize.js';

/** How far `prepareImages` has come. */
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
  /** Index in the data set given to `prepareImages`. */
  readonly index: number;
  /** Id of the sample. */
  readonly id: string;
  /** Path or name of the image. */
  readonly image: string;
  /** Why; names file and line. */
  readonly error: CxrGazeError;
}

/** Options of `prepareImages`. */
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

/** {@link PrepareOptions} with their defaults, checked. */
export type CheckedPrepareOptions = Required<
  Pick<PrepareOptions, 'width' | 'height' | 'interpolation' | 'onError' | 'concurrency' | 'limits'>
> &
  PrepareOptions & { readonly maxSkipped: number };

/** @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkPrepareOptions(options: PrepareOptions): CheckedPrepareOptions {
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
  callback('options.onProgress', options.onProgress);
  checkSignal('options.signal', options.signal);
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

import type { Json } from '../checkpoints/folder.js';
import type { Dataset } from '../data/dataset.js';
import { type PreparedImages, prepareImages } from '../data/prepare.js';
import type { Interpolation } from '../data/resize.js';
import {
  callback,
  checkSignal,
  flag,
  integer,
  invalidArgument,
  knownKeys,
  number,
  oneOf,
  text,
} from '../validate.js';
import { type PrecisionChoice, precisionChoices } from './precision.js';

/** Options of every system's `fit`, whatever learns. Where no default is told here, each system has its own. */
export interface CommonFitOptions {
  /** Most epochs. */
  readonly maxEpochs?: number;
  /**
   * Epochs without a better validation score that are borne, counted as each system's original does: the run ends after
   * `patience + 1` of them, and after `patience` with `LocAttention`.
   */
  readonly patience?: number;
  /** Samples a step. */
  readonly batchSize?: number;
  /** Adam's learning rate; default 1e-4. */
  readonly learningRate?: number;
  /** Seed of everything that is drawn in training; default 0. */
  readonly seed?: number;
  /** Arithmetic; default `auto`. */
  readonly precision?: PrecisionChoice;
  /** Batches made ahead; default 2. */
  readonly prefetch?: number;
  /** Folder of prepared images; default: decoded into memory. */
  readonly cacheDir?: string;
  /** What a bad image does: end the work (`throw`, default), or be left out. */
  readonly onError?: 'throw' | 'skip';
  /** Called as images are prepared, before the first epoch. */
  readonly onPrepare?: (progress: {
    readonly dataset: string;
    readonly done: number;
    readonly total: number;
  }) => void;
  /** Called once the images of a data set are prepared, with those left out. */
  readonly onPrepared?: (images: PreparedImages) => void;
  /** Folder of checkpoints; without it nothing is saved, and the best weights are kept in memory. */
  readonly checkpoints?: string;
  /** Also saves every so many steps. */
  readonly saveEvery?: number;
  /** Which checkpoints are kept; default `recent`: best, last and the one before. */
  readonly keep?: 'recent' | 'all';
  /** Goes on from the last checkpoint; other options than the run began with are an error. Default `false`. */
  readonly resume?: boolean;
  /** Ends the run after the current step, saves, and rejects with `ERR_ABORTED`. */
  readonly signal?: AbortSignal;
}

const commonKeys: readonly (keyof CommonFitOptions)[] = [
  ...(['maxEpochs', 'patience', 'batchSize', 'learningRate', 'seed', 'precision', 'prefetch'] as const),
  ...(['cacheDir', 'onError', 'onPrepare', 'onPrepared', 'checkpoints', 'saveEvery', 'keep'] as const),
  ...(['resume', 'signal'] as const),
];

/**
 * Checks the options of a fit that decide none of its numbers, and refuses names that nobody reads.
 *
 * @internal
 * @param further names of the options that the system has besides
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function checkCommonFit(options: CommonFitOptions, further: readonly string[]): void {
  knownKeys('options', options, [...commonKeys, ...further]);
  if (options.precision !== undefined) oneOf('options.precision', options.precision, precisionChoices);
  if (options.prefetch !== undefined) integer('options.prefetch', options.prefetch, { min: 0 });
  if (options.saveEvery !== undefined) integer('options.saveEvery', options.saveEvery, { min: 1 });
  if (options.keep !== undefined) oneOf('options.keep', options.keep, ['recent', 'all']);
  if (options.onError !== undefined) oneOf('options.onError', options.onError, ['throw', 'skip']);
  if (options.cacheDir !== undefined) text('options.cacheDir', options.cacheDir);
  if (options.checkpoints !== undefined) text('options.checkpoints', options.checkpoints);
  const resume = flag('options.resume', options.resume ?? false);
  if (resume && options.checkpoints === undefined)
    throw invalidArgument('options.checkpoints', 'the folder to resume from', options.checkpoints);
  callback('options.onPrepare', options.onPrepare);
  callback('options.onPrepared', options.onPrepared);
  checkSignal('options.signal', options.signal);
}

/** @internal What of {@link CommonFitOptions} decides the numbers of a run, every value there. */
export type CourseSettings = {
  readonly [key: string]: Json;
  readonly maxEpochs: number;
  readonly patience: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
};

/**
 * The course of a fit, checked.
 *
 * @internal
 * @param defaults the system's own; without `patience` as many epochs as the run may have
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function courseOf(
  options: CommonFitOptions,
  defaults: { readonly maxEpochs: number; readonly patience?: number; readonly batchSize: number },
): CourseSettings {
  const maxEpochs = integer('options.maxEpochs', options.maxEpochs ?? defaults.maxEpochs, { min: 1 });
  const patience = options.patience ?? defaults.patience ?? maxEpochs;
  return {
    maxEpochs,
    patience: integer('options.patience', patience, { min: 0 }),
    batchSize: integer('options.batchSize', options.batchSize ?? defaults.batchSize, { min: 1 }),
    learningRate: number('options.learningRate', options.learningRate ?? 1e-4, { above: 0 }),
    seed: integer('options.seed', options.seed ?? 0, { min: 0 }),
  };
}

/** @internal What a network takes. */
export interface NetworkInput {
  /** Side of the square input in pixels. */
  readonly imageSize: number;
  /** How images are stretched to it; default `area`. */
  readonly interpolation?: Interpolation;
}

/** @internal The images of a data set as a network takes them, prepared as the options of its fit say. */
export async function prepareFor(
  dataset: Dataset,
  { imageSize, interpolation = 'area' }: NetworkInput,
  options: CommonFitOptions & { readonly allowNone?: boolean },
): Promise<PreparedImages> {
  const { cacheDir, signal, onError = 'throw', allowNone = false, onPrepare, onPrepared } = options;
  const images = await prepareImages(dataset, {
    ...{ width: imageSize, height: imageSize, interpolation, onError, allowNone },
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal ? { signal } : {}),
    onProgress: ({ done, total }) => onPrepare?.({ dataset: dataset.name, done, total }),
  });
  onPrepared?.(images);
  return images;
}

import type { Json } from '../../checkpoints/folder.js';
import { DataLoader } from '../../data/loader.js';
import { type PreparedImages, prepareImages } from '../../data/prepare.js';
import { type Sampler, SequentialSampler, ShuffledSampler } from '../../data/samplers.js';
import { type WindowConvention, windowConventions } from '../../gaze/windows.js';
import type { TeacherNetwork } from '../../models/teacher.js';
import { adamFor } from '../../training/adam.js';
import type { InputBatch, ObjectivePhase } from '../../training/batch.js';
import { trainingEnvironment } from '../../training/environment.js';
import { EpochSchedule } from '../../training/epoch-schedule.js';
import { type PrecisionChoice, precisionChoices, resolvePrecision } from '../../training/precision.js';
import { refuseOtherRun } from '../../training/resume.js';
import { Trainer, type TrainerOptions } from '../../training/trainer.js';
import { flag, integer, invalidArgument, knownKeys, number, oneOf, text } from '../../validate.js';
import { callback, checkSignal } from '../classifier/passes.js';
import { type GazeDataset, requireGaze } from './gaze-dataset.js';
import { type TeacherCard, teacherCardToJson } from './teacher-card.js';
import {
  type TeacherResult,
  type TeacherScores,
  teacherObjective,
  teacherScoring,
} from './teacher-objective.js';
import { batchTargets, onlyFlips, readableGaze, readingsOf } from './teacher-targets.js';

/**
 * Options of `GazeTeacher.fit`. How the originals were trained was not published; rate and number of epochs are GazeLT's
 * choice for its student and the number in the names of the authors' files (gazelt.md 5).
 */
export interface TeacherFitOptions {
  /** Readings to learn from. */
  readonly train: GazeDataset;
  /** Readings to validate on: the epoch with the lowest loss on them is kept. */
  readonly validation: GazeDataset;
  /** How a reading is cut into its four windows; default `half-open`. */
  readonly windows?: WindowConvention;
  /** Mirrors half of the films, and their readings with them; default `false`, for nothing of it is published. */
  readonly flip?: boolean;
  /** Most epochs; default 100. */
  readonly maxEpochs?: number;
  /** The run ends after `patience + 1` epochs without a lower validation loss; default: only at the last epoch. */
  readonly patience?: number;
  /** Readings a step; default 8. */
  readonly batchSize?: number;
  /** Adam's learning rate; default 1e-4. */
  readonly learningRate?: number;
  /** Seed of sampling, flips and drop path; default 0. */
  readonly seed?: number;
  /** Arithmetic; default `auto`. */
  readonly precision?: PrecisionChoice;
  /** Batches made ahead; default 2. */
  readonly prefetch?: number;
  /** Folder of prepared images; default: decoded into memory. */
  readonly cacheDir?: string;
  /** Called as images are prepared, before the first epoch. */
  readonly onPrepare?: (progress: {
    readonly dataset: string;
    readonly done: number;
    readonly total: number;
  }) => void;
  /** Called once the images are prepared. */
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

const optionNames = [
  ...['train', 'validation', 'windows', 'flip', 'maxEpochs', 'patience', 'batchSize', 'learningRate', 'seed'],
  ...['precision', 'prefetch', 'cacheDir', 'onPrepare', 'onPrepared', 'checkpoints', 'saveEvery', 'keep'],
  ...['resume', 'signal'],
];

/** What decides the numbers of a run: recorded, and compared on resume. */
interface TeacherSettings {
  readonly [key: string]: Json;
  readonly windows: WindowConvention;
  readonly flip: boolean;
  readonly maxEpochs: number;
  readonly patience: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** @internal A fit whose options have been checked. */
export interface CheckedTeacherFit {
  readonly options: TeacherFitOptions;
  readonly settings: TeacherSettings;
  readonly train: GazeDataset;
  readonly validation: GazeDataset;
}

/** @internal Judges everything that needs no image. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkedTeacherFit(card: TeacherCard, options: TeacherFitOptions): CheckedTeacherFit {
  knownKeys('options', options, optionNames);
  checkRun(options);
  const windows = oneOf('options.windows', options.windows ?? 'half-open', windowConventions);
  const readable = (name: 'train' | 'validation'): GazeDataset => {
    requireGaze(`options.${name}`, options[name]);
    const { gaze } = readableGaze(options[name], { branch: card.branch, windows });
    if (gaze.readings.length > 0) return gaze;
    throw invalidArgument(`options.${name}`, 'a reading that looks at its film', options[name]);
  };
  const [train, validation] = [readable('train'), readable('validation')];
  return { options, train, validation, settings: settingsOf(options, { windows, train, validation }) };
}

function settingsOf(
  options: TeacherFitOptions,
  {
    windows,
    train,
    validation,
  }: { readonly windows: WindowConvention; readonly train: GazeDataset; readonly validation: GazeDataset },
): TeacherSettings {
  const whole = (name: string, value: number | undefined, fallback: number, min: number) =>
    integer(`options.${name}`, value ?? fallback, { min });
  const maxEpochs = whole('maxEpochs', options.maxEpochs, 100, 1);
  return {
    ...{ windows, maxEpochs },
    flip: flag('options.flip', options.flip ?? false),
    patience: whole('patience', options.patience, maxEpochs, 0),
    batchSize: whole('batchSize', options.batchSize, 8, 1),
    learningRate: number('options.learningRate', options.learningRate ?? 1e-4, { above: 0 }),
    seed: whole('seed', options.seed, 0, 0),
    train: train.images.name,
    trainReadings: train.readings.length,
    validation: validation.images.name,
    validationReadings: validation.readings.length,
  };
}

function checkRun(options: TeacherFitOptions): void {
  if (options.precision !== undefined) oneOf('options.precision', options.precision, precisionChoices);
  if (options.prefetch !== undefined) integer('options.prefetch', options.prefetch, { min: 0 });
  if (options.saveEvery !== undefined) integer('options.saveEvery', options.saveEvery, { min: 1 });
  if (options.keep !== undefined) oneOf('options.keep', options.keep, ['recent', 'all']);
  if (options.cacheDir !== undefined) text('options.cacheDir', options.cacheDir);
  if (options.checkpoints !== undefined) text('options.checkpoints', options.checkpoints);
  const resume = flag('options.resume', options.resume ?? false);
  if (resume && options.checkpoints === undefined)
    throw invalidArgument('options.checkpoints', 'the folder to resume from', options.checkpoints);
  callback('options.onPrepare', options.onPrepare);
  callback('options.onPrepared', options.onPrepared);
  checkSignal('options.signal', options.signal);
}

type TeacherTrainer = Trainer<TeacherNetwork, TeacherResult, TeacherScores>;

/** @internal A trainer that is ready, with what it was given and has to be freed. */
export interface PreparedTeacherFit extends Disposable {
  readonly trainer: TeacherTrainer;
}

/** @internal Prepares images, network and optimizer for training. */
export async function prepareTeacherFit(
  teacher: { readonly network: TeacherNetwork; readonly card: TeacherCard; readonly device: string },
  fit: CheckedTeacherFit,
): Promise<PreparedTeacherFit> {
  const { options, settings } = fit;
  const { network, card, device } = teacher;
  const precision = await resolvePrecision(options.precision ?? 'auto', device);
  const notes = {
    options: { ...settings, precision, device },
    card: teacherCardToJson(card),
    environment: await trainingEnvironment(),
  };
  await refuseOtherRun(options, notes);
  const owned: Disposable[] = [];
  const free = () => {
    for (const one of owned) one[Symbol.dispose]();
  };
  try {
    const loaders = await loadersOf(card, fit, owned);
    if (precision === 'float64') network.to({ dtype: 'float64' });
    const { maxEpochs, patience, learningRate, seed } = settings;
    const optimizer = await adamFor(network, learningRate);
    owned.push(optimizer);
    const trainerOptions: TrainerOptions<TeacherNetwork, TeacherResult, TeacherScores> = {
      ...{ model: network, optimizer, device, precision, seed, ...loaders, notes },
      objective: teacherObjective(targetsOf(card, fit)),
      scoring: teacherScoring,
      schedule: new EpochSchedule({ maxEpochs, patience, learningRate, goal: 'lowest' }),
      normalisation: card.normalisation,
      checkpoints: options.checkpoints,
      saveEvery: options.saveEvery,
      keep: options.keep ?? 'recent',
    };
    return { trainer: new Trainer(trainerOptions), [Symbol.dispose]: free };
  } catch (error) {
    free();
    throw error;
  }
}

function targetsOf({ branch }: TeacherCard, { train, validation, settings }: CheckedTeacherFit) {
  const { windows, seed, flip } = settings;
  return (batch: InputBatch, { phase }: ObjectivePhase) => {
    const { readings } = phase === 'train' ? train : validation;
    const flips = flip && phase === 'train' ? { seed } : null;
    return batchTargets(readingsOf(batch, readings, flips), { branch, windows });
  };
}

async function loadersOf(card: TeacherCard, fit: CheckedTeacherFit, owned: Disposable[]) {
  const { options, settings } = fit;
  const { batchSize, seed, flip } = settings;
  const { prefetch = 2 } = options;
  const loader = async ({ images }: GazeDataset, sampler: Sampler, varied: boolean) => {
    const prepared = await preparedImages(card, images, options);
    owned.push(prepared);
    const augmentation = varied ? { augmentation: { seed, ...onlyFlips } } : {};
    return new DataLoader({ images: prepared, sampler, batchSize, prefetch, ...augmentation });
  };
  const { length } = fit.train.images;
  return {
    train: await loader(fit.train, new ShuffledSampler({ length, seed }), flip),
    validation: await loader(
      fit.validation,
      new SequentialSampler({ length: fit.validation.images.length }),
      false,
    ),
  };
}

async function preparedImages(
  { imageSize }: TeacherCard,
  dataset: GazeDataset['images'],
  { cacheDir, signal, onPrepare, onPrepared }: TeacherFitOptions,
): Promise<PreparedImages> {
  const images = await prepareImages(dataset, {
    ...{ width: imageSize, height: imageSize },
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal ? { signal } : {}),
    onProgress: ({ done, total }) => onPrepare?.({ dataset: dataset.name, done, total }),
  });
  onPrepared?.(images);
  return images;
}

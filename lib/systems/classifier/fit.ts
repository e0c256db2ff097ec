import type { Json } from '../../checkpoints/folder.js';
import { neededImages } from '../../data/check-images.js';
import { type Dataset, requireDataset } from '../../data/dataset.js';
import { DataLoader } from '../../data/loader.js';
import { type NeededFiles, refuseMissing } from '../../data/needed-files.js';
import { type PreparedImages, prepareImages } from '../../data/prepare.js';
import {
  ClassBalancedSampler,
  classCounts,
  labelsOf,
  SequentialSampler,
  ShuffledSampler,
} from '../../data/samplers.js';
import { CxrGazeError } from '../../errors.js';
import { type ClassWeighting, classWeightings, classWeights } from '../../losses/class-weights.js';
import {
  type ClassificationLoss,
  type Criterion,
  classificationLoss,
  classificationLosses,
} from '../../losses/criterion.js';
import { adamFor } from '../../training/adam.js';
import { type BatchNormKind, batchNormMode } from '../../training/batch-norm-mode.js';
import { classificationScoring } from '../../training/classification-scoring.js';
import { trainingEnvironment } from '../../training/environment.js';
import { EpochSchedule } from '../../training/epoch-schedule.js';
import { type ExtraTerm, longTailObjective, type MixingOptions } from '../../training/long-tail-objective.js';
import { type PrecisionChoice, precisionChoices, resolvePrecision } from '../../training/precision.js';
import { refuseOtherRun } from '../../training/resume.js';
import { Trainer } from '../../training/trainer.js';
import { flag, integer, invalidArgument, knownKeys, number, oneOf, text } from '../../validate.js';
import { beginCrt, type DecouplingOptions, type DecouplingSettings, decouplingOf } from './decoupling.js';
import { sameClasses } from './evaluate.js';
import { cardToJson, type ModelCard } from './model-card.js';
import { callback, checkSignal, type Network } from './passes.js';

/** Deferred re-weighting as a user gives it. */
export interface DeferredOptions {
  /** Class weights and the lower rate begin after this epoch; default 10. */
  readonly epoch?: number;
  /** Factor on the learning rate from then on; default 0.1. */
  readonly factor?: number;
}

/** Options of `fit`; defaults are the originals'. */
export interface FitOptions {
  /** Training images. */
  readonly train: Dataset;
  /** Validation images: the epoch with the best balanced accuracy on them is kept. */
  readonly validation: Dataset;
  /** Classification loss; default `ce`. */
  readonly loss?: ClassificationLoss;
  /** Weights of the classes from their training counts; default none. */
  readonly weighting?: ClassWeighting | null;
  /** β of `class-balanced` weights; default 0.9999. */
  readonly beta?: number;
  /** γ of the focal loss; default 2. */
  readonly gamma?: number;
  /** Deferred re-weighting: `true` for after epoch 10 and factor 0.1; default none. */
  readonly deferred?: DeferredOptions | boolean;
  /** Mixing of training images; default none. */
  readonly mixing?: MixingOptions;
  /**
   * Decoupled training: the head begins anew and is trained alone, on class-balanced draws, the backbone in evaluation
   * mode (under `legacyBatchNorm` as the benchmark had it: its statistics drift in epoch 1). Default none.
   */
  readonly decoupling?: DecouplingOptions;
  /** Most epochs; default 60. */
  readonly maxEpochs?: number;
  /** The run ends after `patience + 1` epochs without a better validation score; default 15. */
  readonly patience?: number;
  /** Images a step; default 256, as the originals. */
  readonly batchSize?: number;
  /** Adam's learning rate; default 1e-4. */
  readonly learningRate?: number;
  /** Seed of sampling, augmentation and mixing; default 0. */
  readonly seed?: number;
  /** Arithmetic; default `auto`. */
  readonly precision?: PrecisionChoice;
  /**
   * BatchNorm as the system's original: evaluation mode from epoch 2 on, and for GazeLT two updates a step in epoch 1;
   * default `false`.
   */
  readonly legacyBatchNorm?: boolean;
  /** Flips and rotations of training images; default `true`. */
  readonly augment?: boolean;
  /** Batches made ahead; default 2. */
  readonly prefetch?: number;
  /** Folder of prepared images; default: decoded into memory. */
  readonly cacheDir?: string;
  /** What a bad image does; default `throw`. */
  readonly onError?: 'throw' | 'skip';
  /** Called as images are prepared, before the first epoch. */
  readonly onPrepare?: (progress: {
    readonly dataset: string;
    readonly done: number;
    readonly total: number;
  }) => void;
  /** Called once the images are prepared, with those left out. */
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

/** @internal What a system adds to plain training. */
export interface FitAddition {
  /** Further options, recorded with the run and compared on resume; asked for once, before anything long begins. */
  readonly options: () => Promise<{ readonly [key: string]: Json }>;
  /** How often the original ran the network on a batch: updates of BatchNorm's statistics under `legacyBatchNorm`. */
  readonly legacyUpdates: number;
  /** The files that a further term needs of a data set, so that all that is missing is listed at once. */
  readonly needs?: ((dataset: Dataset) => Promise<readonly NeededFiles[]>) | undefined;
  /** Reads what a further term needs, and makes it. */
  readonly term?: (() => Promise<ExtraTerm>) | undefined;
}

const dataKeys = [
  'train',
  'validation',
  'augment',
  'prefetch',
  'cacheDir',
  'onError',
  'onPrepare',
  'onPrepared',
];
const lossKeys = ['loss', 'weighting', 'beta', 'gamma', 'deferred', 'mixing', 'decoupling'];
const courseKeys = [
  'maxEpochs',
  'patience',
  'batchSize',
  'learningRate',
  'seed',
  'precision',
  'legacyBatchNorm',
];
const runKeys = ['checkpoints', 'saveEvery', 'keep', 'resume', 'signal'];

/** @internal What decides the numbers of a run: recorded, and compared on resume. */
export interface Settings {
  readonly [key: string]: Json;
  readonly loss: ClassificationLoss;
  readonly weighting: ClassWeighting | null;
  readonly beta: number;
  readonly gamma: number;
  readonly deferred: { readonly epoch: number; readonly factor: number } | null;
  readonly mixing: {
    readonly kind: MixingOptions['kind'];
    readonly alpha: number;
    readonly distribution: NonNullable<MixingOptions['distribution']>;
  } | null;
  readonly decoupling: DecouplingSettings | null;
  readonly maxEpochs: number;
  readonly patience: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly augment: boolean;
  readonly legacyBatchNorm: boolean;
}

function settingsOf(options: FitOptions): Settings {
  const whole = (name: string, value: number | undefined, fallback: number, min: number) =>
    integer(`options.${name}`, value ?? fallback, { min });
  const { weighting = null } = options;
  return {
    loss: oneOf('options.loss', options.loss ?? 'ce', classificationLosses),
    weighting: weighting === null ? null : oneOf('options.weighting', weighting, classWeightings),
    beta: number('options.beta', options.beta ?? 0.9999, { min: 0, max: 1 }),
    gamma: number('options.gamma', options.gamma ?? 2, { min: 0 }),
    deferred: deferredOf(options.deferred ?? false),
    mixing: options.mixing === undefined ? null : mixingOf(options.mixing),
    decoupling: decouplingOf(options.decoupling),
    maxEpochs: whole('maxEpochs', options.maxEpochs, 60, 1),
    patience: whole('patience', options.patience, 15, 0),
    batchSize: whole('batchSize', options.batchSize, 256, 1),
    learningRate: number('options.learningRate', options.learningRate ?? 1e-4, { above: 0 }),
    seed: whole('seed', options.seed, 0, 0),
    augment: flag('options.augment', options.augment ?? true),
    legacyBatchNorm: flag('options.legacyBatchNorm', options.legacyBatchNorm ?? false),
    train: options.train.name,
    trainImages: options.train.length,
    validation: options.validation.name,
    validationImages: options.validation.length,
  };
}

function deferredOf(deferred: DeferredOptions | boolean): Settings['deferred'] {
  if (deferred === false) return null;
  const given: DeferredOptions = deferred === true ? {} : deferred;
  knownKeys('options.deferred', given, ['epoch', 'factor']);
  return {
    epoch: integer('options.deferred.epoch', given.epoch ?? 10, { min: 1 }),
    factor: number('options.deferred.factor', given.factor ?? 0.1, { above: 0 }),
  };
}

function mixingOf(mixing: MixingOptions): NonNullable<Settings['mixing']> {
  knownKeys('options.mixing', mixing, ['kind', 'alpha', 'distribution']);
  const { kind, alpha, distribution = 'alpha-one' } = mixing;
  return {
    kind: oneOf('options.mixing.kind', kind, ['mixup', 'balanced-mixup']),
    alpha: number('options.mixing.alpha', alpha),
    distribution: oneOf('options.mixing.distribution', distribution, ['alpha-one', 'symmetric']),
  };
}

/** What can be judged of the options that decide no numbers. */
function checkFit(options: FitOptions): void {
  knownKeys('options', options, [...dataKeys, ...lossKeys, ...courseKeys, ...runKeys]);
  requireDataset('options.train', options.train, 1);
  requireDataset('options.validation', options.validation, 1);
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

/** @internal A fit whose options have been checked. */
export interface CheckedFit {
  readonly options: FitOptions;
  readonly settings: Settings;
  readonly criteria: { readonly plain: Criterion; readonly reweighted: Criterion };
  readonly card: ModelCard;
  readonly addition: FitAddition;
}

/** @internal Judges everything that needs no data. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkedFit(card: ModelCard, options: FitOptions, addition: FitAddition): CheckedFit {
  checkFit(options);
  sameClasses(options.train, card.classes);
  sameClasses(options.validation, card.classes);
  const settings = settingsOf(options);
  if (settings.decoupling && settings.mixing?.kind === 'balanced-mixup') {
    throw new CxrGazeError(
      'ERR_INVALID_ARGUMENT',
      "Expected no mixing 'balanced-mixup' with decoupling: both halves of a batch would be class-balanced draws",
    );
  }
  const counts = classCounts(options.train);
  const criteria = criteriaOf(settings, counts, card.classes);
  return { options, settings, criteria, card: { ...card, trainCounts: counts }, addition };
}

/** @internal A trainer that is ready, with what it was given and has to be freed. */
export class PreparedFit implements Disposable {
  readonly trainer: Trainer;
  readonly #owned: readonly Disposable[];

  constructor(trainer: Trainer, owned: readonly Disposable[]) {
    this.trainer = trainer;
    this.#owned = owned;
  }

  [Symbol.dispose](): void {
    for (const one of this.#owned) one[Symbol.dispose]();
  }
}

/** @internal Prepares images, and model and optimizer for training. */
export async function prepareFit(network: Network, fit: CheckedFit): Promise<PreparedFit> {
  const { options, settings, criteria, card, addition } = fit;
  const { model, device } = network;
  const precision = await resolvePrecision(options.precision ?? 'auto', device);
  const recorded = { ...settings, ...(await addition.options()), precision, device };
  const notes = { options: recorded, card: cardToJson(card), environment: await trainingEnvironment() };
  await refuseOtherRun(options, notes);
  await refuseIncomplete(fit);
  const extra = await addition.term?.();
  const owned: Disposable[] = [];
  try {
    const loaders = await loadersOf(network, options, settings, owned);
    const { decoupling } = settings;
    if (decoupling)
      await beginCrt(model, decoupling, { seed: settings.seed, fresh: !(options.resume ?? false) });
    if (precision === 'float64') model.to({ dtype: 'float64' });
    else model.to({ channelsLast: precision === 'bfloat16' });
    const { maxEpochs, patience, learningRate, seed, deferred } = settings;
    const optimizer = await adamFor(model, learningRate);
    owned.push(optimizer);
    const trainer = new Trainer({
      ...{ model, optimizer, device, precision, seed, ...loaders },
      objective: longTailObjective({ ...criteria, mixing: options.mixing, extra, seed }),
      scoring: classificationScoring,
      schedule: new EpochSchedule({ maxEpochs, patience, learningRate, deferred: deferred ?? undefined }),
      normalisation: card.normalisation,
      mode: batchNormMode(batchNormOf(settings), addition.legacyUpdates),
      checkpoints: options.checkpoints,
      saveEvery: options.saveEvery,
      keep: options.keep ?? 'recent',
      notes,
    });
    return new PreparedFit(trainer, owned);
  } catch (error) {
    for (const one of owned) one[Symbol.dispose]();
    throw error;
  }
}

// Before a single file is read: whatever is missing is told at once, of images, vectors and both data sets.
async function refuseIncomplete({ options, addition }: CheckedFit): Promise<void> {
  const needed: NeededFiles[] = [];
  for (const dataset of [options.train, options.validation]) {
    if (options.onError !== 'skip') needed.push(await neededImages(dataset));
    needed.push(...((await addition.needs?.(dataset)) ?? []));
  }
  refuseMissing(needed);
}

// The head has no BatchNorm, so with a backbone that does not learn the whole network is in evaluation mode.
function batchNormOf({ legacyBatchNorm, decoupling }: Settings): BatchNormKind {
  if (legacyBatchNorm) return 'legacy';
  return decoupling ? 'frozen' : 'standard';
}

function criteriaOf(
  settings: Settings,
  counts: readonly number[],
  classes: readonly string[],
): { plain: Criterion; reweighted: Criterion } {
  const { loss, weighting, beta, gamma, deferred } = settings;
  const common = { loss, counts, classes, gamma };
  const plain = classificationLoss(common);
  if (weighting === null) return { plain, reweighted: plain };
  const weights = classWeights({
    method: weighting,
    counts,
    classes,
    ...(weighting === 'class-balanced' ? { beta } : {}),
  });
  const reweighted = classificationLoss({ ...common, weights });
  return { plain: deferred ? plain : reweighted, reweighted };
}

// Images go to `owned` as soon as they are prepared, to be freed whatever happens next.
async function loadersOf(network: Network, options: FitOptions, settings: Settings, owned: Disposable[]) {
  const { batchSize, seed, augment } = settings;
  const { prefetch = 2 } = options;
  const train = await prepared(network, options.train, options);
  owned.push(train);
  const validation = await prepared(network, options.validation, options);
  owned.push(validation);
  const augmentation = augment ? { augmentation: { seed } } : {};
  const common = { batchSize, prefetch };
  const { length } = train.dataset;
  const balancedDraws = () => new ClassBalancedSampler({ labels: labelsOf(train.dataset), seed });
  const sampler = settings.decoupling ? balancedDraws() : new ShuffledSampler({ length, seed });
  const everyOne = new SequentialSampler({ length: validation.dataset.length });
  const isBalanced = options.mixing?.kind === 'balanced-mixup';
  const balanced = isBalanced ? balancedDraws() : undefined;
  return {
    train: new DataLoader({ images: train, sampler, ...common, ...augmentation }),
    validation: new DataLoader({ images: validation, sampler: everyOne, ...common }),
    balanced: balanced && new DataLoader({ images: train, sampler: balanced, ...common, ...augmentation }),
  };
}

async function prepared({ card }: Network, dataset: Dataset, options: FitOptions): Promise<PreparedImages> {
  const { cacheDir, signal, onError = 'throw', onPrepare } = options;
  const images = await prepareImages(dataset, {
    ...{ width: card.imageSize, height: card.imageSize, onError },
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal ? { signal } : {}),
    onProgress: ({ done, total }) => onPrepare?.({ dataset: dataset.name, done, total }),
  });
  options.onPrepared?.(images);
  return images;
}

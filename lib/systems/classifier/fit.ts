import process from 'node:process';
import type { Json } from '../../checkpoints/folder.js';
import { CheckpointStore } from '../../checkpoints/folder.js';
import type { Dataset } from '../../data/dataset.js';
import { DataLoader } from '../../data/loader.js';
import { type PreparedImages, prepareImages } from '../../data/prepare.js';
import {
  ClassBalancedSampler,
  classCounts,
  labelsOf,
  SequentialSampler,
  ShuffledSampler,
} from '../../data/samplers.js';
import { CxrGazeError } from '../../errors.js';
import { type ClassWeighting, classWeights } from '../../losses/class-weights.js';
import { type ClassificationLoss, type Criterion, classificationLoss } from '../../losses/criterion.js';
import { native } from '../../native.js';
import { readState } from '../../training/checkpoint.js';
import { EpochSchedule } from '../../training/epoch-schedule.js';
import { type ExtraTerm, longTailObjective, type MixingOptions } from '../../training/long-tail-objective.js';
import { createOptimizer } from '../../training/optimizer.js';
import { type PrecisionChoice, processor, resolvePrecision } from '../../training/precision.js';
import { Trainer, type FitOptions as TrainerFitOptions } from '../../training/trainer.js';
import { flag, integer, invalidArgument, knownKeys, number } from '../../validate.js';
import { sameClasses } from './evaluate.js';
import { cardToJson, type ModelCard } from './model-card.js';
import type { Network } from './passes.js';

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
  /** BatchNorm as GazeLT's original: two updates a step in epoch 1, evaluation mode from epoch 2 on; default `false`. */
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
  /** Folder of checkpoints; without it nothing is saved. */
  readonly checkpoints?: string;
  /** Also saves every so many steps. */
  readonly saveEvery?: number;
  /** Which checkpoints are kept; default `recent`: best, last and the one before. */
  readonly keep?: 'recent' | 'all';
  /** Goes on from the last checkpoint; other options than the run began with are an error. Default `false`. */
  readonly resume?: boolean;
  /** Ends the run after the current step, saves, and rejects with `ERR_ABORTED`. */
  readonly signal?: AbortSignal;
  /** @internal What a system adds to the classification loss. */
  readonly extra?: ExtraTerm;
  /** @internal What a system adds to the options that a checkpoint records. */
  readonly extraOptions?: { readonly [key: string]: Json };
}

const fitKeys = [
  ...[
    'train',
    'validation',
    'loss',
    'weighting',
    'beta',
    'gamma',
    'deferred',
    'mixing',
    'maxEpochs',
    'patience',
  ],
  ...[
    'batchSize',
    'learningRate',
    'seed',
    'precision',
    'legacyBatchNorm',
    'augment',
    'prefetch',
    'cacheDir',
    'onError',
  ],
  ...[
    'onPrepare',
    'onPrepared',
    'checkpoints',
    'saveEvery',
    'keep',
    'resume',
    'signal',
    'extra',
    'extraOptions',
  ],
];

/** What decides the numbers of a run: recorded, and compared on resume. */
interface Settings {
  readonly [key: string]: Json;
  readonly loss: ClassificationLoss;
  readonly weighting: ClassWeighting | null;
  readonly maxEpochs: number;
  readonly patience: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly augment: boolean;
  readonly legacyBatchNorm: boolean;
}

function settingsOf(options: FitOptions): Settings {
  const { deferred, mixing } = options;
  const whole = (name: string, value: number | undefined, fallback: number, min: number) =>
    integer(`options.${name}`, value ?? fallback, { min });
  return {
    loss: options.loss ?? 'ce',
    weighting: options.weighting ?? null,
    beta: number('options.beta', options.beta ?? 0.9999, { min: 0, max: 1 }),
    gamma: number('options.gamma', options.gamma ?? 2, { min: 0 }),
    deferred: deferred ? deferredOf(deferred) : null,
    mixing: mixing
      ? { kind: mixing.kind, alpha: mixing.alpha, distribution: mixing.distribution ?? 'alpha-one' }
      : null,
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
    ...options.extraOptions,
  };
}

function deferredOf(deferred: DeferredOptions | true): { epoch: number; factor: number } {
  const { epoch = 10, factor = 0.1 } = deferred === true ? {} : deferred;
  return { epoch, factor };
}

/** A trainer that is ready, with the options of its run. @internal */
export interface PreparedFit {
  readonly trainer: Trainer;
  readonly card: ModelCard;
  readonly options: TrainerFitOptions;
}

/** @internal */
export async function fitClassifier(network: Network, options: FitOptions): Promise<PreparedFit> {
  knownKeys('options', options, fitKeys);
  sameClasses(options.train, network.card.classes);
  sameClasses(options.validation, network.card.classes);
  const settings = settingsOf(options);
  const counts = classCounts(options.train);
  const card: ModelCard = { ...network.card, trainCounts: counts };
  const precision = await resolvePrecision(options.precision ?? 'auto', network.device);
  const recorded = { ...settings, precision, device: network.device };
  await refuseOverwrite(options, recorded);
  const criteria = criteriaOf(settings, counts, card.classes);
  const loaders = await loadersOf(network, options, settings);
  const { model, device } = network;
  if (precision === 'float64') model.to({ dtype: 'float64' });
  else model.to({ channelsLast: precision === 'bfloat16' });
  const optimizer = createOptimizer(await model.parameters(), {
    kind: 'adam',
    learningRate: settings.learningRate,
  });
  const { deferred } = settings as unknown as { deferred: { epoch: number; factor: number } | null };
  const { maxEpochs, patience, learningRate, seed } = settings;
  const trainer = new Trainer({
    ...{ model, optimizer, device, precision, ...loaders },
    objective: longTailObjective({ ...criteria, mixing: options.mixing, extra: options.extra, seed }),
    schedule: new EpochSchedule({ maxEpochs, patience, learningRate, deferred: deferred ?? undefined }),
    normalisation: card.normalisation,
    batchNorm: settings.legacyBatchNorm ? 'legacy' : 'standard',
    checkpoints: options.checkpoints,
    saveEvery: options.saveEvery,
    keep: options.keep ?? 'recent',
    notes: { options: recorded, card: cardToJson(card), environment: await environment() },
  });
  return { trainer, card, options: { signal: options.signal, resume: options.resume ?? false } };
}

function criteriaOf(
  settings: Settings,
  counts: readonly number[],
  classes: readonly string[],
): { plain: Criterion; reweighted: Criterion } {
  const { loss, weighting } = settings;
  const { beta, gamma, deferred } = settings as unknown as {
    beta: number;
    gamma: number;
    deferred: object | null;
  };
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

async function loadersOf(network: Network, options: FitOptions, settings: Settings) {
  const { batchSize, seed, augment } = settings;
  const { prefetch = 2 } = options;
  const train = await prepared(network, options.train, options);
  const validation = await prepared(network, options.validation, options);
  const augmentation = augment ? { augmentation: { seed } } : {};
  const common = { batchSize, prefetch };
  const { length } = train.dataset;
  const sampler = new ShuffledSampler({ length, seed });
  const everyOne = new SequentialSampler({ length: validation.dataset.length });
  const isBalanced = options.mixing?.kind === 'balanced-mixup';
  const balanced = isBalanced
    ? new ClassBalancedSampler({ labels: labelsOf(train.dataset), seed })
    : undefined;
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

async function environment(): Promise<{ readonly [key: string]: Json }> {
  const { libtorch } = native().buildInfo();
  return { node: process.versions.node, libtorch, ...(await processor()) };
}

// A run that is there is neither overwritten nor continued with other options.
async function refuseOverwrite(
  options: FitOptions,
  settings: { readonly [key: string]: Json },
): Promise<void> {
  const { checkpoints, resume = false } = options;
  if (checkpoints === undefined) {
    if (resume) throw invalidArgument('options.checkpoints', 'the folder to resume from', checkpoints);
    return;
  }
  const store = new CheckpointStore(checkpoints);
  const last = await store.named('last');
  if (!resume) {
    if (last === undefined) return;
    throw new CxrGazeError(
      'ERR_EXISTS',
      `${checkpoints} holds a run already (its last checkpoint is ${last}): resume it or choose another folder`,
    );
  }
  const before = (await readState(await store.open('last'))).options;
  const changed = [...new Set([...Object.keys(before), ...Object.keys(settings)])].filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(settings[key]),
  );
  if (changed.length === 0) return;
  const list = changed.map(
    (key) => `${key}: ${JSON.stringify(before[key])} -> ${JSON.stringify(settings[key])}`,
  );
  throw new CxrGazeError(
    'ERR_RESUME',
    `Expected the options that the run in ${checkpoints} began with; these differ: ${list.join('; ')}`,
    {
      details: { changed },
    },
  );
}

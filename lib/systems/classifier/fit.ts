import type { Json } from '../../checkpoints/folder.js';
import { type Dataset, requireDataset } from '../../data/dataset.js';
import { DataLoader } from '../../data/loader.js';
import type { NeededFiles } from '../../data/needed-files.js';
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
import { EpochSchedule, type RateDecay, rateDecays } from '../../training/epoch-schedule.js';
import {
  type CommonFitOptions,
  type CourseSettings,
  checkCommonFit,
  courseOf,
  prepareFor,
} from '../../training/fit-options.js';
import { type ExtraTerm, longTailObjective, type MixingOptions } from '../../training/long-tail-objective.js';
import { type PreparedRun, prepareRun, type RunParts } from '../../training/prepared-run.js';
import { Trainer } from '../../training/trainer.js';
import { flag, integer, knownKeys, number, oneOf } from '../../validate.js';
import { beginCrt, type DecouplingOptions, type DecouplingSettings, decouplingOf } from './decoupling.js';
import { sameClasses } from './evaluate.js';
import { cardToJson, type ModelCard } from './model-card.js';
import type { ClassifierLike } from './passes.js';

/** Deferred re-weighting as a user gives it. */
export interface DeferredOptions {
  /** Class weights and the lower rate begin after this epoch; default 10. */
  readonly epoch?: number;
  /** Factor on the learning rate from then on; default 0.1. */
  readonly factor?: number;
}

/** Options of `fit`; defaults are the originals'. */
export interface FitOptions extends CommonFitOptions {
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
  /** How the learning rate falls from epoch to epoch, beside deferred re-weighting; default `none`. */
  readonly rateDecay?: RateDecay;
  /** Most epochs; default 60. */
  readonly maxEpochs?: number;
  /** The run ends after `patience + 1` epochs without a better validation score; default 15. */
  readonly patience?: number;
  /** Images a step; default 256, as the originals. */
  readonly batchSize?: number;
  /**
   * BatchNorm as the system's original: evaluation mode from epoch 2 on, and for GazeLT two updates a step in epoch 1;
   * default `false`.
   */
  readonly legacyBatchNorm?: boolean;
  /** Flips and rotations of training images; default `true`. */
  readonly augment?: boolean;
}

/** @internal What a system adds to plain training. */
export interface FitAddition {
  /** Further options, recorded with the run and compared on resume; asked for once, when no file is missing, before anything long. */
  readonly options: () => Promise<{ readonly [key: string]: Json }>;
  /** How often the original ran the network on a batch: updates of BatchNorm's statistics under `legacyBatchNorm`. */
  readonly legacyUpdates: number;
  /** The files that a further term needs of a data set, so that all that is missing is listed at once. */
  readonly needs?: ((dataset: Dataset) => Promise<readonly NeededFiles[]>) | undefined;
  /** Reads what a further term needs, and makes it. */
  readonly term?: (() => Promise<ExtraTerm>) | undefined;
  /** Keeps what the term is made from as it is until the function that it returns is called. */
  readonly hold?: (() => () => void) | undefined;
}

const optionKeys: readonly Exclude<keyof FitOptions, keyof CommonFitOptions>[] = [
  ...(['train', 'validation', 'augment', 'loss', 'weighting', 'beta', 'gamma', 'deferred'] as const),
  ...(['mixing', 'decoupling', 'legacyBatchNorm', 'rateDecay'] as const),
];

/** @internal What decides the numbers of a run: recorded, and compared on resume. */
export interface Settings extends CourseSettings {
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
  readonly augment: boolean;
  readonly legacyBatchNorm: boolean;
  readonly rateDecay: RateDecay;
}

function settingsOf(options: FitOptions): Settings {
  const { weighting = null } = options;
  return {
    loss: oneOf('options.loss', options.loss ?? 'ce', classificationLosses),
    weighting: weighting === null ? null : oneOf('options.weighting', weighting, classWeightings),
    beta: number('options.beta', options.beta ?? 0.9999, { min: 0, max: 1 }),
    gamma: number('options.gamma', options.gamma ?? 2, { min: 0 }),
    deferred: deferredOf(options.deferred ?? false),
    mixing: options.mixing === undefined ? null : mixingOf(options.mixing),
    decoupling: decouplingOf(options.decoupling),
    ...courseOf(options, { maxEpochs: 60, patience: 15, batchSize: 256 }),
    augment: flag('options.augment', options.augment ?? true),
    legacyBatchNorm: flag('options.legacyBatchNorm', options.legacyBatchNorm ?? false),
    rateDecay: oneOf('options.rateDecay', options.rateDecay ?? 'none', rateDecays),
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
  checkCommonFit(options, optionKeys);
  requireDataset('options.train', options.train, 1);
  requireDataset('options.validation', options.validation, 1);
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

/** @internal Prepares images, and network and optimizer for training. */
export async function prepareFit(classifier: ClassifierLike, fit: CheckedFit): Promise<PreparedRun<Trainer>> {
  const { options, criteria, card, addition } = fit;
  const { network, device } = classifier;
  const { settings } = fit;
  const datasets = [options.train, options.validation];
  const { options: furtherSettings, needs } = addition;
  const plan = { options, settings, furtherSettings, card: cardToJson(card), device, datasets, needs };
  return prepareRun(plan, async ({ precision, own, common }) => {
    const extra = await addition.term?.();
    const loaders = await loadersOf(classifier.card, options, settings, own);
    const { decoupling, maxEpochs, patience, learningRate, seed, deferred, rateDecay: decay } = settings;
    if (decoupling) await beginCrt(network, decoupling, { seed, fresh: !(options.resume ?? false) });
    if (precision === 'float64') network.to({ dtype: 'float64' });
    else network.to({ channelsLast: precision === 'bfloat16' });
    const schedule = { maxEpochs, patience, learningRate, decay, deferred: deferred ?? undefined };
    return new Trainer({
      ...{ ...common, model: network, optimizer: own(await adamFor(network, learningRate)), ...loaders },
      objective: longTailObjective({ ...criteria, mixing: options.mixing, extra, seed }),
      scoring: classificationScoring,
      schedule: new EpochSchedule(schedule),
      normalisation: card.normalisation,
      mode: batchNormMode(batchNormOf(settings), addition.legacyUpdates),
    });
  });
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

async function loadersOf(card: ModelCard, options: FitOptions, settings: Settings, own: RunParts['own']) {
  const { batchSize, seed, augment } = settings;
  const { prefetch = 2 } = options;
  const prepared = async (dataset: Dataset) => own(await prepareFor(dataset, card, options));
  const train = await prepared(options.train);
  const validation = await prepared(options.validation);
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

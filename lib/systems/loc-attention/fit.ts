import { isRectified } from '../../cam/attention-map.js';
import { type Dataset, requireDataset } from '../../data/dataset.js';
import { DataLoader } from '../../data/loader.js';
import type { PreparedImages } from '../../data/prepare.js';
import { classCounts, SequentialSampler, ShuffledSampler } from '../../data/samplers.js';
import { type ClassWeighting, classWeightings, classWeights } from '../../losses/class-weights.js';
import { type Criterion, classificationLoss } from '../../losses/criterion.js';
import type { RegionTable } from '../../losses/regions.js';
import type { Model } from '../../models/model.js';
import { adamFor } from '../../training/adam.js';
import type { InputBatch } from '../../training/batch.js';
import {
  type CommonFitOptions,
  type CourseSettings,
  checkCommonFit,
  courseOf,
  prepareFor,
} from '../../training/fit-options.js';
import {
  checkedPlateau,
  type EarlyStopping,
  earlyStoppings,
  type PlateauOptions,
  PlateauSchedule,
} from '../../training/plateau-schedule.js';
import { type PreparedRun, prepareRun, type RunParts } from '../../training/prepared-run.js';
import { Trainer, type TrainerOptions } from '../../training/trainer.js';
import { integer, number, oneOf } from '../../validate.js';
import { sameClasses } from '../classifier/evaluate.js';
import { cardToJson, type ModelCard } from '../classifier/model-card.js';
import type { ClassifierLike } from '../classifier/passes.js';
import { type BoxOptions, boxesOf, boxKeys, boxRecord, checkBoxSource, type SplitBoxes } from './boxes.js';
import { type MaskedHalves, masksAtHand, neededMasks, withMasks } from './masked-films.js';
import { type LocAttentionResult, locAttentionObjective } from './objective.js';
import { type RegionChoice, regionsOf } from './region-choice.js';
import { type LocAttentionScores, locAttentionScoring, selectionGoal } from './scoring.js';
import {
  type AttentionSettings,
  type AttentionTermOptions,
  attentionKeys,
  attentionSettings,
} from './settings.js';

/** Options of `LocAttention.fit`; defaults are the original's (`model_loss_attent.py`) unless told otherwise. */
export interface LocAttentionFitOptions extends CommonFitOptions, AttentionTermOptions, BoxOptions {
  /** Training images. */
  readonly train: Dataset;
  /** Validation images: the epoch that is best on them is kept. */
  readonly validation: Dataset;
  /**
   * Where the disease of each class shows: a published task (`ne`, `np`, `ns`, `nep`, `neps`), an object by class name, or a
   * table by class index, with `null` for a class without a place. Needed unless `attention` is `none`.
   */
  readonly regions?: RegionChoice;
  /** Weights of the classes in the cross-entropy, from their training counts, for unbalanced sets; default none. */
  readonly weighting?: ClassWeighting | null;
  /** β of `class-balanced` weights; default 0.9999. */
  readonly beta?: number;
  /** Most epochs; default 100. */
  readonly maxEpochs?: number;
  /** The run ends at so many epochs without a better validation score, see `earlyStopping`; default 30. */
  readonly patience?: number;
  /** `reset`: epochs in a row (default, ours); `cumulative`: epochs of the whole run, as the original. */
  readonly earlyStopping?: EarlyStopping;
  /** When the rate falls; default: by a factor of 0.1 after more than 10 epochs on a plateau. */
  readonly plateau?: PlateauOptions;
  /** Images a step; default 32. */
  readonly batchSize?: number;
  /** Adam's learning rate; default 1e-5. */
  readonly learningRate?: number;
}

const ownKeys: readonly Exclude<
  keyof LocAttentionFitOptions,
  keyof CommonFitOptions | keyof AttentionTermOptions | keyof BoxOptions
>[] = ['train', 'validation', 'regions', 'weighting', 'beta', 'earlyStopping', 'plateau'];

/** What decides the numbers of a run: recorded, and compared on resume. */
type LocAttentionSettings = CourseSettings &
  AttentionSettings & {
    readonly regions: RegionTable | null;
    readonly weighting: ClassWeighting | null;
    readonly beta: number;
    readonly earlyStopping: EarlyStopping;
    readonly plateau: { readonly [name: string]: number };
  };

/** @internal A fit whose options have been checked. */
export interface CheckedLocAttentionFit {
  readonly options: LocAttentionFitOptions;
  readonly settings: LocAttentionSettings;
  readonly card: ModelCard;
}

/** @internal Judges everything that needs no image. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkedLocAttentionFit(
  card: ModelCard,
  options: LocAttentionFitOptions,
): CheckedLocAttentionFit {
  checkCommonFit(options, [...ownKeys, ...attentionKeys, ...boxKeys]);
  for (const half of ['train', 'validation'] as const) {
    requireDataset(`options.${half}`, options[half], 1);
    sameClasses(options[half], card.classes);
  }
  const attention = attentionSettings(options);
  if (options.activations !== undefined) isRectified(card.architecture, options.activations);
  const { weighting = null } = options;
  const settings: LocAttentionSettings = {
    ...courseOf(
      { ...options, learningRate: options.learningRate ?? 1e-5 },
      { maxEpochs: 100, patience: 30, batchSize: 32 },
    ),
    ...attention,
    regions: regionsOf(options.regions, card.classes, attention.attention),
    weighting: weighting === null ? null : oneOf('options.weighting', weighting, classWeightings),
    beta: number('options.beta', options.beta ?? 0.9999, { min: 0, max: 1 }),
    earlyStopping: oneOf('options.earlyStopping', options.earlyStopping ?? 'reset', earlyStoppings),
    plateau: { ...checkedPlateau('options.plateau', options.plateau ?? {}) },
    train: options.train.name,
    trainImages: options.train.length,
    validation: options.validation.name,
    validationImages: options.validation.length,
  };
  checkBoxSource(options, attention.attention);
  integer('options.patience', settings.patience, { min: 1 });
  // A class without films is told at once; the weights themselves are of the films that are left, see prepareLocAttentionFit.
  criterionOf(settings, options.train);
  // The sets are balanced by design: no head, medium and tail, which evaluation would form from counts.
  return { options, settings, card };
}

function criterionOf({ weighting, beta }: LocAttentionSettings, train: Dataset): Criterion {
  if (weighting === null) return classificationLoss({ loss: 'ce' });
  const own = weighting === 'class-balanced' ? { beta } : {};
  return classificationLoss({
    loss: 'ce',
    weights: classWeights({ method: weighting, counts: classCounts(train), classes: train.classes, ...own }),
  });
}

/** @internal What trains a classifier that looks where it is told. */
export type LocAttentionTrainer = Trainer<Model, LocAttentionResult, LocAttentionScores>;

/** @internal Prepares images, boxes, network and optimizer for training. */
export async function prepareLocAttentionFit(
  { network, device }: ClassifierLike,
  { options, settings, card }: CheckedLocAttentionFit,
): Promise<PreparedRun<LocAttentionTrainer>> {
  const datasets = [options.train, options.validation];
  const recorded = { ...recordOf(settings), boxes: await boxRecord(options) };
  const masks = options.masks === undefined ? undefined : masksAtHand(options.masks);
  const rule = { masks, onError: options.onError };
  const masksOf = neededMasks(rule);
  const needs = masksOf && ((dataset: Dataset) => masksOf(dataset, datasets));
  let halves: MaskedHalves | undefined;
  const furtherSettings = async () => {
    halves = await withMasks(rule, options);
    return halves.record === null ? {} : { filmsWithMasks: halves.record };
  };
  const plan = {
    options,
    settings: recorded,
    furtherSettings,
    card: cardToJson(card),
    device,
    datasets,
    needs,
  };
  return prepareRun(plan, async ({ precision, own, common }) => {
    const films = { ...options, masks, ...(halves as MaskedHalves) };
    for (const warning of films.leftOut) options.onLeftOut?.(warning);
    const images = await preparedHalves(card, options, films, own);
    const boxes = settings.attention === 'none' ? undefined : await boxesOf(images, films, card.imageSize);
    if (precision === 'float64') network.to({ dtype: 'float64' });
    else network.to({ channelsLast: precision === 'bfloat16' });
    const { maxEpochs, patience, learningRate, earlyStopping, plateau, regions } = settings;
    const trainerOptions: TrainerOptions<Model, LocAttentionResult, LocAttentionScores> = {
      ...{ ...common, model: network, optimizer: own(await adamFor(network, learningRate)) },
      ...loadersOf(images, options, settings),
      objective: locAttentionObjective(settings, {
        criterion: criterionOf(settings, films.train),
        regions: regions ?? [],
        boxes: (batch, phase) => boxesOfBatch(boxes as SplitBoxes, batch, phase),
      }),
      scoring: locAttentionScoring(settings),
      schedule: new PlateauSchedule({
        ...{ maxEpochs, patience, learningRate, earlyStopping, plateau },
        goal: selectionGoal(settings),
      }),
      normalisation: card.normalisation,
    };
    return new Trainer(trainerOptions);
  });
}

// The default goes without saying: runs that began before there was a choice go on.
function recordOf({ activations, ...others }: LocAttentionSettings): CourseSettings {
  return activations === 'before_relu' ? others : { ...others, activations };
}

/** Prepared images of both halves. */
export interface PreparedHalves {
  readonly train: PreparedImages;
  readonly validation: PreparedImages;
}

async function preparedHalves(
  card: ModelCard,
  options: CommonFitOptions,
  { train, validation }: MaskedHalves,
  own: RunParts['own'],
): Promise<PreparedHalves> {
  const prepared = own(await prepareFor(train, card, options));
  return { train: prepared, validation: own(await prepareFor(validation, card, options)) };
}

// As the original: no augmentation, which would move the image away from its box.
function loadersOf(
  { train, validation }: PreparedHalves,
  { prefetch = 2 }: LocAttentionFitOptions,
  { batchSize, seed }: LocAttentionSettings,
): { readonly train: DataLoader; readonly validation: DataLoader } {
  const shuffled = new ShuffledSampler({ length: train.dataset.length, seed });
  const inOrder = new SequentialSampler({ length: validation.dataset.length });
  return {
    train: new DataLoader({ images: train, sampler: shuffled, batchSize, prefetch }),
    validation: new DataLoader({ images: validation, sampler: inOrder, batchSize, prefetch }),
  };
}

function boxesOfBatch(boxes: SplitBoxes, { indices }: InputBatch, phase: 'train' | 'val'): Int32Array {
  const all = phase === 'train' ? boxes.train : boxes.validation;
  const chosen = new Int32Array(4 * indices.length);
  for (let i = 0; i < indices.length; i++) {
    const at = 4 * (indices[i] as number);
    chosen.set(all.subarray(at, at + 4), 4 * i);
  }
  return chosen;
}

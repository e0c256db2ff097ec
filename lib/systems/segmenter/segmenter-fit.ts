import { drawAugmentation } from '../../data/augmentation.js';
import { assemble } from '../../data/batch.js';
import { subsetOf } from '../../data/dataset.js';
import { DataLoader } from '../../data/loader.js';
import { type MaskPairs, requirePairs } from '../../data/mask-pairs.js';
import { type PairFacts, type PairReport, PairSurvey, pairReport } from '../../data/pair-survey.js';
import { type PreparedImages, prepareImages } from '../../data/prepare.js';
import { SequentialSampler, ShuffledSampler } from '../../data/samplers.js';
import type { SegmentationNetwork } from '../../models/segmentation.js';
import type { Tensor } from '../../tensor/tensor.js';
import { adamFor } from '../../training/adam.js';
import type { InputBatch, ObjectivePhase } from '../../training/batch.js';
import {
  type CommonFitOptions,
  type CourseSettings,
  checkCommonFit,
  courseOf,
  prepareFor,
} from '../../training/fit-options.js';
import { PlateauSchedule } from '../../training/plateau-schedule.js';
import { type PreparedRun, prepareRun } from '../../training/prepared-run.js';
import { Trainer } from '../../training/trainer.js';
import { callback, number } from '../../validate.js';
import { type SegmenterCard, segmenterCardToJson } from './segmenter-card.js';
import {
  type SegmenterResult,
  type SegmenterScores,
  segmenterObjective,
  segmenterScoring,
} from './segmenter-objective.js';

/**
 * Options of `LungSegmenter.fit`. The original's training program is not published; the defaults are the recipe of the
 * U-Net that it took over (section 3.4): Adam at 1e-4, batches of 2, 50 epochs, the rate divided by 10 after 5 epochs
 * without a lower validation loss, the weights of the lowest one kept.
 */
export interface SegmenterFitOptions extends CommonFitOptions {
  /** Pairs to learn from. */
  readonly train: MaskPairs;
  /** Pairs to validate on: the epoch with the lowest loss on them is kept. */
  readonly validation: MaskPairs;
  /** Probability that an image and its mask are mirrored; default 0. The recipe's images were also flipped, beforehand. */
  readonly flipProbability?: number;
  /** Images and masks are rotated by up to so many degrees; default 0. The recipe has 45. */
  readonly maxAngle?: number;
  /** Called once the masks of a set are prepared, with what deserves a look: empty ones, ones of another size. */
  readonly onPairs?: (report: PairReport) => void;
  /** Most epochs; default 50. */
  readonly maxEpochs?: number;
  /** The run ends after `patience + 1` epochs without a lower validation loss; default: only at the last epoch. */
  readonly patience?: number;
  /** Pairs a step; default 2. */
  readonly batchSize?: number;
}

const optionNames: readonly Exclude<keyof SegmenterFitOptions, keyof CommonFitOptions>[] = [
  ...(['train', 'validation', 'flipProbability', 'maxAngle', 'onPairs'] as const),
];

/** When the rate falls (section 3.4). */
const plateau = { factor: 0.1, patience: 5 };

/** What decides the numbers of a run: recorded, and compared on resume. */
interface SegmenterSettings extends CourseSettings {
  readonly flipProbability: number;
  readonly maxAngle: number;
}

/** @internal A fit whose options have been checked. */
export interface CheckedSegmenterFit {
  readonly options: SegmenterFitOptions;
  readonly settings: SegmenterSettings;
}

/** @internal Judges everything that needs no image. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkedSegmenterFit(options: SegmenterFitOptions): CheckedSegmenterFit {
  checkCommonFit(options, optionNames);
  const { train, validation } = options;
  requirePairs('options.train', train);
  requirePairs('options.validation', validation);
  callback('options.onPairs', options.onPairs);
  const settings = {
    ...courseOf(options, { maxEpochs: 50, batchSize: 2 }),
    flipProbability: number('options.flipProbability', options.flipProbability ?? 0, { min: 0, max: 1 }),
    maxAngle: number('options.maxAngle', options.maxAngle ?? 0, { min: 0, max: 180 }),
    ...{ train: train.images.name, trainPairs: train.masks.length },
    ...{ validation: validation.images.name, validationPairs: validation.masks.length },
  };
  return { options, settings };
}

type SegmenterTrainer = Trainer<SegmentationNetwork, SegmenterResult, SegmenterScores>;

/** @internal Prepares images, masks, network and optimizer for training. */
export async function prepareSegmenterFit(
  segmenter: { readonly network: SegmentationNetwork; readonly card: SegmenterCard; readonly device: string },
  { options, settings }: CheckedSegmenterFit,
): Promise<PreparedRun<SegmenterTrainer>> {
  const { network, card, device } = segmenter;
  const datasets = [options.train.images, options.validation.images];
  const plan = { options, settings, card: segmenterCardToJson(card), device, datasets };
  return prepareRun(plan, async ({ precision, own, common }) => {
    const halves = {
      train: await preparedPairs(card, options.train, options, own),
      validation: await preparedPairs(card, options.validation, options, own),
    };
    for (const half of ['train', 'validation'] as const)
      options.onPairs?.(pairReport(options[half].images.name, halves[half].facts));
    if (precision === 'float64') network.to({ dtype: 'float64' });
    else network.to({ channelsLast: precision === 'bfloat16' });
    const { maxEpochs, patience, learningRate } = settings;
    return new Trainer({
      ...{ ...common, model: network, optimizer: own(await adamFor(network, learningRate)) },
      ...loadersOf(halves, options, settings),
      objective: segmenterObjective(targetsOf(halves, settings)),
      scoring: segmenterScoring,
      schedule: new PlateauSchedule({
        ...{ maxEpochs, patience: patience + 1, learningRate, goal: 'lowest', plateau },
      }),
      normalisation: card.normalisation,
    });
  });
}

/** Images and masks of one size, in the same order. */
export interface PreparedPairs {
  readonly images: PreparedImages;
  readonly masks: PreparedImages;
  /** What was seen of each pair. */
  readonly facts: readonly PairFacts[];
}

interface Halves {
  readonly train: PreparedPairs;
  readonly validation: PreparedPairs;
}

/**
 * @internal Decodes images and masks. Masks of images that are left out are left out with them.
 *
 * @param options with `allowNone` no pair may be left
 */
export async function preparedPairs(
  card: SegmenterCard,
  pairs: MaskPairs,
  options: CommonFitOptions & { readonly allowNone?: boolean },
  own: <T extends Disposable>(one: T) => T,
): Promise<PreparedPairs> {
  const { imageSize, interpolation } = card;
  const survey = new PairSurvey(pairs);
  const images = own(await prepareFor(survey.images(), card, options));
  const { cacheDir, signal, allowNone = false } = options;
  const masks = await prepareImages(subsetOf(survey.masks(), images.kept), {
    ...{ width: imageSize, height: imageSize, interpolation, allowNone },
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal ? { signal } : {}),
  });
  return { images, masks: own(masks), facts: await survey.facts() };
}

/** The masks of a batch, varied as its images are. */
function targetsOf({ train, validation }: Halves, settings: SegmenterSettings) {
  const { seed, flipProbability, maxAngle } = settings;
  return async (batch: InputBatch, { phase }: ObjectivePhase): Promise<Tensor> => {
    const indices = Int32Array.from(batch.indices);
    const varied = phase === 'train' && isVaried(settings);
    const draw = (index: number) => drawAugmentation(seed, batch.epoch, index, { flipProbability, maxAngle });
    const { masks } = phase === 'train' ? train : validation;
    return maskTargets(masks, indices, batch.device, varied ? Array.from(indices, draw) : undefined);
  };
}

/** @internal Masks as float32 [B, 1, H, W] in 0 to 1; call it in a `tidy` scope. */
export async function maskTargets(
  masks: PreparedImages,
  indices: Int32Array,
  device: string,
  augmentations?: Parameters<typeof assemble>[2],
): Promise<Tensor> {
  using bytes = await assemble(masks, indices, augmentations);
  return bytes.to({ dtype: 'float32', device }).div(255).permute([0, 3, 1, 2]);
}

function isVaried({ flipProbability, maxAngle }: SegmenterSettings): boolean {
  return flipProbability > 0 || maxAngle > 0;
}

function loadersOf(
  { train, validation }: Halves,
  { prefetch = 2 }: SegmenterFitOptions,
  settings: SegmenterSettings,
) {
  const { batchSize, seed, flipProbability, maxAngle } = settings;
  const common = { batchSize, prefetch };
  const shuffled = new ShuffledSampler({ length: train.images.dataset.length, seed });
  const everyOne = new SequentialSampler({ length: validation.images.dataset.length });
  const augmentation = isVaried(settings) ? { augmentation: { seed, flipProbability, maxAngle } } : {};
  return {
    train: new DataLoader({ images: train.images, sampler: shuffled, ...common, ...augmentation }),
    validation: new DataLoader({ images: validation.images, sampler: everyOne, ...common }),
  };
}

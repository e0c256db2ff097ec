import { DataLoader } from '../../data/loader.js';
import type { PreparedImages } from '../../data/prepare.js';
import { SequentialSampler, ShuffledSampler } from '../../data/samplers.js';
import type { Reading } from '../../gaze/reading.js';
import { type WindowConvention, windowConventions } from '../../gaze/windows.js';
import type { TeacherNetwork } from '../../models/teacher.js';
import { adamFor } from '../../training/adam.js';
import type { InputBatch, ObjectivePhase } from '../../training/batch.js';
import { EpochSchedule, type RateDecay, rateDecays } from '../../training/epoch-schedule.js';
import {
  type CommonFitOptions,
  type CourseSettings,
  checkCommonFit,
  courseOf,
  prepareFor,
} from '../../training/fit-options.js';
import { type PreparedRun, prepareRun } from '../../training/prepared-run.js';
import { Trainer, type TrainerOptions } from '../../training/trainer.js';
import { invalidArgument, number, oneOf } from '../../validate.js';
import { type GazeDataset, requireGaze } from './gaze-dataset.js';
import { type TeacherCard, teacherCardToJson } from './teacher-card.js';
import {
  type TeacherResult,
  type TeacherScores,
  teacherObjective,
  teacherScoring,
} from './teacher-objective.js';
import { batchTargets, readableGaze, readingsOf, type Variation } from './teacher-targets.js';

/**
 * Options of `GazeTeacher.fit`. How the originals were trained was not published; rate and number of epochs are GazeLT's
 * choice for its student and the number in the names of the authors' files (gazelt.md 5).
 */
export interface TeacherFitOptions extends CommonFitOptions {
  /** Readings to learn from. */
  readonly train: GazeDataset;
  /** Readings to validate on: the epoch with the lowest loss on them is kept. */
  readonly validation: GazeDataset;
  /** How a reading is cut into its four windows; default `half-open`. */
  readonly windows?: WindowConvention;
  /** Probability that a film is mirrored, its reading with it; default 0, for nothing of it is published. */
  readonly flipProbability?: number;
  /** Films are rotated by up to so many degrees to either side, their readings with them; default 0. */
  readonly maxAngle?: number;
  /** How the learning rate falls from epoch to epoch; default `none`. */
  readonly rateDecay?: RateDecay;
  /** Most epochs; default 100. */
  readonly maxEpochs?: number;
  /** The run ends after `patience + 1` epochs without a lower validation loss; default: only at the last epoch. */
  readonly patience?: number;
  /** Readings a step; default 8. */
  readonly batchSize?: number;
}

const optionNames: readonly Exclude<keyof TeacherFitOptions, keyof CommonFitOptions>[] = [
  ...(['train', 'validation', 'windows', 'flipProbability', 'maxAngle', 'rateDecay'] as const),
];

/** What decides the numbers of a run: recorded, and compared on resume. */
interface TeacherSettings extends CourseSettings {
  readonly windows: WindowConvention;
  readonly flipProbability: number;
  readonly maxAngle: number;
  readonly rateDecay: RateDecay;
}

/** @internal A fit whose options have been checked. */
export interface CheckedTeacherFit {
  readonly options: TeacherFitOptions;
  readonly settings: TeacherSettings;
  readonly train: GazeDataset;
  readonly validation: GazeDataset;
  /** What was left out, a sentence each. */
  readonly warnings: readonly string[];
}

/** @internal Judges everything that needs no image. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkedTeacherFit(card: TeacherCard, options: TeacherFitOptions): CheckedTeacherFit {
  checkCommonFit(options, optionNames);
  const windows = oneOf('options.windows', options.windows ?? 'half-open', windowConventions);
  const warnings: string[] = [];
  const readable = (name: 'train' | 'validation'): GazeDataset => {
    requireGaze(`options.${name}`, options[name]);
    const { gaze, empty } = readableGaze(options[name], { branch: card.branch, windows });
    if (empty > 0)
      warnings.push(
        `${empty} of ${empty + gaze.readings.length} readings of ${gaze.images.name} look at nothing of their film and are left out`,
      );
    if (gaze.readings.length > 0) return gaze;
    throw invalidArgument(`options.${name}`, 'a reading that looks at its film', options[name]);
  };
  const [train, validation] = [readable('train'), readable('validation')];
  const settings = settingsOf(options, { windows, train, validation });
  return { options, train, validation, settings, warnings };
}

function settingsOf(
  options: TeacherFitOptions,
  {
    windows,
    train,
    validation,
  }: { readonly windows: WindowConvention; readonly train: GazeDataset; readonly validation: GazeDataset },
): TeacherSettings {
  return {
    ...courseOf(options, { maxEpochs: 100, batchSize: 8 }),
    windows,
    flipProbability: number('options.flipProbability', options.flipProbability ?? 0, { min: 0, max: 1 }),
    maxAngle: number('options.maxAngle', options.maxAngle ?? 0, { min: 0, max: 180 }),
    rateDecay: oneOf('options.rateDecay', options.rateDecay ?? 'none', rateDecays),
    train: train.images.name,
    trainReadings: train.readings.length,
    validation: validation.images.name,
    validationReadings: validation.readings.length,
  };
}

type TeacherTrainer = Trainer<TeacherNetwork, TeacherResult, TeacherScores>;

/** @internal Prepares images, network and optimizer for training. */
export async function prepareTeacherFit(
  teacher: { readonly network: TeacherNetwork; readonly card: TeacherCard; readonly device: string },
  fit: CheckedTeacherFit,
): Promise<PreparedRun<TeacherTrainer>> {
  const { options, settings } = fit;
  const { network, card, device } = teacher;
  const datasets = [fit.train.images, fit.validation.images];
  const plan = { options, settings, card: teacherCardToJson(card), device, datasets };
  return prepareRun(plan, async ({ precision, own, common }) => {
    const train = await preparedGaze(card, fit.train, options);
    own(train.images);
    const validation = await preparedGaze(card, fit.validation, options);
    own(validation.images);
    if (precision === 'float64') network.to({ dtype: 'float64' });
    const { maxEpochs, patience, learningRate, rateDecay: decay } = settings;
    const trainerOptions: TrainerOptions<TeacherNetwork, TeacherResult, TeacherScores> = {
      ...{ ...common, model: network, optimizer: own(await adamFor(network, learningRate)) },
      ...loadersOf({ train, validation }, options, settings),
      objective: teacherObjective(targetsOf(card, { train, validation }, settings)),
      scoring: teacherScoring,
      schedule: new EpochSchedule({ maxEpochs, patience, learningRate, decay, goal: 'lowest' }),
      normalisation: card.normalisation,
    };
    return new Trainer(trainerOptions);
  });
}

/** Films that are ready, with their readings. */
interface PreparedGaze {
  readonly images: PreparedImages;
  readonly readings: readonly Reading[];
}

interface Halves {
  readonly train: PreparedGaze;
  readonly validation: PreparedGaze;
}

// The readings of films that could not be read are left out with them.
async function preparedGaze(
  card: TeacherCard,
  gaze: GazeDataset,
  options: TeacherFitOptions,
): Promise<PreparedGaze> {
  const images = await prepareFor(gaze.images, card, options);
  return { images, readings: images.kept.map((index) => gaze.readings[index] as Reading) };
}

function targetsOf({ branch }: TeacherCard, { train, validation }: Halves, settings: TeacherSettings) {
  const { windows } = settings;
  return (batch: InputBatch, { phase }: ObjectivePhase) => {
    const { readings } = phase === 'train' ? train : validation;
    const variation = phase === 'train' ? variationOf(settings) : null;
    return batchTargets(readingsOf(batch, readings, variation), { branch, windows });
  };
}

function variationOf({ seed, flipProbability, maxAngle }: TeacherSettings): Variation | null {
  return flipProbability > 0 || maxAngle > 0 ? { seed, flipProbability, maxAngle } : null;
}

function loadersOf(
  { train, validation }: Halves,
  { prefetch = 2 }: TeacherFitOptions,
  settings: TeacherSettings,
) {
  const { batchSize, seed } = settings;
  const common = { batchSize, prefetch };
  const shuffled = new ShuffledSampler({ length: train.readings.length, seed });
  const everyOne = new SequentialSampler({ length: validation.readings.length });
  const variation = variationOf(settings);
  const augmented = variation ? { augmentation: variation } : {};
  return {
    train: new DataLoader({ images: train.images, sampler: shuffled, ...common, ...augmented }),
    validation: new DataLoader({ images: validation.images, sampler: everyOne, ...common }),
  };
}

import { stat } from 'node:fs/promises';
import type { Json } from '../../checkpoints/folder.js';
import { type Interpolation, interpolations } from '../../data/resize.js';
import { CxrGazeError } from '../../errors.js';
import { checkThresholds, defaultGroupThresholds } from '../../metrics/groups.js';
import type { GroupThresholds } from '../../metrics/types.js';
import {
  type Architecture,
  architectures,
  checkHead,
  checkWidth,
  type HeadKind,
  headKinds,
  publishedWidth,
} from '../../models/model.js';
import { imagenetNormalisation, type Normalisation } from '../../training/inputs.js';
import {
  classNames,
  integer,
  invalidArgument,
  knownKeys,
  list,
  number,
  oneOf,
  record,
} from '../../validate.js';
import { readCardFile, type StoredCard } from '../card-file.js';
import { findSaved } from '../saved.js';

/** The systems that are classifiers, as their cards name them. */
export const classifierSystems = ['gazelt', 'baseline', 'loc-attention'] as const;

/** Which system a classifier is: `gazelt` (`GazeLT`), `baseline` (`Baseline`) or `loc-attention` (`LocAttention`). */
export type ClassifierSystem = (typeof classifierSystems)[number];

/** What a saved classifier is: everything that prediction needs besides the weights. */
export interface ModelCard {
  /** Which system. */
  readonly system: ClassifierSystem;
  /** Backbone. */
  readonly architecture: Architecture;
  /** Head. */
  readonly head: HeadKind;
  /** Channels of the backbone's first stage; 64 as published. */
  readonly width: number;
  /** Class names in label order. */
  readonly classes: readonly string[];
  /** Side of the square input in pixels. */
  readonly imageSize: number;
  /** Of the input. */
  readonly normalisation: Normalisation;
  /** How images are stretched to the input size. */
  readonly interpolation: Interpolation;
  /** Training images of each class; `null` where it was not trained here. */
  readonly trainCounts: readonly number[] | null;
  /** Where head, medium and tail are cut. */
  readonly thresholds: GroupThresholds;
}

/** Sides of the square input that a backbone takes, in pixels. */
export const imageSizes = { min: 32, max: 16384 };

/** Name of the file beside `model.safetensors`. */
export const cardFile = 'model.json';

/**
 * The card as JSON holds it. The published width, and images stretched by area, go without saying, as in cards of versions
 * that knew no other.
 */
export function cardToJson(card: ModelCard): { readonly [key: string]: Json } {
  const { normalisation, thresholds, width, interpolation, ...rest } = card;
  return {
    ...rest,
    ...(width === publishedWidth ? {} : { width }),
    ...(interpolation === 'area' ? {} : { interpolation }),
    normalisation: { mean: normalisation.mean, std: normalisation.std },
    thresholds: { head: thresholds.head, tail: thresholds.tail },
  };
}

/**
 * Reads a card.
 *
 * @param folder of a saved model (`model.json`, `NAME.json`) or of a checkpoint (`state.json`)
 * @throws CxrGazeError `ERR_CHECKPOINT` naming file and member
 */
export function readCard(folder: string, file: string): Promise<ModelCard> {
  return readCardFile(folder, file, classifierSystems, cardFrom);
}

/**
 * Refuses the card of another system than that of the class that loads it.
 *
 * @param file for messages
 * @throws CxrGazeError `ERR_CHECKPOINT` naming file and both systems
 */
export function requireSystem(file: string, { system }: ModelCard, wanted: ClassifierSystem): void {
  if (system === wanted) return;
  throw new CxrGazeError(
    'ERR_CHECKPOINT',
    `${file}: expected the card of system '${wanted}' but found '${system}': load it by that system's class, or by loadClassifier`,
    { details: { file, expected: wanted, found: system } },
  );
}

/**
 * The card of what a user begins with.
 *
 * @param given a file of weights, or the folder of a saved model, a checkpoint or a run
 * @returns `undefined` for a file: weights without a card
 * @throws CxrGazeError `ERR_CHECKPOINT` for a folder that holds no classifier
 */
export async function cardOf(given: string): Promise<ModelCard | undefined> {
  const found = await stat(given).catch(() => undefined);
  if (!found?.isDirectory()) return undefined;
  const { folder, card } = await findSaved(given, cardFile);
  return readCard(folder, card);
}

function cardFrom(card: StoredCard<ClassifierSystem>): ModelCard {
  knownKeys('card', card, [
    ...['system', 'architecture', 'head', 'width', 'classes', 'imageSize', 'normalisation', 'interpolation'],
    'trainCounts',
    'thresholds',
  ]);
  const { trainCounts, thresholds } = card;
  const classes = classNames('classes', card.classes);
  const cuts = thresholds === undefined ? defaultGroupThresholds : record('thresholds', thresholds);
  const architecture = oneOf('architecture', card.architecture, architectures);
  return {
    system: card.system,
    architecture,
    head: checkHead('head', oneOf('head', card.head, headKinds), architecture),
    width: checkWidth('width', card.width ?? publishedWidth, architecture),
    classes,
    imageSize: integer('imageSize', card.imageSize, imageSizes),
    normalisation:
      card.normalisation === undefined
        ? imagenetNormalisation
        : normalisationFrom('normalisation', card.normalisation),
    interpolation: oneOf('interpolation', card.interpolation ?? 'area', interpolations),
    trainCounts: trainCounts == null ? null : countsFrom('trainCounts', trainCounts, classes.length),
    thresholds: checkThresholds('thresholds', cuts as unknown as GroupThresholds),
  };
}

/** Checks training images of each class. */
export function countsFrom(name: string, value: unknown, classes: number): number[] {
  const counts = list(name, value, (at, n) => integer(at, n, { min: 0 }));
  if (counts.length === classes) return counts;
  throw invalidArgument(name, `${classes} numbers, one for each class,`, value);
}

/** Checks a normalisation. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function normalisationFrom(name: string, value: unknown): Normalisation {
  const given = record(name, value);
  const three = (part: 'mean' | 'std') => {
    const at = `${name}.${part}`;
    const bounds = part === 'std' ? { above: 0 } : {};
    const numbers = list(at, given[part], (item, one) => number(item, one, bounds));
    if (numbers.length !== 3) throw invalidArgument(at, 'three numbers', given[part]);
    return numbers as unknown as readonly [number, number, number];
  };
  return { mean: three('mean'), std: three('std') };
}

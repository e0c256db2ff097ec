import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Json } from '../../checkpoints/folder.js';
import type { Box } from '../../data/box.js';
import type { DataWarning } from '../../data/data-warning.js';
import { type Dataset, subsetOf } from '../../data/dataset.js';
import { type LungBoxes, lungBoxesOfMasks, strayMasks, withoutMasksOf } from '../../data/lung-boxes.js';
import { MaskFolder } from '../../data/mask-folder.js';
import { missingText, type NeededFiles, refuseMissing } from '../../data/needed-files.js';
import type { PreparedImages } from '../../data/prepare.js';
import { CxrGazeError } from '../../errors.js';
import type { CommonFitOptions } from '../../training/fit-options.js';
import { callback, integer, invalidArgument, knownKeys, list, object, text } from '../../validate.js';
import { LungSegmenter } from '../segmenter/segmenter.js';
import { stateHash } from '../state-hash.js';
import type { AttentionForm } from './settings.js';

/** Boxes around the lungs that are known already, in the order of the data sets. */
export interface GivenBoxes {
  /** Of the training images, in pixels of the network's input. */
  readonly train: readonly Box[];
  /** Of the validation images. */
  readonly validation: readonly Box[];
}

/** Where a fit's boxes come from: one of the first three. They are found once, before the first epoch. */
export interface BoxOptions {
  /** A segmenter that finds the lungs of each image; its boxes are kept in `cacheDir`. */
  readonly segmenter?: LungSegmenter;
  /**
   * Instead, a folder of lung masks: `NAME.png` or `NAME_mask.png` for the image `NAME`. With `onError: 'skip'` films without
   * one are left out, and told by `onBoxes`; else all of them are an error before any image is read.
   */
  readonly masks?: string;
  /** Instead, the boxes themselves. */
  readonly boxes?: GivenBoxes;
  /** Called as lungs are found. */
  readonly onLungs?: (progress: {
    readonly dataset: string;
    readonly done: number;
    readonly total: number;
  }) => void;
  /** Called once the lungs of a data set are found, with what deserves a look. */
  readonly onBoxes?: (boxes: LungBoxes) => void;
}

const sources = ['segmenter', 'masks', 'boxes'] as const;

/** Names of {@link BoxOptions}. */
export const boxKeys: readonly (keyof BoxOptions)[] = [...sources, 'onLungs', 'onBoxes'];

/** The boxes of both halves: x, y, width, height of each prepared image in a row. */
export interface SplitBoxes {
  readonly train: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Checks that a fit with an attention term says where its boxes come from, and one without does not.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function checkBoxSource(
  options: BoxOptions & { readonly train: { length: number }; readonly validation: { length: number } },
  attention: AttentionForm,
): void {
  callback('options.onLungs', options.onLungs);
  callback('options.onBoxes', options.onBoxes);
  const given = sources.filter((name) => options[name] !== undefined);
  const [source, other] = given;
  if (attention === 'none') {
    if (source === undefined) return;
    throw invalidArgument(`options.${source}`, "nothing with options.attention 'none'", options[source]);
  }
  if (source === undefined || other !== undefined)
    throw new CxrGazeError(
      'ERR_INVALID_ARGUMENT',
      `Expected one of options.${sources.join(', options.')}: where the lungs of each image are`,
    );
  if (options.masks !== undefined) text('options.masks', options.masks);
  if (source === 'segmenter' && !(options.segmenter instanceof LungSegmenter))
    throw invalidArgument('options.segmenter', 'a LungSegmenter', options.segmenter);
  if (options.boxes === undefined) return;
  const { train, validation } = object('options.boxes', options.boxes);
  knownKeys('options.boxes', options.boxes, ['train', 'validation']);
  requireBoxes('options.boxes.train', train, options.train.length);
  requireBoxes('options.boxes.validation', validation, options.validation.length);
}

function requireBoxes(name: string, boxes: readonly Box[], count: number): void {
  list(name, boxes, (at, box) => {
    const { x, y, width, height } = object(at, box as Box);
    for (const [part, value] of Object.entries({ x, y, width, height }))
      integer(`${at}.${part}`, value, { min: 0 });
  });
  if (boxes.length !== count)
    throw invalidArgument(name, `${count} boxes, one for each image,`, `${boxes.length} boxes`);
}

/** What a run records of the source, so that it does not go on with other boxes. */
export async function boxRecord({ segmenter, masks, boxes }: BoxOptions): Promise<Json> {
  if (segmenter) return `segmenter ${await stateHash(segmenter.network)}`;
  if (masks !== undefined) return `masks ${path.resolve(masks)}`;
  if (boxes === undefined) return null;
  const numbers = [boxes.train, boxes.validation].map((half) => half.map(fourOf));
  return `boxes ${createHash('sha256').update(JSON.stringify(numbers)).digest('hex').slice(0, 12)}`;
}

const fourOf = ({ x, y, width, height }: Box) => [x, y, width, height];

/** The data sets as they were given, before images were left out. */
interface Halves {
  readonly train: Dataset;
  readonly validation: Dataset;
}

/** The masks that a fit needs of a data set; `undefined` where it needs none, or may leave films out. */
export function neededMasks({
  masks,
  onError,
}: BoxOptions & CommonFitOptions):
  | ((dataset: Dataset, all: Iterable<Dataset>) => Promise<readonly NeededFiles[]>)
  | undefined {
  if (masks === undefined || onError === 'skip') return undefined;
  return async (dataset, all) => [(await MaskFolder.open(masks)).lackingOf(dataset, all).needed];
}

/** Both halves as they are trained on, and what is to be told of films that were left out. */
export interface MaskedHalves extends Halves {
  readonly leftOut: { readonly train: readonly DataWarning[]; readonly validation: readonly DataWarning[] };
}

/**
 * Leaves films without a mask out of both halves, where a fit may.
 *
 * @throws CxrGazeError `ERR_DATASET` where no film of a half would be left
 */
export async function withMasks({
  masks,
  onError,
  train,
  validation,
}: BoxOptions & CommonFitOptions & Halves): Promise<MaskedHalves> {
  if (masks === undefined || onError !== 'skip')
    return { train, validation, leftOut: { train: [], validation: [] } };
  const folder = await MaskFolder.open(masks);
  const kept = [train, validation].map((dataset) => {
    const { indices, needed } = folder.lackingOf(dataset, [train, validation]);
    if (indices.length === 0) return { dataset, warnings: [] };
    if (indices.length === dataset.length) refuseMissing([needed]);
    const lacking = new Set(indices);
    const others = Array.from({ length: dataset.length }, (_, i) => i).filter((i) => !lacking.has(i));
    const message = `${missingText([needed])}; these films are left out`;
    const details = { dataset: dataset.name, ids: indices.map((i) => dataset.sample(i).id) };
    return { dataset: subsetOf(dataset, others), warnings: [{ kind: 'mask-missing', message, details }] };
  });
  const [ofTrain, ofValidation] = kept as [(typeof kept)[number], (typeof kept)[number]];
  return {
    ...{ train: ofTrain.dataset, validation: ofValidation.dataset },
    leftOut: { train: ofTrain.warnings, validation: ofValidation.warnings },
  };
}

/** The boxes of the images that were prepared; those of images that were left out are left out with them. */
export async function boxesOf(
  images: { readonly train: PreparedImages; readonly validation: PreparedImages },
  options: BoxOptions & CommonFitOptions & MaskedHalves,
  size: number,
): Promise<SplitBoxes> {
  const { boxes } = options;
  if (boxes)
    return {
      train: keptOf(boxes.train, images.train),
      validation: keptOf(boxes.validation, images.validation),
    };
  const { onBoxes, train, validation, leftOut } = options;
  // Both halves look into one folder of masks, which holds those of the other: what belongs to neither is told once.
  const ofTrain = (lungs: LungBoxes) =>
    onBoxes?.({
      ...lungs,
      warnings: [...leftOut.train, ...withoutMasksOf(lungs.warnings, [train, validation])],
    });
  const ofValidation = (lungs: LungBoxes) =>
    onBoxes?.({
      ...lungs,
      warnings: [...leftOut.validation, ...lungs.warnings.filter(({ kind }) => kind !== strayMasks)],
    });
  return {
    train: await found(images.train, { ...options, onBoxes: ofTrain }, size),
    validation: await found(images.validation, { ...options, onBoxes: ofValidation }, size),
  };
}

function keptOf(boxes: readonly Box[], { kept }: PreparedImages): Int32Array {
  return packed(kept.map((index) => boxes[index] as Box));
}

async function found(
  { dataset }: PreparedImages,
  { segmenter, masks, cacheDir, signal, onLungs, onBoxes }: BoxOptions & CommonFitOptions,
  size: number,
): Promise<Int32Array> {
  const settings = {
    size,
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal ? { signal } : {}),
    onProgress: (progress: { readonly done: number; readonly total: number }) =>
      onLungs?.({ dataset: dataset.name, ...progress }),
  };
  const lungs = segmenter
    ? await segmenter.boxes(dataset, settings)
    : await lungBoxesOfMasks(dataset, masks as string, settings);
  onBoxes?.(lungs);
  return packed(lungs.boxes);
}

function packed(boxes: readonly Box[]): Int32Array {
  return Int32Array.from(boxes.flatMap(fourOf));
}

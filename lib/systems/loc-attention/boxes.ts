import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Json } from '../../checkpoints/folder.js';
import type { Box } from '../../data/box.js';
import type { DataWarning } from '../../data/data-warning.js';
import { type LungBoxes, lungBoxesIn, strayMasks, withoutMasksOf } from '../../data/lung-boxes.js';
import type { PreparedImages } from '../../data/prepare.js';
import { CxrGazeError } from '../../errors.js';
import type { CommonFitOptions } from '../../training/fit-options.js';
import { callback, integer, invalidArgument, knownKeys, list, object, text } from '../../validate.js';
import { LungSegmenter } from '../segmenter/segmenter.js';
import { stateHash } from '../state-hash.js';
import type { MaskedHalves, MasksAtHand } from './masked-films.js';
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
   * one are left out, and told by `onLeftOut`; else all of them are an error before any image is read. Without a term
   * (`attention: 'none'`) masks are taken with `onError: 'skip'` alone: such a run leaves out the same films as one with a term,
   * so that the two compare.
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
  /** Called before any image is read, once for each data set of which films without a mask are left out. */
  readonly onLeftOut?: (warning: DataWarning) => void;
  /** Called once the lungs of a data set are found, with what deserves a look. */
  readonly onBoxes?: (boxes: LungBoxes) => void;
}

const sources = ['segmenter', 'masks', 'boxes'] as const;

/** Names of {@link BoxOptions}. */
export const boxKeys: readonly (keyof BoxOptions)[] = [...sources, 'onLungs', 'onLeftOut', 'onBoxes'];

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
  options: BoxOptions &
    CommonFitOptions & { readonly train: { length: number }; readonly validation: { length: number } },
  attention: AttentionForm,
): void {
  callback('options.onLungs', options.onLungs);
  callback('options.onLeftOut', options.onLeftOut);
  callback('options.onBoxes', options.onBoxes);
  const given = sources.filter((name) => options[name] !== undefined);
  const [source, other] = given;
  if (attention === 'none') {
    const useless = given.find((name) => name !== 'masks' || options.onError !== 'skip');
    if (useless !== undefined)
      throw invalidArgument(`options.${useless}`, "nothing with options.attention 'none'", options[useless]);
    if (options.masks !== undefined) text('options.masks', options.masks);
    return;
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

/** Where boxes are looked for: the options of a fit, with the folder of masks as it is at hand. */
type BoxSearch = Omit<BoxOptions, 'masks'> &
  Pick<CommonFitOptions, 'cacheDir' | 'signal'> & { readonly masks: MasksAtHand | undefined };

/** The boxes of the images that were prepared; those of images that were left out are left out with them. */
export async function boxesOf(
  images: { readonly train: PreparedImages; readonly validation: PreparedImages },
  options: BoxSearch & MaskedHalves,
  size: number,
): Promise<SplitBoxes> {
  const { boxes } = options;
  if (boxes)
    return {
      train: keptOf(boxes.train, images.train),
      validation: keptOf(boxes.validation, images.validation),
    };
  const { onBoxes, train, validation } = options;
  // Both halves look into one folder of masks, which holds those of the other: what belongs to neither is told once.
  const ofTrain = (lungs: LungBoxes) =>
    onBoxes?.({ ...lungs, warnings: withoutMasksOf(lungs.warnings, [train, validation]) });
  const ofValidation = (lungs: LungBoxes) =>
    onBoxes?.({ ...lungs, warnings: lungs.warnings.filter(({ kind }) => kind !== strayMasks) });
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
  { segmenter, masks, cacheDir, signal, onLungs, onBoxes }: BoxSearch,
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
    : await lungBoxesIn(await (masks as MasksAtHand)(), dataset, settings);
  onBoxes?.(lungs);
  return packed(lungs.boxes);
}

function packed(boxes: readonly Box[]): Int32Array {
  return Int32Array.from(boxes.flatMap(fourOf));
}

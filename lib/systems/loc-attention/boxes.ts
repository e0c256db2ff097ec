import type { Json } from '../../checkpoints/folder.js';
import type { Box } from '../../data/box.js';
import type { PreparedImages } from '../../data/prepare.js';
import { CxrGazeError } from '../../errors.js';
import { integer, invalidArgument, knownKeys, list, object } from '../../validate.js';
import type { AttentionForm } from './settings.js';

/** Boxes around the lungs that are known already, in the order of the data sets. */
export interface GivenBoxes {
  /** Of the training images, in pixels of the network's input. */
  readonly train: readonly Box[];
  /** Of the validation images. */
  readonly validation: readonly Box[];
}

/** Where a fit's boxes come from. */
export interface BoxOptions {
  /** Boxes around the lungs, in pixels of the network's input. */
  readonly boxes?: GivenBoxes;
}

/** Names of {@link BoxOptions}. */
export const boxKeys: readonly (keyof BoxOptions)[] = ['boxes'];

/** The boxes of both halves: x, y, width, height of each prepared image in a row. */
export interface SplitBoxes {
  readonly train: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Checks that a fit with an attention term says where its boxes come from, and one without does not.
 *
 * @returns what a run records of it
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function checkBoxSource(
  options: BoxOptions & { readonly train: { length: number }; readonly validation: { length: number } },
  attention: AttentionForm,
): Json {
  const given = boxKeys.filter((name) => options[name] !== undefined);
  if (attention === 'none') {
    if (given.length === 0) return null;
    throw invalidArgument(
      `options.${given[0]}`,
      "nothing with options.attention 'none'",
      options[given[0] as 'boxes'],
    );
  }
  const [source, other] = given;
  if (source === undefined || other !== undefined)
    throw new CxrGazeError(
      'ERR_INVALID_ARGUMENT',
      `Expected one of options.${boxKeys.join(', options.')}: where the lungs of each image are`,
    );
  const { train, validation } = object('options.boxes', options.boxes as GivenBoxes);
  knownKeys('options.boxes', options.boxes as GivenBoxes, ['train', 'validation']);
  requireBoxes('options.boxes.train', train, options.train.length);
  requireBoxes('options.boxes.validation', validation, options.validation.length);
  return 'given';
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

/** The boxes of the images that were prepared; those of images that were left out are left out with them. */
export async function boxesOf(
  images: { readonly train: PreparedImages; readonly validation: PreparedImages },
  options: BoxOptions,
): Promise<SplitBoxes> {
  const { train, validation } = options.boxes as GivenBoxes;
  return { train: packed(train, images.train), validation: packed(validation, images.validation) };
}

function packed(boxes: readonly Box[], { skipped }: PreparedImages): Int32Array {
  const out = new Set(skipped.map(({ index }) => index));
  const kept = boxes.filter((_, i) => !out.has(i));
  return Int32Array.from(kept.flatMap(({ x, y, width, height }) => [x, y, width, height]));
}

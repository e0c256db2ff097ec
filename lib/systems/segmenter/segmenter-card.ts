import type { Json } from '../../checkpoints/folder.js';
import type { Interpolation } from '../../data/resize.js';
import { widths } from '../../models/model.js';
import { segmentationStep } from '../../models/segmentation.js';
import { type Normalisation, noNormalisation } from '../../training/inputs.js';
import { integer, invalidArgument, knownKeys } from '../../validate.js';
import { readCardFile, type StoredCard } from '../card-file.js';

/** What a saved lung segmenter is. */
export interface SegmenterCard {
  /** Side of the square input in pixels, a multiple of 16; the published one is 512. */
  readonly imageSize: number;
  /** Channels of the network's first level; the published one has 64. */
  readonly width: number;
  /** None: pixels in [0, 1]. Channels are blue, green, red, as the original reads files. */
  readonly normalisation: Normalisation;
  /** OpenCV's bilinear filter, as the original. */
  readonly interpolation: Interpolation;
}

/** A segmenter, as its card names it. */
const system = 'lung-segmenter';

/** Name of the card's file beside `model.safetensors`. */
export const segmenterCardFile = 'segmenter.json';

/** Side of the published input. */
export const segmenterSize = 512;

/**
 * A card for a segmenter.
 *
 * @param within what messages put before the names of both
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function segmenterCard(
  within: '' | 'options.',
  { imageSize, width }: { readonly imageSize: unknown; readonly width: unknown },
): SegmenterCard {
  const name = `${within}imageSize`;
  const side = integer(name, imageSize, { min: segmentationStep, max: 4096 });
  if (side % segmentationStep !== 0) throw invalidArgument(name, `a multiple of ${segmentationStep}`, side);
  return {
    ...{ imageSize: side, width: integer(`${within}width`, width, widths) },
    ...{ normalisation: noNormalisation, interpolation: 'opencv-bilinear' },
  };
}

/** The card as JSON holds it. */
export function segmenterCardToJson({ imageSize, width, interpolation }: SegmenterCard): {
  readonly [key: string]: Json;
} {
  return { system, imageSize, width, interpolation };
}

/**
 * Reads a card.
 *
 * @param folder of a saved segmenter (`segmenter.json`) or of a checkpoint (`state.json`)
 * @throws CxrGazeError `ERR_CHECKPOINT` naming file and member
 */
export function readSegmenterCard(folder: string, file: string): Promise<SegmenterCard> {
  return readCardFile(folder, file, [system], cardFrom);
}

function cardFrom(card: StoredCard<typeof system>): SegmenterCard {
  knownKeys('card', card, ['system', 'imageSize', 'width', 'interpolation']);
  const { imageSize, width } = card;
  const made = segmenterCard('', { imageSize, width });
  if (card.interpolation === made.interpolation) return made;
  throw invalidArgument('interpolation', `'${made.interpolation}'`, card.interpolation);
}

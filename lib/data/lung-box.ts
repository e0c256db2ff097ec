import { integer, invalidArgument, object } from '../validate.js';
import { type Box, boundingBox } from './box.js';
import { resizeImage } from './resize.js';

/** Side of the square image that loc-attention's boxes are given in. */
export const boxSide = 224;

/** A mask of one byte a pixel: 0 outside the lungs, anything else inside. */
export interface LungMask {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Row-major. */
  readonly data: Uint8Array;
}

/** What is wrong, or not, with the lungs of an image: see {@link lungBox}. */
export type LungFinding = 'whole' | 'none' | 'one' | 'implausible';

/** The box around the lungs of an image. */
export interface LungBox {
  /** In pixels of an image of `size` by `size`. */
  readonly box: Box;
  /** Pixels of the shrunk mask within the lungs. */
  readonly foreground: number;
  /** Columns and rows of the mask as it was given. */
  readonly maskSize: readonly [width: number, height: number];
  /**
   * `none`: the mask is empty, and the box is the whole image. `one`: fewer than a tenth of the lungs' pixels lie on one
   * side of the middle of the image. `implausible`: see {@link LungBox.reasons}. `whole`: nothing of these.
   */
  readonly finding: LungFinding;
  /** Why a box is implausible, in words; empty otherwise. */
  readonly reasons: readonly string[];
}

/** The share of the lungs that either half of the image has at least, where two lungs are seen. */
const leastHalf = 0.1;
/** The shares of the image that a plausible box covers. */
const areas = { least: 0.1, most: 0.95 };
/** The ratios of width to height that a plausible box has. */
const aspects = { least: 0.5, most: 2 };
/** A region below this share of the image is a speck. */
const speck = 0.01;
/** An edge that specks move by more than this share of the side makes a box implausible. */
const moved = 0.05;

/**
 * The box around the lungs, by the rule of loc-attention (`scripts/model_loss_attent.py`, box; section 2.6): the mask is
 * stretched to `size` by OpenCV's 8-bit bilinear filter as values 0 and 1, whose truncation decides the pixels of the
 * outline, and the box is the smallest one around all that is left. Nothing is cleaned: one speck widens the box. An
 * empty mask gives the whole image.
 *
 * What deserves a look is told, by rules of ours: a box is `implausible` if it covers less than 10 % or more than 95 % of
 * the image, is more than twice as wide as high or as high as wide, or if regions of less than 1 % of the image move an
 * edge of it by more than 5 % of the side.
 *
 * @param mask of any size, covering the whole image
 * @param size side of the square image that the box is for; default 224
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for a mask whose bytes do not fill it
 */
export async function lungBox(mask: LungMask, size: number = boxSide): Promise<LungBox> {
  integer('size', size, { min: 1, max: 16384 });
  const shrunk = await shrink(mask, size);
  const foreground = shrunk.reduce((sum, value) => sum + value, 0);
  const box = boundingBox(shrunk, size);
  const common = { foreground, maskSize: [mask.width, mask.height] } as const;
  if (box === null)
    return { ...common, box: { x: 0, y: 0, width: size, height: size }, finding: 'none', reasons: [] };
  const reasons = implausible(shrunk, box, size);
  const finding = reasons.length > 0 ? 'implausible' : isOneSided(shrunk, size, foreground) ? 'one' : 'whole';
  return { ...common, box, finding, reasons };
}

async function shrink(mask: LungMask, size: number): Promise<Uint8Array> {
  const { width, height, data } = object('mask', mask);
  if (!(data instanceof Uint8Array)) throw invalidArgument('mask.data', 'a Uint8Array', data);
  const ones = data.map((value) => (value === 0 ? 0 : 1));
  return (await resizeImage({ width, height, channels: 1, data: ones }, size, size, 'opencv-bilinear')).data;
}

function isOneSided(mask: Uint8Array, size: number, foreground: number): boolean {
  let left = 0;
  for (let i = 0; i < mask.length; i++) if (i % size < size / 2) left += mask[i] as number;
  return Math.min(left, foreground - left) < leastHalf * foreground;
}

function implausible(mask: Uint8Array, box: Box, size: number): string[] {
  const share = (box.width * box.height) / size ** 2;
  const aspect = box.width / box.height;
  const reasons: string[] = [];
  if (share < areas.least || share > areas.most)
    reasons.push(`the box covers ${(100 * share).toFixed(1)} % of the image`);
  if (aspect < aspects.least || aspect > aspects.most)
    reasons.push(`the box is ${box.width} wide and ${box.height} high`);
  const clean = boundingBox(withoutSpecks(mask, size), size);
  if (clean === null) return [...reasons, 'the mask holds nothing but specks'];
  const shift = Math.max(
    clean.x - box.x,
    clean.y - box.y,
    box.x + box.width - (clean.x + clean.width),
    box.y + box.height - (clean.y + clean.height),
  );
  if (shift > moved * size) reasons.push(`specks move an edge of the box by ${shift} pixels`);
  return reasons;
}

/** The regions (connected by sides or corners) of at least 1 % of the image. */
function withoutSpecks(mask: Uint8Array, size: number): Uint8Array {
  const rest = mask.slice();
  const kept = new Uint8Array(mask.length);
  for (let start = 0; start < rest.length; start++) {
    if (rest[start] === 0) continue;
    const region = takeRegion(rest, start, size);
    if (region.length >= speck * size * size) for (const pixel of region) kept[pixel] = 1;
  }
  return kept;
}

/** Clears a region of a mask. @returns its pixels */
function takeRegion(mask: Uint8Array, start: number, size: number): number[] {
  const region = [start];
  mask[start] = 0;
  for (let next = 0; next < region.length; next++) {
    const pixel = region[next] as number;
    const x = pixel % size;
    for (const dy of [-size, 0, size]) {
      for (let dx = x > 0 ? -1 : 0; dx <= (x < size - 1 ? 1 : 0); dx++) {
        const neighbour = pixel + dy + dx;
        if (!mask[neighbour]) continue;
        mask[neighbour] = 0;
        region.push(neighbour);
      }
    }
  }
  return region;
}

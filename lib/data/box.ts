import { integer, invalidArgument, object } from '../validate.js';

/** A rectangle of pixels of an image of a given size. */
export interface Box {
  /** Leftmost column. */
  readonly x: number;
  /** Uppermost row. */
  readonly y: number;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/**
 * The smallest rectangle around all pixels of a mask that are not 0.
 *
 * @param mask one byte a pixel, row-major
 * @param width columns of the mask
 * @returns `null` where all are 0
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function boundingBox(mask: Uint8Array, width: number): Box | null {
  if (!(mask instanceof Uint8Array)) throw invalidArgument('mask', 'a Uint8Array', mask);
  integer('width', width, { min: 1 });
  let [left, right, top, bottom] = [width, -1, -1, -1];
  for (let start = 0, y = 0; start < mask.length; start += width, y++) {
    for (let x = 0; x < width; x++) {
      if (mask[start + x] === 0) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (top < 0) top = y;
      bottom = y;
    }
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/**
 * A box in the pixels of an image of another size.
 *
 * @param box of an image of `from`
 * @param from width and height of that image
 * @param to width and height of the other one
 * @returns not rounded
 */
export function scaleBox(
  box: Box,
  from: { readonly width: number; readonly height: number },
  to: { readonly width: number; readonly height: number },
): Box {
  object('box', box);
  object('from', from);
  object('to', to);
  const [across, down] = [to.width / from.width, to.height / from.height];
  return { x: box.x * across, y: box.y * down, width: box.width * across, height: box.height * down };
}

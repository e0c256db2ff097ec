import { type Box, scaleBox } from '../data/box.js';
import { type Pixels, requirePixels } from '../data/dataset.js';
import type { LungMask } from '../data/lung-box.js';
import { integer, invalidArgument, object } from '../validate.js';
import { drawBox } from './draw-box.js';

/** Green, and its share where the lungs are. */
const tint = { colour: [0, 200, 120], share: 0.35 } as const;

/**
 * Draws lungs over their image: tinted green, with the box around them in white.
 *
 * @param image grey or RGB
 * @param mask of any size, covering the whole image
 * @param box in pixels of a square image
 * @param boxSize side of that square
 * @returns RGB of the image's size
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function drawLungs(image: Pixels, mask: LungMask, box: Box, boxSize: number): Pixels {
  const { width, height, channels, data } = requirePixels('image', image);
  object('mask', mask);
  if (mask.data?.length !== mask.width * mask.height)
    throw invalidArgument('mask.data', `${mask.width} x ${mask.height} bytes`, mask.data?.length);
  integer('boxSize', boxSize, { min: 1 });
  const tinted = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++) {
      const isLung = mask.data[row + Math.floor(((x + 0.5) * mask.width) / width)] !== 0;
      const pixel = y * width + x;
      for (let c = 0; c < 3; c++) {
        const value = data[channels === 1 ? pixel : 3 * pixel + c] as number;
        const colour = tint.colour[c] as number;
        tinted[3 * pixel + c] = isLung ? value * (1 - tint.share) + colour * tint.share : value;
      }
    }
  }
  const square = { width: boxSize, height: boxSize };
  return drawBox({ width, height, channels: 3, data: tinted }, scaleBox(box, square, image));
}

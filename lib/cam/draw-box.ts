import type { Box } from '../data/box.js';
import { type Pixels, requirePixels } from '../data/dataset.js';
import { integer, knownKeys, list, number } from '../validate.js';

/** Options of {@link drawBox}. */
export interface DrawBoxOptions {
  /** Red, green and blue, 0 to 255. Default white. */
  readonly colour?: readonly [red: number, green: number, blue: number];
  /** Width of the line in pixels, drawn inwards from the box's edge. Default: 1 for each 256 pixels of the image's height. */
  readonly thickness?: number;
}

/**
 * Draws the outline of a box.
 *
 * @param image grey or RGB
 * @param box in the image's pixels, rounded to whole ones; what lies over the border is not drawn
 * @param options colour and thickness
 * @returns a copy in RGB
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function drawBox(image: Pixels, box: Box, options: DrawBoxOptions = {}): Pixels {
  knownKeys('options', options, ['colour', 'thickness']);
  const { width, height, channels, data } = requirePixels('image', image);
  const colour = list('options.colour', options.colour ?? [255, 255, 255], (name, value) =>
    integer(name, value, { min: 0, max: 255 }),
  );
  const thickness = integer('options.thickness', options.thickness ?? Math.max(1, Math.round(height / 256)), {
    min: 1,
  });
  const [left, top, across, down] = list('box', [box.x, box.y, box.width, box.height], number) as [
    number,
    number,
    number,
    number,
  ];
  const x = { from: Math.round(left), to: Math.round(left + across) };
  const y = { from: Math.round(top), to: Math.round(top + down) };
  const copy = new Uint8Array(width * height * 3);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) copy[3 * p + c] = data[channels === 1 ? p : 3 * p + c] as number;
  }
  for (let row = Math.max(0, y.from); row < Math.min(height, y.to); row++) {
    const onEdge = row < y.from + thickness || row >= y.to - thickness;
    for (let column = Math.max(0, x.from); column < Math.min(width, x.to); column++) {
      if (onEdge || column < x.from + thickness || column >= x.to - thickness)
        copy.set(colour, 3 * (row * width + column));
    }
  }
  return { width, height, channels: 3, data: copy };
}

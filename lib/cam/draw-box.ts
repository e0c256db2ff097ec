import type { Box } from '../data/box.js';
import { type Pixels, requirePixels } from '../data/dataset.js';
import { integer, invalidArgument, knownKeys, list, number } from '../validate.js';

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
  const pixels = requirePixels('image', image);
  const { width, height } = pixels;
  const colour = list('options.colour', options.colour ?? [255, 255, 255], (name, value) =>
    integer(name, value, { min: 0, max: 255 }),
  );
  const thickness = integer('options.thickness', options.thickness ?? Math.max(1, Math.round(height / 256)), {
    min: 1,
  });
  const { x, y } = wholePixels(box);
  const copy = inColour(pixels);
  for (let row = Math.max(0, y.from); row < Math.min(height, y.to); row++) {
    const onEdge = row < y.from + thickness || row >= y.to - thickness;
    for (let column = Math.max(0, x.from); column < Math.min(width, x.to); column++) {
      if (onEdge || column < x.from + thickness || column >= x.to - thickness)
        copy.set(colour, 3 * (row * width + column));
    }
  }
  return { width, height, channels: 3, data: copy };
}

/**
 * A picture within a box, and the plain image around it: heat where it matters alone.
 *
 * @param picture such as an overlay, RGB, of the image's size
 * @param image grey or RGB
 * @param box in the image's pixels, rounded to whole ones
 * @returns a copy in RGB
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function withinBox(picture: Pixels, image: Pixels, box: Box): Pixels {
  const drawn = requirePixels('picture', picture);
  const { width, height } = requirePixels('image', image);
  if (drawn.width !== width || drawn.height !== height || drawn.channels !== 3)
    throw invalidArgument(
      'picture',
      `RGB of ${width} x ${height} pixels, as the image,`,
      `${drawn.channels} channels of ${drawn.width} x ${drawn.height}`,
    );
  const { x, y } = wholePixels(box);
  const copy = inColour(image);
  const [left, right] = [Math.max(0, x.from), Math.min(width, x.to)];
  for (let row = Math.max(0, y.from); row < Math.min(height, y.to); row++) {
    if (right > left)
      copy.set(
        drawn.data.subarray(3 * (row * width + left), 3 * (row * width + right)),
        3 * (row * width + left),
      );
  }
  return { width, height, channels: 3, data: copy };
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function wholePixels(box: Box): { readonly x: Span; readonly y: Span } {
  const [left, top, across, down] = list('box', [box.x, box.y, box.width, box.height], number) as [
    number,
    number,
    number,
    number,
  ];
  return {
    x: { from: Math.round(left), to: Math.round(left + across) },
    y: { from: Math.round(top), to: Math.round(top + down) },
  };
}

function inColour({ width, height, channels, data }: Pixels): Uint8Array {
  const copy = new Uint8Array(width * height * 3);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) copy[3 * p + c] = data[channels === 1 ? p : 3 * p + c] as number;
  }
  return copy;
}

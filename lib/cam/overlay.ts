import { type Pixels, requirePixels } from '../data/dataset.js';
import { invalidArgument, knownKeys, number, object } from '../validate.js';
import { jet } from './jet.js';
import type { CamMap } from './maps.js';

/** Options of {@link overlay}. */
export interface OverlayOptions {
  /** Share of the image in the picture, 0 to 1; the heat gets the rest. Default 0.5. */
  readonly imageWeight?: number;
}

/**
 * Draws a map over its image: jet colours of trunc(255 map), mixed with the image in [0, 1], divided by the maximum,
 * times 255. The arithmetic is that of `show_cam_on_image` of `jacobgil/pytorch-grad-cam`, in float32.
 *
 * @param image grey or RGB
 * @param map in [0, 1]; where its size is not the image's it is resized (bilinear, half-pixel centres)
 * @param options the shares
 * @returns RGB of the image's size
 */
export function overlay(image: Pixels, map: CamMap, options: OverlayOptions = {}): Pixels {
  knownKeys('options', options, ['imageWeight']);
  const weight = Math.fround(number('options.imageWeight', options.imageWeight ?? 0.5, { min: 0, max: 1 }));
  const { width, height, channels } = requirePixels('image', image);
  checkMap(map);
  const heat = map.width === width && map.height === height ? map.data : resizeMap(map, width, height);

  const share = Math.fround(1 - weight);
  const mixed = new Float32Array(width * height * 3);
  const colours = Array.from({ length: 256 }, (_, i) =>
    jet(i).map((value) => Math.fround(Math.fround(value / 255) * share)),
  );
  let top = 0;
  for (let p = 0; p < width * height; p++) {
    const colour = colours[level(heat[p] as number, p)] as number[];
    for (let c = 0; c < 3; c++) {
      const grey = image.data[channels === 1 ? p : 3 * p + c] as number;
      const value = Math.fround((colour[c] as number) + Math.fround(Math.fround(grey / 255) * weight));
      mixed[3 * p + c] = value;
      if (value > top) top = value;
    }
  }
  // Only an all-black image with no share for the heat has no maximum.
  const data = Uint8Array.from(mixed, (value) =>
    top > 0 ? Math.trunc(Math.fround(255 * Math.fround(value / top))) : 0,
  );
  return { width, height, channels: 3, data };
}

function checkMap(map: CamMap): void {
  object('map', map);
  if (!(map.width > 0 && map.height > 0) || map.data?.length !== map.width * map.height) {
    throw invalidArgument('map.data', `${map.width} x ${map.height} values, not none,`, map.data?.length);
  }
}

function level(value: number, index: number): number {
  if (!(value >= 0 && value <= 1)) throw invalidArgument(`map.data[${index}]`, 'a number from 0 to 1', value);
  return Math.trunc(Math.fround(255 * value));
}

/** Bilinear with half-pixel centres and clamped edges, as the map itself was resized. */
function resizeMap(map: CamMap, width: number, height: number): Float32Array {
  const columns = taps(map.width, width);
  const rows = taps(map.height, height);
  const result = new Float32Array(width * height);
  for (const [y, [top, bottom, down]] of rows.entries()) {
    for (const [x, [left, right, along]] of columns.entries()) {
      const at = (row: number, column: number): number => map.data[row * map.width + column] as number;
      const above = at(top, left) * (1 - along) + at(top, right) * along;
      const below = at(bottom, left) * (1 - along) + at(bottom, right) * along;
      result[y * width + x] = above * (1 - down) + below * down;
    }
  }
  return result;
}

function taps(from: number, to: number): [low: number, high: number, share: number][] {
  return Array.from({ length: to }, (_, d) => {
    const centre = Math.min(from - 1, Math.max(0, ((d + 0.5) * from) / to - 0.5));
    const low = Math.floor(centre);
    return [low, Math.min(low + 1, from - 1), centre - low];
  });
}

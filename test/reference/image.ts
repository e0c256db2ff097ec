import type { Pixels } from '../../lib/data/dataset.js';

/** Which source positions an output position is the mean of, with weights that add up to 1. */
type Weights = readonly (readonly [position: number, weight: number])[];

function axisWeights(source: number, target: number): Weights[] {
  return Array.from({ length: target }, (_, d) =>
    target > source ? linear(source, target, d) : covered(source, target, d),
  );
}

/** The part of each source pixel that lies in [d, d + 1) * source / target. */
function covered(source: number, target: number, d: number): Weights {
  const cell = source / target;
  const [begin, end] = [d * cell, (d + 1) * cell];
  const weights: [number, number][] = [];
  for (let s = Math.floor(begin); s < Math.min(source, end); s++) {
    const part = Math.min(end, s + 1) - Math.max(begin, s);
    if (part > 0) weights.push([s, part / cell]);
  }
  return weights;
}

/** Interpolation between pixel centres, the border repeated. */
function linear(source: number, target: number, d: number): Weights {
  const position = ((d + 0.5) * source) / target - 0.5;
  const left = Math.floor(position);
  const inside = (s: number): number => Math.min(source - 1, Math.max(0, s));
  return [
    [inside(left), left + 1 - position],
    [inside(left + 1), position - left],
  ];
}

/** The means that area averaging rounds (OpenCV's INTER_AREA), in double precision: [height, width, channels]. */
export function areaMeans(pixels: Pixels, width: number, height: number): Float64Array {
  const across = axisWeights(pixels.width, width);
  const down = axisWeights(pixels.height, height);
  const { channels, data } = pixels;
  const means = new Float64Array(width * height * channels);
  down.forEach((rows, y) => {
    across.forEach((columns, x) => {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [row, down] of rows)
          for (const [column, across] of columns)
            sum += down * across * (data[(row * pixels.width + column) * channels + c] as number);
        means[(y * width + x) * channels + c] = sum;
      }
    });
  });
  return means;
}

/** Left and right exchanged. */
export function mirrored({ width, height, channels, data }: Pixels): Pixels {
  const result = new Uint8Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        result[(y * width + x) * channels + c] = data[(y * width + width - 1 - x) * channels + c] as number;
  return { width, height, channels, data: result };
}

/** Nearest-neighbour rotation about the centre, corners black: Pillow's, in 16.16 fixed point. */
export function rotated({ width: w, height: h, channels, data }: Pixels, degrees: number): Pixels {
  const a = (-degrees * Math.PI) / 180;
  const round15 = (value: number): number => Number(value.toFixed(15));
  const [c, s] = [round15(Math.cos(a)), round15(Math.sin(a))];
  const tx = w / 2 - (c * w) / 2 - (s * h) / 2;
  const ty = h / 2 + (s * w) / 2 - (c * h) / 2;
  const fix = (value: number): number => Math.floor(65536 * value + 0.5);
  const result = new Uint8Array(data.length);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const sourceX = Math.floor((fix(tx + c / 2 + s / 2) + y * fix(s) + x * fix(c)) / 65536);
      const sourceY = Math.floor((fix(ty - s / 2 + c / 2) + y * fix(c) + x * fix(-s)) / 65536);
      if (sourceX < 0 || sourceX >= w || sourceY < 0 || sourceY >= h) continue;
      for (let k = 0; k < channels; k++)
        result[(y * w + x) * channels + k] = data[(sourceY * w + sourceX) * channels + k] as number;
    }
  }
  return { width: w, height: h, channels, data: result };
}

/** (v / 255 - mean) / std, every step rounded to float32. */
export function normalized(value: number, mean: number, std: number): number {
  const scaled = Math.fround(value / 255);
  return Math.fround(Math.fround(scaled - Math.fround(mean)) / Math.fround(std));
}

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

/** Runs `pass` over the rows, then over the columns, each on lines of single values. */
function separably(
  { width, height, channels, data }: Pixels,
  outWidth: number,
  outHeight: number,
  pass: (line: number[], length: number) => number[],
): Uint8Array {
  const at = (plane: readonly number[][], y: number, x: number): number =>
    (plane[y] as number[])[x] as number;
  const result = new Uint8Array(outWidth * outHeight * channels);
  for (let c = 0; c < channels; c++) {
    const rows = Array.from({ length: height }, (_, y) =>
      pass(
        Array.from({ length: width }, (_, x) => data[(y * width + x) * channels + c] as number),
        outWidth,
      ),
    );
    for (let x = 0; x < outWidth; x++) {
      const column = pass(
        rows.map((_, y) => at(rows, y, x)),
        outHeight,
      );
      column.forEach((value, y) => {
        result[(y * outWidth + x) * channels + c] = value;
      });
    }
  }
  return result;
}

/** Pillow's antialiased bilinear filter with weights of 22 bits, each pass rounded to 8 bits. */
export function pillowBilinear(pixels: Pixels, width: number, height: number): Uint8Array {
  return separably(pixels, width, height, (line, m) => {
    const n = line.length;
    if (n === m) return line;
    const s = n / m;
    const f = Math.max(s, 1);
    return Array.from({ length: m }, (_, d) => {
      const c = (d + 0.5) * s;
      const lo = Math.max(0, Math.trunc(c - f + 0.5));
      const hi = Math.min(n, Math.trunc(c + f + 0.5)) - 1;
      const weights = Array.from({ length: hi - lo + 1 }, (_, k) =>
        Math.max(0, 1 - Math.abs((k + lo - c + 0.5) * (1 / f))),
      );
      const sum = weights.reduce((a, b) => a + b, 0);
      const total = weights.reduce(
        (a, w, k) => a + Math.floor((w / sum) * 2 ** 22 + 0.5) * (line[lo + k] as number),
        2 ** 21,
      );
      return Math.min(255, Math.floor(total / 2 ** 22));
    });
  });
}

/** Half to even. */
function rint(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest === 0.5 ? floor + (floor % 2) : Math.round(value);
}

/** OpenCV's 8-bit INTER_LINEAR; exact halves of both sides are means of four. */
export function openCvBilinear(pixels: Pixels, width: number, height: number): Uint8Array {
  const { width: n, height: h, channels, data } = pixels;
  const at = (y: number, x: number, c: number): number => data[(y * n + x) * channels + c] as number;
  const result = new Uint8Array(width * height * channels);
  const halved = n === 2 * width && h === 2 * height;
  const tap = (source: number, target: number, d: number) => {
    const f = Math.fround((d + 0.5) * (1 / (target / source)) - 0.5);
    return { i: Math.floor(f), f: Math.fround(f - Math.floor(f)) };
  };
  const inside = (i: number, length: number): number => Math.min(length - 1, Math.max(0, i));
  const weights = (f: number) => [rint(2048 * Math.fround(1 - f)), rint(2048 * f)] as const;
  for (let y = 0; y < height; y++) {
    const down = tap(h, height, y);
    const [b0, b1] = weights(down.f);
    for (let x = 0; x < width; x++) {
      let { i, f } = tap(n, width, x);
      if (i < 0 || i >= n - 1) [i, f] = [inside(i, n), 0];
      const [a0, a1] = weights(f);
      for (let c = 0; c < channels; c++) {
        const row = (r: number) => a0 * at(r, i, c) + a1 * at(r, inside(i + 1, n), c);
        const [r0, r1] = [row(inside(down.i, h)), row(inside(down.i + 1, h))];
        const four = () =>
          at(2 * y, 2 * x, c) +
          at(2 * y, 2 * x + 1, c) +
          at(2 * y + 1, 2 * x, c) +
          at(2 * y + 1, 2 * x + 1, c);
        result[(y * width + x) * channels + c] = halved
          ? (four() + 2) >> 2
          : (((b0 * (r0 >> 4)) >> 16) + ((b1 * (r1 >> 4)) >> 16) + 2) >> 2;
      }
    }
  }
  return result;
}

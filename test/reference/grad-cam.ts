import type { NdArray } from 'ndarray';
import { type Doubles, doubles, length } from './array.js';

/** A map of one image, row-major. */
export interface PlainMap {
  readonly height: number;
  readonly width: number;
  readonly data: number[];
}

/** (m - min m) / (1e-7 + max(m - min m)). */
export function normalise(map: PlainMap): PlainMap {
  const low = Math.min(...map.data);
  const high = Math.max(...map.data.map((value) => value - low));
  return { ...map, data: map.data.map((value) => (value - low) / (1e-7 + high)) };
}

/** Bilinear resize with half-pixel centres and clamped edges, without antialiasing. */
export function resizeBilinear(map: PlainMap, height: number, width: number): PlainMap {
  const rows = taps(map.height, height);
  const columns = taps(map.width, width);
  const at = (i: number, j: number): number => map.data[i * map.width + j] as number;
  const data = rows.flatMap(([i0, i1, fi]) =>
    columns.map(([j0, j1, fj]) => {
      const top = at(i0, j0) * (1 - fj) + at(i0, j1) * fj;
      const bottom = at(i1, j0) * (1 - fj) + at(i1, j1) * fj;
      return top * (1 - fi) + bottom * fi;
    }),
  );
  return { height, width, data };
}

function taps(from: number, to: number): [number, number, number][] {
  return Array.from({ length: to }, (_, d) => {
    const centre = Math.max(0, ((d + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(centre), from - 1);
    return [low, Math.min(low + 1, from - 1), centre - low];
  });
}

/** How an element of an activation is weighed by its gradient, for each method. */
const weighings = {
  gradcam: (g: readonly number[]) => g.map(() => mean(g)),
  'gradcam++': (g: readonly number[], a: readonly number[]) => {
    const sum = a.reduce((total, value) => total + value, 0);
    const terms = g.map((v) => (v === 0 ? 0 : (Math.max(v, 0) * v * v) / (2 * v * v + sum * v ** 3 + 1e-6)));
    return g.map(() => terms.reduce((total, value) => total + value, 0));
  },
  hirescam: (g: readonly number[]) => [...g],
  layercam: (g: readonly number[]) => g.map((v) => Math.max(v, 0)),
};

export type Method = keyof typeof weighings;

const mean = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0) / values.length;

/** The values of channel `k` of sample `b` of [B, K, h, w], row-major. */
function channel(x: NdArray, b: number, k: number): number[] {
  return Array.from({ length: length(x, 2) * length(x, 3) }, (_, p) =>
    Number(x.get(b, k, Math.floor(p / length(x, 3)), p % length(x, 3))),
  );
}

/** max(0, sum_k w_k A_k) of sample `b`; A and G are [B, K, h, w]. */
export function rawMap(
  activation: NdArray,
  gradient: NdArray,
  b: number,
  method: Method = 'gradcam',
): PlainMap {
  const [height, width] = [length(activation, 2), length(activation, 3)];
  const data = new Array<number>(height * width).fill(0);
  for (let k = 0; k < length(activation, 1); k++) {
    const a = channel(activation, b, k);
    const weights = weighings[method](channel(gradient, b, k), a);
    for (const [p, value] of a.entries()) data[p] = (data[p] as number) + (weights[p] as number) * value;
  }
  return { height, width, data: data.map((value) => Math.max(0, value)) };
}

/** A raw map at the size of the image, normalised before and after. */
export function toImage(raw: readonly PlainMap[], height: number, width: number): PlainMap {
  const resized = raw.map((map) => resizeBilinear(normalise(map), height, width).data);
  const data = (resized[0] as number[]).map((_, p) =>
    mean(resized.map((values) => Math.max(0, values[p] as number))),
  );
  return normalise({ height, width, data });
}

/** The maps [B, height, width]. */
export function gradCam(
  activation: NdArray,
  gradient: NdArray,
  height: number,
  width: number,
  method: Method = 'gradcam',
): Doubles {
  const batch = length(activation, 0);
  const values = Array.from(
    { length: batch },
    (_, b) => toImage([rawMap(activation, gradient, b, method)], height, width).data,
  );
  return doubles([batch, height, width], values.flat());
}

/** ScoreCAM's mask of one channel: corners on corners, scaled to [0, 1]. */
export function scoreMask(
  activation: NdArray,
  b: number,
  k: number,
  height: number,
  width: number,
): number[] {
  const values = channel(activation, b, k);
  const place = (i: number, from: number, to: number): [number, number, number] => {
    const centre = (i * (from - 1)) / Math.max(to - 1, 1);
    const low = Math.min(Math.floor(centre), from - 1);
    return [low, Math.min(low + 1, from - 1), centre - low];
  };
  const columns = length(activation, 3);
  const at = (row: number, column: number): number => values[row * columns + column] as number;
  const resized = Array.from({ length: height * width }, (_, p) => {
    const [top, bottom, v] = place(Math.floor(p / width), length(activation, 2), height);
    const [left, right, u] = place(p % width, columns, width);
    const above = at(top, left) * (1 - u) + at(top, right) * u;
    return above * (1 - v) + (at(bottom, left) * (1 - u) + at(bottom, right) * u) * v;
  });
  const low = Math.min(...resized);
  const range = Math.max(...resized) - low;
  return resized.map((value) => (value - low) / (range + 1e-8));
}

/** max(0, sum_k softmax(scores)_k A_k) of sample `b`, over the given channels. */
export function scoreRaw(
  activation: NdArray,
  b: number,
  channels: readonly number[],
  scores: readonly number[],
): PlainMap {
  const top = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - top));
  const total = powers.reduce((sum, value) => sum + value, 0);
  const [height, width] = [length(activation, 2), length(activation, 3)];
  const data = new Array<number>(height * width).fill(0);
  for (const [i, k] of channels.entries()) {
    for (const [p, value] of channel(activation, b, k).entries())
      data[p] = (data[p] as number) + ((powers[i] as number) / total) * value;
  }
  return { height, width, data: data.map((value) => Math.max(0, value)) };
}

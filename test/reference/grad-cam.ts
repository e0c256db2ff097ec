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

/** max(0, sum_k mean(G_k) A_k) of sample `b`; A and G are [B, K, h, w]. */
export function rawMap(activation: NdArray, gradient: NdArray, b: number): PlainMap {
  const height = length(activation, 2);
  const width = length(activation, 3);
  const data = new Array<number>(height * width).fill(0);
  for (let k = 0; k < length(activation, 1); k++) {
    let weight = 0;
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) weight += Number(gradient.get(b, k, i, j)) / (height * width);
    }
    for (let p = 0; p < data.length; p++) {
      const value = Number(activation.get(b, k, Math.floor(p / width), p % width));
      data[p] = (data[p] as number) + weight * value;
    }
  }
  return { height, width, data: data.map((value) => Math.max(0, value)) };
}

/** The Grad-CAM maps [B, height, width]. */
export function gradCam(activation: NdArray, gradient: NdArray, height: number, width: number): Doubles {
  const batch = length(activation, 0);
  const values = Array.from({ length: batch }, (_, b) => {
    const resized = resizeBilinear(normalise(rawMap(activation, gradient, b)), height, width);
    return normalise({ ...resized, data: resized.data.map((value) => Math.max(0, value)) }).data;
  });
  return doubles([batch, height, width], values.flat());
}

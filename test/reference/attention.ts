import type { NdArray } from 'ndarray';
import { length } from './array.js';

/** A(t) of sample `b` of [B, C, H, W]: channel means of the squares, row-major, scaled to unit length. */
export function attentionVector(map: NdArray, b: number): number[] {
  const vector: number[] = [];
  for (let i = 0; i < length(map, 2); i++) {
    for (let j = 0; j < length(map, 3); j++) {
      let sum = 0;
      for (let c = 0; c < length(map, 1); c++) sum += Number(map.get(b, c, i, j)) ** 2;
      vector.push(sum / length(map, 1));
    }
  }
  const norm = Math.max(Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)), 1e-12);
  return vector.map((value) => value / norm);
}

/** Mean over the batch, and mean or sum over positions, of (A(x) - A(y))^2. */
export function attention(x: NdArray, y: NdArray, reduction: 'mean' | 'sum'): number {
  let total = 0;
  for (let b = 0; b < length(x, 0); b++) {
    const other = attentionVector(y, b);
    const squares = attentionVector(x, b).map((value, i) => (value - (other[i] as number)) ** 2);
    const sum = squares.reduce((a, v) => a + v, 0);
    total += reduction === 'sum' ? sum : sum / squares.length;
  }
  return total / length(x, 0);
}

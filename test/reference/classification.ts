import type { NdArray } from 'ndarray';
import { doubles, length, logSoftmaxRow } from './array.js';

/** sum_i w_{y_i} (-log p_{i, y_i}) / sum_i w_{y_i}; logits [B, C]. */
export function crossEntropy(
  logits: NdArray,
  labels: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number {
  let total = 0;
  let weight = 0;
  for (let i = 0; i < length(logits, 0); i++) {
    const label = labels[i] as number;
    const own = weights === undefined ? 1 : (weights[label] as number);
    total -= own * (logSoftmaxRow(logits, i)[label] as number);
    weight += own;
  }
  return total / weight;
}

/** What LDAM needs besides logits and labels. */
export interface LdamSettings {
  readonly margins: ArrayLike<number>;
  readonly weights?: ArrayLike<number> | undefined;
  readonly scale: number;
}

/** Cross-entropy of scale * z, z = logits with the margin of the true class taken off at the true class. */
export function ldam(logits: NdArray, labels: ArrayLike<number>, settings: LdamSettings): number {
  const z = doubles(logits.shape);
  for (let i = 0; i < length(logits, 0); i++) {
    for (let j = 0; j < length(logits, 1); j++) {
      const margin = labels[i] === j ? (settings.margins[j] as number) : 0;
      z.set(i, j, settings.scale * (Number(logits.get(i, j)) - margin));
    }
  }
  return crossEntropy(z, labels, settings.weights);
}

/** What the focal loss needs besides logits and labels. */
export interface FocalSettings {
  readonly weights?: ArrayLike<number> | undefined;
  readonly gamma: number;
}

/** Mean over the labels other than -100 of alpha_y (1 - p_y)^gamma (-log p_y); 0 where there is none. */
export function focal(logits: NdArray, labels: ArrayLike<number>, settings: FocalSettings): number {
  let total = 0;
  let count = 0;
  for (let i = 0; i < length(logits, 0); i++) {
    const label = labels[i] as number;
    if (label === -100) continue;
    const logP = logSoftmaxRow(logits, i)[label] as number;
    const alpha = settings.weights === undefined ? 1 : (settings.weights[label] as number);
    total += alpha * (1 - Math.exp(logP)) ** settings.gamma * -logP;
    count += 1;
  }
  return count === 0 ? 0 : total / count;
}

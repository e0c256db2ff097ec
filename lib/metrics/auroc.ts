import { argsort } from './argsort.js';

/**
 * One class's scores in ascending order, ready to be counted any number of times: a bootstrap resample changes only how
 * often each image counts, not the order, so sorting is paid once.
 *
 * Entry i is `4 * sample + 2 * positive + last`, where `last` ends a run of equal scores.
 */
export type RankedScores = Uint32Array;

/**
 * Sorts the scores of one class.
 *
 * @param scores score of each image `[N]`
 * @param labels true classes `[N]`
 * @param positive the class that counts as positive
 */
export function rankScores(
  scores: Float32Array | Float64Array,
  labels: ArrayLike<number>,
  positive: number,
): RankedScores {
  const order = argsort(scores);
  const ranked = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) {
    const sample = order[i] as number;
    const last = i + 1 === order.length || scores[order[i + 1] as number] !== scores[sample];
    ranked[i] = sample * 4 + (labels[sample] === positive ? 2 : 0) + (last ? 1 : 0);
  }
  return ranked;
}

/**
 * Area under the ROC curve: the probability that a positive scores above a negative, ties counted one half
 * (Mann-Whitney U).
 *
 * @param ranked scores in order
 * @param weights how often each image counts `[N]`
 * @returns the area in [0, 1], or NaN where there is no positive or no negative
 */
export function rankedAuroc(ranked: RankedScores, weights: ArrayLike<number>): number {
  let below = 0;
  let positives = 0;
  let wins = 0;
  let tiedPositives = 0;
  let tiedNegatives = 0;
  for (let i = 0; i < ranked.length; i++) {
    const entry = ranked[i] as number;
    const weight = weights[entry >>> 2] as number;
    if ((entry & 2) !== 0) tiedPositives += weight;
    else tiedNegatives += weight;
    if ((entry & 1) !== 0) {
      wins += tiedPositives * (below + tiedNegatives / 2);
      below += tiedNegatives;
      positives += tiedPositives;
      tiedPositives = 0;
      tiedNegatives = 0;
    }
  }
  return positives > 0 && below > 0 ? wins / (positives * below) : Number.NaN;
}

/** One column of a row-major `[N, C]` array, of the same number type. */
export function column(
  probabilities: Float32Array | Float64Array,
  classes: number,
  index: number,
): Float32Array | Float64Array {
  const samples = probabilities.length / classes;
  const out = probabilities instanceof Float32Array ? new Float32Array(samples) : new Float64Array(samples);
  for (let i = 0, at = index; i < samples; i++, at += classes) out[i] = probabilities[at] as number;
  return out;
}

/** The scores of every class in order, in class order. */
export function rankAllClasses(
  probabilities: Float32Array | Float64Array,
  labels: ArrayLike<number>,
  classes: number,
): RankedScores[] {
  return Array.from({ length: classes }, (_, k) => rankScores(column(probabilities, classes, k), labels, k));
}

/** Mean of the numbers that are defined, or NaN where none is. */
export function meanDefined(values: ArrayLike<number>): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return count > 0 ? sum / count : Number.NaN;
}

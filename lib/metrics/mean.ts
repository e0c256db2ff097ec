import { percentileInterval } from './resample.js';
import type { Interval } from './types.js';

/** A mean with its bootstrap interval. */
export interface MeanWithInterval {
  /** Over samples; `null` where it is defined for none. */
  readonly mean: number | null;
  /** `null` where no bootstrap was asked for or hardly any resample defines it. */
  readonly interval: Interval | null;
}

/**
 * The mean of one value a sample, and its percentile interval.
 *
 * @param values NaN where not defined
 * @param resamples how often each sample counts, for each resample; none for no interval
 * @param level share of the resamples inside the interval
 */
export function meanWithInterval(
  values: ArrayLike<number>,
  resamples: readonly Uint32Array[],
  level: number,
): MeanWithInterval {
  const mean = weightedMean(values);
  const draws = Float64Array.from(resamples, (weights) => weightedMean(values, weights));
  return {
    mean: Number.isNaN(mean) ? null : mean,
    interval: resamples.length > 0 ? percentileInterval(draws, level) : null,
  };
}

function weightedMean(values: ArrayLike<number>, weights?: ArrayLike<number>): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) continue;
    const weight = weights === undefined ? 1 : (weights[i] as number);
    sum += value * weight;
    count += weight;
  }
  return sum / count;
}

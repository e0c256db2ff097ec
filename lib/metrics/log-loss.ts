/** Probabilities are cut below at this value, so that one certain mistake does not make the mean infinite. */
const smallestProbability = Number.EPSILON;

/**
 * -ln of the probability of the true class of each image.
 *
 * @param probabilities `[N, C]`
 * @param labels true classes `[N]`
 * @param classes C
 */
export function logLosses(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): Float64Array {
  const out = new Float64Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    const p = probabilities[i * classes + (labels[i] as number)] as number;
    // A softmax in float32 may end a rounding step above 1, whose logarithm would make a loss below 0.
    out[i] = -Math.log(Math.min(1, Math.max(smallestProbability, p))) + 0;
  }
  return out;
}

/** Weighted mean. */
export function weightedMean(values: ArrayLike<number>, weights: ArrayLike<number>): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    sum += (weights[i] as number) * (values[i] as number);
    total += weights[i] as number;
  }
  return sum / total;
}

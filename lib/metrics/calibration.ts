/** Bins of the reliability table unless told otherwise. */
export const defaultCalibrationBins = 15;

/** Per image, what calibration needs: worked out once, counted once a resample. */
export interface Confidences {
  /** Top probability of each image `[N]`. */
  readonly confidence: Float64Array;
  /** 1 where the prediction is right `[N]`. */
  readonly correct: Uint8Array;
  /** Bin of each image `[N]`. */
  readonly bin: Uint16Array;
  /** Number of bins. */
  readonly bins: number;
}

/**
 * Sorts images into equal-width bins of their top probability: bin b holds (b/B, (b+1)/B], the first also 0.
 *
 * @param probabilities `[N, C]`
 * @param labels true classes `[N]`
 * @param predicted predicted classes `[N]`
 * @param classes C
 * @param bins B
 */
export function confidences(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
  bins: number,
): Confidences {
  const samples = labels.length;
  const confidence = new Float64Array(samples);
  const correct = new Uint8Array(samples);
  const bin = new Uint16Array(samples);
  for (let i = 0; i < samples; i++) {
    const top = probabilities[i * classes + (predicted[i] as number)] as number;
    confidence[i] = top;
    correct[i] = labels[i] === predicted[i] ? 1 : 0;
    bin[i] = Math.min(bins - 1, Math.max(0, Math.ceil(top * bins) - 1));
  }
  return { confidence, correct, bin, bins };
}

/** Sums over the images of each bin. */
export interface BinSums {
  /** Images `[B]`. */
  readonly count: Float64Array;
  /** Sum of the top probabilities `[B]`. */
  readonly confidence: Float64Array;
  /** Right predictions `[B]`. */
  readonly correct: Float64Array;
}

/** The reliability table as sums, with each image counted `weights[i]` times. */
export function binSums(table: Confidences, weights: ArrayLike<number>): BinSums {
  const count = new Float64Array(table.bins);
  const confidence = new Float64Array(table.bins);
  const correct = new Float64Array(table.bins);
  for (let i = 0; i < table.bin.length; i++) {
    const b = table.bin[i] as number;
    const weight = weights[i] as number;
    count[b] = (count[b] as number) + weight;
    confidence[b] = (confidence[b] as number) + weight * (table.confidence[i] as number);
    correct[b] = (correct[b] as number) + weight * (table.correct[i] as number);
  }
  return { count, confidence, correct };
}

/**
 * Expected calibration error (Naeini et al. 2015; Guo et al. 2017): Σ_b n_b/N · |accuracy_b - confidence_b|.
 */
export function expectedCalibrationError(sums: BinSums): number {
  let error = 0;
  let samples = 0;
  for (let b = 0; b < sums.count.length; b++) {
    error += Math.abs((sums.correct[b] as number) - (sums.confidence[b] as number));
    samples += sums.count[b] as number;
  }
  return samples > 0 ? error / samples : 0;
}

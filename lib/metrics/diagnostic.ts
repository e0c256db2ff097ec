/** The numbers of a diagnostic test: how often it errs on the healthy and on the ill, and how far it can be believed. */
import { invalidArgument, list, number, object } from '../validate.js';
import { rankScores } from './auroc.js';

/** What diagnostic tests are judged by, of one class against all others or averaged over classes. `null`: undefined. */
export interface DiagnosticScores {
  /** Share of the positive images that were recognised: tp / (tp + fn). */
  readonly sensitivity: number | null;
  /** Share of the negative images that were recognised: tn / (tn + fp). */
  readonly specificity: number | null;
  /** Positive predictive value, which is precision: tp / (tp + fp). */
  readonly ppv: number | null;
  /** False discovery rate: fp / (fp + tp). */
  readonly falseDiscoveryRate: number | null;
  /** False omission rate: fn / (fn + tn). */
  readonly falseOmissionRate: number | null;
  /** Youden's index: sensitivity + specificity - 1. */
  readonly youden: number | null;
  /**
   * Discriminant power: √3/π (log₁₀(sensitivity / (1 - sensitivity)) + log₁₀(specificity / (1 - specificity))).
   * In base 10, as the figures published for loc-attention are: 0.752 and 0.882 give 0.747. `null` where sensitivity or
   * specificity is 0 or 1.
   */
  readonly discriminantPower: number | null;
}

/** Names of {@link DiagnosticScores}. */
export const diagnosticNames = [
  ...(['sensitivity', 'specificity', 'ppv', 'falseDiscoveryRate', 'falseOmissionRate'] as const),
  ...(['youden', 'discriminantPower'] as const),
] satisfies (keyof DiagnosticScores)[];

/**
 * The diagnostic scores of one class against all others.
 *
 * @param matrix flat confusion matrix `[C, C]`, rows truth; counts or weights
 * @param classes C
 * @param positive the class that counts as positive
 * @internal
 */
function oneAgainstRest(matrix: ArrayLike<number>, classes: number, positive: number): DiagnosticScores {
  let [tp, fn, fp, tn] = [0, 0, 0, 0];
  for (let t = 0; t < classes; t++) {
    for (let p = 0; p < classes; p++) {
      const count = matrix[t * classes + p] as number;
      if (t === positive && p === positive) tp += count;
      else if (t === positive) fn += count;
      else if (p === positive) fp += count;
      else tn += count;
    }
  }
  const sensitivity = ratio(tp, fn);
  const specificity = ratio(tn, fp);
  const both = sensitivity !== null && specificity !== null;
  return {
    sensitivity,
    specificity,
    ppv: ratio(tp, fp),
    falseDiscoveryRate: ratio(fp, tp),
    falseOmissionRate: ratio(fn, tn),
    youden: both ? sensitivity + specificity - 1 : null,
    discriminantPower: both ? discriminantPower(sensitivity, specificity) : null,
  };
}

function ratio(part: number, rest: number): number | null {
  return part + rest > 0 ? part / (part + rest) : null;
}

/**
 * Discriminant power in base 10; `null` where a share is 0 or 1, so that the logarithm is infinite.
 *
 * @param sensitivity from 0 to 1
 * @param specificity from 0 to 1
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` where one is not
 */
export function discriminantPower(sensitivity: number, specificity: number): number | null {
  const odds = (name: string, share: number) => {
    number(name, share, { min: 0, max: 1 });
    return Math.log10(share / (1 - share));
  };
  const power =
    (Math.sqrt(3) / Math.PI) * (odds('sensitivity', sensitivity) + odds('specificity', specificity));
  return Number.isFinite(power) ? power : null;
}

/**
 * The diagnostic scores of a confusion matrix: of class 1 where there are two classes, else the mean over the classes of
 * each one against the rest, over those for which the number is defined.
 *
 * @param confusionMatrix counts `[C][C]`: rows are the truth, columns the prediction
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` where it is not square or holds less than two classes
 * @example
 * ```ts
 * diagnosticScores([[80, 20], [10, 90]]).specificity; // 0.8
 * ```
 */
export function diagnosticScores(confusionMatrix: readonly (readonly number[])[]): DiagnosticScores {
  const rows = list('confusionMatrix', confusionMatrix, (_, row) => row as readonly number[]);
  const isSquare = rows.every((row) => Array.isArray(row) && row.length === rows.length);
  const isCounts = (row: readonly number[]) => row.every((count) => Number.isFinite(count) && count >= 0);
  if (rows.length < 2 || !isSquare || !rows.every(isCounts))
    throw invalidArgument('confusionMatrix', 'counts [C][C] of at least two classes', confusionMatrix);
  return summaryScores(rows.flat(), rows.length);
}

/** @internal {@link diagnosticScores} of a flat matrix. */
export function summaryScores(matrix: ArrayLike<number>, classes: number): DiagnosticScores {
  if (classes === 2) return oneAgainstRest(matrix, 2, 1);
  const each = Array.from({ length: classes }, (_, k) => oneAgainstRest(matrix, classes, k));
  const mean = (name: keyof DiagnosticScores): number | null => {
    const defined = each.map((scores) => scores[name]).filter((value) => value !== null);
    return defined.length > 0 ? defined.reduce((sum, value) => sum + value, 0) / defined.length : null;
  };
  return Object.fromEntries(diagnosticNames.map((name) => [name, mean(name)])) as unknown as DiagnosticScores;
}

/** The cut of a ROC curve that Youden's index prefers. */
export interface BestThreshold {
  /** Images with at least this score count as positive; infinite where no cut is better than calling all negative. */
  readonly threshold: number;
  /** Share of the positive images at or above it. */
  readonly sensitivity: number;
  /** Share of the negative images below it. */
  readonly specificity: number;
}

/**
 * The highest of the thresholds that maximise sensitivity + specificity - 1 over the distinct scores. Chosen on the very
 * images that it is then judged by, it flatters: choose it on validation.
 *
 * @param scores score of each image `[N]`, such as the probability of class 1
 * @param labels true classes `[N]`
 * @param positive the class that counts as positive; default 1
 * @returns `null` where one of the two sides is empty
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` where the lengths differ
 */
export function bestThreshold(
  scores: Float32Array | Float64Array,
  labels: ArrayLike<number>,
  positive = 1,
): BestThreshold | null {
  checkScores(scores, labels);
  const ranked = rankScores(scores, labels, positive);
  let positives = 0;
  for (const entry of ranked) if ((entry & 2) !== 0) positives++;
  const negatives = ranked.length - positives;
  if (positives === 0 || negatives === 0) return null;
  let best: BestThreshold = { threshold: Number.POSITIVE_INFINITY, sensitivity: 0, specificity: 1 };
  let [tp, fp, gain] = [0, 0, 0];
  // From the highest score down; a run of equal scores is cut only below its last one.
  for (let i = ranked.length - 1; i >= 0; i--) {
    const entry = ranked[i] as number;
    if ((entry & 2) !== 0) tp++;
    else fp++;
    const isLast = i === 0 || ((ranked[i - 1] as number) & 1) !== 0;
    if (!isLast) continue;
    const [truePositives, falsePositives] = [tp / positives, fp / negatives];
    if (truePositives - falsePositives <= gain) continue;
    gain = truePositives - falsePositives;
    const threshold = scores[entry >>> 2] as number;
    best = { threshold, sensitivity: truePositives, specificity: (negatives - fp) / negatives };
  }
  return best;
}

/**
 * The diagnostic scores where images with at least a given score count as positive: what a threshold that was chosen on
 * validation is worth on other images.
 *
 * @param scores score of each image `[N]`, such as the probability of class 1
 * @param labels true classes `[N]`
 * @param threshold as {@link bestThreshold} gives it; infinity calls all negative
 * @param positive the class that counts as positive; default 1
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function scoresAtThreshold(
  scores: Float32Array | Float64Array,
  labels: ArrayLike<number>,
  threshold: number,
  positive = 1,
): DiagnosticScores {
  checkScores(scores, labels);
  if (typeof threshold !== 'number' || Number.isNaN(threshold))
    throw invalidArgument('threshold', 'a number', threshold);
  const matrix = new Float64Array(4);
  for (const [i, score] of scores.entries()) {
    const cell = (labels[i] === positive ? 2 : 0) + (score >= threshold ? 1 : 0);
    matrix[cell] = (matrix[cell] as number) + 1;
  }
  return oneAgainstRest(matrix, 2, 1);
}

function checkScores(scores: Float32Array | Float64Array, labels: ArrayLike<number>): void {
  if (!(scores instanceof Float32Array || scores instanceof Float64Array))
    throw invalidArgument('scores', 'a Float32Array or Float64Array [N]', scores);
  if (scores.length !== object('labels', labels).length)
    throw invalidArgument('labels', `${scores.length} labels, one for each score`, labels);
}

/** What follows from a confusion matrix alone. */
export interface ClassificationScores {
  /** Share of right predictions. */
  accuracy: number;
  /** Mean recall over the classes in the truth. */
  balancedAccuracy: number;
  /** Matthews correlation coefficient. */
  mcc: number;
  /** Mean F1 over classes in the truth or among the predictions. */
  macroF1: number;
  /** Mean F1 weighted by support. */
  weightedF1: number;
  /** Images of each class in the truth `[C]`. */
  support: Float64Array;
  /** Predictions of each class `[C]`. */
  predicted: Float64Array;
  /** Precision of each class `[C]`; 0 where nothing was predicted. */
  precision: Float64Array;
  /** Recall of each class `[C]`, the same as class accuracy; 0 where the truth has none. */
  recall: Float64Array;
  /** F1 of each class `[C]`; 0 where precision and recall are 0. */
  f1: Float64Array;
}

/**
 * Accuracy, balanced accuracy, MCC, precision, recall and F1 with scikit-learn's conventions: undefined precision,
 * recall and F1 are 0, and balanced accuracy averages over the classes that are in the truth.
 *
 * @param matrix flat confusion matrix `[C, C]`, rows truth
 * @param classes C
 */
export function classificationScores(matrix: Float64Array, classes: number): ClassificationScores {
  const totals = totalsOf(matrix, classes);
  const { support, predicted, samples, correct } = totals;
  const { precision, recall, f1 } = scoresByClass(matrix, totals);
  const isTrue = (k: number) => (support[k] as number) > 0;
  const isSeen = (k: number) => isTrue(k) || (predicted[k] as number) > 0;
  const weighted = f1.reduce((sum, value, k) => sum + (support[k] as number) * value, 0);
  return {
    accuracy: samples > 0 ? correct / samples : 0,
    balancedAccuracy: meanOf(recall, isTrue),
    mcc: matthews(correct, samples, support, predicted),
    macroF1: meanOf(f1, isSeen),
    weightedF1: samples > 0 ? weighted / samples : 0,
    ...{ support, predicted, precision, recall, f1 },
  };
}

/** Sums of a confusion matrix. */
interface Totals {
  /** Of each row `[C]`. */
  readonly support: Float64Array;
  /** Of each column `[C]`. */
  readonly predicted: Float64Array;
  /** Of everything. */
  readonly samples: number;
  /** Of the diagonal. */
  readonly correct: number;
}

function totalsOf(matrix: Float64Array, classes: number): Totals {
  const support = new Float64Array(classes);
  const predicted = new Float64Array(classes);
  let samples = 0;
  let correct = 0;
  for (let t = 0; t < classes; t++) {
    for (let p = 0; p < classes; p++) {
      const count = matrix[t * classes + p] as number;
      support[t] = (support[t] as number) + count;
      predicted[p] = (predicted[p] as number) + count;
      samples += count;
      if (t === p) correct += count;
    }
  }
  return { support, predicted, samples, correct };
}

function scoresByClass(
  matrix: Float64Array,
  { support, predicted }: Totals,
): Pick<ClassificationScores, 'precision' | 'recall' | 'f1'> {
  const classes = support.length;
  const precision = new Float64Array(classes);
  const recall = new Float64Array(classes);
  const f1 = new Float64Array(classes);
  for (let k = 0; k < classes; k++) {
    const hit = matrix[k * classes + k] as number;
    const s = support[k] as number;
    const p = predicted[k] as number;
    if (s > 0) recall[k] = hit / s;
    if (p > 0) precision[k] = hit / p;
    if (s + p > 0) f1[k] = (2 * hit) / (s + p);
  }
  return { precision, recall, f1 };
}

/** The mean over the classes that count; 0 where none does. */
function meanOf(values: Float64Array, counts: (k: number) => boolean): number {
  const counted = values.filter((_, k) => counts(k));
  return counted.length > 0 ? counted.reduce((sum, value) => sum + value, 0) / counted.length : 0;
}

/**
 * Matthews correlation coefficient for several classes (Gorodkin 2004):
 * (c s - Σ p_k t_k) / sqrt((s² - Σ p_k²)(s² - Σ t_k²)), and 0 where the denominator is 0.
 */
function matthews(correct: number, samples: number, truth: Float64Array, predicted: Float64Array): number {
  let cross = 0;
  let truthSquares = 0;
  let predictedSquares = 0;
  for (let k = 0; k < truth.length; k++) {
    const t = truth[k] as number;
    const p = predicted[k] as number;
    cross += p * t;
    truthSquares += t * t;
    predictedSquares += p * p;
  }
  const square = samples * samples;
  const denominator = Math.sqrt(square - predictedSquares) * Math.sqrt(square - truthSquares);
  return denominator > 0 ? (correct * samples - cross) / denominator : 0;
}

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
  const support = new Float64Array(classes);
  const predicted = new Float64Array(classes);
  const precision = new Float64Array(classes);
  const recall = new Float64Array(classes);
  const f1 = new Float64Array(classes);
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
  let recalls = 0;
  let inTruth = 0;
  let f1s = 0;
  let seen = 0;
  let weighted = 0;
  for (let k = 0; k < classes; k++) {
    const hit = matrix[k * classes + k] as number;
    const s = support[k] as number;
    const p = predicted[k] as number;
    if (s > 0) recall[k] = hit / s;
    if (p > 0) precision[k] = hit / p;
    if (s + p > 0) f1[k] = (2 * hit) / (s + p);
    if (s > 0) {
      recalls += recall[k] as number;
      inTruth++;
    }
    if (s + p > 0) {
      f1s += f1[k] as number;
      seen++;
    }
    weighted += s * (f1[k] as number);
  }
  return {
    accuracy: samples > 0 ? correct / samples : 0,
    balancedAccuracy: inTruth > 0 ? recalls / inTruth : 0,
    mcc: matthews(correct, samples, support, predicted),
    macroF1: seen > 0 ? f1s / seen : 0,
    weightedF1: samples > 0 ? weighted / samples : 0,
    support,
    predicted,
    precision,
    recall,
    f1,
  };
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

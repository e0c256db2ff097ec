/**
 * The predicted class of each row: the first of the largest values, as `argmax` of NumPy and PyTorch.
 *
 * @param probabilities `[N, C]`, row-major
 * @param classes C
 * @returns class indices `[N]`
 */
export function predictedClasses(probabilities: ArrayLike<number>, classes: number): Int32Array {
  const samples = probabilities.length / classes;
  const predicted = new Int32Array(samples);
  for (let i = 0, at = 0; i < samples; i++, at += classes) {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if ((probabilities[at + k] as number) > (probabilities[at + best] as number)) best = k;
    }
    predicted[i] = best;
  }
  return predicted;
}

/**
 * Confusion matrix of counts, flat: cell (t, p) is at `t * classes + p`.
 *
 * @param labels true classes `[N]`
 * @param predicted predicted classes `[N]`
 * @param classes C
 * @param weights how often each row counts; default once
 * @returns `[C, C]` row-major; rows are the truth, columns the prediction
 */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
  weights?: ArrayLike<number>,
): Float64Array {
  const matrix = new Float64Array(classes * classes);
  for (let i = 0; i < labels.length; i++) {
    const cell = (labels[i] as number) * classes + (predicted[i] as number);
    matrix[cell] = (matrix[cell] as number) + (weights === undefined ? 1 : (weights[i] as number));
  }
  return matrix;
}

/** The rows of a flat confusion matrix, as it is written to JSON. */
export function matrixRows(matrix: Float64Array, classes: number): number[][] {
  return Array.from({ length: classes }, (_, t) =>
    Array.from(matrix.subarray(t * classes, (t + 1) * classes)),
  );
}

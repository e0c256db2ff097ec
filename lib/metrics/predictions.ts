import { CxrGazeError } from '../errors.js';
import { classNames, invalidArgument, object } from '../validate.js';

/** Predictions next to the truth. */
export interface PredictionSet {
  /** Class probabilities `[N, C]`, row-major; each row sums to 1. */
  readonly probabilities: Float32Array | Float64Array;
  /** True class of each image `[N]`. */
  readonly labels: Int32Array;
  /** Class names in label order `[C]`. */
  readonly classes: readonly string[];
}

/** A softmax in bfloat16 may miss 1 by this much; logits given by mistake miss it by far. */
const sumTolerance = 0.02;

/**
 * Checks that the arrays fit together and hold probabilities.
 *
 * @throws `ERR_INVALID_ARGUMENT` for wrong types or values, `ERR_INVALID_SHAPE` for lengths that do not fit,
 *   `ERR_NOT_FINITE` for NaN or infinity
 */
export function checkPredictions(predictions: PredictionSet): void {
  const { probabilities, labels, classes } = object('predictions', predictions);
  if (!(probabilities instanceof Float32Array || probabilities instanceof Float64Array)) {
    throw invalidArgument('probabilities', 'a Float32Array or Float64Array [N, C]', probabilities);
  }
  if (!(labels instanceof Int32Array)) throw invalidArgument('labels', 'an Int32Array [N]', labels);
  classNames('classes', classes, 2);
  if (labels.length === 0) throw invalidArgument('labels', 'at least one label', labels);
  if (probabilities.length !== labels.length * classes.length) {
    throw new CxrGazeError(
      'ERR_INVALID_SHAPE',
      `Expected ${labels.length} x ${classes.length} = ${labels.length * classes.length} probabilities but received ${probabilities.length}`,
      { details: { expected: [labels.length, classes.length], received: probabilities.length } },
    );
  }
  for (let i = 0; i < labels.length; i++) {
    checkRow(probabilities, i, classes.length);
    const label = labels[i] as number;
    if (label < 0 || label >= classes.length) {
      throw invalidArgument(`labels[${i}]`, `a class index from 0 to ${classes.length - 1}`, label);
    }
  }
}

function checkRow(probabilities: Float32Array | Float64Array, row: number, classes: number): void {
  let sum = 0;
  for (let k = 0; k < classes; k++) {
    const p = probabilities[row * classes + k] as number;
    if (!Number.isFinite(p)) {
      throw new CxrGazeError(
        'ERR_NOT_FINITE',
        `Expected finite probabilities but row ${row}, class ${k} is ${p}`,
        {
          details: { row, class: k },
        },
      );
    }
    if (p < 0 || p > 1 + 1e-5) {
      throw invalidArgument(`probabilities[${row}, ${k}]`, 'a probability from 0 to 1', p);
    }
    sum += p;
  }
  if (Math.abs(sum - 1) > sumTolerance) {
    throw invalidArgument(`probabilities[${row}]`, 'a row that sums to 1 (a softmax, not logits)', sum);
  }
}

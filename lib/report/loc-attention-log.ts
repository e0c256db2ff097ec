import { column } from '../metrics/auroc.js';
import { bestThreshold, diagnosticScores } from '../metrics/diagnostic.js';
import { evaluatePredictions } from '../metrics/evaluate.js';
import { checkPredictions, type PredictionSet } from '../metrics/predictions.js';
import { flag, knownKeys, number, oneOf } from '../validate.js';
import { pythonFloat } from './python-format.js';
import { classificationReport } from './summary.js';

/** What {@link performanceLog} takes. */
export interface PerformanceLogOptions {
  /** Minutes of training, from the reading of the flags to its end. */
  readonly minutes: number;
  /** Validation, by the best checkpoint. Float64 probabilities, made from the logits, give the original's digits. */
  readonly validation: PredictionSet;
  /** Test, by the best checkpoint. */
  readonly test: PredictionSet;
  /**
   * Whether two classes have threshold, specificity, FDR and FOR after the AUC. Default `true`, as `model_loss_attent.py`;
   * the baselines' programs have them for no number of classes.
   */
  readonly diagnostics?: boolean;
  /** The word before the second half: `Metrics`, or `Performances` as PVT's baseline has it. Default `Metrics`. */
  readonly heading?: 'Metrics' | 'Performances';
}

/**
 * The text of the performance log `results/{name}.txt`, character for character as loc-attention's programs write it:
 * scikit-learn's report with class indices as names, AUC, and for two classes the best threshold of the set itself,
 * specificity, false discovery and false omission rate; first of validation, then of test. What is undefined prints as
 * `nan`.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_INVALID_SHAPE`, `ERR_NOT_FINITE` where the predictions are none
 */
export function performanceLog(options: PerformanceLogOptions): string {
  knownKeys('options', options, ['minutes', 'validation', 'test', 'diagnostics', 'heading']);
  const minutes = number('options.minutes', options.minutes, { min: 0 });
  const diagnostics = flag('options.diagnostics', options.diagnostics ?? true);
  const heading = oneOf('options.heading', options.heading ?? 'Metrics', ['Metrics', 'Performances']);
  return [
    `Execution Time: ${pythonFloat(minutes)} minutes`,
    ...setLines(options.validation, diagnostics),
    '-'.repeat(30),
    // The blank at the end is the original's.
    `${heading} of unseen test data: `,
    ...setLines(options.test, diagnostics),
    '',
  ].join('\n');
}

function setLines(predictions: PredictionSet, diagnostics: boolean): string[] {
  checkPredictions(predictions);
  const { probabilities, labels, classes } = predictions;
  const indices = classes.map((_, k) => String(k));
  const metrics = evaluatePredictions({ probabilities, labels, classes: indices });
  const isBinary = classes.length === 2;
  // With ties between rounded probabilities the areas of class 0 and class 1 may differ: the original takes class 1's.
  const auroc = isBinary ? (metrics.perClass[1]?.auroc ?? null) : metrics.auroc;
  const lines = [classificationReport(metrics), `AUC Score: ${printed(auroc)}`];
  if (!isBinary || !diagnostics) return lines;
  const { specificity, falseDiscoveryRate, falseOmissionRate } = diagnosticScores(metrics.confusionMatrix);
  const best = bestThreshold(column(probabilities, 2, 1), labels);
  return [
    ...lines,
    `Best Threshold: ${printed(best?.threshold ?? null)}`,
    `Specificity:  ${printed(specificity)}`,
    `False Discovery Rate (FDR):  ${printed(falseDiscoveryRate)}`,
    `False Omission Rate (FOR):  ${printed(falseOmissionRate)}`,
  ];
}

function printed(value: number | null): string {
  return pythonFloat(value ?? Number.NaN);
}

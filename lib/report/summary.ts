import type { Metrics } from '../metrics/types.js';
import { numpyRound, pythonFixed, pythonFloat } from './python-format.js';

/** Three decimals without trailing zeros, and Python's word for what is not defined. */
function rounded(value: number | null): string {
  return value === null ? 'nan' : pythonFloat(numpyRound(value, 3));
}

/**
 * The text of `{split}_summary.txt`, character for character as the original writes it: three numbers, the accuracy of
 * each class, and scikit-learn's classification report with three digits.
 */
export function summaryText(metrics: Metrics): string {
  return [
    `Balanced Accuracy: ${rounded(metrics.balancedAccuracy)}`,
    `Matthews Correlation Coefficient: ${rounded(metrics.mcc)}`,
    `Mean AUC: ${rounded(metrics.auroc)}`,
    '',
    'Class:| Accuracy',
    ...metrics.perClass.map(({ name, accuracy }) => `${name}:| ${rounded(accuracy)}`),
    '',
    classificationReport(metrics),
  ].join('\n');
}

/** The table that scikit-learn's `classification_report(..., digits=3)` prints. */
export function classificationReport(metrics: Metrics): string {
  const averageName = 'weighted avg';
  const width = Math.max(averageName.length, ...metrics.classes.map((name) => [...name].length));
  const line = (name: string, cells: readonly string[]) =>
    `${' '.repeat(width - [...name].length)}${name} ${cells.map((cell) => ` ${cell.padStart(9)}`).join('')}`;
  const numbers = (name: string, precision: number, recall: number, f1: number, support: number) =>
    line(name, [...[precision, recall, f1].map((value) => pythonFixed(value, 3)), String(support)]);

  const seen = metrics.perClass.filter((c) => c.support + c.predicted > 0);
  const mean = (of: (c: (typeof seen)[number]) => number) =>
    seen.reduce((sum, c) => sum + of(c), 0) / seen.length;
  const weighted = (of: (c: (typeof seen)[number]) => number) =>
    seen.reduce((sum, c) => sum + of(c) * c.support, 0) / metrics.samples;
  return [
    line('', ['precision', 'recall', 'f1-score', 'support']),
    '',
    ...metrics.perClass.map((c) => numbers(c.name, c.precision, c.recall, c.f1, c.support)),
    '',
    line('accuracy', ['', '', pythonFixed(metrics.accuracy, 3), String(metrics.samples)]),
    numbers(
      'macro avg',
      mean((c) => c.precision),
      mean((c) => c.recall),
      metrics.macroF1,
      metrics.samples,
    ),
    numbers(
      averageName,
      weighted((c) => c.precision),
      weighted((c) => c.recall),
      metrics.weightedF1,
      metrics.samples,
    ),
    '',
  ].join('\n');
}

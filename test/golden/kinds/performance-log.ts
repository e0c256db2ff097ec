import { column } from '../../../lib/metrics/auroc.js';
import { bestThreshold, diagnosticScores } from '../../../lib/metrics/diagnostic.js';
import { diagnosticFigures } from '../../../lib/metrics/diagnostic-figures.js';
import { evaluatePredictions } from '../../../lib/metrics/evaluate.js';
import type { PredictionSet } from '../../../lib/metrics/predictions.js';
import { performanceLog } from '../../../lib/report/loc-attention-log.js';
import { number } from '../case.js';
import { type Actual, RoundedText } from '../compare.js';
import type { Kind } from '../kind.js';
import { addedAtLabels, type Filled, filled } from '../recipe.js';

/** The metrics of predictions on two sets, and the text of the log. */
export const performanceLogKind: Kind = {
  // The last one says how the text is to be compared.
  config: ['task', 'num_classes', 'minutes', 'strength', 'text'],
  inputs: ['val.labels', 'val.logits', 'test.labels', 'test.logits'],
  run: ({ config, inputs }) => {
    const classes = number('num_classes', config.num_classes);
    const set = (name: string) =>
      predictionsOf(
        filled(`${name}.logits`, inputs[`${name}.logits`]),
        filled(`${name}.labels`, inputs[`${name}.labels`], 'label'),
        classes,
      );
    const [validation, test] = [set('val'), set('test')];
    const minutes = number('minutes', config.minutes);
    return {
      log: new RoundedText(performanceLog({ minutes, validation, test })),
      ...numbersOf('val', validation),
      ...numbersOf('test', test),
    };
  },
};

/** Softmax in float64 of float32 logits. */
function predictionsOf(logits: Filled, labels: Filled, classes: number): PredictionSet {
  const z = addedAtLabels(logits, labels);
  const probabilities = new Float64Array(z.length);
  for (let row = 0; row < labels.data.length; row++) {
    const at = row * classes;
    const exps = Array.from(z.subarray(at, at + classes), Math.exp);
    const sum = exps.reduce((a, b) => a + b, 0);
    exps.forEach((value, k) => {
      probabilities[at + k] = value / sum;
    });
  }
  const names = Array.from({ length: classes }, (_, k) => `class ${k}`);
  return { probabilities, labels: Int32Array.from(labels.data), classes: names };
}

function numbersOf(name: string, set: PredictionSet): Record<string, Actual> {
  const { classes, labels } = set;
  const metrics = evaluatePredictions(set);
  const figures = diagnosticFigures([set]);
  const scores = diagnosticScores(metrics.confusionMatrix);
  const tensor = (shape: number[], data: readonly (number | null | undefined)[]): Actual => ({
    shape,
    data: data.map((value) => value ?? Number.NaN),
  });
  const weighted = (of: 'precision' | 'recall' | 'f1') =>
    metrics.perClass.reduce((sum, one) => sum + one.support * one[of], 0) / metrics.samples;
  const best = bestThreshold(column(set.probabilities, classes.length, 1), labels);
  const [c, one] = [classes.length, [] as number[]];
  const outputs = {
    confusion: tensor([c, c], metrics.confusionMatrix.flat()),
    per_class: tensor(
      [c, 4],
      metrics.perClass.flatMap(({ precision, recall, f1, support }) => [precision, recall, f1, support]),
    ),
    accuracy: tensor(one, [figures.accuracy.value]),
    macro: tensor([3], [figures.precision.value, metrics.balancedAccuracy, figures.f1.value]),
    weighted: tensor([3], [weighted('precision'), weighted('recall'), weighted('f1')]),
    auc: tensor(one, [figures.auroc.value]),
    best_threshold: tensor(one, [best?.threshold]),
    specificity: tensor(one, [scores.specificity]),
    fdr: tensor(one, [scores.falseDiscoveryRate]),
    for: tensor(one, [scores.falseOmissionRate]),
  };
  return Object.fromEntries(Object.entries(outputs).map(([key, value]) => [`${name}.${key}`, value]));
}

import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import type { GroupName, Metrics } from '../../lib/metrics/types.js';
import type { InputRecipe } from '../support/golden-fill.js';
import { fillLabels, fillNumbers } from '../support/golden-fill.js';

/** What the golden kinds `gazelt/metrics` and `gazelt/evaluate-files` take. */
export interface PredictionCase {
  readonly classes: readonly string[];
  readonly strength: number;
  readonly groups?: Readonly<Record<GroupName, readonly number[]>>;
}

/** Logits = noise + strength * onehot(label), softmax in float32 as PyTorch computes it. */
export function goldenPredictions(
  config: PredictionCase,
  inputs: { readonly noise: InputRecipe; readonly labels: InputRecipe },
): { probabilities: Float32Array; labels: Int32Array; classes: readonly string[] } {
  const { values, shape } = fillNumbers(inputs.noise);
  const labels = fillLabels(inputs.labels);
  const columns = shape[1] as number;
  const logits = Float32Array.from(values);
  labels.forEach((label, i) => {
    logits[i * columns + label] = (logits[i * columns + label] as number) + Math.fround(config.strength);
  });
  const probabilities = new Float32Array(logits.length);
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * columns, (i + 1) * columns);
    const top = Math.max(...row);
    const powers = row.map((x) => Math.exp(Math.fround(x - top)));
    const sum = powers.reduce((a, b) => Math.fround(a + b), 0);
    powers.forEach((p, k) => {
      probabilities[i * columns + k] = p / sum;
    });
  }
  return { probabilities, labels, classes: config.classes };
}

/** Our metrics for a golden case. */
export function goldenMetrics(
  config: PredictionCase,
  inputs: { readonly noise: InputRecipe; readonly labels: InputRecipe },
): Metrics {
  const groups = config.groups;
  return evaluatePredictions({
    ...goldenPredictions(config, inputs),
    ...(groups === undefined
      ? {}
      : {
          groups: config.classes.map((_, k) => {
            if (groups.head.includes(k)) return 'head';
            return groups.tail.includes(k) ? 'tail' : 'medium';
          }),
        }),
  });
}

/** Our metrics under the names of the golden kind `gazelt/metrics`. */
export function goldenMetricOutputs(m: Metrics): Record<string, unknown> {
  const groups = Object.fromEntries(m.longTail?.groups.map(({ name, accuracy }) => [name, accuracy]) ?? []);
  return {
    auroc_macro_ovr: m.auroc,
    auroc_per_class: m.perClass.map((c) => c.auroc),
    balanced_accuracy: m.balancedAccuracy,
    mcc: m.mcc,
    confusion_matrix: m.confusionMatrix,
    class_accuracy: m.perClass.map((c) => c.accuracy),
    group_accuracy: groups,
    average_of_groups: m.longTail?.averageOfGroups,
    average_of_classes: m.longTail?.averageOfClasses,
    accuracy: m.accuracy,
    precision: m.perClass.map((c) => c.precision),
    recall: m.perClass.map((c) => c.recall),
    f1: m.perClass.map((c) => c.f1),
    support: m.perClass.map((c) => c.support),
    macro_f1: m.macroF1,
    weighted_f1: m.weightedF1,
  };
}

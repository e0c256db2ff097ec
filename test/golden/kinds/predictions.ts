import { evaluatePredictions } from '../../../lib/metrics/evaluate.js';
import type { GroupName, Metrics } from '../../../lib/metrics/types.js';
import { groupNames } from '../../../lib/metrics/types.js';
import { number, numbers, record, strings } from '../case.js';
import { filled } from '../recipe.js';

type Bag = Readonly<Record<string, unknown>>;

/** Probabilities beside the truth. */
export interface Predictions {
  readonly probabilities: Float32Array;
  readonly labels: Int32Array;
  readonly classes: readonly string[];
}

/** Float32 softmax of logits = noise + strength * onehot(label). */
export function goldenPredictions(config: Bag, inputs: Bag): Predictions {
  const noise = filled('noise', inputs.noise);
  const labels = Int32Array.from(filled('labels', inputs.labels, 'label').data);
  const columns = noise.shape[1] as number;
  const logits = Float32Array.from(noise.data);
  const strength = Math.fround(number('strength', config.strength));
  for (const [i, label] of labels.entries()) {
    const at = i * columns + label;
    logits[at] = (logits[at] as number) + strength;
  }
  return { probabilities: softmaxRows(logits, columns), labels, classes: strings('classes', config.classes) };
}

function softmaxRows(logits: Float32Array, columns: number): Float32Array {
  const result = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += columns) {
    const row = logits.subarray(start, start + columns);
    const top = row.reduce((a, b) => Math.max(a, b));
    const powers = row.map((value) => Math.exp(value - top));
    const sum = Math.fround(powers.reduce((a, b) => a + b, 0));
    for (const [k, power] of powers.entries()) result[start + k] = power / sum;
  }
  return result;
}

/** Our metrics of the predictions of a case. */
export function goldenMetrics(config: Bag, inputs: Bag): Metrics {
  const predictions = goldenPredictions(config, inputs);
  if (config.groups === undefined) return evaluatePredictions(predictions);
  const members = record('groups', config.groups);
  const of = new Map<number, GroupName>();
  for (const name of Object.keys(members)) {
    if (!(groupNames as readonly string[]).includes(name)) throw new Error(`unknown group '${name}'`);
    for (const k of numbers(name, members[name])) of.set(k, name as GroupName);
  }
  const groups = predictions.classes.map((name, k) => {
    const group = of.get(k);
    if (group === undefined) throw new Error(`class '${name}' is in no group`);
    return group;
  });
  return evaluatePredictions({ ...predictions, groups });
}

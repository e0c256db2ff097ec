/** Evaluates splits and says how they fared: shared by `train`, `evaluate` and `quickstart`. */
import type { Dataset } from '../data/dataset.js';
import { CxrGazeError } from '../errors.js';
import { type RocCurve, rocCurves } from '../metrics/roc.js';
import type { Metrics } from '../metrics/types.js';
import type { Classifier } from '../systems/classifier/classifier.js';
import type { EvaluateOptions, Evaluation } from '../systems/classifier/evaluate.js';
import type { Output, Session } from './session.js';

/** One split with its evaluation. */
export interface EvaluatedSplit {
  /** Its name. */
  readonly split: string;
  /** Its images. */
  readonly dataset: Dataset;
  /** Probabilities and metrics. */
  readonly evaluation: Evaluation;
  /** ROC curves, with bands where intervals were asked for. */
  readonly roc: readonly RocCurve[];
}

/** How splits are evaluated. */
export interface EvaluationSettings extends EvaluateOptions {
  /** Resamples for intervals, or `false`. */
  readonly bootstrap: { readonly resamples: number } | false;
}

/** Resamples of the bands around ROC curves: they are drawn, not read off, and cost much more than intervals. */
const bandResamples = 200;

/** Evaluates splits one after the other. */
export async function evaluateSplits(
  classifier: Classifier,
  splits: readonly (readonly [string, Dataset])[],
  settings: EvaluationSettings,
  { session, output }: { readonly session: Session; readonly output: Output },
): Promise<EvaluatedSplit[]> {
  const evaluated: EvaluatedSplit[] = [];
  for (const [split, dataset] of splits) {
    if (dataset.length === 0) {
      output.warn('empty-split', `${dataset.name} has no image and is not evaluated`);
      continue;
    }
    const copies = (settings.tta ?? 0) + 1;
    const bar = session.progress(`evaluating ${split}`, dataset.length * copies);
    const evaluation = await classifier
      .evaluate(dataset, {
        ...settings,
        signal: session.signal,
        onSkip: ({ error }) => output.warn('image-skipped', error.message),
        onProgress: ({ done }) => bar.update(done),
      })
      .finally(() => bar.end());
    throwIfStopped(session);
    const { probabilities, labels, classes, patients } = evaluation;
    const resamples = settings.bootstrap && Math.min(bandResamples, settings.bootstrap.resamples);
    const roc = rocCurves({
      ...{ probabilities, labels, classes },
      ...(patients ? { patients } : {}),
      ...(resamples ? { bootstrap: { resamples } } : {}),
    });
    evaluated.push({ split, dataset, evaluation, roc });
    sayEvaluation(split, evaluation, output);
  }
  return evaluated;
}

/** Work that was stopped ends here, between two steps of a command. */
export function throwIfStopped({ signal }: Session): void {
  if (signal.aborted)
    throw new CxrGazeError('ERR_ABORTED', 'The command was stopped', { cause: signal.reason });
}

function sayEvaluation(split: string, { metrics, name }: Evaluation, output: Output): void {
  const { balancedAccuracy, chance, accuracy, mcc, auroc, macroF1, longTail, samples } = metrics;
  const groups = longTail?.groups.map(({ name: group, accuracy: share }) => ({ group, accuracy: share }));
  output.event({
    ...{ type: 'evaluation', split, dataset: name, samples, balancedAccuracy, chance },
    ...{ accuracy, mcc, auroc, macroF1, groups: groups ?? null },
  });
  for (const line of headline(split, metrics)) output.say(line);
  for (const { code, message } of metrics.notices) {
    output.say(`  note: ${message}`);
    output.event({ type: 'notice', code, message, split });
  }
}

/** The numbers of a split that come first, in one or two lines. */
export function headline(split: string, metrics: Metrics): string[] {
  const { balancedAccuracy, chance, auroc, intervals, longTail, samples } = metrics;
  const range = intervals?.balancedAccuracy;
  const within = range ? ` (${percent(range.low)} to ${percent(range.high)})` : '';
  const times = (balancedAccuracy / chance).toFixed(1);
  const groups = longTail?.groups.map((g) => `${g.name} ${g.accuracy === null ? '-' : percent(g.accuracy)}`);
  return [
    `${split}, ${samples} images: balanced accuracy ${percent(balancedAccuracy)}${within}, ${times} x chance (${percent(chance)}), AUROC ${auroc?.toFixed(3) ?? '-'}`,
    ...(groups ? [`  class accuracy: ${groups.join(', ')}`] : []),
  ];
}

/** A share as `56.3 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

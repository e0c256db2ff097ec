/** Evaluates splits and writes what is known of them: shared by `train`, `evaluate` and `quickstart`. */
import path from 'node:path';
import process from 'node:process';
import { writeFileAtomic, writeFolderAtomic } from '../checkpoints/atomic.js';
import type { Dataset } from '../data/dataset.js';
import { featureName } from '../data/image-table.js';
import { CxrGazeError } from '../errors.js';
import { type RocCurve, rocCurves } from '../metrics/roc.js';
import type { Metrics, Notice } from '../metrics/types.js';
import { native } from '../native.js';
import { writeCurveFiles, writeEvaluationFiles, writeLearningCurves } from '../report/evaluation-files.js';
import type { HistoryRow } from '../report/history.js';
import { writeReport } from '../report/html.js';
import { writeMetricsJson } from '../report/metrics-json.js';
import type { GalleryItem, OptionValue } from '../report/report-data.js';
import type { Classifier } from '../systems/classifier/classifier.js';
import type { EvaluateOptions, Evaluation } from '../systems/classifier/evaluate.js';
import { type PrecisionChoice, processor } from '../training/precision.js';
import { splitFileName } from './datasets.js';
import { type FoundLungs, lungsRow } from './found-lungs.js';
import { type LocalisedSplit, localisedRows, meansOf } from './localised.js';
import { pngOf, slug } from './png.js';
import { duration } from './progress.js';
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

/** All that a folder of results tells besides its evaluations. */
export interface ResultFacts {
  readonly title: string;
  readonly description: string;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly notices: readonly Notice[];
  readonly history: readonly HistoryRow[];
  readonly bestEpoch: number | null;
  /** Arithmetic of training; `null` where nothing was trained. */
  readonly trainingPrecision: string | null;
  readonly device: string;
  readonly seconds: number;
  /** Whether the tables of predictions and truth have a column of ids. */
  readonly withIds: boolean;
  /** How well maps meet findings whose place is known; default none. */
  readonly localised?: readonly LocalisedSplit[];
  /** What was found of the lungs of the images that were learned from; default none. */
  readonly lungs?: readonly FoundLungs[];
}

/**
 * Writes everything that is made of evaluations: a table, summary and confusion matrix a split, learning curves,
 * overlays, `metrics.json` and `report.html`.
 *
 * @param folder existing
 */
export async function writeResults(
  folder: string,
  classifier: Classifier,
  evaluated: readonly EvaluatedSplit[],
  facts: ResultFacts,
  gallery: readonly GalleryItem[],
): Promise<void> {
  for (const { split, evaluation, roc } of evaluated) {
    const { probabilities, labels, classes, metrics, ids } = evaluation;
    const predictions = { probabilities, labels, classes };
    const name = splitFileName(split);
    const named = facts.withIds ? { ids } : {};
    await writeEvaluationFiles({ folder, split: name, predictions, metrics, ...named });
    await writeCurveFiles({ folder, split: name, metrics, roc });
  }
  const { history, bestEpoch } = facts;
  if (history.length > 0) await writeLearningCurves(folder, history, bestEpoch);
  const environment = { ...versions(), ...(await processor()) };
  const date = new Date().toISOString();
  const first = evaluated[0]?.evaluation;
  await writeMetricsJson(path.join(folder, 'metrics.json'), {
    run: {
      ...{ title: facts.title, date, options: facts.options, environment },
      ...{ device: facts.device, trainingPrecision: facts.trainingPrecision },
      ...{ evaluationPrecision: first?.precision ?? null, bestEpoch, seconds: Math.round(facts.seconds) },
      ...{ trainCounts: classifier.card.trainCounts, notices: facts.notices },
      ...(facts.localised ? { localisation: localisationOf(facts.localised) } : {}),
      ...(facts.lungs ? { lungs: facts.lungs } : {}),
    },
    splits: Object.fromEntries(evaluated.map(({ split, evaluation }) => [split, evaluation.metrics])),
  });
  await writeReport(path.join(folder, 'report.html'), {
    ...{
      title: facts.title,
      description: facts.description,
      date: `${date.slice(0, 16).replace('T', ' ')} UTC`,
    },
    facts: factRows(facts, environment, first),
    ...{ options: facts.options, notices: facts.notices, history, bestEpoch, gallery },
    evaluations: evaluated.map(({ split, evaluation, roc }) => ({ split, metrics: evaluation.metrics, roc })),
  });
}

function localisationOf(localised: readonly LocalisedSplit[]): Record<string, unknown> {
  return Object.fromEntries(
    localised.map(({ split, localisation, classes }) => [split, meansOf(localisation, classes)]),
  );
}

interface Environment {
  readonly node: string;
  readonly libtorch: string;
  readonly threads: number;
  readonly capability: string;
}

function versions(): Pick<Environment, 'node' | 'libtorch'> {
  return { node: process.versions.node, libtorch: native().buildInfo().libtorch };
}

function factRows(
  facts: ResultFacts,
  { node, libtorch, threads, capability }: Environment,
  evaluation: Evaluation | undefined,
): { name: string; value: string }[] {
  const { trainingPrecision, bestEpoch } = facts;
  return [
    ...(trainingPrecision === null ? [] : [{ name: 'Training', value: trainingPrecision }]),
    ...(evaluation ? [{ name: 'Evaluation', value: evaluation.precision }] : []),
    ...(bestEpoch === null ? [] : [{ name: 'Best epoch', value: String(bestEpoch) }]),
    ...(facts.localised ?? []).flatMap(localisedRows),
    ...(facts.lungs ?? []).map(lungsRow),
    { name: 'Device', value: `${facts.device}, ${threads} threads, ${capability}` },
    { name: 'Duration', value: duration(facts.seconds) },
    { name: 'Versions', value: `Node ${node}, LibTorch ${libtorch}` },
  ];
}

/** Radiographs explained in the report. */
const mostExamples = 12;

/**
 * Explains the first image of each class of a split, chosen before anything is known of how it is predicted, and writes
 * the overlays to `cam/`.
 *
 * @returns what the report shows of them
 */
export async function explainExamples(
  folder: string,
  classifier: Classifier,
  { dataset, evaluation }: EvaluatedSplit,
  { session, precision = 'float32' }: { readonly session: Session; readonly precision?: PrecisionChoice },
): Promise<GalleryItem[]> {
  const kept = new Set(evaluation.ids);
  const samples = Array.from({ length: dataset.length }, (_, i) => dataset.sample(i)).filter(({ id }) =>
    kept.has(id),
  );
  const first = spread(
    dataset.classes.flatMap((_, k) => samples.find(({ label }) => label === k) ?? []),
    mostExamples,
  );
  const target = path.join(folder, 'cam');
  const items: GalleryItem[] = [];
  const groups = evaluation.metrics.perClass.map(({ group }) => group);
  const images = first.map(({ image }) => image);
  await writeFolderAtomic(target, async (temporary) => {
    for await (const explained of classifier.explain(images, { precision, signal: session.signal })) {
      const sample = first[items.length] as (typeof first)[number];
      const truth = dataset.classes[sample.label] as string;
      const [image, overlay] = await Promise.all([pngOf(explained.image), pngOf(explained.overlay)]);
      const { class: predicted, probability, explained: shown } = explained;
      await writeFileAtomic(
        path.join(temporary, `${slug(truth)}_${slug(featureName(sample.id))}.png`),
        overlay,
      );
      items.push({
        ...{ id: sample.id, image, overlay, truth, predicted, probability },
        ...{ explained: shown, group: groups[sample.label] ?? null },
      });
    }
  });
  return items;
}

// From the most frequent to the rarest class, both among them.
function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from(
    { length: most },
    (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))] as T,
  );
}

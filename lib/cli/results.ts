/** Writes what is known of evaluated splits: shared by `train`, `evaluate` and `quickstart`. */
import path from 'node:path';
import process from 'node:process';
import { native } from '../native.js';
import { writeCurveFiles, writeEvaluationFiles, writeLearningCurves } from '../report/evaluation-files.js';
import { writeReport } from '../report/html.js';
import { writeMetricsJson } from '../report/metrics-json.js';
import type { GalleryItem, ReportData } from '../report/report-data.js';
import type { Classifier } from '../systems/classifier/classifier.js';
import type { Evaluation } from '../systems/classifier/evaluate.js';
import { processor } from '../training/precision.js';
import { splitFileName } from './datasets.js';
import type { EvaluatedSplit } from './evaluation.js';
import { type FoundLungs, lungsRow } from './found-lungs.js';
import { type LocalisedSplit, localisedRows, meansOf } from './localised.js';
import { duration } from './progress.js';

/** All that a folder of results tells besides its evaluations. */
export interface ResultFacts
  extends Pick<ReportData, 'title' | 'options' | 'notices' | 'history' | 'bestEpoch'> {
  readonly description: string;
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
 * Writes everything that is made of evaluations: a table, summary and confusion matrix a split, learning curves, `metrics.json`
 * and `report.html`.
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

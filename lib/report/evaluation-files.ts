import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import { csvLine } from '../data/csv-row.js';
import type { PredictionSet } from '../metrics/predictions.js';
import { checkPredictions } from '../metrics/predictions.js';
import type { RocCurve } from '../metrics/roc.js';
import type { Metrics } from '../metrics/types.js';
import { invalidArgument, knownKeys, list, object, text } from '../validate.js';
import { reliabilityChart } from './charts/calibration.js';
import { confusionChart } from './charts/confusion.js';
import type { CurveName } from './charts/curves.js';
import { learningCurve } from './charts/curves.js';
import { renderPng } from './charts/render.js';
import { rocChart } from './charts/roc.js';
import { printTheme } from './charts/theme.js';
import type { HistoryRow } from './history.js';
import { pythonFloat, pythonFloat32 } from './python-format.js';
import { summaryText } from './summary.js';

/** One evaluated split, with everything that its files say. */
export interface EvaluationFilesOptions {
  /** Existing folder to write into. */
  readonly folder: string;
  /** Name of the split, such as `balanced-test`: the files begin with it. */
  readonly split: string;
  /** Probabilities, truth and class names. */
  readonly predictions: PredictionSet;
  /** The metrics of these predictions. */
  readonly metrics: Metrics;
  /** Image ids `[N]`: adds a first column `id` to both tables. Default none, as the originals. */
  readonly ids?: readonly string[];
}

/**
 * Writes `{split}_pred.csv`, `{split}_true.csv`, `{split}_summary.txt` and `{split}_cm.png`.
 *
 * @returns the paths written
 * @throws `ERR_INVALID_ARGUMENT` where the arguments do not fit, `ERR_FILE` where a file cannot be written
 */
export async function writeEvaluationFiles(options: EvaluationFilesOptions): Promise<string[]> {
  knownKeys('options', options, ['folder', 'split', 'predictions', 'metrics', 'ids']);
  const { predictions, metrics } = options;
  const folder = text('folder', options.folder);
  const split = fileStem('split', options.split);
  checkPredictions(predictions);
  if (
    object('metrics', metrics).samples !== predictions.labels.length ||
    metrics.classes.join('\n') !== predictions.classes.join('\n')
  ) {
    throw invalidArgument('metrics', 'the metrics of these predictions', metrics);
  }
  const ids = checkIds(options.ids, predictions.labels.length);
  const tables = {
    [`${split}_pred.csv`]: predictionsCsv(predictions, ids),
    [`${split}_true.csv`]: truthCsv(predictions, ids),
    [`${split}_summary.txt`]: summaryText(metrics),
    [`${split}_cm.png`]: await confusionPng(metrics, split),
  };
  return writeAll(folder, tables);
}

/** A name that is one plain part of a path. */
function fileStem(name: string, value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text(name, value))) {
    throw invalidArgument(name, 'a name of letters, digits, dots, dashes and underscores', value);
  }
  return value;
}

function checkIds(ids: readonly string[] | undefined, samples: number): readonly string[] | null {
  if (ids === undefined) return null;
  list('ids', ids, text);
  if (ids.length !== samples) throw invalidArgument('ids', `${samples} image ids, one for each label`, ids);
  return ids;
}

async function writeAll(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string[]> {
  const paths = [];
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await writeFileAtomic(path, content);
    paths.push(path);
  }
  return paths;
}

/** One row of probabilities an image, each with the digits that its precision has. */
export function predictionsCsv(predictions: PredictionSet, ids: readonly string[] | null = null): string {
  const { probabilities, classes, labels } = predictions;
  const print = probabilities instanceof Float32Array ? pythonFloat32 : pythonFloat;
  return table(classes, labels.length, ids, (row) =>
    Array.from(probabilities.subarray(row * classes.length, (row + 1) * classes.length), print),
  );
}

/** One row an image, 1 in the column of its class and 0 elsewhere. */
export function truthCsv({ classes, labels }: PredictionSet, ids: readonly string[] | null = null): string {
  return table(classes, labels.length, ids, (row) => classes.map((_, k) => (labels[row] === k ? '1' : '0')));
}

function table(
  classes: readonly string[],
  rows: number,
  ids: readonly string[] | null,
  cells: (row: number) => string[],
): string {
  const lines = [csvLine(ids === null ? classes : ['id', ...classes])];
  for (let row = 0; row < rows; row++) {
    lines.push(csvLine(ids === null ? cells(row) : [ids[row] as string, ...cells(row)]));
  }
  return lines.join('');
}

/** The confusion matrix twice: counts, and shares of the rows. */
async function confusionPng({ classes, confusionMatrix }: Metrics, split: string): Promise<Uint8Array> {
  const cell = classes.length > 60 ? 14 : 30;
  const panel = (values: 'counts' | 'fractions', title: string) =>
    confusionChart(confusionMatrix, classes, values, printTheme, { title, cell });
  return renderPng(
    {
      hconcat: [panel('counts', `${split}: images`), panel('fractions', `${split}: share of the true class`)],
      spacing: 40,
    },
    printTheme,
    `Confusion matrix of ${split}`,
  );
}

/** What {@link writeCurveFiles} draws. */
export interface CurveFilesOptions {
  /** Existing folder to write into. */
  readonly folder: string;
  /** Name of the split: the files begin with it. */
  readonly split: string;
  /** Metrics of the split. */
  readonly metrics: Metrics;
  /** Its ROC curves, as `rocCurves` gives them; empty for none. */
  readonly roc: readonly RocCurve[];
}

/**
 * Writes `{split}_reliability.png` (how often predictions of a given confidence are right) and, where curves are given,
 * `{split}_roc.png` (each class against all others). Both are ours; the originals have no such files.
 *
 * @returns the paths written
 * @throws `ERR_INVALID_ARGUMENT` where the arguments do not fit, `ERR_FILE` where a file cannot be written
 */
export async function writeCurveFiles(options: CurveFilesOptions): Promise<string[]> {
  knownKeys('options', options, ['folder', 'split', 'metrics', 'roc']);
  const folder = text('folder', options.folder);
  const split = fileStem('split', options.split);
  const metrics = object('metrics', options.metrics);
  object('metrics.calibration', metrics.calibration);
  const roc = list('roc', options.roc, (_, curve) => curve as RocCurve);
  const groups = metrics.perClass.map(({ group }) => group);
  const files: Record<string, Uint8Array> = {
    [`${split}_reliability.png`]: await renderPng(
      reliabilityChart(metrics.calibration, printTheme),
      printTheme,
      `Reliability of ${split}`,
    ),
  };
  if (roc.some(({ index }) => index !== null)) {
    files[`${split}_roc.png`] = await renderPng(
      rocChart(roc, groups, printTheme),
      printTheme,
      `ROC curves of ${split}`,
    );
  }
  return writeAll(folder, files);
}

const curveFiles: Readonly<Record<string, CurveName>> = {
  'loss.png': 'loss',
  'balanced_acc.png': 'balancedAccuracy',
  'auc.png': 'auroc',
};

/**
 * Writes `loss.png`, `balanced_acc.png` and `auc.png`: training and validation by epoch.
 *
 * @param folder existing folder to write into
 * @param history rows of `history.csv`
 * @param bestEpoch epoch of the kept weights, marked by a line; default none
 * @returns the paths written
 */
export async function writeLearningCurves(
  folder: string,
  history: readonly HistoryRow[],
  bestEpoch: number | null = null,
): Promise<string[]> {
  text('folder', folder);
  list('history', history, (name, row) => object(name, row as HistoryRow));
  const files: Record<string, Uint8Array> = {};
  for (const [name, curve] of Object.entries(curveFiles)) {
    const spec = learningCurve(history, curve, printTheme, { bestEpoch, width: 480, height: 320 });
    files[name] = await renderPng(spec, printTheme, `${curve} by epoch`);
  }
  return writeAll(folder, files);
}

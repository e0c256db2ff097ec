import { invalidArgument, knownKeys, list } from '../validate.js';
import { Draws } from './bootstrap.js';
import { defaultCalibrationBins } from './calibration.js';
import { diagnosticNames, summaryScores } from './diagnostic.js';
import type { PredictionSet } from './predictions.js';
import { checkPredictions } from './predictions.js';
import type { BootstrapOptions } from './resample.js';
import { bootstrapSettings, resampleWeights, resamplingUnits } from './resample.js';
import type { PreparedPredictions, WeightedScores } from './scores.js';
import { preparePredictions, weightedScores } from './scores.js';
import type { Interval } from './types.js';

/**
 * The numbers by which classifiers of few, equally frequent classes are compared (loc-attention's tables): accuracy (with
 * equal classes also macro recall), macro precision, macro F1, AUROC (of class 1 where there are two classes, else the mean
 * over classes), and the diagnostic scores.
 */
export const diagnosticFigureNames = ['accuracy', 'precision', 'f1', 'auroc', ...diagnosticNames] as const;

/** One of {@link diagnosticFigureNames}. */
export type DiagnosticFigureName = (typeof diagnosticFigureNames)[number];

/** A number over one or more trained networks. */
export interface DiagnosticFigure {
  /** Mean over the networks; `null` where it is not defined. */
  readonly value: number | null;
  /** Bootstrap interval of that mean; `null` where none was asked for or it is undefined in most resamples. */
  readonly interval: Interval | null;
  /** The lowest and the highest of the networks; `null` where there is one. */
  readonly range: Interval | null;
}

/** All of them by name. */
export type DiagnosticFigures = Readonly<Record<DiagnosticFigureName, DiagnosticFigure>>;

/** Options of {@link diagnosticFigures}. */
export interface DiagnosticFigureOptions {
  /** Patient of each image `[N]`; images of a patient are resampled together. Default each image for itself. */
  readonly patients?: readonly (string | number)[];
  /** Bootstrap intervals: `true` for 1000 resamples, or options. Default none. */
  readonly bootstrap?: BootstrapOptions | boolean;
}

/**
 * The figures of networks that differ in their seed alone, over the same images: means, how far the seeds lie apart, and
 * intervals from resampling patients, the same patients for every network.
 *
 * @param sets predictions of each network; the same labels and classes in all
 * @param options patients and bootstrap
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_INVALID_SHAPE`, `ERR_NOT_FINITE` where the arrays do not fit
 */
export function diagnosticFigures(
  sets: readonly PredictionSet[],
  options: DiagnosticFigureOptions = {},
): DiagnosticFigures {
  knownKeys('options', options, ['patients', 'bootstrap']);
  const first = checkSets(sets);
  const settings = bootstrapSettings(options.bootstrap);
  const units = resamplingUnits(first.labels.length, options.patients);
  const prepared = sets.map((set) => preparePredictions(set, defaultCalibrationBins, null));
  const once = new Uint32Array(first.labels.length).fill(1);
  const plain = prepared.map((one) => figuresOf(one, once));
  const draws = new Draws(settings?.resamples ?? 0, settings?.level ?? 0);
  if (settings !== null) {
    let r = 0;
    for (const weights of resampleWeights(units, settings)) {
      const drawn = prepared.map((one) => figuresOf(one, weights));
      for (const name of diagnosticFigureNames) draws.set(name, r, mean(drawn.map((one) => one[name])));
      r++;
    }
  }
  return Object.fromEntries(
    diagnosticFigureNames.map((name) => {
      const values = plain.map((one) => one[name]);
      const value = mean(values);
      const figure: DiagnosticFigure = {
        value: Number.isNaN(value) ? null : value,
        interval: draws.interval(name),
        range:
          values.length > 1 && !Number.isNaN(value)
            ? { low: Math.min(...values), high: Math.max(...values) }
            : null,
      };
      return [name, figure];
    }),
  ) as unknown as DiagnosticFigures;
}

function checkSets(sets: readonly PredictionSet[]): PredictionSet {
  list('sets', sets, (_, set) => checkPredictions(set as PredictionSet));
  const [first] = sets;
  if (first === undefined) throw invalidArgument('sets', 'the predictions of at least one network', sets);
  const same = (set: PredictionSet) =>
    set.classes.join('\n') === first.classes.join('\n') &&
    set.labels.length === first.labels.length &&
    set.labels.every((label, i) => label === first.labels[i]);
  const other = sets.findIndex((set) => !same(set));
  if (other >= 0)
    throw invalidArgument(`sets[${other}]`, 'the labels and classes of the first set', sets[other]);
  return first;
}

type Figures = Record<DiagnosticFigureName, number>;

/** NaN stands for undefined. */
function figuresOf(prepared: PreparedPredictions, weights: Uint32Array): Figures {
  const scores = weightedScores(prepared, weights);
  const { classes } = prepared;
  const diagnostic = summaryScores(scores.matrix, classes);
  return {
    accuracy: scores.accuracy,
    precision: macroPrecision(scores),
    f1: scores.macroF1,
    auroc: classes === 2 ? (scores.classAuroc[1] as number) : scores.auroc,
    ...(Object.fromEntries(diagnosticNames.map((name) => [name, diagnostic[name] ?? Number.NaN])) as Record<
      (typeof diagnosticNames)[number],
      number
    >),
  };
}

/** Over the classes in the truth or among the predictions, as scikit-learn's macro average. */
function macroPrecision({ precision, support, predicted }: WeightedScores): number {
  const seen = Array.from(precision).filter((_, k) => (support[k] as number) + (predicted[k] as number) > 0);
  return mean(seen);
}

/** NaN where one of them is not defined, or there is none. */
function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

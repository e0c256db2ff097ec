import { integer, invalidArgument, knownKeys, list, oneOf } from '../validate.js';
import { bootstrapIntervals } from './bootstrap.js';
import { binSums, defaultCalibrationBins } from './calibration.js';
import { matrixRows } from './confusion.js';
import { checkThresholds, defaultGroupThresholds, groupMembers, groupsFromCounts } from './groups.js';
import type { PredictionSet } from './predictions.js';
import { checkPredictions } from './predictions.js';
import type { BootstrapOptions, ResamplingUnits } from './resample.js';
import { bootstrapSettings, resamplingUnits } from './resample.js';
import type { PreparedPredictions, WeightedScores } from './scores.js';
import { preparePredictions, weightedScores } from './scores.js';
import type {
  BootstrapIntervals,
  Calibration,
  ClassMetrics,
  GroupName,
  GroupThresholds,
  LongTailMetrics,
  Metrics,
  Notice,
} from './types.js';
import { groupNames } from './types.js';

/** What {@link evaluatePredictions} takes. */
export interface EvaluationOptions extends PredictionSet {
  /** Training images of each class `[C]`: the long-tail groups follow from them. Default none. */
  readonly trainCounts?: ArrayLike<number>;
  /** Where head and tail are cut. Default `{ head: 1000, tail: 100 }`. */
  readonly thresholds?: GroupThresholds;
  /** Group of each class `[C]`, instead of what follows from the counts. */
  readonly groups?: readonly GroupName[];
  /** Patient of each image `[N]`; images of a patient are resampled together. Default each image for itself. */
  readonly patients?: readonly (string | number)[];
  /** Bootstrap intervals: `true` for 1000 resamples, or options. Default none. */
  readonly bootstrap?: BootstrapOptions | boolean;
  /** Bins of the reliability table. Default 15. */
  readonly calibrationBins?: number;
}

/**
 * All numbers of one split, in float64: accuracies by class and long-tail group, MCC, AUROC, F1, log loss, calibration,
 * and, if asked for, their bootstrap intervals.
 *
 * @throws `ERR_INVALID_ARGUMENT`, `ERR_INVALID_SHAPE` or `ERR_NOT_FINITE` where the arrays do not fit or are no
 *   probabilities
 *
 * @example
 * ```ts
 * const metrics = evaluatePredictions({ probabilities, labels, classes, trainCounts, patients, bootstrap: true });
 * metrics.balancedAccuracy; // 0.315
 * ```
 */
export function evaluatePredictions(options: EvaluationOptions): Metrics {
  knownKeys('options', options, [
    ...['probabilities', 'labels', 'classes', 'trainCounts', 'thresholds', 'groups'],
    ...['patients', 'bootstrap', 'calibrationBins'],
  ]);
  checkPredictions(options);
  const { labels, classes } = options;
  const bins = integer('calibrationBins', options.calibrationBins ?? defaultCalibrationBins, {
    min: 1,
    max: 1000,
  });
  const trainCounts = checkCounts(options.trainCounts, classes.length);
  const groups = checkGroups(options, trainCounts);
  const bootstrap = bootstrapSettings(options.bootstrap);
  const units = resamplingUnits(labels.length, options.patients);

  const prepared = preparePredictions(options, bins, groups);
  const once = new Uint32Array(labels.length).fill(1);
  const scores = weightedScores(prepared, once);
  const intervals = bootstrap === null ? null : bootstrapIntervals(prepared, units, bootstrap);
  return {
    samples: labels.length,
    classes: [...classes],
    accuracy: scores.accuracy,
    balancedAccuracy: scores.balancedAccuracy,
    chance: 1 / scores.support.filter((count) => count > 0).length,
    mcc: scores.mcc,
    macroF1: scores.macroF1,
    weightedF1: scores.weightedF1,
    auroc: defined(scores.auroc),
    logLoss: scores.logLoss,
    calibration: calibration(prepared, scores, once),
    longTail: groups === null ? null : longTail(options, groups, scores),
    perClass: classes.map((name, k) => classMetrics(name, k, scores, trainCounts, groups)),
    confusionMatrix: matrixRows(scores.matrix, classes.length),
    intervals,
    notices: notices(classes, scores, groups, units, intervals),
  };
}

/** Checks the training counts. */
function checkCounts(counts: ArrayLike<number> | undefined, classes: number): number[] | null {
  if (counts === undefined) return null;
  if (counts === null || typeof counts !== 'object' || counts.length !== classes) {
    throw invalidArgument('trainCounts', `${classes} counts, one for each class`, counts);
  }
  return Array.from(counts, (count, k) => integer(`trainCounts[${k}]`, count, { min: 0 }));
}

function checkGroups(
  options: EvaluationOptions,
  counts: readonly number[] | null,
): readonly GroupName[] | null {
  const thresholds =
    options.thresholds === undefined
      ? defaultGroupThresholds
      : checkThresholds('thresholds', options.thresholds);
  if (options.groups === undefined) return counts === null ? null : groupsFromCounts(counts, thresholds);
  const groups = list('groups', options.groups, (name, value) => oneOf(name, value, groupNames));
  if (groups.length !== options.classes.length) {
    throw invalidArgument('groups', `${options.classes.length} group names, one for each class`, groups);
  }
  return groups;
}

function defined(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

function classMetrics(
  name: string,
  index: number,
  scores: WeightedScores,
  trainCounts: readonly number[] | null,
  groups: readonly GroupName[] | null,
): ClassMetrics {
  const support = scores.support[index] as number;
  const recall = scores.recall[index] as number;
  return {
    name,
    index,
    support,
    predicted: scores.predicted[index] as number,
    trainCount: trainCounts?.[index] ?? null,
    group: groups?.[index] ?? null,
    accuracy: support > 0 ? recall : null,
    precision: scores.precision[index] as number,
    recall,
    f1: scores.f1[index] as number,
    auroc: defined(scores.classAuroc[index] as number),
  };
}

function calibration(prepared: PreparedPredictions, scores: WeightedScores, once: Uint32Array): Calibration {
  const { bins } = prepared.confidences;
  const sums = binSums(prepared.confidences, once);
  return {
    ece: scores.ece,
    bins: Array.from({ length: bins }, (_, b) => {
      const count = sums.count[b] as number;
      return {
        lower: b / bins,
        upper: (b + 1) / bins,
        count,
        confidence: count > 0 ? (sums.confidence[b] as number) / count : null,
        accuracy: count > 0 ? (sums.correct[b] as number) / count : null,
      };
    }),
  };
}

function longTail(
  options: EvaluationOptions,
  groups: readonly GroupName[],
  scores: WeightedScores,
): LongTailMetrics {
  const members = groupMembers(groups);
  return {
    thresholds: options.groups === undefined ? (options.thresholds ?? defaultGroupThresholds) : null,
    groups: groupNames.map((name) => ({
      name,
      classes: members[name],
      support: members[name].reduce((sum, k) => sum + (scores.support[k] as number), 0),
      accuracy: defined(scores.groupAccuracy?.[name] ?? Number.NaN),
    })),
    averageOfGroups: defined(scores.averageOfGroups),
    averageOfClasses: scores.balancedAccuracy,
  };
}

function notices(
  classes: readonly string[],
  scores: WeightedScores,
  groups: readonly GroupName[] | null,
  units: ResamplingUnits,
  intervals: BootstrapIntervals | null,
): Notice[] {
  const found: Notice[] = [];
  const named = (members: readonly number[]) => members.map((k) => classes[k]).join(', ');
  const indices = classes.map((_, k) => k);
  const missing = indices.filter((k) => scores.support[k] === 0);
  if (missing.length > 0) {
    found.push({
      code: 'class-missing',
      message: `Not in the truth, so without accuracy and AUROC and left out of their means: ${named(missing)}.`,
    });
  }
  const alone = indices.filter((k) => Number.isNaN(scores.classAuroc[k] as number) && !missing.includes(k));
  if (alone.length > 0) {
    found.push({
      code: 'auroc-undefined',
      message: `AUROC is not defined where every image is of one class: ${named(alone)}.`,
    });
  }
  const empty = groupNames.filter(
    (name) => groups !== null && Number.isNaN(scores.groupAccuracy?.[name] ?? 0),
  );
  if (empty.length > 0) {
    found.push({
      code: 'group-empty',
      message: `No class of the truth is in this group, so it is left out of the mean of groups: ${empty.join(', ')}.`,
    });
  }
  if (intervals !== null) found.push(...bootstrapNotices(classes, scores, units, intervals));
  return found;
}

function bootstrapNotices(
  classes: readonly string[],
  scores: WeightedScores,
  units: ResamplingUnits,
  intervals: BootstrapIntervals,
): Notice[] {
  const found: Notice[] = [];
  if (units.unit === 'image') {
    found.push({
      code: 'bootstrap-by-image',
      message:
        'Patients are not known, so intervals are resampled image by image; several images of a patient make them too narrow.',
    });
  }
  const rare = intervals.perClass.flatMap(({ auroc }, k) =>
    auroc === null && (scores.support[k] as number) > 0 && !Number.isNaN(scores.classAuroc[k] as number)
      ? [classes[k]]
      : [],
  );
  if (rare.length > 0) {
    found.push({
      code: 'interval-undefined',
      message: `In fewer than half of the resamples, so without an interval: ${rare.join(', ')}.`,
    });
  }
  return found;
}

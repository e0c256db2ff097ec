import type { RankedScores } from './auroc.js';
import { meanDefined, rankAllClasses, rankedAuroc } from './auroc.js';
import type { Confidences } from './calibration.js';
import { binSums, confidences, expectedCalibrationError } from './calibration.js';
import type { ClassificationScores } from './classification.js';
import { classificationScores } from './classification.js';
import { confusionMatrix, predictedClasses } from './confusion.js';
import { groupAccuracies } from './groups.js';
import { logLosses, weightedMean } from './log-loss.js';
import type { PredictionSet } from './predictions.js';
import type { GroupName } from './types.js';
import { groupNames } from './types.js';

/** Everything about a set of predictions that stays the same when images only count more or less often. */
export interface PreparedPredictions {
  /** C. */
  readonly classes: number;
  /** True classes `[N]`. */
  readonly labels: Int32Array;
  /** Predicted classes `[N]`. */
  readonly predicted: Int32Array;
  /** Sorted scores of each class. */
  readonly ranked: readonly RankedScores[];
  /** Top probabilities and their bins. */
  readonly confidences: Confidences;
  /** Log loss of each image `[N]`. */
  readonly losses: Float64Array;
  /** Group of each class, where there are groups. */
  readonly groups: readonly GroupName[] | null;
}

/** All numbers for one weighting of the images; NaN stands for undefined. */
export interface WeightedScores extends ClassificationScores {
  /** Flat confusion matrix. */
  matrix: Float64Array;
  /** AUROC of each class `[C]`. */
  classAuroc: Float64Array;
  /** Mean of those that are defined. */
  auroc: number;
  /** Expected calibration error. */
  ece: number;
  /** Mean log loss. */
  logLoss: number;
  /** Group accuracies, where there are groups. */
  groupAccuracy: Record<GroupName, number> | null;
  /** Mean of the group accuracies that are defined. */
  averageOfGroups: number;
}

/** Sorts and predicts once. */
export function preparePredictions(
  { probabilities, labels, classes }: PredictionSet,
  bins: number,
  groups: readonly GroupName[] | null,
): PreparedPredictions {
  const predicted = predictedClasses(probabilities, classes.length);
  return {
    classes: classes.length,
    labels,
    predicted,
    ranked: rankAllClasses(probabilities, labels, classes.length),
    confidences: confidences(probabilities, labels, predicted, classes.length, bins),
    losses: logLosses(probabilities, labels, classes.length),
    groups,
  };
}

/** Counts every number with each image taken `weights[i]` times. */
export function weightedScores(prepared: PreparedPredictions, weights: Uint32Array): WeightedScores {
  const matrix = confusionMatrix(prepared.labels, prepared.predicted, prepared.classes, weights);
  const scores = classificationScores(matrix, prepared.classes);
  const classAuroc = Float64Array.from(prepared.ranked, (ranked) => rankedAuroc(ranked, weights));
  const groupAccuracy =
    prepared.groups === null ? null : groupAccuracies(prepared.groups, scores.recall, scores.support);
  return {
    ...scores,
    matrix,
    classAuroc,
    auroc: meanDefined(classAuroc),
    ece: expectedCalibrationError(binSums(prepared.confidences, weights)),
    logLoss: weightedMean(prepared.losses, weights),
    groupAccuracy,
    averageOfGroups:
      groupAccuracy === null ? Number.NaN : meanDefined(groupNames.map((name) => groupAccuracy[name])),
  };
}

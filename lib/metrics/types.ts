/**
 * What a set of predictions is worth, as plain data: everything here survives `JSON.stringify` unchanged.
 * A number that does not exist (a class that is not in the truth, an empty group) is `null`, never NaN, and
 * a {@link Notice} says why.
 */

/** Long-tail group of a class, by its number of training images. */
export type GroupName = 'head' | 'medium' | 'tail';

/** The three groups, most frequent first: the order in which they are printed. */
export const groupNames: readonly GroupName[] = ['head', 'medium', 'tail'];

/** Where the long tail is cut: head has more than `head` training images, tail fewer than `tail`. */
export interface GroupThresholds {
  /** A class with more training images than this is head. Default 1000. */
  readonly head: number;
  /** A class with fewer training images than this is tail. Default 100. */
  readonly tail: number;
}

/** Something that a reader of the numbers must know. */
export interface Notice {
  /** Stable kind, such as `class-missing`, for programs. */
  readonly code: string;
  /** One sentence for people. */
  readonly message: string;
}

/** A confidence interval by the percentile method. */
export interface Interval {
  /** Lower end. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
}

/** The numbers of one class. */
export interface ClassMetrics {
  /** Class name. */
  readonly name: string;
  /** Index of the class: its label, and its column in the probabilities. */
  readonly index: number;
  /** Images of this class in the truth. */
  readonly support: number;
  /** Images that were predicted to be of this class. */
  readonly predicted: number;
  /** Images of this class in the training set; `null` where it was not given. */
  readonly trainCount: number | null;
  /** Long-tail group; `null` where training counts were not given. */
  readonly group: GroupName | null;
  /** Share of the class's images that were recognised; `null` where the truth has none. */
  readonly accuracy: number | null;
  /** Share of the predictions of this class that were right; 0 where there was no prediction. */
  readonly precision: number;
  /** As {@link ClassMetrics.accuracy}, with 0 in the place of `null`, as scikit-learn reports it. */
  readonly recall: number;
  /** Harmonic mean of precision and recall; 0 where both are 0. */
  readonly f1: number;
  /** Area under the ROC curve of this class against all others; `null` where one of the two sides is empty. */
  readonly auroc: number | null;
}

/** Mean class accuracy over one long-tail group. */
export interface GroupMetrics {
  /** Which group. */
  readonly name: GroupName;
  /** Indices of its classes. */
  readonly classes: readonly number[];
  /** Images of the group in the truth. */
  readonly support: number;
  /** Mean class accuracy over the classes that are in the truth; `null` where none is. */
  readonly accuracy: number | null;
}

/** The long-tail summary. The published tables call two different means "Avg"; both are here under their own names. */
export interface LongTailMetrics {
  /** The cuts; `null` where the groups were given class by class. */
  readonly thresholds: GroupThresholds | null;
  /** Head, medium, tail in this order; a group without classes is there, with `accuracy: null`. */
  readonly groups: readonly GroupMetrics[];
  /** Mean of the group accuracies that are defined. "Avg" of 15 of the 18 published rows. */
  readonly averageOfGroups: number | null;
  /** Mean class accuracy over all classes in the truth. "Avg" of the GazeLT row. */
  readonly averageOfClasses: number | null;
}

/** One bin of a reliability table: predictions whose top probability is in (`lower`, `upper`]. */
export interface CalibrationBin {
  /** Open lower end; the first bin includes 0. */
  readonly lower: number;
  /** Closed upper end. */
  readonly upper: number;
  /** Images in the bin. */
  readonly count: number;
  /** Mean top probability; `null` in an empty bin. */
  readonly confidence: number | null;
  /** Share of right predictions; `null` in an empty bin. */
  readonly accuracy: number | null;
}

/** How far the top probabilities can be believed. */
export interface Calibration {
  /** Expected calibration error: the mean over images of |accuracy - confidence| of their bin. */
  readonly ece: number;
  /** The reliability table, lowest confidence first. */
  readonly bins: readonly CalibrationBin[];
}

/** Bootstrap intervals; `null` where a number is undefined in more than half of the resamples. */
export interface BootstrapIntervals {
  /** What was drawn with replacement: patients where they are known, else images. */
  readonly unit: 'patient' | 'image';
  /** How many units there are. */
  readonly units: number;
  /** Number of resamples. */
  readonly resamples: number;
  /** Seed of the draws. */
  readonly seed: number;
  /** Share of the resamples inside an interval. */
  readonly level: number;
  /** Of {@link Metrics.accuracy}. */
  readonly accuracy: Interval | null;
  /** Of {@link Metrics.balancedAccuracy}. */
  readonly balancedAccuracy: Interval | null;
  /** Of {@link Metrics.mcc}. */
  readonly mcc: Interval | null;
  /** Of {@link Metrics.macroF1}. */
  readonly macroF1: Interval | null;
  /** Of {@link Metrics.auroc}. */
  readonly auroc: Interval | null;
  /** Of {@link Metrics.logLoss}. */
  readonly logLoss: Interval | null;
  /** Of {@link Calibration.ece}. */
  readonly ece: Interval | null;
  /** Of the group accuracies; `null` where there are no groups. */
  readonly groups: Readonly<Record<GroupName, Interval | null>> | null;
  /** Of {@link LongTailMetrics.averageOfGroups}. */
  readonly averageOfGroups: Interval | null;
  /** Of the numbers of each class, in class order. */
  readonly perClass: readonly {
    /** Of {@link ClassMetrics.accuracy}. */
    readonly accuracy: Interval | null;
    /** Of {@link ClassMetrics.precision}. */
    readonly precision: Interval | null;
    /** Of {@link ClassMetrics.f1}. */
    readonly f1: Interval | null;
    /** Of {@link ClassMetrics.auroc}. */
    readonly auroc: Interval | null;
  }[];
}

/** All numbers of one evaluation. */
export interface Metrics {
  /** Number of images. */
  readonly samples: number;
  /** Class names in label order. */
  readonly classes: readonly string[];
  /** Share of right predictions. */
  readonly accuracy: number;
  /** Mean class accuracy over the classes that are in the truth. */
  readonly balancedAccuracy: number;
  /** Balanced accuracy of a guess: 1 / number of classes in the truth. */
  readonly chance: number;
  /** Matthews correlation coefficient for several classes; 0 where its denominator is 0. */
  readonly mcc: number;
  /** Mean F1 over the classes that occur in the truth or among the predictions. */
  readonly macroF1: number;
  /** Mean F1 weighted by support. */
  readonly weightedF1: number;
  /** Mean of the class AUROCs that are defined; `null` where none is. */
  readonly auroc: number | null;
  /** Mean of -ln(probability of the true class), probabilities cut below at 2^-52. */
  readonly logLoss: number;
  /** Calibration of the top probability. */
  readonly calibration: Calibration;
  /** Head, medium, tail; `null` where neither training counts nor groups were given. */
  readonly longTail: LongTailMetrics | null;
  /** The numbers of each class, in class order. */
  readonly perClass: readonly ClassMetrics[];
  /** Counts: rows are the truth, columns the prediction. */
  readonly confusionMatrix: readonly (readonly number[])[];
  /** Bootstrap intervals; `null` where they were not asked for. */
  readonly intervals: BootstrapIntervals | null;
  /** What a reader of these numbers must know. */
  readonly notices: readonly Notice[];
}

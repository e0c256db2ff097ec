import { meanDefined, rankAllClasses, rankedAuroc } from './auroc.js';
import { classificationScores } from './classification.js';
import { confusionMatrix, predictedClasses } from './confusion.js';
import type { PredictionSet } from './predictions.js';
import { checkPredictions } from './predictions.js';

/** The three numbers that a training history keeps of each epoch and phase. */
export interface EpochScores {
  /** Mean class accuracy over the classes in the truth. */
  readonly balancedAccuracy: number;
  /** Matthews correlation coefficient. */
  readonly mcc: number;
  /** Mean class AUROC; `null` where no class has one. */
  readonly auroc: number | null;
}

/**
 * The numbers of one row of `history.csv` besides the loss: what `evaluatePredictions` would give, without the
 * rest of its work.
 */
export function epochScores(predictions: PredictionSet): EpochScores {
  checkPredictions(predictions);
  const { probabilities, labels, classes } = predictions;
  const matrix = confusionMatrix(labels, predictedClasses(probabilities, classes.length), classes.length);
  const { balancedAccuracy, mcc } = classificationScores(matrix, classes.length);
  const once = new Uint32Array(labels.length).fill(1);
  const auroc = meanDefined(
    rankAllClasses(probabilities, labels, classes.length).map((ranked) => rankedAuroc(ranked, once)),
  );
  return { balancedAccuracy, mcc, auroc: Number.isNaN(auroc) ? null : auroc };
}

/** Where a schedule stands: plain data for a checkpoint. */
export interface ScheduleState {
  /** Epochs finished. */
  readonly epochsDone: number;
  /** Best validation score so far; 0 before there is one, as in the originals. */
  readonly best: number;
  /** Epoch of the best score; 0 for none. */
  readonly bestEpoch: number;
  /** Epochs without a better score that count towards the end of the run. */
  readonly waited: number;
  /** Learning rate of the next epoch. */
  readonly learningRate: number;
  /** Whether deferred re-weighting has begun. */
  readonly reweighted: boolean;
  /** Of a schedule that lowers the rate on a plateau: where it stands; else absent. */
  readonly plateau?: PlateauState;
}

/** Where a plateau of the validation loss stands. */
export interface PlateauState {
  /** Loss that an epoch has to be below by more than the threshold; `null` before the first. */
  readonly best: number | null;
  /** Epochs since then, or since the rate was lowered. */
  readonly bad: number;
}

/** What the end of an epoch changed. */
export interface EpochOutcome {
  /** Whether the validation score is strictly better than every one before. */
  readonly improved: boolean;
  /** Whether deferred re-weighting begins with the next epoch. */
  readonly reweightingBegins: boolean;
  /** Whether the rate falls because the validation loss does not; not where it falls by the calendar. */
  readonly plateauReached: boolean;
}

/** When a run ends, which epoch was best, and at what rate the next one learns: the policy of a trainer. */
export interface Schedule {
  /** Where it stands. */
  readonly state: ScheduleState;
  /** Goes on from a state that was saved. */
  restore(state: ScheduleState): void;
  /** Whether another epoch is to be run. */
  readonly goesOn: boolean;
  /**
   * Enters the epoch that ended.
   *
   * @param score of the validation split, by which the best epoch is chosen
   * @param loss of the validation split, for a schedule that follows it
   */
  finish(score: number, loss: number): EpochOutcome;
}

/**
 * Which score is better. `highest`: strictly more than every one before and than 0, as the originals. `lowest`: strictly
 * less than every one before, for a loss.
 */
export type ScoreGoal = 'highest' | 'lowest';

/** Whether a score is better than all before it. */
export function isBetter(
  score: number,
  { best, bestEpoch }: Pick<ScheduleState, 'best' | 'bestEpoch'>,
  goal: ScoreGoal,
): boolean {
  if (goal === 'highest') return score > best;
  return bestEpoch === 0 || score < best;
}

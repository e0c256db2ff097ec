import { integer, knownKeys, number, oneOf } from '../validate.js';
import {
  type EpochOutcome,
  isBetter,
  type Schedule,
  type ScheduleState,
  type ScoreGoal,
} from './schedule.js';

/** How the rate falls when the validation loss does not: PyTorch's `ReduceLROnPlateau`, mode `min`, relative threshold. */
export interface PlateauOptions {
  /** Factor on the rate; default 0.1. */
  readonly factor?: number;
  /** The rate falls at the epoch after so many in a row without a better loss; default 10. */
  readonly patience?: number;
  /** A loss is better if it is below the best one times `1 - threshold`; default 1e-4. */
  readonly threshold?: number;
  /** The rate never falls below this; default 1e-10. */
  readonly minimum?: number;
  /** A cut that is not greater than this is not made; default 1e-8. */
  readonly smallestCut?: number;
}

/** What {@link PlateauOptions} are where nothing is said: loc-attention's. */
export const defaultPlateau: Required<PlateauOptions> = {
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  minimum: 1e-10,
  smallestCut: 1e-8,
};

/** The kinds of {@link PlateauScheduleOptions.earlyStopping}. */
export const earlyStoppings = ['reset', 'cumulative'] as const;

/** Whether a better epoch sets the count of epochs without one back: see {@link PlateauScheduleOptions.earlyStopping}. */
export type EarlyStopping = (typeof earlyStoppings)[number];

/** Options of {@link PlateauSchedule}. */
export interface PlateauScheduleOptions {
  /** Largest number of epochs. */
  readonly maxEpochs: number;
  /** The run ends at so many epochs without a better validation score. */
  readonly patience: number;
  /** Learning rate of the first epoch. */
  readonly learningRate: number;
  /**
   * `reset`: so many epochs in a row; a better one sets the count back. `cumulative`: so many in the whole run, as
   * loc-attention's original, whose counter is never set back. Default `reset`.
   */
  readonly earlyStopping?: EarlyStopping;
  /** Which score is better; default `highest`. */
  readonly goal?: ScoreGoal;
  /** When the rate falls; default {@link defaultPlateau}. */
  readonly plateau?: PlateauOptions;
}

/**
 * The epoch loop of loc-attention (`deeplearninglab21/cxr-loc-attention: scripts/model_loss_attent.py`), without any
 * training in it: the best epoch by its score, the end of the run by epochs without a better one, the rate by the loss. The
 * epoch that ends the run early does not count for the rate.
 *
 * @example
 * ```ts
 * const schedule = new PlateauSchedule({ maxEpochs: 100, patience: 30, learningRate: 1e-5 });
 * while (schedule.goesOn) {
 *   const { accuracy, loss } = await trainEpoch(schedule.state.learningRate);
 *   if (schedule.finish(accuracy, loss).improved) await save();
 * }
 * ```
 */
export class PlateauSchedule implements Schedule {
  readonly #options: Required<Omit<PlateauScheduleOptions, 'plateau'>>;
  readonly #plateau: Required<PlateauOptions>;
  #state: ScheduleState;

  /** @param options limits, rates. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
  constructor(options: PlateauScheduleOptions) {
    knownKeys('options', options, [
      ...['maxEpochs', 'patience', 'learningRate', 'earlyStopping', 'goal', 'plateau'],
    ]);
    this.#options = {
      maxEpochs: integer('options.maxEpochs', options.maxEpochs, { min: 1 }),
      patience: integer('options.patience', options.patience, { min: 1 }),
      learningRate: number('options.learningRate', options.learningRate, { min: 0 }),
      earlyStopping: oneOf('options.earlyStopping', options.earlyStopping ?? 'reset', earlyStoppings),
      goal: oneOf('options.goal', options.goal ?? 'highest', ['highest', 'lowest']),
    };
    this.#plateau = checkedPlateau('options.plateau', options.plateau ?? {});
    const { learningRate } = this.#options;
    const plateau = { best: null, bad: 0 };
    this.#state = {
      ...{ epochsDone: 0, best: 0, bestEpoch: 0, waited: 0, learningRate, reweighted: false },
      plateau,
    };
  }

  /** Where it stands. */
  get state(): ScheduleState {
    return this.#state;
  }

  /** Goes on from a state that was saved. */
  restore(state: ScheduleState): void {
    this.#state = { ...state, plateau: { ...(state.plateau ?? { best: null, bad: 0 }) } };
  }

  /** Whether another epoch is to be run. */
  get goesOn(): boolean {
    const { epochsDone, waited } = this.#state;
    return epochsDone < this.#options.maxEpochs && waited < this.#options.patience;
  }

  /**
   * Enters the epoch that ended.
   *
   * @param score of the validation split, such as its accuracy
   * @param loss of the validation split
   */
  finish(score: number, loss: number): EpochOutcome {
    const before = this.#state;
    const { goal, earlyStopping, patience } = this.#options;
    const improved = isBetter(score, before, goal);
    const epochsDone = before.epochsDone + 1;
    const waited = improved ? (earlyStopping === 'reset' ? 0 : before.waited) : before.waited + 1;
    this.#state = {
      ...{ ...before, epochsDone, waited },
      ...(improved ? { best: score, bestEpoch: epochsDone } : {}),
      // The original leaves its loop before the scheduler's step.
      ...(waited < patience ? this.#follow(before, loss) : {}),
    };
    const plateauReached = this.#state.learningRate < before.learningRate;
    return { improved, reweightingBegins: false, plateauReached };
  }

  #follow(
    { plateau = { best: null, bad: 0 }, learningRate }: ScheduleState,
    loss: number,
  ): Pick<ScheduleState, 'plateau' | 'learningRate'> {
    const { factor, patience, threshold, minimum, smallestCut } = this.#plateau;
    if (plateau.best === null || loss < plateau.best * (1 - threshold))
      return { plateau: { best: loss, bad: 0 }, learningRate };
    const { best } = plateau;
    if (plateau.bad < patience) return { plateau: { best, bad: plateau.bad + 1 }, learningRate };
    const lower = Math.max(learningRate * factor, minimum);
    return {
      plateau: { best, bad: 0 },
      learningRate: learningRate - lower > smallestCut ? lower : learningRate,
    };
  }
}

/** @internal @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkedPlateau(name: string, given: PlateauOptions): Required<PlateauOptions> {
  knownKeys(name, given, Object.keys(defaultPlateau));
  const { factor, patience, threshold, minimum, smallestCut } = { ...defaultPlateau, ...given };
  return {
    factor: number(`${name}.factor`, factor, { above: 0, max: 1 }),
    patience: integer(`${name}.patience`, patience, { min: 0 }),
    threshold: number(`${name}.threshold`, threshold, { min: 0 }),
    minimum: number(`${name}.minimum`, minimum, { min: 0 }),
    smallestCut: number(`${name}.smallestCut`, smallestCut, { min: 0 }),
  };
}

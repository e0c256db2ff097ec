import { integer, knownKeys, number, oneOf } from '../validate.js';
import {
  type EpochOutcome,
  isBetter,
  type Schedule,
  type ScheduleState,
  type ScoreGoal,
} from './schedule.js';

/** Deferred re-weighting (Cao et al., NeurIPS 2019): plain training first, class weights and a lower rate after. */
export interface DeferredReweighting {
  /** Class weights begin after this epoch; GazeLT: 10. */
  readonly epoch: number;
  /** Factor on the learning rate from then on; GazeLT: 0.1. */
  readonly factor: number;
}

/** All kinds of {@link RateDecay}. */
export const rateDecays = ['none', 'cosine'] as const;

/**
 * How a learning rate falls over a run. `cosine`: epoch e of E learns at rate/2 · (1 + cos(π (e - 1) / E)), Loshchilov and
 * Hutter, "SGDR", ICLR 2017, without restarts, stepped by the epoch.
 */
export type RateDecay = (typeof rateDecays)[number];

/** Options of {@link EpochSchedule}. */
export interface EpochScheduleOptions {
  /** Largest number of epochs. */
  readonly maxEpochs: number;
  /** The run ends after `patience + 1` epochs without a better validation score. */
  readonly patience: number;
  /** Learning rate of the first epoch. */
  readonly learningRate: number;
  /** How the rate falls from epoch to epoch; default `none`. */
  readonly decay?: RateDecay;
  /** Deferred re-weighting; default none. */
  readonly deferred?: DeferredReweighting | undefined;
  /** Which score is better; default `highest`. */
  readonly goal?: ScoreGoal;
}

/**
 * When a run ends, which epoch was best, and when deferred re-weighting begins: the epoch loop of GazeLT
 * (`lordmoinak1/gazelt: src/main_gazelt.py`, `src/utils.py`), without any training in it.
 */
export class EpochSchedule implements Schedule {
  readonly #options: EpochScheduleOptions;
  #state: ScheduleState;

  /** @param options limits and rates */
  constructor(options: EpochScheduleOptions) {
    knownKeys('options', options, ['maxEpochs', 'patience', 'learningRate', 'decay', 'deferred', 'goal']);
    integer('options.maxEpochs', options.maxEpochs, { min: 1 });
    integer('options.patience', options.patience, { min: 0 });
    const learningRate = number('options.learningRate', options.learningRate, { min: 0 });
    if (options.decay !== undefined) oneOf('options.decay', options.decay, rateDecays);
    if (options.goal !== undefined) oneOf('options.goal', options.goal, ['highest', 'lowest']);
    if (options.deferred) {
      integer('options.deferred.epoch', options.deferred.epoch, { min: 1 });
      number('options.deferred.factor', options.deferred.factor, { above: 0 });
    }
    this.#options = options;
    this.#state = { epochsDone: 0, best: 0, bestEpoch: 0, waited: 0, learningRate, reweighted: false };
  }

  /** Where it stands. */
  get state(): ScheduleState {
    return this.#state;
  }

  /** Goes on from a state that was saved. */
  restore(state: ScheduleState): void {
    this.#state = { ...state };
  }

  /** Whether another epoch is to be run. */
  get goesOn(): boolean {
    const { epochsDone, waited } = this.#state;
    return epochsDone < this.#options.maxEpochs && waited <= this.#options.patience;
  }

  /**
   * Enters the validation score of the epoch that ended.
   *
   * @param score of the validation split, such as its balanced accuracy
   */
  finish(score: number): EpochOutcome {
    const before = this.#state;
    const epochsDone = before.epochsDone + 1;
    const improved = isBetter(score, before, this.#options.goal ?? 'highest');
    const reweightingBegins = this.#options.deferred?.epoch === epochsDone;
    this.#state = {
      epochsDone,
      best: improved ? score : before.best,
      bestEpoch: improved ? epochsDone : before.bestEpoch,
      waited: improved || reweightingBegins ? 0 : before.waited + 1,
      learningRate: this.#nextRate(before, reweightingBegins),
      reweighted: before.reweighted || reweightingBegins,
    };
    return { improved, reweightingBegins, plateauReached: false };
  }

  #nextRate({ epochsDone, learningRate, reweighted }: ScheduleState, reweightingBegins: boolean): number {
    const { decay = 'none', deferred, maxEpochs, learningRate: first } = this.#options;
    const factor = deferred?.factor ?? 1;
    if (decay === 'none') return learningRate * (reweightingBegins ? factor : 1);
    const share = (1 + Math.cos((Math.PI * (epochsDone + 1)) / maxEpochs)) / 2;
    return first * share * (reweighted || reweightingBegins ? factor : 1);
  }
}

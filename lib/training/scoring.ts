import type { DataLoader } from '../data/loader.js';
import type { InputBatch, ObjectiveResult } from './batch.js';

/** What a checkpoint saved in mid-epoch keeps of a scorer: plain arrays by name. */
export type ScorerState = { readonly [name: string]: Float32Array | Float64Array | Int32Array };

/** What is recorded of one half of an epoch besides its loss, and what becomes of it. */
export interface EpochScorer<Result extends ObjectiveResult, Scores extends object> {
  /**
   * Records a batch. It queues what it reads before it awaits anything, and keeps no tensor: the step's scope frees them.
   *
   * @param result what the objective made of the batch
   * @param batch the batch
   */
  add(result: Result, batch: InputBatch): Promise<void>;
  /**
   * The numbers of what has been recorded so far: finite, or `null` where one is not defined. One called `loss` takes the
   * place of the trainer's own, which is the unweighted mean of the batches' losses.
   */
  scores(): Scores;
  /** What a checkpoint keeps, for {@link Scoring.begin}. */
  state(): ScorerState;
}

/** How a system scores its epochs: the part of a trainer that knows what the network's output means. */
export interface Scoring<Result extends ObjectiveResult, Scores extends object> {
  /**
   * A scorer for one half of an epoch.
   *
   * @param loader whose batches it will meet
   * @param state what {@link EpochScorer.state} gave, in an epoch that goes on from a checkpoint
   */
  begin(loader: DataLoader, state?: ScorerState): EpochScorer<Result, Scores>;
  /**
   * The number by which the best epoch is chosen; the schedule's `goal` says whether more or less of it is better.
   *
   * @param validated loss and scores of the validation half
   */
  select(validated: { readonly loss: number } & Scores): number;
  /** The validation loss that a schedule follows, where it is not the objective's own. */
  follow?(validated: { readonly loss: number } & Scores): number;
}

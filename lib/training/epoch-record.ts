import type { DataLoader } from '../data/loader.js';
import type { ObjectiveResult } from './batch.js';
import type { EpochNumbers, EpochProgress } from './checkpoint.js';
import type { EpochScorer, Scoring } from './scoring.js';

/** Losses and scores as one half of an epoch goes by. */
export class EpochRecord<Result extends ObjectiveResult, Scores extends object> {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** What is recorded besides the losses. */
  readonly scorer: EpochScorer<Result, Scores>;
  #step: number;
  #lossSum: number;

  private constructor(
    scorer: EpochScorer<Result, Scores>,
    { epoch, step, lossSum }: Omit<EpochProgress, 'scorer'>,
  ) {
    this.epoch = epoch;
    this.scorer = scorer;
    this.#step = step;
    this.#lossSum = lossSum;
  }

  /** An empty record, or one that goes on from a checkpoint. */
  static begin<Result extends ObjectiveResult, Scores extends object>(
    epoch: number,
    loader: DataLoader,
    scoring: Scoring<Result, Scores>,
    progress?: EpochProgress,
  ): EpochRecord<Result, Scores> {
    const scorer = scoring.begin(loader, progress?.scorer);
    return new EpochRecord(scorer, progress ?? { epoch, step: 0, lossSum: 0 });
  }

  /** Enters a batch that the scorer has recorded. */
  add(loss: number): void {
    this.#lossSum += loss;
    this.#step += 1;
  }

  /** Batches done. */
  get step(): number {
    return this.#step;
  }

  /** Unweighted mean of the batches' losses; 0 before the first. */
  get meanLoss(): number {
    return this.#step === 0 ? 0 : this.#lossSum / this.#step;
  }

  /** The row of the history that it makes. */
  numbers(phase: 'train' | 'val'): EpochNumbers<Scores> {
    return { epoch: this.epoch, phase, loss: this.meanLoss, ...this.scorer.scores() };
  }

  /** What a checkpoint keeps of it. */
  get progress(): EpochProgress {
    return { epoch: this.epoch, step: this.#step, lossSum: this.#lossSum, scorer: this.scorer.state() };
  }
}

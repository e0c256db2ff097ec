import type { EpochScores } from '../metrics/epoch-scores.js';
import type { EpochNumbers } from './checkpoint.js';
import type { ScheduleState } from './schedule.js';

/**
 * What training reports.
 *
 * @typeParam Scores what each half of an epoch tells besides its loss; a classifier's by default
 */
export type TrainEvent<Scores extends object = EpochScores> =
  | {
      /** Training begins. */
      readonly type: 'start';
      /** Epoch it begins in, from 1. */
      readonly epoch: number;
      /** Batches of this epoch that are done already. */
      readonly step: number;
      /** Whether it goes on from a checkpoint. */
      readonly resumed: boolean;
      /** The halves of the epochs that are done already, in order. */
      readonly history: readonly EpochNumbers<Scores>[];
    }
  | {
      /** Something that need not stop the run, but must not go unseen. */
      readonly type: 'warning';
      /** One sentence. */
      readonly message: string;
    }
  | {
      /** One optimizer step is done. */
      readonly type: 'step';
      /** Epoch, from 1. */
      readonly epoch: number;
      /** Batches done in this epoch. */
      readonly step: number;
      /** Batches of this epoch. */
      readonly steps: number;
      /** Loss of the batch. */
      readonly loss: number;
      /** Images of the batch. */
      readonly images: number;
      /** Milliseconds of the step. */
      readonly milliseconds: number;
      /** Those of them spent waiting for data. */
      readonly waited: number;
    }
  | ({
      /** One half of an epoch is done. */
      readonly type: 'epoch';
    } & EpochNumbers<Scores>)
  | {
      /** Deferred re-weighting begins. */
      readonly type: 'reweighting';
      /** First epoch with class weights. */
      readonly epoch: number;
      /** The rate from then on. */
      readonly learningRate: number;
    }
  | {
      /** The rate falls, for the validation loss does not; what a schedule lowers by the calendar is not told. */
      readonly type: 'learning-rate';
      /** First epoch with the new rate. */
      readonly epoch: number;
      /** The rate from then on. */
      readonly learningRate: number;
    }
  | {
      /** A checkpoint has been saved. */
      readonly type: 'checkpoint';
      /** Where. */
      readonly folder: string;
      /** Why: an epoch's end, a better score, `saveEvery`, or the end of a run that was stopped. */
      readonly reason: 'epoch' | 'improved' | 'step' | 'stopped';
    };

/** How training ended. */
export interface TrainResult {
  /** The schedule at the end: epochs done, best epoch and score. */
  readonly schedule: ScheduleState;
  /** Folder of the best checkpoint, where checkpoints were saved. */
  readonly best?: string | undefined;
  /** Seconds of training before this session, up to the checkpoint that it went on from; 0 for a run from its start. */
  readonly earlierSeconds: number;
}

import type { Tensor } from '../tensor/tensor.js';

/** A batch as an objective meets it. */
export interface InputBatch {
  /** float `[B, 3, H, W]`, normalised. */
  readonly images: Tensor;
  /** int64 `[B]`. */
  readonly labels: Tensor;
  /** The labels as numbers. */
  readonly labelList: Int32Array;
  /** Index of each image in the data set. */
  readonly indices: ArrayLike<number>;
  /** Id of each image. */
  readonly ids: readonly string[];
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Batch of the epoch, from 0. */
  readonly step: number;
  /** Where the tensors are, such as `cpu` or `cuda:0`. */
  readonly device: string;
}

/** What every objective makes of a batch; further members are for the system's scoring. */
export interface ObjectiveResult {
  /** Scalar to be minimised. */
  readonly loss: Tensor;
}

/** What a classifier's objective makes of a batch. */
export interface ClassificationResult extends ObjectiveResult {
  /** `[B, C]`, of which probabilities are made. */
  readonly logits: Tensor;
}

/** When an objective is asked. */
export interface ObjectivePhase {
  /** Training or validation. */
  readonly phase: 'train' | 'val';
  /** Whether deferred re-weighting has begun. */
  readonly reweighted: boolean;
  /** A batch of the class-balanced sampler, where the trainer was given such a loader. */
  readonly balanced?: InputBatch | undefined;
}

import type { DataLoader } from '../data/loader.js';
import type { EpochProgress } from './checkpoint.js';

/** Losses and probabilities as an epoch goes by. */
export class EpochRecord {
  /** Epoch, from 1. */
  readonly epoch: number;
  #step = 0;
  #lossSum = 0;
  #seen = 0;
  readonly #probabilities: Float32Array;
  readonly #labels: Int32Array;
  readonly #classes: number;

  private constructor(epoch: number, samples: number, classes: number) {
    this.epoch = epoch;
    this.#classes = classes;
    this.#probabilities = new Float32Array(samples * classes);
    this.#labels = new Int32Array(samples);
  }

  /** An empty record, or one that goes on from a checkpoint. */
  static begin(epoch: number, loader: DataLoader, progress?: EpochProgress): EpochRecord {
    const record = new EpochRecord(
      epoch,
      loader.length * loader.batchSize,
      loader.images.dataset.classes.length,
    );
    if (!progress) return record;
    record.#step = progress.step;
    record.#lossSum = progress.lossSum;
    record.#seen = progress.labels.length;
    record.#probabilities.set(progress.probabilities);
    record.#labels.set(progress.labels);
    return record;
  }

  /** Enters a batch. */
  add(loss: number, probabilities: Float32Array, labels: Int32Array): void {
    this.#probabilities.set(probabilities, this.#seen * this.#classes);
    this.#labels.set(labels, this.#seen);
    this.#seen += labels.length;
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

  /** Probabilities of the images seen, `[n, C]`. */
  get probabilities(): Float32Array {
    return this.#probabilities.subarray(0, this.#seen * this.#classes);
  }

  /** Labels of the images seen. */
  get labels(): Int32Array {
    return this.#labels.subarray(0, this.#seen);
  }

  /** What a checkpoint keeps of it. */
  get progress(): EpochProgress {
    const { epoch, step, probabilities, labels } = this;
    return { epoch, step, lossSum: this.#lossSum, probabilities, labels };
  }
}

import type { DataLoader } from '../data/loader.js';
import { type EpochScores, epochScores } from '../metrics/epoch-scores.js';
import { noGrad } from '../tensor/context.js';
import type { ClassificationResult, InputBatch } from './batch.js';
import type { EpochScorer, ScorerState, Scoring } from './scoring.js';

/** Probabilities and labels of the images as an epoch goes by. */
class ClassificationScorer implements EpochScorer<ClassificationResult, EpochScores> {
  readonly #classes: readonly string[];
  readonly #probabilities: Float32Array;
  readonly #labels: Int32Array;
  #seen = 0;

  constructor(loader: DataLoader, state: ScorerState) {
    this.#classes = loader.images.dataset.classes;
    const samples = loader.length * loader.batchSize;
    this.#probabilities = new Float32Array(samples * this.#classes.length);
    this.#labels = new Int32Array(samples);
    const { probabilities = [], labels = [] } = state;
    this.#probabilities.set(probabilities);
    this.#labels.set(labels);
    this.#seen = labels.length;
  }

  async add({ logits }: ClassificationResult, { labelList }: InputBatch): Promise<void> {
    const probabilities = noGrad(() => logits.to({ dtype: 'float32' }).softmax(-1));
    const values = (await probabilities.data()) as Float32Array;
    this.#probabilities.set(values, this.#seen * this.#classes.length);
    this.#labels.set(labelList, this.#seen);
    this.#seen += labelList.length;
  }

  scores(): EpochScores {
    return epochScores({ ...this.state(), classes: this.#classes });
  }

  state(): { readonly probabilities: Float32Array; readonly labels: Int32Array } {
    return {
      probabilities: this.#probabilities.subarray(0, this.#seen * this.#classes.length),
      labels: this.#labels.subarray(0, this.#seen),
    };
  }
}

/**
 * How classifiers score their epochs: balanced accuracy, MCC and AUROC of the softmax of the logits, by which the epoch
 * with the highest balanced accuracy is the best.
 */
export const classificationScoring: Scoring<ClassificationResult, EpochScores> = {
  begin: (loader, state = {}) => new ClassificationScorer(loader, state),
  select: ({ balancedAccuracy }) => balancedAccuracy,
};

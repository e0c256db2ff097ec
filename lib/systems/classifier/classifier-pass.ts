import type { Batch } from '../../data/batch.js';
import { createModel, type Model, probabilities } from '../../models/model.js';
import { tidy } from '../../tensor/tidy.js';
import type { PrecisionChoice } from '../../training/precision.js';
import { PassNetwork } from '../pass-network.js';
import type { ClassifierLike } from './passes.js';

/** A classifier's network in a pass without training. */
export type ClassifierPass = PassNetwork<Model>;

/** Opens a pass; in `float64` it computes with a copy of the weights. */
export function openPass(classifier: ClassifierLike, choice: PrecisionChoice): Promise<ClassifierPass> {
  return PassNetwork.open(classifier, choice, ({ options }) => createModel(options));
}

/** Class probabilities of a batch, `[B, C]` row-major; the batch is disposed. */
export function probabilitiesOf(pass: ClassifierPass, batch: Batch): Promise<Float32Array> {
  return tidy(async () => (await pass.run(batch, probabilities).data()) as Float32Array);
}

import { Baseline } from './baseline.js';
import {
  type BuiltClassifier,
  type Classifier,
  type LoadOptions,
  loadBuilt,
} from './classifier/classifier.js';
import type { ClassifierSystem } from './classifier/model-card.js';
import { GazeLT } from './gazelt/gazelt.js';
import { LocAttention } from './loc-attention/loc-attention.js';

const makers: Readonly<Record<ClassifierSystem, (built: BuiltClassifier) => Classifier>> = {
  gazelt: GazeLT.of,
  baseline: Baseline.of,
  'loc-attention': LocAttention.of,
};

/**
 * Loads a classifier of whichever system its card tells, for those who want to predict, evaluate or explain with what they
 * are given.
 *
 * @param folder that holds a saved model, a checkpoint or a run, or a file of weights with its card beside it:
 *   `NAME.safetensors` and `NAME.json`
 * @param options where it shall compute
 * @returns a `GazeLT`, a `Baseline` or a `LocAttention`
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_CHECKPOINT`, `ERR_FILE`, `ERR_STATE_DICT`
 *
 * @example
 * ```ts
 * using model = await loadClassifier('runs/sample');
 * if (model instanceof LocAttention) await model.fit({ train, validation, segmenter, regions: 'nep', lambda: 0.5 }).result;
 * ```
 */
export function loadClassifier(folder: string, options: LoadOptions = {}): Promise<Classifier> {
  return loadBuilt(folder, options).then((built) => makers[built.card.system](built));
}

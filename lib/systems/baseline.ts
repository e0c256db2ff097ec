import type { Run } from '../training/run.js';
import type { TrainEvent, TrainResult } from '../training/trainer.js';
import {
  type BuiltClassifier,
  buildClassifier,
  Classifier,
  type ClassifierOptions,
  type LoadOptions,
  loadBuilt,
} from './classifier/classifier.js';
import type { FitOptions } from './classifier/fit.js';

/**
 * The long-tail benchmark's classifier (Holste et al. 2022, `VITA-Group/LongTailCXR`): a ResNet with a one-layer head at
 * 256 pixels, any of the benchmark's losses, no gaze.
 *
 * @example
 * ```ts
 * using model = await Baseline.create({ classes, init: { weights: 'resnet50.pth' } });
 * await model.fit({ train, validation, loss: 'ldam', weighting: 'balanced', deferred: true }).result;
 * ```
 */
export class Baseline extends Classifier {
  /** @internal */
  static of(built: BuiltClassifier): Baseline {
    return new Baseline(built);
  }

  /**
   * Makes a classifier.
   *
   * @param options classes and initial weights; by default ResNet50 at 256 pixels with a one-layer head
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_STATE_DICT` if the initial weights do not fit
   */
  static create(options: ClassifierOptions): Promise<Baseline> {
    return buildClassifier(options, { system: 'baseline', head: 'linear', imageSize: 256 }).then(Baseline.of);
  }

  /**
   * Loads a saved model, a checkpoint or the best checkpoint of a run; that of another system is refused (`loadClassifier`
   * takes any).
   *
   * @param folder that holds it, or a file of weights with its card beside it: `NAME.safetensors` and `NAME.json`
   * @param options where it shall compute
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_CHECKPOINT`, `ERR_FILE`, `ERR_STATE_DICT`
   */
  static load(folder: string, options: LoadOptions = {}): Promise<Baseline> {
    return loadBuilt(folder, options, 'baseline').then(Baseline.of);
  }

  override fit(options: FitOptions): Run<TrainEvent, TrainResult> {
    // The benchmark runs the network once on each batch.
    return this.train(options, { options: async () => ({}), legacyUpdates: 1 });
  }
}

import { knownKeys } from '../validate.js';
import {
  buildClassifier,
  Classifier,
  type ClassifierOptions,
  loadClassifier,
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
  /** Makes a classifier. @throws CxrGazeError `ERR_STATE_DICT` if the initial weights do not fit */
  static async create(options: ClassifierOptions): Promise<Baseline> {
    return new Baseline(await buildClassifier(options, { head: 'linear', imageSize: 256 }));
  }

  /**
   * Loads a saved model, a checkpoint or the best checkpoint of a run.
   *
   * @param folder that holds it
   * @param options where it shall compute; default `cpu`
   */
  static async load(folder: string, options: { readonly device?: string } = {}): Promise<Baseline> {
    knownKeys('options', options, ['device']);
    return new Baseline(await loadClassifier(folder, options.device));
  }

  /** @internal */
  protected override async prepareFit(options: FitOptions): Promise<FitOptions> {
    return options;
  }
}

import type { Json } from '../../checkpoints/folder.js';
import { CxrGazeError } from '../../errors.js';
import type { Run } from '../../training/run.js';
import type { TrainEvent, TrainResult } from '../../training/trainer.js';
import { knownKeys, number, text } from '../../validate.js';
import {
  buildClassifier,
  Classifier,
  type ClassifierOptions,
  loadClassifier,
} from '../classifier/classifier.js';
import type { FitOptions } from '../classifier/fit.js';
import { type DistillationSettings, distillationTerm } from './distillation.js';
import { checkShares, TeacherFeatures } from './teacher-features.js';

/** Options of {@link GazeLT.fit}. */
export interface GazeLTFitOptions extends FitOptions {
  /** Distillation from teacher vectors; without it the student learns from labels alone. */
  readonly distillation?: DistillationSettings;
}

/**
 * GazeLT's student (arXiv 2508.09478, `lordmoinak1/gazelt`): a ResNet with a two-layer head that learns a long-tailed
 * classification and, through its 64-number bottleneck, what gaze teachers saw. Prediction needs neither gaze nor
 * teachers. Not for clinical use.
 *
 * @example
 * ```ts
 * using model = await GazeLT.create({ classes, init: { weights: 'resnet50.pth' } });
 * const run = model.fit({ train, validation, loss: 'ldam', weighting: 'balanced', deferred: true, maxEpochs: 100 });
 * for await (const event of run) if (event.type === 'epoch') console.log(event);
 * const [prediction] = await model.predict('film.png');
 * ```
 */
export class GazeLT extends Classifier {
  /** Makes a student. @throws CxrGazeError `ERR_STATE_DICT` if the initial weights do not fit */
  static async create(options: ClassifierOptions): Promise<GazeLT> {
    return new GazeLT(await buildClassifier(options, { head: 'bottleneck64', imageSize: 224 }));
  }

  /**
   * Loads a saved model, a checkpoint or the best checkpoint of a run.
   *
   * @param folder that holds it
   * @param options where it shall compute; default `cpu`
   */
  static async load(folder: string, options: { readonly device?: string } = {}): Promise<GazeLT> {
    knownKeys('options', options, ['device']);
    return new GazeLT(await loadClassifier(folder, options.device));
  }

  /** As {@link Classifier.fit}, with distillation. */
  override fit(options: GazeLTFitOptions): Run<TrainEvent, TrainResult> {
    return super.fit(options);
  }

  /** @internal */
  protected override async prepareFit(options: GazeLTFitOptions): Promise<FitOptions> {
    const { distillation, ...fit } = options;
    if (distillation === undefined) return fit;
    checkSettings(distillation);
    if (this.card.head !== 'bottleneck64') {
      throw new CxrGazeError(
        'ERR_INVALID_ARGUMENT',
        `Expected the head 'bottleneck64' for distillation but the model has '${this.card.head}'`,
      );
    }
    if (options.onError === 'skip') {
      throw new CxrGazeError(
        'ERR_INVALID_ARGUMENT',
        "Expected onError 'throw' with distillation: teacher vectors belong to every image",
      );
    }
    const { featuresDir, features } = distillation;
    const [train, val] = await Promise.all([
      TeacherFeatures.read(options.train, featuresDir, features),
      TeacherFeatures.read(options.validation, featuresDir, features),
    ]);
    const extraOptions = { distillation: { ...distillation } as unknown as Json };
    return { ...fit, extra: distillationTerm(distillation, { train, val }), extraOptions };
  }
}

function checkSettings(settings: DistillationSettings): void {
  knownKeys('options.distillation', settings, [
    'features',
    'featuresDir',
    'weight',
    'validationWeight',
    'shares',
  ]);
  text('options.distillation.featuresDir', settings.featuresDir);
  const { weight, validationWeight, shares, features } = settings;
  if (weight !== undefined) number('options.distillation.weight', weight, { min: 0 });
  if (validationWeight !== undefined)
    number('options.distillation.validationWeight', validationWeight, { min: 0 });
  if (shares !== undefined) checkShares(shares, features);
}

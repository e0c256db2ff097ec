import { CxrGazeError } from '../../errors.js';
import type { Run } from '../../training/run.js';
import type { TrainEvent, TrainResult } from '../../training/trainer.js';
import { invalidArgument, knownKeys, number } from '../../validate.js';
import {
  type BuiltClassifier,
  buildClassifier,
  Classifier,
  type ClassifierOptions,
  type LoadOptions,
  loadBuilt,
} from '../classifier/classifier.js';
import type { FitOptions } from '../classifier/fit.js';
import { type DistillationSettings, defaultDistillationWeight, distillationTerm } from './distillation.js';
import { checkShares } from './teacher-features.js';
import { checkSource, type VectorSource } from './vector-source.js';

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
  /** @internal */
  static of(built: BuiltClassifier): GazeLT {
    return new GazeLT(built);
  }

  /**
   * Makes a student.
   *
   * @param options classes and initial weights; by default ResNet50 at 224 pixels with the two-layer head
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_STATE_DICT` if the initial weights do not fit
   */
  static create(options: ClassifierOptions): Promise<GazeLT> {
    return buildClassifier(options, { system: 'gazelt', head: 'bottleneck64', imageSize: 224 }).then(
      GazeLT.of,
    );
  }

  /**
   * Loads a saved model, a checkpoint or the best checkpoint of a run; that of another system is refused (`loadClassifier`
   * takes any).
   *
   * @param folder that holds it, or a file of weights with its card beside it: `NAME.safetensors` and `NAME.json`
   * @param options where it shall compute
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_CHECKPOINT`, `ERR_FILE`, `ERR_STATE_DICT`
   */
  static load(folder: string, options: LoadOptions = {}): Promise<GazeLT> {
    return loadBuilt(folder, options, 'gazelt').then(GazeLT.of);
  }

  /** As {@link Classifier.fit}, with distillation. */
  override fit(options: GazeLTFitOptions): Run<TrainEvent, TrainResult> {
    if (typeof options !== 'object' || options === null)
      throw invalidArgument('options', 'an object', options);
    const { distillation, ...fit } = options;
    // The original ran the network twice on each batch: for the logits, and for the vector that is distilled.
    const plain = { options: async () => ({}), legacyUpdates: 2 };
    if (distillation === undefined) return this.train(fit, plain);
    const source = checkSource(distillation, fit);
    const settings = checkSettings(distillation, source);
    this.#checkDistillable(fit);
    return this.train(fit, {
      ...{ ...plain, hold: source.hold },
      options: async () => ({ distillation: { ...(await source.record()), ...settings } }),
      needs: source.needs,
      term: async () => distillationTerm(distillation, await source.vectors(), this.card.architecture),
    });
  }

  #checkDistillable({ onError }: FitOptions): void {
    const { head } = this.card;
    if (head !== 'bottleneck64') {
      throw new CxrGazeError(
        'ERR_INVALID_ARGUMENT',
        `Expected the head 'bottleneck64' for distillation but the model has '${head}'`,
      );
    }
    if (onError === 'skip') {
      throw new CxrGazeError(
        'ERR_INVALID_ARGUMENT',
        "Expected onError 'throw' with distillation: teacher vectors belong to every image",
      );
    }
  }
}

function checkSettings(settings: DistillationSettings, { teachers, name }: VectorSource) {
  knownKeys('options.distillation', settings, [
    ...['features', 'featuresDir', 'teachers', 'teacherImages', 'teacherBatchSize', 'onTeach'],
    ...['weight', 'validationWeight', 'shares'],
  ]);
  const weight = settings.weight ?? defaultDistillationWeight;
  const validationWeight = settings.validationWeight ?? weight;
  return {
    weight: number('options.distillation.weight', weight, { min: 0 }),
    validationWeight: number('options.distillation.validationWeight', validationWeight, { min: 0 }),
    shares: checkShares('options.distillation.shares', settings.shares, teachers, name),
  };
}

import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { replaceFolder, temporaryBeside, writeFileAtomic } from '../../checkpoints/atomic.js';
import { CheckpointStore } from '../../checkpoints/folder.js';
import { writeTensors } from '../../checkpoints/write-tensors.js';
import type { Dataset } from '../../data/dataset.js';
import { CxrGazeError } from '../../errors.js';
import { defaultGroupThresholds } from '../../metrics/groups.js';
import type { GroupThresholds } from '../../metrics/types.js';
import { type Architecture, createModel, type HeadKind, type Model } from '../../models/model.js';
import { tidy } from '../../tensor/tidy.js';
import { restoreWeights } from '../../training/checkpoint.js';
import { imagenetNormalisation } from '../../training/inputs.js';
import { Run } from '../../training/run.js';
import type { TrainEvent, TrainResult } from '../../training/trainer.js';
import { integer, knownKeys, list, text } from '../../validate.js';
import { type EvaluateOptions, type Evaluation, evaluateClassifier } from './evaluate.js';
import { type ExplainedImage, type ExplainOptions, explainImages } from './explain.js';
import { type FitOptions, fitClassifier } from './fit.js';
import { type Init, type InitReport, initialise } from './initial-weights.js';
import { cardFile, cardToJson, type ModelCard, readCard } from './model-card.js';
import { type ImageInput, type Prediction, type PredictOptions, predictImages } from './predict.js';

/** Options of a new classifier. */
export interface ClassifierOptions {
  /** Class names in label order. */
  readonly classes: readonly string[];
  /** Initial weights; there is no default. */
  readonly init: Init;
  /** Backbone; default `resnet50`. */
  readonly architecture?: Architecture;
  /** Head; each system has its own default. */
  readonly head?: HeadKind;
  /** Side of the square input in pixels; each system has its own default. */
  readonly imageSize?: number;
  /** Where head, medium and tail are cut; default more than 1000 and fewer than 100 training images. */
  readonly thresholds?: GroupThresholds;
  /** Seed of random weights; default 0. */
  readonly seed?: number;
  /** `cpu` (default), `cuda`, `cuda:1`. */
  readonly device?: string;
}

const optionKeys = [
  'classes',
  'init',
  'architecture',
  'head',
  'imageSize',
  'thresholds',
  'seed',
  'device',
] as const;

/** What two systems differ in when a classifier is made. */
export interface ClassifierDefaults {
  /** Head. */
  readonly head: HeadKind;
  /** Input size in pixels. */
  readonly imageSize: number;
}

/** @internal A model with its card: what the constructors of systems take. */
export interface BuiltClassifier {
  readonly model: Model;
  readonly card: ModelCard;
  readonly device: string;
  readonly initReport: InitReport;
}

/** @internal */
export async function buildClassifier(
  options: ClassifierOptions,
  defaults: ClassifierDefaults,
): Promise<BuiltClassifier> {
  knownKeys('options', options, optionKeys);
  const { device = 'cpu', seed = 0 } = options;
  const card: ModelCard = {
    architecture: options.architecture ?? 'resnet50',
    head: options.head ?? defaults.head,
    classes: list('options.classes', options.classes, text),
    imageSize: integer('options.imageSize', options.imageSize ?? defaults.imageSize, { min: 32 }),
    normalisation: imagenetNormalisation,
    trainCounts: null,
    thresholds: options.thresholds ?? defaultGroupThresholds,
  };
  const model = modelOf(card, seed);
  const initReport = await initialise(model, options.init);
  model.eval();
  if (device !== 'cpu') model.to({ device });
  await model.ready();
  return { model, card, device, initReport };
}

/** @internal */
export async function loadClassifier(folder: string, device = 'cpu'): Promise<BuiltClassifier> {
  const found = await findSaved(text('path', folder));
  const card = await readCard(found.folder, found.card);
  const model = modelOf(card, 0);
  await restoreWeights(found.folder, model);
  model.eval();
  if (device !== 'cpu') model.to({ device });
  await model.ready();
  return { model, card, device, initReport: { fresh: [] } };
}

function modelOf(card: ModelCard, seed: number): Model {
  return createModel({
    architecture: card.architecture,
    classes: card.classes.length,
    head: card.head,
    seed,
  });
}

// A saved model, a checkpoint, a folder of checkpoints, or a run.
async function findSaved(folder: string): Promise<{ folder: string; card: string }> {
  if (await exists(path.join(folder, cardFile))) return { folder, card: cardFile };
  if (await exists(path.join(folder, 'state.json'))) return { folder, card: 'state.json' };
  for (const root of [folder, path.join(folder, 'checkpoints')]) {
    if (!(await exists(path.join(root, 'best')))) continue;
    return { folder: await new CheckpointStore(root).open('best'), card: 'state.json' };
  }
  throw new CxrGazeError(
    'ERR_CHECKPOINT',
    `${folder}: expected a saved model (${cardFile}), a checkpoint (state.json) or a run with checkpoints, but found none of these`,
    { details: { file: folder } },
  );
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/**
 * A classifier of chest radiographs with its classes, input size and normalisation: what every system is. Not for
 * clinical use.
 */
export abstract class Classifier {
  /** The network, for those who want to go deeper. */
  readonly model: Model;
  /** Where it computes. */
  readonly device: string;
  /** Which parts of the head the initial weights' file could not fill. */
  readonly initReport: InitReport;
  #card: ModelCard;

  /** @internal */
  protected constructor(built: BuiltClassifier) {
    this.model = built.model;
    this.device = built.device;
    this.initReport = built.initReport;
    this.#card = built.card;
  }

  /** Architecture, classes, input size, training counts, groups. */
  get card(): ModelCard {
    return this.#card;
  }

  /** @internal What the system adds to plain training. */
  protected abstract prepareFit(options: FitOptions): Promise<FitOptions>;

  /**
   * Trains on one data set and validates on another. The best epoch's weights are kept at the end, where checkpoints
   * are saved.
   *
   * @param options data, loss, schedule
   * @returns events and result; it runs whether or not it is iterated
   */
  fit(options: FitOptions): Run<TrainEvent, TrainResult> {
    return new Run((stop) => this.#fit(options, stop));
  }

  async *#fit(options: FitOptions, stop: AbortSignal): AsyncGenerator<TrainEvent, TrainResult | undefined> {
    const prepared = await this.prepareFit(options);
    const fit = await fitClassifier(this, prepared);
    this.#card = fit.card;
    return yield* fit.trainer.events(fit.options, stop);
  }

  /**
   * Probabilities and metrics on a data set with labels.
   *
   * @param dataset images and labels
   * @param options precision (default float32), test-time augmentation, bootstrap
   */
  evaluate(dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
    return evaluateClassifier(this, dataset, options);
  }

  /**
   * Classes of images. Not for clinical use.
   *
   * @param input a file, a folder, an encoded image in memory, or an array of these
   * @param options batch size, precision, what to do with a bad image
   * @returns one prediction an image, in the order given
   */
  predict(input: ImageInput, options: PredictOptions = {}): Promise<Prediction[]> {
    return predictImages(this, input, options);
  }

  /**
   * Predictions with Grad-CAM maps and overlays. Not for clinical use.
   *
   * @param input a file, a folder, an encoded image in memory, or an array of these
   * @param options layer, class, batch size
   * @returns one item an image as they are ready, in the order given
   */
  explain(input: ImageInput, options: ExplainOptions = {}): AsyncGenerator<ExplainedImage, void> {
    return explainImages(this, input, options);
  }

  /**
   * Saves weights and card into a folder, in one step.
   *
   * @param folder `model.safetensors` and `model.json` are written into it; an old one is replaced
   */
  async save(folder: string): Promise<void> {
    const target = path.resolve(text('folder', folder));
    const temporary = temporaryBeside(target);
    await mkdir(temporary, { recursive: true });
    await tidy(async () => {
      await writeTensors(path.join(temporary, 'model.safetensors'), await this.model.stateDict(), {
        format: 'pt',
      });
    });
    await writeFileAtomic(
      path.join(temporary, cardFile),
      `${JSON.stringify(cardToJson(this.card), null, 2)}\n`,
    );
    await replaceFolder(temporary, target);
  }

  /** Frees the network. */
  dispose(): void {
    this.model.dispose();
  }

  /** Same as {@link Classifier.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

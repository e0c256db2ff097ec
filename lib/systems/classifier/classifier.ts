import path from 'node:path';
import type { Dataset } from '../../data/dataset.js';
import type { Interpolation } from '../../data/resize.js';
import type { EpochScores } from '../../metrics/epoch-scores.js';
import { checkThresholds, defaultGroupThresholds } from '../../metrics/groups.js';
import type { GroupThresholds } from '../../metrics/types.js';
import {
  type Architecture,
  architectures,
  checkHead,
  checkWidth,
  createModel,
  type HeadKind,
  headKinds,
  type Model,
  publishedWidth,
} from '../../models/model.js';
import { restoreWeights } from '../../training/checkpoint.js';
import { imagenetNormalisation, type Normalisation } from '../../training/inputs.js';
import type { PreparedRun } from '../../training/prepared-run.js';
import { Run } from '../../training/run.js';
import type { TrainEvent, Trainer, TrainResult } from '../../training/trainer.js';
import { classNames, integer, knownKeys, oneOf, text } from '../../validate.js';
import { Occupancy } from '../occupancy.js';
import { saveModel } from '../save-model.js';
import { findSaved } from '../saved.js';
import { type TauNormOptions, tauNormaliseHead, tauOf } from './decoupling.js';
import { type EvaluateOptions, type Evaluation, evaluateClassifier } from './evaluate.js';
import { type ExplainedImage, type ExplainOptions, explainImages } from './explain.js';
import { checkedFit, type FitAddition, type FitOptions, prepareFit } from './fit.js';
import { checkInit, type Init, type InitReport, initialise, nothingToReport } from './initial-weights.js';
import { type Localisation, type LocaliseOptions, localise } from './localise.js';
import {
  type ClassifierSystem,
  cardFile,
  cardToJson,
  countsFrom,
  imageSizes,
  type ModelCard,
  normalisationFrom,
  readCard,
  requireSystem,
} from './model-card.js';
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
  /** Channels of the backbone's first stage; default 64, as published; see {@link ModelOptions.width}. */
  readonly width?: number;
  /** Side of the square input in pixels; each system has its own default. */
  readonly imageSize?: number;
  /** How pixels in [0, 1] are shifted and scaled; each system has its own default. */
  readonly normalisation?: Normalisation;
  /**
   * Training images of each class, where the weights come from a training elsewhere: evaluation forms the long-tail groups
   * from them. Default: not known until `fit`.
   */
  readonly trainCounts?: readonly number[];
  /** Where head, medium and tail are cut; default more than 1000 and fewer than 100 training images. */
  readonly thresholds?: GroupThresholds;
  /** Seed of random weights; default 0. */
  readonly seed?: number;
  /** `cpu` (default), `cuda`, `cuda:1`. */
  readonly device?: string;
}

/** Options of `load`. */
export interface LoadOptions {
  /** Where it shall compute: `cpu` (default), `cuda`, `cuda:1`. */
  readonly device?: string;
}

const optionKeys = [
  'classes',
  'init',
  'architecture',
  'head',
  'width',
  'imageSize',
  'normalisation',
  'trainCounts',
  'thresholds',
  'seed',
  'device',
] as const;

/** What two systems differ in when a classifier is made. */
export interface ClassifierDefaults {
  /** Which it is. */
  readonly system: ClassifierSystem;
  /** Head. */
  readonly head: HeadKind;
  /** Input size in pixels. */
  readonly imageSize: number;
  /** Of the pixels; default ImageNet's statistics. */
  readonly normalisation?: Normalisation;
  /** How images are stretched to the input size; default `area`. */
  readonly interpolation?: Interpolation;
}

/** @hidden A network with its card: what the constructors of systems take. */
export interface BuiltClassifier {
  readonly network: Model;
  readonly card: ModelCard;
  readonly device: string;
  readonly initReport: InitReport;
}

/** @hidden A training whose options have been checked. */
export interface Training<Scores extends EpochScores> {
  /** What the classifier will be, with its training counts. */
  readonly card: ModelCard;
  /** When it ends, and whether it goes on. */
  readonly options: { readonly signal?: AbortSignal | undefined; readonly resume?: boolean };
  /** Makes data, network and trainer ready. */
  readonly prepare: () => Promise<PreparedRun<Pick<Trainer<Model, never, Scores>, 'events'>>>;
  /**
   * Keeps what `prepare` reads of other systems as it is until the function that it returns is called.
   *
   * @throws CxrGazeError `ERR_BUSY` where it is changing just now
   */
  readonly hold?: (() => (() => void) | undefined) | undefined;
  /** Whether only a part of the network learns meanwhile; default `false`. */
  readonly freezes?: boolean;
}

/** @internal Checks at once, builds later. */
export function buildClassifier(
  options: ClassifierOptions,
  defaults: ClassifierDefaults,
): Promise<BuiltClassifier> {
  knownKeys('options', options, optionKeys);
  const init = checkInit(options.init);
  const seed = integer('options.seed', options.seed ?? 0, { min: 0 });
  const device = text('options.device', options.device ?? 'cpu');
  const classes = classNames('options.classes', options.classes);
  const { trainCounts } = options;
  const architecture = oneOf('options.architecture', options.architecture ?? 'resnet50', architectures);
  const head = oneOf('options.head', options.head ?? defaults.head, headKinds);
  const card: ModelCard = {
    system: defaults.system,
    architecture,
    head: checkHead('options.head', head, architecture),
    width: checkWidth('options.width', options.width ?? publishedWidth, architecture),
    classes,
    imageSize: integer('options.imageSize', options.imageSize ?? defaults.imageSize, imageSizes),
    normalisation: normalisationFrom(
      'options.normalisation',
      options.normalisation ?? defaults.normalisation ?? imagenetNormalisation,
    ),
    interpolation: defaults.interpolation ?? 'area',
    trainCounts:
      trainCounts === undefined ? null : countsFrom('options.trainCounts', trainCounts, classes.length),
    thresholds: checkThresholds('options.thresholds', options.thresholds ?? defaultGroupThresholds),
  };
  return built(card, device, seed, (network) => initialise(network, init));
}

/**
 * @internal Checks at once, loads later.
 *
 * @param wanted the system that the card has to tell; any without it
 */
export function loadBuilt(
  folder: string,
  options: LoadOptions,
  wanted?: ClassifierSystem,
): Promise<BuiltClassifier> {
  text('folder', folder);
  knownKeys('options', options, ['device']);
  const device = text('options.device', options.device ?? 'cpu');
  return findSaved(folder, cardFile).then(async (found) => {
    const card = await readCard(found.folder, found.card);
    if (wanted !== undefined) requireSystem(path.join(found.folder, found.card), card, wanted);
    return built(card, device, 0, async (network) => {
      await restoreWeights(found.folder, network, found.weights);
      return nothingToReport;
    });
  });
}

async function built(
  card: ModelCard,
  device: string,
  seed: number,
  fill: (network: Model) => Promise<InitReport>,
): Promise<BuiltClassifier> {
  const network = networkOf(card, seed);
  try {
    const initReport = await fill(network);
    network.eval();
    if (device !== 'cpu') network.to({ device });
    await network.ready();
    return { network, card, device, initReport };
  } catch (error) {
    network.dispose();
    throw error;
  }
}

function networkOf(card: ModelCard, seed: number): Model {
  return createModel({
    architecture: card.architecture,
    classes: card.classes.length,
    head: card.head,
    width: card.width,
    seed,
  });
}

/**
 * A classifier of chest radiographs with its classes, input size and normalisation: what every system is. Not for
 * clinical use.
 */
export abstract class Classifier {
  /** The network, for those who want to go deeper. */
  readonly network: Model;
  /** Where it computes. */
  readonly device: string;
  /** What the initial weights did not fill, and what of their file was left out; nothing where it was loaded whole. */
  readonly initReport: InitReport;
  #card: ModelCard;
  readonly #weights: Occupancy;

  /** @hidden */
  protected constructor(built: BuiltClassifier) {
    this.network = built.network;
    this.device = built.device;
    this.initReport = built.initReport;
    this.#card = built.card;
    this.#weights = new Occupancy(built.network, 'classifier');
  }

  /** Architecture, classes, input size, training counts, groups. */
  get card(): ModelCard {
    return this.#card;
  }

  /**
   * τ-normalises the classifier: each row of the head's last layer is divided by its length to the power τ, its bias
   * becomes 0. No training takes place (Kang et al., "Decoupling representation and classifier for long-tailed
   * recognition", ICLR 2020). The head's first layer, where it has two, stays. A `fit` meanwhile is refused.
   *
   * @param options `tau`: default -4, with which the long-tail benchmark obtained its row (it *multiplies* each row by the
   *   fourth power of its length); the literature uses 0 (nothing) to 1 (all rows of length 1)
   * @returns this classifier
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_BUSY`, `ERR_DISPOSED` at once; rejects with `ERR_NOT_FINITE` where a
   *   row's power is not a finite number
   */
  tauNormalise(options: TauNormOptions = {}): Promise<this> {
    this.#weights.requireLive();
    const tau = tauOf(options);
    const release = this.#weights.claim('τ-normalisation');
    return tauNormaliseHead(this.network, tau)
      .finally(release)
      .then(() => this);
  }

  /**
   * Trains on one data set and validates on another. At the end the model has the best epoch's weights. Meanwhile it can
   * predict, evaluate, explain and be saved; a second `fit` is refused.
   *
   * @param options data, loss, schedule
   * @returns events and result; it runs whether or not it is iterated
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_BUSY`, `ERR_DISPOSED` at once; the run fails with `ERR_EXISTS`,
   *   `ERR_RESUME`, `ERR_CHECKPOINT`, `ERR_IMAGE`, `ERR_NOT_FINITE`, `ERR_ABORTED`
   */
  abstract fit(options: FitOptions): Run<TrainEvent, TrainResult>;

  /** @internal What {@link Classifier.fit} of the long-tailed systems is. */
  protected train(options: FitOptions, addition: FitAddition): Run<TrainEvent, TrainResult> {
    return this.start(() => {
      const fit = checkedFit(this.card, options, addition);
      return {
        ...{ card: fit.card, options: fit.options, prepare: () => prepareFit(this, fit) },
        hold: addition.hold,
        freezes: fit.settings.decoupling !== null,
      };
    });
  }

  /**
   * @internal Runs a training, one at a time.
   *
   * @param check judges the options at once
   */
  protected start<Scores extends EpochScores>(
    check: () => Training<Scores>,
  ): Run<TrainEvent<Scores>, TrainResult> {
    this.#weights.requireLive();
    const training = check();
    this.#weights.requireFree();
    const release = training.hold?.();
    const end = this.#weights.claim('fit');
    return new Run((stop) => this.#train(training, stop, { release, end }));
  }

  async *#train<Scores extends EpochScores>(
    training: Training<Scores>,
    stop: AbortSignal,
    { release, end }: { readonly release: (() => void) | undefined; readonly end: () => void },
  ): AsyncGenerator<TrainEvent<Scores>, TrainResult | undefined> {
    const { signal, resume = false } = training.options;
    try {
      using prepared = await training.prepare().finally(release);
      this.#card = training.card;
      return yield* prepared.trainer.events({ signal, resume }, stop);
    } finally {
      end();
      // As it was before: what training wants of a network is no concern of predictions.
      if (!this.network.disposed) {
        this.network.setBatchNormUpdates(1).to({ dtype: 'float32', channelsLast: false }).eval();
        // A model that has failed says so to whoever uses it next; here it would hide the first error.
        if (training.freezes) await this.network.setTrainable(['']).catch(() => {});
      }
    }
  }

  /**
   * Probabilities and metrics on a data set with labels.
   *
   * @param dataset images and labels
   * @param options precision (default float32), test-time augmentation, bootstrap
   */
  evaluate(dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
    this.#weights.requireLive();
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
    this.#weights.requireLive();
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
    this.#weights.requireLive();
    return explainImages(this, input, options);
  }

  /**
   * Measures how well the network's maps meet findings whose place is known: energy within their frames, pointing game, IoU
   * at half of the maximum.
   *
   * @param dataset images with labels; those whose finding is not known are left out
   * @param options where the findings are, and which map
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_DISPOSED` at once; rejects with `ERR_INVALID_ARGUMENT` where no finding
   *   is known, what a bad image throws, `ERR_ABORTED`
   */
  localise(dataset: Dataset, options: LocaliseOptions = {}): Promise<Localisation> {
    this.#weights.requireLive();
    return localise(this, dataset, options);
  }

  /**
   * Saves weights and card into a folder, in one step.
   *
   * @param folder gets `model.safetensors` and `model.json`; a model saved there before is replaced
   * @throws CxrGazeError `ERR_EXISTS` if the folder holds anything else
   */
  save(folder: string): Promise<void> {
    this.#weights.requireLive();
    const card = { file: cardFile, content: cardToJson(this.card) };
    return saveModel(this.network, path.resolve(text('folder', folder)), card);
  }

  /** Frees the network. */
  dispose(): void {
    this.network.dispose();
  }

  /** Same as {@link Classifier.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

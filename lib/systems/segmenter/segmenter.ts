import path from 'node:path';
import { type Dataset, requireDataset } from '../../data/dataset.js';
import { checkLungBoxOptions, type LungBoxes } from '../../data/lung-boxes.js';
import type { MaskPairs } from '../../data/mask-pairs.js';
import { CxrGazeError } from '../../errors.js';
import { publishedWidth } from '../../models/model.js';
import { createSegmentationNetwork, type SegmentationNetwork } from '../../models/segmentation.js';
import { tidy } from '../../tensor/tidy.js';
import { restoreWeights } from '../../training/checkpoint.js';
import { Run } from '../../training/run.js';
import type { TrainEvent, TrainResult } from '../../training/trainer.js';
import { integer, invalidArgument, knownKeys, text } from '../../validate.js';
import { checkInit, type Init, type InitReport, nothingToReport } from '../classifier/initial-weights.js';
import { checkInput, type ImageInput, inputDataset } from '../classifier/inputs.js';
import { checkPass, type PassOptions } from '../classifier/passes.js';
import { fitWeights } from '../fit-weights.js';
import { Occupancy } from '../occupancy.js';
import { openWeights, type PublishedWeights, readWeights } from '../published-weights.js';
import { saveModel } from '../save-model.js';
import { findSaved, savedFolder, weightsFileOf } from '../saved.js';
import { stateHash } from '../state-hash.js';
import {
  readSegmenterCard,
  type SegmenterCard,
  segmenterCard,
  segmenterCardFile,
  segmenterCardToJson,
  segmenterSize,
} from './segmenter-card.js';
import {
  evaluateSegmenter,
  type SegmenterEvaluateOptions,
  type SegmenterEvaluation,
} from './segmenter-evaluate.js';
import {
  type CheckedSegmenterFit,
  checkedSegmenterFit,
  prepareSegmenterFit,
  type SegmenterFitOptions,
} from './segmenter-fit.js';
import {
  type SegmentedImage,
  type SegmenterBoxOptions,
  segmentedBoxes,
  segmentOver,
} from './segmenter-masks.js';
import type { SegmenterScores } from './segmenter-objective.js';

/** Options of {@link LungSegmenter.create}. */
export interface LungSegmenterOptions {
  /** Initial weights: random ones, a file with the original's keys (`unet_model.pt`), or another segmenter's; there is no default. */
  readonly init: Init;
  /** Side of the square input, a multiple of 16; default 512, as published. */
  readonly imageSize?: number;
  /** Channels of the network's first level, 1 to 1024; default 64, as published. */
  readonly width?: number;
  /** Seed of random weights; default 0. */
  readonly seed?: number;
  /** `cpu` (default), `cuda`, `cuda:1`. */
  readonly device?: string;
}

/** Options of {@link LungSegmenter.load}. */
export interface LungSegmenterLoadOptions {
  /** Side of the input, for a file of weights alone, which does not tell it; default 512. A saved one brings its own. */
  readonly imageSize?: number;
  /** Top-level key of the state dict in such a file, where it is not one of the usual ones; see `openTensorFile`. */
  readonly key?: string;
  /** Where it shall compute: `cpu` (default), `cuda`, `cuda:1`. */
  readonly device?: string;
}

/** What training a segmenter reports. */
export type SegmenterEvent = TrainEvent<SegmenterScores>;

/**
 * The U-Net of loc-attention that finds the lungs of a radiograph (Ronneberger et al., MICCAI 2015;
 * `rcorizzo/cxr-segmentation-attention: scripts/model.py`), from whose mask come the boxes in which a classifier is told to
 * look. Not for clinical use.
 *
 * @example
 * ```ts
 * using segmenter = await LungSegmenter.create({ init: 'random', imageSize: 128 });
 * await segmenter.fit({ train, validation, maxEpochs: 15 }).result;
 * const { dice } = await segmenter.evaluate(test);
 * const { boxes } = await segmenter.boxes(dataset, { cacheDir: 'cache' });
 * ```
 */
export class LungSegmenter {
  /** The network, for those who want to go deeper. */
  readonly network: SegmentationNetwork;
  /** Size and kind of its input. */
  readonly card: SegmenterCard;
  /** Where it computes. */
  readonly device: string;
  /** What of the weights' file was left out; all of the network is filled by whatever file fits. */
  readonly initReport: InitReport;
  readonly #weights: Occupancy;

  private constructor({ network, card, device, initReport }: BuiltSegmenter) {
    this.network = network;
    this.card = card;
    this.device = device;
    this.initReport = initReport;
    this.#weights = new Occupancy(network, 'segmenter');
  }

  /**
   * Makes a segmenter.
   *
   * @param options initial weights, size of the input
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_STATE_DICT`, `ERR_CHECKPOINT`, `ERR_FILE` for
   *   the file of initial weights
   */
  static create(options: LungSegmenterOptions): Promise<LungSegmenter> {
    knownKeys('options', options, ['init', 'imageSize', 'width', 'seed', 'device']);
    const init = checkInit(options.init);
    const card = cardOf(options);
    const seed = integer('options.seed', options.seed ?? 0, { min: 0 });
    const device = text('options.device', options.device ?? 'cpu');
    const network = createSegmentationNetwork({ seed, width: card.width });
    return LungSegmenter.#built(network, card, device, async () => {
      if (init === 'random') return nothingToReport;
      const file = await weightsFileOf(init.weights, segmenterCardFile);
      return fill(network, file, await openUnet(file, init.key));
    });
  }

  /**
   * Loads a saved segmenter, a checkpoint or the best checkpoint of a run; or a file of weights with the original's keys,
   * such as its `unet_model.pt`, which is read without executing anything in it.
   *
   * @param source folder or file
   * @param options where it shall compute, and the size of the input for a file of weights
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_CHECKPOINT`, `ERR_FILE`, `ERR_STATE_DICT`
   */
  static load(source: string, options: LungSegmenterLoadOptions = {}): Promise<LungSegmenter> {
    text('source', source);
    knownKeys('options', options, ['imageSize', 'key', 'device']);
    const { imageSize = segmenterSize, key } = options;
    if (key !== undefined) text('options.key', key);
    const ofFile = cardOf({ imageSize });
    const device = text('options.device', options.device ?? 'cpu');
    return savedFolder(source, segmenterCardFile).then((folder) =>
      folder === undefined
        ? LungSegmenter.#loadFile(source, device, { card: ofFile, key })
        : LungSegmenter.#loadFolder(folder, device, options),
    );
  }

  static async #loadFile(
    source: string,
    device: string,
    { card: { imageSize }, key }: { readonly card: SegmenterCard; readonly key: string | undefined },
  ): Promise<LungSegmenter> {
    const held = await openUnet(source, key);
    const card = cardOf({ imageSize, width: widthOf(source, held) });
    const network = createSegmentationNetwork({ width: card.width });
    return LungSegmenter.#built(network, card, device, () => fill(network, source, held));
  }

  static async #loadFolder(
    source: string,
    device: string,
    { imageSize, key }: LungSegmenterLoadOptions,
  ): Promise<LungSegmenter> {
    if (key !== undefined)
      throw invalidArgument('options.key', 'none for the folder of a saved segmenter', key);
    const found = await findSaved(source, segmenterCardFile);
    const card = await readSegmenterCard(found.folder, found.card);
    if (imageSize !== undefined && imageSize !== card.imageSize)
      throw invalidArgument('options.imageSize', `the segmenter's own size, ${card.imageSize},`, imageSize);
    const network = createSegmentationNetwork({ width: card.width });
    return LungSegmenter.#built(network, card, device, async () => {
      await restoreWeights(found.folder, network);
      return nothingToReport;
    });
  }

  static async #built(
    network: SegmentationNetwork,
    card: SegmenterCard,
    device: string,
    weights: () => Promise<InitReport>,
  ): Promise<LungSegmenter> {
    try {
      const initReport = await weights();
      network.eval();
      if (device !== 'cpu') network.to({ device });
      await network.ready();
      return new LungSegmenter({ network, card, device, initReport });
    } catch (error) {
      network.dispose();
      throw error;
    }
  }

  /**
   * Keeps its weights as they are: no fit begins until the function that it returns is called.
   *
   * @internal
   * @throws CxrGazeError `ERR_BUSY` where it is being trained
   */
  hold(): () => void {
    return this.#weights.hold('boxes');
  }

  /**
   * Learns lungs from images and masks. At the end the segmenter has the weights of the epoch with the lowest validation
   * loss. Meanwhile it can evaluate and segment; a second `fit`, and boxes, which would not be of the same weights, are refused,
   * as is a `fit` while boxes are being taken.
   *
   * @param options pairs, schedule, folder of checkpoints
   * @returns events and result; it runs whether or not it is iterated
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_BUSY`, `ERR_DISPOSED` at once; the run fails with `ERR_EXISTS`,
   *   `ERR_RESUME`, `ERR_CHECKPOINT`, `ERR_IMAGE`, `ERR_NOT_FINITE`, `ERR_ABORTED`
   */
  fit(options: SegmenterFitOptions): Run<SegmenterEvent, TrainResult> {
    this.#weights.requireLive();
    if (typeof options !== 'object' || options === null)
      throw invalidArgument('options', 'an object', options);
    const fit = checkedSegmenterFit(options);
    const release = this.#weights.claim('fit');
    return new Run((stop) => this.#train(fit, stop, release));
  }

  async *#train(
    fit: CheckedSegmenterFit,
    stop: AbortSignal,
    release: () => void,
  ): AsyncGenerator<SegmenterEvent, TrainResult | undefined> {
    const { signal, resume = false } = fit.options;
    try {
      using prepared = await prepareSegmenterFit(this, fit);
      return yield* prepared.trainer.events({ signal, resume }, stop);
    } finally {
      release();
      if (!this.network.disposed) this.network.to({ dtype: 'float32', channelsLast: false }).eval();
    }
  }

  /**
   * How well it finds lungs: Dice coefficient and intersection over union, each image's and their means, by group.
   *
   * @param pairs held-out images and masks
   * @param options batch size (default 4), precision (default `float32`), what a bad image does
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_IMAGE`, `ERR_FILE`, `ERR_ABORTED`, `ERR_DATASET`
   *   where no image is left
   */
  evaluate(pairs: MaskPairs, options: SegmenterEvaluateOptions = {}): Promise<SegmenterEvaluation> {
    this.#weights.requireLive();
    return evaluateSegmenter(this, pairs, options);
  }

  /**
   * The masks of images, one after another: lungs where the sigmoid of the network's logit is above one half.
   *
   * @param input paths of images or folders, bytes of image files
   * @param options batch size (default 4), precision (default `float32`), what a bad image does
   * @returns the masks in order, of the network's size
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; the iteration throws `ERR_IMAGE`, `ERR_FILE`, `ERR_ABORTED`
   */
  segment(input: ImageInput, options: PassOptions = {}): AsyncGenerator<SegmentedImage, void> {
    this.#weights.requireLive();
    checkPass(options);
    return this.#segment(checkInput(input), options);
  }

  async *#segment(
    items: ReturnType<typeof checkInput>,
    options: PassOptions,
  ): AsyncGenerator<SegmentedImage, void> {
    yield* segmentOver(this, await inputDataset(items, ['image']), options);
  }

  /**
   * The boxes around the lungs of a data set's images, computed once: with a `cacheDir` they are kept beside the prepared
   * images, under the weights of this network.
   *
   * @param dataset whose images are looked at
   * @param options size of the boxes' image (default 224), batch size (default 4), precision (default `float32`)
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_BUSY` at once; rejects with `ERR_IMAGE`, `ERR_FILE`, `ERR_ABORTED`
   */
  boxes(dataset: Dataset, options: SegmenterBoxOptions = {}): Promise<LungBoxes> {
    this.#weights.requireLive();
    const size = checkLungBoxOptions(options, ['batchSize', 'precision', 'onError', 'onSkip']);
    const { size: _, cacheDir: __, onProgress: ___, signal: ____, ...pass } = options;
    checkPass(pass);
    requireDataset('dataset', dataset);
    // In the cache they are kept under the weights as they are now.
    const release = this.hold();
    return segmentedBoxes(this, dataset, { ...options, size }).finally(release);
  }

  /**
   * Saves weights and card into a folder, in one step.
   *
   * @param folder gets `model.safetensors` and `segmenter.json`; a segmenter saved there before is replaced
   * @throws CxrGazeError `ERR_EXISTS` if the folder holds anything else
   */
  save(folder: string): Promise<void> {
    this.#weights.requireLive();
    const card = { file: segmenterCardFile, content: segmenterCardToJson(this.card) };
    return saveModel(this.network, path.resolve(text('folder', folder)), card);
  }

  /** SHA-256 of its weights: under it boxes are kept. */
  fingerprint(): Promise<string> {
    this.#weights.requireLive();
    return stateHash(this.network);
  }

  /** Frees the network. */
  dispose(): void {
    this.network.dispose();
  }

  /** Same as {@link LungSegmenter.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

interface BuiltSegmenter {
  readonly network: SegmentationNetwork;
  readonly card: SegmenterCard;
  readonly device: string;
  readonly initReport: InitReport;
}

function cardOf({
  imageSize = segmenterSize,
  width = publishedWidth,
}: Pick<LungSegmenterOptions, 'imageSize' | 'width'>): SegmenterCard {
  return segmenterCard('options.', { imageSize, width });
}

function openUnet(file: string, key: string | undefined): Promise<PublishedWeights> {
  return openWeights(file, { key, wanted: 'unet' });
}

/** Channels of the first level of the network that a file of weights is of. */
function widthOf(file: string, { tensors }: PublishedWeights): number {
  const first = 'e1.conv.conv1.weight';
  const shape = tensors.get(first)?.shape;
  if (shape?.length === 4) return shape[0] as number;
  throw new CxrGazeError(
    'ERR_STATE_DICT',
    `${file}: expected the weights of a U-Net with the keys of loc-attention (${first}) but found ${[...tensors.keys()].slice(0, 3).join(', ') || 'none'}`,
    { details: { file } },
  );
}

async function fill(network: SegmentationNetwork, file: string, held: PublishedWeights): Promise<InitReport> {
  await tidy(() => fitWeights(file, held, () => network.loadStateDict(readWeights(held))));
  return { fresh: [], leftOut: held.leftOut };
}

import path from 'node:path';
import { openTensorFile } from '../../checkpoints/open.js';
import { readTensor } from '../../checkpoints/read-tensors.js';
import { writeTensors } from '../../checkpoints/write-tensors.js';
import type { Dataset } from '../../data/dataset.js';
import { CxrGazeError } from '../../errors.js';
import {
  createTeacher,
  loadTeacherBlock,
  type TeacherBranch,
  type TeacherNetwork,
  teacherBranches,
} from '../../models/teacher.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { restoreWeights } from '../../training/checkpoint.js';
import { Run } from '../../training/run.js';
import type { TrainEvent, TrainResult } from '../../training/trainer.js';
import { integer, invalidArgument, knownKeys, number, oneOf, text } from '../../validate.js';
import { checkInit, type Init, type InitReport, nothingToReport } from '../classifier/initial-weights.js';
import { fitWeights } from '../fit-weights.js';
import { Occupancy } from '../occupancy.js';
import type { PublishedWeights } from '../published-weights.js';
import { saveModel, snapshot } from '../save-model.js';
import { findSaved, savedFolder, weightsFileOf } from '../saved.js';
import { unwrap } from '../wrapper-prefix.js';
import type { GazeDataset } from './gaze-dataset.js';
import {
  readTeacherCard,
  type TeacherCard,
  teacherCard,
  teacherCardFile,
  teacherCardToJson,
} from './teacher-card.js';
import { evaluateTeacher, type TeacherEvaluateOptions, type TeacherEvaluation } from './teacher-evaluate.js';
import { type TeacherFeatureOptions, type TeacherFeatureReport, writeFeatures } from './teacher-files.js';
import {
  type CheckedTeacherFit,
  checkedTeacherFit,
  prepareTeacherFit,
  type TeacherFitOptions,
} from './teacher-fit.js';
import type { TeacherScores } from './teacher-objective.js';
import { isProjection, weightsHash } from './teacher-vectors.js';

/** Options of {@link GazeTeacher.create}. */
export interface GazeTeacherOptions {
  /** `global`: GC ViT, attention integrated over the windows (TW-I). `focal`: FocalNet, window by window (TW-D). */
  readonly branch: TeacherBranch;
  /**
   * Initial weights of the block: random ones, a file of the authors, or another teacher's; there is no default. The projection
   * never comes from there, for it is the seed's.
   */
  readonly init: Init;
  /** Seed of random weights and of the projection to 64 numbers; default 0. */
  readonly seed?: number;
  /** Drop path in training; default as published, 0.2 (global) and 0.1 (focal) in the last block. */
  readonly dropPath?: number;
  /** `cpu` (default), `cuda`, `cuda:1`. */
  readonly device?: string;
}

/** Options of {@link GazeTeacher.load}. */
export interface GazeTeacherLoadOptions {
  /** Seed of the projection, for a file of the authors, which has none; default 0. A saved teacher brings its own. */
  readonly seed?: number;
  /**
   * A projection for such a file instead: `BRANCH_projection.safetensors`, which {@link GazeTeacher.features} wrote beside its
   * vectors. Default: the one of `seed`.
   */
  readonly projection?: string;
  /** Top-level key of the state dict in such a file, where it is not one of the usual ones; see `openTensorFile`. */
  readonly key?: string;
  /** Where it shall compute: `cpu` (default), `cuda`, `cuda:1`. */
  readonly device?: string;
}

/** Options that a saved teacher has no use for. */
type OfFiles = Readonly<Record<'key' | 'projection', string | undefined>>;

/** What training a teacher reports. */
export type TeacherEvent = TrainEvent<TeacherScores>;

/**
 * A gaze teacher of GazeLT (arXiv 2508.09478): learns from eye tracking where a film is looked at in four time windows of
 * a reading, and gives each film a vector of 64 numbers from which the student learns. The 64 numbers come from a random
 * projection that is never trained, as in the original; here it is seeded and saved. Not for clinical use.
 *
 * @example
 * ```ts
 * using teacher = await GazeTeacher.create({ branch: 'focal', init: 'random' });
 * await teacher.fit({ train, validation, maxEpochs: 12 }).result;
 * const { windows } = await teacher.evaluate(test, { baseline: train.readings, bootstrap: true });
 * await teacher.features([nihTrain, nihValidation], { folder: 'features' });
 * ```
 */
export class GazeTeacher {
  /** The network, for those who want to go deeper. */
  readonly network: TeacherNetwork;
  /** Branch, seed of the projection, input size. */
  readonly card: TeacherCard;
  /** Where it computes. */
  readonly device: string;
  /** What the weights' file did not fill, which is the projection, and what of it was left out; nothing of a folder loaded. */
  readonly initReport: InitReport;
  readonly #weights: Occupancy;

  private constructor({ network, card, device, initReport }: BuiltTeacher) {
    this.network = network;
    this.card = card;
    this.device = device;
    this.initReport = initReport;
    this.#weights = new Occupancy(network, 'teacher');
  }

  /** Whether a {@link GazeTeacher.fit} is under way: its weights change from step to step. */
  get training(): boolean {
    return this.#weights.changing;
  }

  /**
   * Makes a teacher.
   *
   * @param options branch and initial weights
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_STATE_DICT`, `ERR_CHECKPOINT`, `ERR_FILE` for
   *   the file of initial weights
   */
  static create(options: GazeTeacherOptions): Promise<GazeTeacher> {
    knownKeys('options', options, ['branch', 'init', 'seed', 'dropPath', 'device']);
    const branch = oneOf('options.branch', options.branch, teacherBranches);
    const init = checkInit(options.init);
    const seed = integer('options.seed', options.seed ?? 0, { min: 0 });
    const device = text('options.device', options.device ?? 'cpu');
    const { dropPath } = options;
    const network = createTeacher({ branch, seed, ...(dropPath === undefined ? {} : { dropPath }) });
    return GazeTeacher.#built(network, teacherCard(network.options), device, async () => {
      if (init === 'random') return nothingToReport;
      const file = await weightsFileOf(init.weights, teacherCardFile);
      return fillBlock(network, file, await openBlock(file, init.key));
    });
  }

  /**
   * Loads a saved teacher, a checkpoint or the best checkpoint of a run; or a file of the authors, which holds the block
   * without the projection.
   *
   * @param source folder or file
   * @param options where it shall compute
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_CHECKPOINT`, `ERR_FILE`, `ERR_STATE_DICT`
   */
  static load(source: string, options: GazeTeacherLoadOptions = {}): Promise<GazeTeacher> {
    text('source', source);
    knownKeys('options', options, ['seed', 'projection', 'key', 'device']);
    const { key, projection } = options;
    if (key !== undefined) text('options.key', key);
    if (projection !== undefined) text('options.projection', projection);
    const seed = integer('options.seed', options.seed ?? 0, { min: 0 });
    const device = text('options.device', options.device ?? 'cpu');
    return savedFolder(source, teacherCardFile).then((folder) =>
      folder === undefined
        ? GazeTeacher.#loadFile(source, device, { seed, key, projection })
        : GazeTeacher.#loadFolder(folder, device, { key, projection }),
    );
  }

  static async #loadFolder(source: string, device: string, ofFiles: OfFiles): Promise<GazeTeacher> {
    for (const [name, value] of Object.entries(ofFiles))
      if (value !== undefined)
        throw invalidArgument(`options.${name}`, 'none for the folder of a saved teacher', value);
    const found = await findSaved(source, teacherCardFile);
    const card = await readTeacherCard(found.folder, found.card);
    const { branch, seed, dropPath } = card;
    const network = createTeacher({ branch, seed, dropPath });
    return GazeTeacher.#built(network, card, device, async () => {
      await restoreWeights(found.folder, network);
      return nothingToReport;
    });
  }

  static async #loadFile(
    source: string,
    device: string,
    { seed, key, projection }: OfFiles & { readonly seed: number },
  ): Promise<GazeTeacher> {
    const held = await openBlock(source, key);
    if (held.prefix?.endsWith('_encoder_x.'))
      throw new CxrGazeError(
        'ERR_STATE_DICT',
        `${source}: expected a teacher's block (keys such as focal_encoder.*) but found a whole teacher (${held.prefix}*): load its folder, which has its card and keeps its projection, or create a teacher with init: { weights: FILE }`,
        { details: { file: source } },
      );
    const branch = branchOf(source, held);
    const network = createTeacher({ branch, seed });
    return GazeTeacher.#built(network, teacherCard(network.options), device, async () => {
      const report = await fillBlock(network, source, held);
      if (projection === undefined) return report;
      await fillProjection(network, projection);
      return { ...report, fresh: [] };
    });
  }

  static async #built(
    network: TeacherNetwork,
    card: TeacherCard,
    device: string,
    fill: () => Promise<InitReport>,
  ): Promise<GazeTeacher> {
    try {
      const initReport = await fill();
      network.eval();
      if (device !== 'cpu') network.to({ device });
      await network.ready();
      return new GazeTeacher({ network, card, device, initReport });
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
    return this.#weights.hold('vectors');
  }

  /**
   * Learns to predict the heat maps of some readings. At the end the teacher has the weights of the epoch with the lowest
   * validation loss. Meanwhile it can evaluate; a second `fit`, and vectors, which would not be of the same weights, are
   * refused, as is a `fit` while vectors are being taken.
   *
   * @param options readings, schedule, folder of checkpoints
   * @returns events and result; it runs whether or not it is iterated
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_BUSY`, `ERR_DISPOSED` at once; the run fails with `ERR_EXISTS`,
   *   `ERR_RESUME`, `ERR_CHECKPOINT`, `ERR_IMAGE`, `ERR_NOT_FINITE`, `ERR_ABORTED`
   */
  fit(options: TeacherFitOptions): Run<TeacherEvent, TrainResult> {
    this.#weights.requireLive();
    if (typeof options !== 'object' || options === null)
      throw invalidArgument('options', 'an object', options);
    const fit = checkedTeacherFit(this.card, options);
    const release = this.#weights.claim('fit');
    return new Run((stop) => this.#train(fit, stop, release));
  }

  async *#train(
    fit: CheckedTeacherFit,
    stop: AbortSignal,
    release: () => void,
  ): AsyncGenerator<TeacherEvent, TrainResult | undefined> {
    const { signal, resume = false } = fit.options;
    try {
      using prepared = await prepareTeacherFit(this, fit);
      for (const message of fit.warnings) yield { type: 'warning', message };
      return yield* prepared.trainer.events({ signal, resume }, stop);
    } finally {
      release();
      if (!this.network.disposed) this.network.to({ dtype: 'float32' }).eval();
    }
  }

  /**
   * How well it predicts recorded gaze: CC, KL divergence and NSS in each time window, beside a centre bias and a uniform
   * map, with paired bootstrap intervals if asked for (gazelt.md 5).
   *
   * @param gaze held-out readings
   * @param options baseline, windows, bootstrap (default none)
   */
  evaluate(gaze: GazeDataset, options: TeacherEvaluateOptions = {}): Promise<TeacherEvaluation> {
    this.#weights.requireLive();
    return evaluateTeacher(this, gaze, options);
  }

  /**
   * Writes the vector of every film as `BRANCH_NAME.npy`. An interrupted extraction goes on where it was.
   *
   * @param datasets films; all splits that a student will be trained and validated on
   * @param options folder, batch size, progress
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_BUSY`, `ERR_DISPOSED` at once; rejects with `ERR_EXISTS`,
   *   `ERR_DATASET`, `ERR_IMAGE`, `ERR_NOT_FINITE`, `ERR_ABORTED`, `ERR_FILE`
   */
  features(
    datasets: Dataset | readonly Dataset[],
    options: TeacherFeatureOptions,
  ): Promise<TeacherFeatureReport> {
    this.#weights.requireLive();
    this.#weights.requireIdle();
    const written = writeFeatures(this, datasets, options);
    return written.finally(this.hold());
  }

  /**
   * Saves weights, projection included, and card into a folder, in one step.
   *
   * @param folder gets `model.safetensors` and `teacher.json`; a teacher saved there before is replaced
   * @throws CxrGazeError `ERR_EXISTS` if the folder holds anything else
   */
  save(folder: string): Promise<void> {
    this.#weights.requireLive();
    const card = { file: teacherCardFile, content: teacherCardToJson(this.card) };
    return saveModel(this.network, path.resolve(text('folder', folder)), card);
  }

  /**
   * Saves the block alone, under the keys and the name of the authors' files:
   * `BRANCH_epoch_E_attentionloss_VALUE.safetensors`.
   *
   * @param folder existing
   * @param trained epoch of the weights, from 0 as the authors count, and its mean unscaled attention loss
   * @returns path of the file
   */
  async saveBlock(
    folder: string,
    trained: { readonly epoch: number; readonly attentionLoss: number },
  ): Promise<string> {
    this.#weights.requireLive();
    const epoch = integer('trained.epoch', trained.epoch, { min: 0 });
    const value = number('trained.attentionLoss', trained.attentionLoss, { min: 0 });
    const { branch } = this.card;
    const file = path.join(folder, `${branch}_epoch_${epoch}_attentionloss_${value}.safetensors`);
    await tidy(async () => {
      const prefix = `${branch}_encoder_x.`;
      const block = [...(await snapshot(this.network))].filter(([key]) => !isProjection(key));
      const bare = new Map(
        block.map(([key, tensor]): [string, Tensor] => [key.slice(prefix.length), tensor]),
      );
      await writeTensors(file, bare, { format: 'pt' });
    });
    return file;
  }

  /** SHA-256 of its trained weights: what tells vectors of two teachers apart. */
  fingerprint(): Promise<string> {
    this.#weights.requireLive();
    return weightsHash(this.network, 'block');
  }

  /** Frees the network. */
  dispose(): void {
    this.network.dispose();
  }

  /** Same as {@link GazeTeacher.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

interface BuiltTeacher {
  readonly network: TeacherNetwork;
  readonly card: TeacherCard;
  readonly device: string;
  readonly initReport: InitReport;
}

type HeldBlock = Pick<PublishedWeights, 'tensors' | 'prefix' | 'leftOut'>;

/** Where the tensors of a block lie in a file, without what wrappers put before their keys. */
async function openBlock(file: string, key: string | undefined): Promise<HeldBlock> {
  const { tensors } = await openTensorFile(file, key === undefined ? {} : { key });
  const anchors = teacherBranches.map((branch) => `${branch}_encoder.patch_embed.proj.weight`);
  const { state, prefix, leftOut } = unwrap(file, tensors, anchors);
  return { tensors: state, prefix, leftOut };
}

/** Which branch a file of the authors is of, by its keys. */
function branchOf(file: string, { tensors }: HeldBlock): TeacherBranch {
  const keys = [...tensors.keys()];
  const branch = teacherBranches.find((name) => keys.some((key) => key.startsWith(`${name}_encoder.`)));
  if (branch) return branch;
  throw new CxrGazeError(
    'ERR_STATE_DICT',
    `${file}: expected a teacher's weights (keys such as global_encoder.* or focal_encoder.*) but found ${keys.slice(0, 3).join(', ') || 'none'}`,
    { details: { file } },
  );
}

/** Takes the projection of a file that {@link GazeTeacher.features} wrote. */
async function fillProjection(network: TeacherNetwork, file: string): Promise<void> {
  const { tensors } = await openTensorFile(file);
  await tidy(async () => {
    const others = [...(await network.stateDict())].filter(([key]) => !isProjection(key));
    const given = [...tensors].map(([name, record]) => [name, readTensor(record)] as const);
    const load = () => network.loadStateDict(new Map([...others, ...given]));
    await fitWeights(file, { tensors, prefix: undefined }, load);
  });
}

async function fillBlock(network: TeacherNetwork, file: string, held: HeldBlock): Promise<InitReport> {
  const { branch } = network.options;
  const found = branchOf(file, held);
  if (found !== branch)
    throw new CxrGazeError(
      'ERR_STATE_DICT',
      `${file}: expected the ${branch} teacher's weights but found ${found}'s`,
      { details: { file } },
    );
  return tidy(async () => {
    const block = new Map([...held.tensors].map(([name, record]) => [name, readTensor(record)]));
    await fitWeights(file, held, () => loadTeacherBlock(network, block));
    const fresh = [...(await network.stateDict()).keys()].filter(isProjection);
    return { fresh, leftOut: held.leftOut.filter((name) => !fresh.includes(name)) };
  });
}

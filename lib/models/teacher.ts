import { requireTensors, type Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { integer, invalidArgument, knownKeys, number, oneOf } from '../validate.js';
import { type ForwardOptions, type LoadReport, modeOf, Network } from './network.js';

/**
 * The two teachers of GazeLT: `global` (TW-I, what attention adds up to; GC ViT tiny) and `focal` (TW-D, attention window
 * by window; FocalNet tiny).
 */
export type TeacherBranch = 'global' | 'focal';

/** Both branches. */
export const teacherBranches: readonly TeacherBranch[] = ['global', 'focal'];

/** Side in pixels of the images that a teacher takes and of the maps that it gives; windows and queries fit no other. */
export const teacherSize = 224;

/** Options of {@link createTeacher}. */
export interface TeacherOptions {
  /** Which teacher. */
  readonly branch: TeacherBranch;
  /** Seed of the random initial weights; default 0. */
  readonly seed?: number;
  /**
   * Probability with which the last block's branches are left out in training (stochastic depth); it rises linearly from
   * 0 at the first block. At least 0, below 1; default 0.2 (global), 0.1 (focal).
   */
  readonly dropPath?: number;
}

/** What {@link TeacherNetwork.forward} gives. */
export interface TeacherOutput {
  /** Gaze in each of the four time windows, `[B, 3, 224, 224]`, in float32 or float64. */
  readonly maps: readonly [Tensor, Tensor, Tensor, Tensor];
  /** The encoder's last level under its last LayerNorm, `[B, 7, 7, 512]` (global) or `[B, 7, 7, 768]` (focal). */
  readonly featureMap: Tensor;
  /** What is distilled into the student: the projection of the feature map's mean, `[B, 64]`. */
  readonly embedding: Tensor;
}

const mapTaps = ['map0', 'map1', 'map2', 'map3'] as const;

/**
 * A teacher of gaze: an encoder with four decoders to gaze maps, and a projection to 64 numbers. Its taps are
 * `level0` .. `level3` (channels-last as in the original: `[B, H, W, C]` global, `[B, H W, C]` focal), `features` and
 * `map0` .. `map3`.
 *
 * Keys of its state dict are the authors' (`lordmoinak1/gazelt: src/gaze_models.py`, GlobalTeacher and FocalTeacher):
 * `global_encoder_x.` and the block's own, then `global_linear.`; `focal_` likewise. GC ViT: Hatamizadeh et al., ICML
 * 2023; FocalNet: Yang et al., NeurIPS 2022.
 *
 * @example
 * ```ts
 * using teacher = createTeacher({ branch: 'global', seed: 1 });
 * const { maps, embedding } = teacher.forward(images); // [B, 3, 224, 224] -> four maps, [B, 64]
 * ```
 */
export class TeacherNetwork extends Network {
  /** What it was made from. */
  readonly options: Readonly<Required<TeacherOptions>>;

  /** @hidden */
  constructor(options: Readonly<Required<TeacherOptions>>) {
    const { branch, seed, dropPath } = options;
    super(`${branch}-teacher`, { seed, dropPath });
    this.options = options;
  }

  /**
   * The forward pass with everything that it gives. {@link TeacherNetwork.embed} and {@link TeacherNetwork.maps} do less
   * where less is needed.
   *
   * @param images float `[B, 3, 224, 224]`, normalised
   * @param options mode of this pass: evaluation leaves stochastic depth out
   * @throws CxrGazeError when read: `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`
   */
  forward(images: Tensor, options: ForwardOptions = {}): TeacherOutput {
    const { embedding, taps } = this.forwardWithTaps(images, ['features', ...mapTaps], options);
    const { features, map0, map1, map2, map3 } = taps as Record<string, Tensor> & Taps;
    return { maps: [map0, map1, map2, map3], featureMap: features, embedding };
  }

  /**
   * The embedding alone: no decoder runs.
   *
   * @param images float `[B, 3, 224, 224]`, normalised
   * @param options mode of this pass
   * @returns `[B, 64]`
   */
  embed(images: Tensor, options: ForwardOptions = {}): Tensor {
    return this.run('forward', requireTensors([images], 'images'), modeOf(options))[0] as Tensor;
  }

  /**
   * The four maps alone: what training on gaze needs.
   *
   * @param images float `[B, 3, 224, 224]`, normalised
   * @param options mode of this pass
   * @returns `[B, 3, 224, 224]` for each time window, in float32 or float64
   */
  maps(images: Tensor, options: ForwardOptions = {}): readonly [Tensor, Tensor, Tensor, Tensor] {
    const maps = this.run('maps', requireTensors([images], 'images'), modeOf(options));
    return maps as [Tensor, Tensor, Tensor, Tensor];
  }

  /**
   * The embedding with named activations.
   *
   * @param images float `[B, 3, 224, 224]`, normalised
   * @param taps names of {@link Network.tapNames}; the decoders run only where a map is among them
   * @param options mode of this pass
   */
  forwardWithTaps(
    images: Tensor,
    taps: readonly string[],
    options: ForwardOptions = {},
  ): {
    /** `[B, 64]`. */
    embedding: Tensor;
    /** Activations by the names asked for, in float32 or float64. */
    taps: Record<string, Tensor>;
  } {
    const pass = this.runWithTaps(images, taps, options);
    return { embedding: pass.result, taps: pass.taps };
  }
}

type Taps = Readonly<Record<'features' | (typeof mapTaps)[number], Tensor>>;

/** @internal Drop path of the last block as published. */
export const publishedDropPath: Readonly<Record<TeacherBranch, number>> = { global: 0.2, focal: 0.1 };

/**
 * Makes a teacher with random weights, the same for the same seed: linear layers and position tables from N(0, 0.02²),
 * convolutions and the projection to 64 numbers as PyTorch does it.
 *
 * @param options branch, seed, stochastic depth
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function createTeacher(options: TeacherOptions): TeacherNetwork {
  knownKeys('options', options, ['branch', 'seed', 'dropPath']);
  const branch = oneOf('branch', options.branch, teacherBranches);
  return new TeacherNetwork({
    branch,
    seed: integer('seed', options.seed ?? 0, { min: 0 }),
    dropPath: number('dropPath', options.dropPath ?? publishedDropPath[branch], { min: 0, below: 1 }),
  });
}

/**
 * Loads the weights of a block, as the authors' files hold them (keys `global_encoder.*`, `global_decoder.*`,
 * `global_decoder_0.*` ..; focal likewise), into a teacher. The projection to 64 numbers is in none of these files and
 * stays as it is. Nothing is changed if anything does not fit.
 *
 * @param teacher the teacher of that branch
 * @param block tensors by the block's keys, all of them
 * @throws CxrGazeError `ERR_STATE_DICT` naming the keys and shapes that do not fit
 */
export async function loadTeacherBlock(
  teacher: TeacherNetwork,
  block: ReadonlyMap<string, Tensor>,
): Promise<LoadReport> {
  if (!(teacher instanceof TeacherNetwork)) throw invalidArgument('teacher', 'a TeacherNetwork', teacher);
  if (!(block instanceof Map)) throw invalidArgument('block', 'a Map of tensors', block);
  const { branch } = teacher.options;
  return tidy(async () => {
    const own = [...(await teacher.stateDict())].filter(([name]) => name.startsWith(`${branch}_linear.`));
    const given = [...block].map(([name, value]) => [`${branch}_encoder_x.${name}`, value] as const);
    return teacher.loadStateDict(new Map([...given, ...own]));
  });
}

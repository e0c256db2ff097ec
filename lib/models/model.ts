import { noGrad } from '../tensor/context.js';
import { requireTensors, type Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { integer, knownKeys, list, oneOf, text } from '../validate.js';
import { type ForwardOptions, modeOf, Network, requireNetwork } from './network.js';

/** Backbones by name. */
export type Architecture = 'resnet18' | 'resnet34' | 'resnet50' | 'resnet101';

/** All backbones. */
export const architectures: readonly Architecture[] = ['resnet18', 'resnet34', 'resnet50', 'resnet101'];

/**
 * Classifier heads: `linear` is one layer (`fc.weight`), as torchvision and the long-tail benchmark have it;
 * `bottleneck64` is GazeLT's two layers with 64 numbers between and no activation (`fc.0`, `fc.1`).
 */
export type HeadKind = 'linear' | 'bottleneck64';

/** Channels of the published backbones' first stage. */
export const publishedWidth = 64;

/** Widths that a backbone takes. */
export const widths = { min: 1, max: 1024 };

/** @internal A backbone as reports and folders of runs name it: `resnet18`, `resnet18-w8` where it is not of published width. */
export function backboneName(architecture: Architecture, width: number): string {
  return width === publishedWidth ? architecture : `${architecture}-w${width}`;
}

/** Options of {@link createModel}. */
export interface ModelOptions {
  /** The backbone. */
  readonly architecture: Architecture;
  /** Number of classes, at least 1. */
  readonly classes: number;
  /** The head; default `linear`. */
  readonly head?: HeadKind;
  /**
   * Channels of the first stage's blocks; each later stage has twice those of the one before. Default 64, as published:
   * no published weights fit another width. A narrow network has few weights (resnet18: 11 million at 64, 0.2 million at
   * 8), so that a training is tried out in seconds.
   */
  readonly width?: number;
  /** Seed of the random initial weights; default 0. */
  readonly seed?: number;
}

/**
 * A backbone with its head, on the compute lane.
 *
 * @example
 * ```ts
 * using model = createModel({ architecture: 'resnet18', classes: 8, seed: 1 });
 * const logits = model.forward(images); // [B, 3, H, W] -> [B, 8]
 * ```
 */
export class Model extends Network {
  /** What it was made from. */
  readonly options: Readonly<Required<ModelOptions>>;

  /** @hidden */
  constructor(options: Readonly<Required<ModelOptions>>) {
    const { architecture, ...rest } = options;
    super(architecture, rest);
    this.options = options;
  }

  /**
   * The forward pass.
   *
   * @param images float `[B, 3, H, W]`
   * @param options mode of this pass
   * @returns logits `[B, classes]`
   */
  forward(images: Tensor, options: ForwardOptions = {}): Tensor {
    return this.run('forward', requireTensors([images], 'images'), modeOf(options))[0] as Tensor;
  }

  /**
   * The forward pass with named activations.
   *
   * @param images float `[B, 3, H, W]`
   * @param taps names of {@link Model.tapNames}
   * @returns the logits and one float32 (or float64) tensor for each tap
   */
  forwardWithTaps(
    images: Tensor,
    taps: readonly string[],
  ): {
    /** `[B, classes]`. */
    logits: Tensor;
    /** Activations by the names asked for. */
    taps: Record<string, Tensor>;
  } {
    list('taps', taps, text);
    const [logits, ...rest] = this.run('forward', requireTensors([images], 'images'), { taps });
    return {
      logits: logits as Tensor,
      taps: Object.fromEntries(taps.map((name, i) => [name, rest[i] as Tensor])),
    };
  }

  /**
   * How many times batch normalisation's running statistics move a training step. GazeLT's original ran the network
   * twice on each batch, so its statistics moved twice.
   *
   * @param updates at least 1
   * @returns this model
   */
  setBatchNormUpdates(updates: number): this {
    return this.change('batchNormUpdates', { updates: integer('updates', updates, { min: 1 }) });
  }
}

const modelKeys = ['architecture', 'classes', 'head', 'width', 'seed'] as const;

/**
 * Makes a model with random weights, initialised as torchvision does, the same for the same seed.
 *
 * @param options backbone, classes, head, width, seed
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function createModel(options: ModelOptions): Model {
  knownKeys('options', options, modelKeys);
  return new Model({
    architecture: oneOf('architecture', options.architecture, architectures),
    classes: integer('classes', options.classes, { min: 1 }),
    head: oneOf('head', options.head ?? 'linear', ['linear', 'bottleneck64']),
    width: integer('width', options.width ?? publishedWidth, widths),
    seed: integer('seed', options.seed ?? 0, { min: 0 }),
  });
}

/** Class probabilities: softmax of the logits in evaluation mode, without a graph. The model's own mode stays. */
export function probabilities(model: Model, images: Tensor): Tensor {
  requireNetwork(model);
  return noGrad(() =>
    tidy(() => model.forward(images, { evaluation: true }).to({ dtype: 'float32' }).softmax(-1)),
  );
}

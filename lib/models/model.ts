import { noGrad } from '../tensor/context.js';
import { requireTensors, type Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { integer, invalidArgument, knownKeys, number, oneOf } from '../validate.js';
import { type ForwardOptions, modeOf, Network, requireNetwork } from './network.js';

/**
 * Backbones by name, as torchvision (ResNet: He et al., CVPR 2016; VGG16: Simonyan and Zisserman, ICLR 2015) and timm (PVT
 * v2: Wang et al., Computational Visual Media 2022; `_li` is its linear attention) build them.
 */
export const architectures = [
  ...(['resnet18', 'resnet34', 'resnet50', 'resnet101', 'vgg16'] as const),
  ...(['pvt_v2_b0', 'pvt_v2_b1', 'pvt_v2_b2', 'pvt_v2_b2_li'] as const),
  ...(['pvt_v2_b3', 'pvt_v2_b4', 'pvt_v2_b5'] as const),
] as const;

/** One of {@link architectures}. */
export type Architecture = (typeof architectures)[number];

/**
 * Classifier heads: `linear` is one layer in place of the backbone's own last one (`fc` of ResNets, `classifier.6` of
 * VGG16, `head` of PVT); `bottleneck64` is GazeLT's two layers with 64 numbers between and no activation (`fc.0`, `fc.1`;
 * `head.0`, `head.1`), for backbones whose head sees pooled features, which VGG16's does not.
 */
export type HeadKind = 'linear' | 'bottleneck64';

/** @internal All kinds of heads. */
export const headKinds: readonly HeadKind[] = ['linear', 'bottleneck64'];

/** Channels of the published ResNets' and VGG16's first stage. */
export const publishedWidth = 64;

/** Widths that a backbone takes. */
export const widths = { min: 1, max: 1024 };

/** @internal A backbone as reports and folders of runs name it: `resnet18`, `resnet18-w8` where it is not of published width. */
export function backboneName(architecture: Architecture, width: number): string {
  return width === publishedWidth ? architecture : `${architecture}-w${width}`;
}

/** @internal Key of a backbone's head in its state dict, without the dot that follows. */
export function headKey(architecture: Architecture): 'fc' | 'classifier.6' | 'head' {
  if (architecture === 'vgg16') return 'classifier.6';
  return architecture.startsWith('pvt') ? 'head' : 'fc';
}

/** @internal Tap of the 64 numbers of the `bottleneck64` head. */
export function bottleneckTap(architecture: Architecture): string {
  return `${headKey(architecture)}.0`;
}

/**
 * @internal Refuses a head that a backbone cannot have.
 *
 * @param name of the option that asks for it
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function checkHead(name: string, head: HeadKind, architecture: Architecture): HeadKind {
  if (head === 'linear' || architecture !== 'vgg16') return head;
  throw invalidArgument(name, "'linear', since vgg16 has no pooled features,", head);
}

/**
 * @internal Refuses a width that a backbone cannot have.
 *
 * @param name of the option that asks for it
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function checkWidth(name: string, width: unknown, architecture: Architecture): number {
  const channels = integer(name, width, widths);
  if (channels === publishedWidth || !architecture.startsWith('pvt')) return channels;
  throw invalidArgument(name, `${publishedWidth}, since ${architecture} comes in no other width,`, width);
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
   * Channels of the first stage of a ResNet or VGG16; the others' grow and shrink in proportion, VGG16's hidden layers too.
   * Default 64, as published: no published weights fit another width. A narrow network has few weights (resnet18: 11 million
   * at 64, 0.2 million at 8), so that a training is tried out in seconds. PVT has no other: its sizes are names of their own.
   */
  readonly width?: number;
  /** Seed of the random initial weights; default 0. */
  readonly seed?: number;
  /**
   * Probability with which each of the 4,096 numbers after VGG16's first two linear layers is left out in training; at
   * least 0, below 1; default 0.5. The other backbones have no dropout: 0.
   */
  readonly dropout?: number;
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
   * @param options mode of this pass
   * @returns the logits and one float32 (or float64) tensor for each tap
   */
  forwardWithTaps(
    images: Tensor,
    taps: readonly string[],
    options: ForwardOptions = {},
  ): {
    /** `[B, classes]`. */
    logits: Tensor;
    /** Activations by the names asked for. */
    taps: Record<string, Tensor>;
  } {
    const pass = this.runWithTaps(images, taps, options);
    return { logits: pass.result, taps: pass.taps };
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

const modelKeys = ['architecture', 'classes', 'head', 'width', 'seed', 'dropout'] as const;

/**
 * Makes a model with random weights, initialised as torchvision and timm do, the same for the same seed. ResNets take
 * images of any size, VGG16 of at least 32 pixels a side, PVT of at least 29, with linear attention of any.
 *
 * @param options backbone, classes, head, width, seed, dropout
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function createModel(options: ModelOptions): Model {
  knownKeys('options', options, modelKeys);
  const architecture = oneOf('architecture', options.architecture, architectures);
  return new Model({
    architecture,
    classes: integer('classes', options.classes, { min: 1 }),
    head: checkHead('head', oneOf('head', options.head ?? 'linear', headKinds), architecture),
    width: checkWidth('width', options.width ?? publishedWidth, architecture),
    seed: integer('seed', options.seed ?? 0, { min: 0 }),
    dropout: dropoutOf(options.dropout, architecture),
  });
}

function dropoutOf(given: number | undefined, architecture: Architecture): number {
  const drops = architecture === 'vgg16';
  const rate = number('dropout', given ?? (drops ? 0.5 : 0), { min: 0, below: 1 });
  if (rate === 0 || drops) return rate;
  throw invalidArgument('dropout', `0, since ${architecture} has none,`, given);
}

/** Class probabilities: softmax of the logits in evaluation mode, without a graph. The model's own mode stays. */
export function probabilities(model: Model, images: Tensor): Tensor {
  requireNetwork(model);
  return noGrad(() =>
    tidy(() => model.forward(images, { evaluation: true }).to({ dtype: 'float32' }).softmax(-1)),
  );
}

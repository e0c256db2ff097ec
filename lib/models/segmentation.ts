import { requireTensors, type Tensor } from '../tensor/tensor.js';
import { integer, knownKeys } from '../validate.js';
import { publishedWidth, widths } from './model.js';
import { type ForwardOptions, modeOf, Network } from './network.js';

/** Sides of the images that a {@link SegmentationNetwork} takes are multiples of this many pixels. */
export const segmentationStep = 16;

/** Options of {@link createSegmentationNetwork}. */
export interface SegmentationNetworkOptions {
  /** Seed of the random initial weights; default 0. */
  readonly seed?: number;
  /** Channels of the first level, doubled at each further one: 1 to 1024; default 64, the published U-Net's. */
  readonly width?: number;
}

/**
 * U-Net (Ronneberger et al., MICCAI 2015) that tells each pixel's logit of belonging to the lungs, with the keys of
 * `rcorizzo/cxr-segmentation-attention: scripts/model.py`. Its taps are `e1.conv`, `e1.pool` .. `e4.pool`, `b`, `d1.up`,
 * `d1` .. `d4`.
 *
 * @example
 * ```ts
 * using network = createSegmentationNetwork({ seed: 1 });
 * const logits = network.forward(images); // [B, 3, H, W] -> [B, 1, H, W]
 * ```
 */
export class SegmentationNetwork extends Network {
  /** What it was made from. */
  readonly options: Readonly<Required<SegmentationNetworkOptions>>;

  /** @hidden */
  constructor(options: Readonly<Required<SegmentationNetworkOptions>>) {
    super('unet', { ...options });
    this.options = options;
  }

  /**
   * The forward pass.
   *
   * @param images float `[B, 3, H, W]`, sides multiples of 16
   * @param options mode of this pass
   * @returns logits `[B, 1, H, W]`
   * @throws CxrGazeError when read: `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`
   */
  forward(images: Tensor, options: ForwardOptions = {}): Tensor {
    return this.run('forward', requireTensors([images], 'images'), modeOf(options))[0] as Tensor;
  }

  /**
   * The forward pass with named activations.
   *
   * @param images float `[B, 3, H, W]`, sides multiples of 16
   * @param taps names of {@link Network.tapNames}
   * @param options mode of this pass
   */
  forwardWithTaps(
    images: Tensor,
    taps: readonly string[],
    options: ForwardOptions = {},
  ): {
    /** `[B, 1, H, W]`. */
    logits: Tensor;
    /** Activations by the names asked for, in float32 or float64. */
    taps: Record<string, Tensor>;
  } {
    const pass = this.runWithTaps(images, taps, options);
    return { logits: pass.result, taps: pass.taps };
  }
}

/**
 * Makes a U-Net with random weights as PyTorch initialises its layers, the same for the same seed.
 *
 * @param options seed and width
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function createSegmentationNetwork(options: SegmentationNetworkOptions = {}): SegmentationNetwork {
  knownKeys('options', options, ['seed', 'width']);
  return new SegmentationNetwork({
    seed: integer('seed', options.seed ?? 0, { min: 0 }),
    width: integer('width', options.width ?? publishedWidth, widths),
  });
}

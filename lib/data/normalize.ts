import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { knownKeys, list, number } from '../validate.js';

/** Mean of ImageNet's red, green and blue, in 0 to 1. */
export const imagenetMean: readonly [number, number, number] = [0.485, 0.456, 0.406];

/** Standard deviation of ImageNet's red, green and blue, in 0 to 1. */
export const imagenetStd: readonly [number, number, number] = [0.229, 0.224, 0.225];

/** Half, of each channel: as mean and as deviation it takes [0, 1] to [-1, 1] (loc-attention, section 2.4). */
export const halfOfEach: readonly [number, number, number] = [0.5, 0.5, 0.5];

/** Options of {@link normalizeImages}. */
export interface NormalizeOptions {
  /** What is subtracted from each channel in 0 to 1; {@link imagenetMean} by default. */
  readonly mean?: readonly [number, number, number];
  /** What each channel is divided by then; {@link imagenetStd} by default. */
  readonly std?: readonly [number, number, number];
}

/**
 * From a batch of 8-bit pixels to the network's input: (v / 255 - mean) / std in float32, to the bit as torchvision's
 * `ToTensor` and `Normalize`; grey is replicated into three channels.
 *
 * @param pixels uint8 `[B, H, W, 1]` or `[B, H, W, 3]`
 * @param options mean and deviation
 * @returns float32 `[B, 3, H, W]`, channels last in memory
 */
export function normalizeImages(pixels: Tensor, options: NormalizeOptions = {}): Tensor {
  knownKeys('options', options, ['mean', 'std']);
  const mean = list('options.mean', options.mean ?? imagenetMean, (name, value) => number(name, value));
  const std = list('options.std', options.std ?? imagenetStd, (name, value) =>
    number(name, value, { above: 0 }),
  );
  return run('image.normalize', [pixels], { mean, std });
}

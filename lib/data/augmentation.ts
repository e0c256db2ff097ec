import { integer, knownKeys, number } from '../validate.js';
import { rng } from './random.js';

/** What is done to one training image: first the flip, then the rotation. */
export interface Augmentation {
  /** Whether left and right change places. */
  readonly flip: boolean;
  /** Rotation about the centre in degrees, counter-clockwise, corners black. */
  readonly angle: number;
}

/** How strongly training images are varied. */
export interface AugmentationOptions {
  /** Probability of the flip, 0 to 1; 0.5 by default. */
  readonly flipProbability?: number;
  /** Angles are uniform in `[-maxAngle, maxAngle)` degrees; 15 by default. */
  readonly maxAngle?: number;
}

/**
 * The random part of GazeLT's and LongTailCXR's training transform: flip with probability 0.5, then
 * rotation by an angle uniform in [-15°, 15°). Nothing is moved here.
 *
 * @param seed the seed of the run
 * @param epoch of training; for test-time augmentation the number of the copy
 * @param index of the sample in its data set
 * @returns the same parameters for the same three numbers, in whatever order they are asked for
 */
export function drawAugmentation(
  seed: number,
  epoch: number,
  index: number,
  options: AugmentationOptions = {},
): Augmentation {
  knownKeys('options', options, ['flipProbability', 'maxAngle']);
  const probability = number('options.flipProbability', options.flipProbability ?? 0.5, { min: 0, max: 1 });
  const maxAngle = number('options.maxAngle', options.maxAngle ?? 15, { min: 0, max: 180 });
  const random = rng(seed, 'augmentation', integer('epoch', epoch), integer('index', index, { min: 0 }));
  const flip = random.uniform() < probability;
  return { flip, angle: maxAngle === 0 ? 0 : random.uniform(-maxAngle, maxAngle) };
}

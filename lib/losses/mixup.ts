import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { integer, invalidArgument, knownKeys, number, oneOf } from '../validate.js';

/** What the draws of MixUp need of a generator, such as `rng(seed, 'mixup', epoch, step)` gives. */
export interface MixupRandom {
  /** A number of the distribution Beta(a, b). */
  beta(a: number, b: number): number;
  /** 0 to n - 1 in random order. */
  permutation(n: number): ArrayLike<number>;
}

/** How a batch is mixed with itself. */
export interface MixupDraw {
  /** Weight λ of each image itself, in [0, 1]; its partner gets 1 - λ. */
  readonly lambda: number;
  /** `permutation[i]` is the partner of image i. */
  readonly permutation: readonly number[];
}

/**
 * Draws λ ~ Beta(α, α), one for the batch, and a partner for each image.
 *
 * @param random source of the draws
 * @param batch number of images
 * @param alpha α; 0 and below leave the images as they are (λ = 1). Default 0.2
 */
export function drawMixup(random: MixupRandom, batch: number, alpha = 0.2): MixupDraw {
  integer('batch', batch, { min: 1 });
  number('alpha', alpha);
  requireDraws(random, ['beta', 'permutation']);
  const lambda = alpha > 0 ? random.beta(alpha, alpha) : 1;
  return { lambda, permutation: Array.from(random.permutation(batch)) };
}

/** Options of {@link drawBalancedMixup}. */
export interface BalancedMixupDrawOptions {
  /** α; 0 and below leave the natural images as they are (λ = 0). Default 0.2. */
  readonly alpha?: number;
  /**
   * `'alpha-one'`: Beta(α, 1), as the authors of the method draw it; `'symmetric'`: Beta(α, α), as the long-tail benchmark
   * does. Default `'alpha-one'`.
   */
  readonly distribution?: 'alpha-one' | 'symmetric';
}

/**
 * Draws the weight λ of the class-balanced batch in Balanced-MixUp.
 *
 * @param random source of the draw
 * @param options α and distribution
 * @returns λ in [0, 1]
 */
export function drawBalancedMixup(
  random: Pick<MixupRandom, 'beta'>,
  options: BalancedMixupDrawOptions = {},
): number {
  knownKeys('options', options, ['alpha', 'distribution']);
  const alpha = number('options.alpha', options.alpha ?? 0.2);
  const kind = oneOf('options.distribution', options.distribution ?? 'alpha-one', ['alpha-one', 'symmetric']);
  requireDraws(random, ['beta']);
  return alpha > 0 ? random.beta(alpha, kind === 'symmetric' ? alpha : 1) : 0;
}

/**
 * λ x + (1 - λ) x[permutation]. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
 *
 * @param x [B, ...], floating point; the dtype is kept, the sum made in float32 at least
 * @param draw λ and partners, as {@link drawMixup} gives them
 * @returns mixed images of the shape of `x`
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for λ outside [0, 1] or what is no permutation, `ERR_INVALID_SHAPE`
 */
export function mixup(x: Tensor, draw: MixupDraw): Tensor {
  knownKeys('draw', draw, ['lambda', 'permutation']);
  const lambda = number('draw.lambda', draw.lambda, { min: 0, max: 1 });
  return run('loss.mixup', [x], { lambda, permutation: permutationOf(draw.permutation) });
}

/**
 * (1 - λ) natural + λ balanced. Galdran et al., "Balanced-MixUp for Highly Imbalanced Medical Image Classification",
 * MICCAI 2021. (As the long-tail benchmark codes it, both batches come from the natural sampler and nothing is mixed.)
 *
 * @param natural [B, ...] from the natural sampler
 * @param balanced the same shape, from the class-balanced sampler
 * @param options `lambda`: weight of `balanced`, in [0, 1], as {@link drawBalancedMixup} gives it
 * @returns mixed images of the same shape
 */
export function balancedMixup(
  natural: Tensor,
  balanced: Tensor,
  options: { readonly lambda: number },
): Tensor {
  knownKeys('options', options, ['lambda']);
  const lambda = number('options.lambda', options.lambda, { min: 0, max: 1 });
  return run('loss.balancedMixup', [natural, balanced], { lambda });
}

/**
 * λ a + (1 - λ) b: the loss that goes with mixed images. For MixUp, `a` is the loss against the labels and `b` that
 * against the partners' labels; for Balanced-MixUp, `a` is against the balanced and `b` against the natural labels.
 *
 * @param a scalar
 * @param b scalar
 * @param lambda λ in [0, 1]
 * @returns a scalar
 */
export function mixedLoss(a: Tensor, b: Tensor, lambda: number): Tensor {
  number('lambda', lambda, { min: 0, max: 1 });
  return a.mul(lambda).add(b.mul(1 - lambda));
}

/**
 * The labels of the partners of {@link MixupDraw}.
 *
 * @param labels label of each image
 * @param permutation partner of each image
 * @returns `labels[permutation[i]]`
 */
export function permuteLabels(labels: ArrayLike<number>, permutation: readonly number[]): number[] {
  const order = permutationOf(permutation);
  if (order.length !== labels.length) {
    throw invalidArgument('permutation', `${labels.length} indices, one for each label,`, permutation);
  }
  return order.map((partner) => labels[partner] as number);
}

function requireDraws(random: Partial<MixupRandom> | null, draws: readonly (keyof MixupRandom)[]): void {
  for (const draw of draws) {
    if (typeof random?.[draw] !== 'function')
      throw invalidArgument('random', `a generator with the draw '${draw}', such as rng() gives`, random);
  }
}

function permutationOf(value: unknown): number[] {
  if (!Array.isArray(value)) throw invalidArgument('permutation', 'an array', value);
  const seen = new Set<number>();
  for (const [i, index] of value.entries()) {
    integer(`permutation[${i}]`, index, { min: 0, max: value.length - 1 });
    if (seen.has(index))
      throw invalidArgument(`permutation[${i}]`, 'an index that did not occur before', index);
    seen.add(index);
  }
  return value;
}

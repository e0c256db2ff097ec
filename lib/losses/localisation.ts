import type { Box } from '../data/box.js';
import { tensor } from '../tensor/create.js';
import { type OptionBag, runMany } from '../tensor/run.js';
import { requireTensors, Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { integer, invalidArgument, knownKeys, list, number, object, oneOf } from '../validate.js';
import { attentionDefaults, tauRange } from './attention-defaults.js';
import { type RegionTable, regions as regionNames } from './regions.js';

/** One box for each map: objects, integers x, y, width, height in a row, or an integer tensor [B, 4] of these. */
export type Boxes = Tensor | Int32Array | readonly Box[];

/** Options of {@link publishedAttention}. */
export interface PublishedAttentionOptions {
  /** The region of each class. */
  readonly regions: RegionTable;
  /** t: a pixel is hot where the map is above it (rounded to the map's precision); 0 to 1. Default 0.3. */
  readonly threshold?: number;
  /**
   * Width and height of the image in whose pixels the boxes are; default the map's own. Where they differ, the edges of the
   * boxes are scaled and rounded half to even.
   */
  readonly boxSize?: {
    /** Columns. */
    readonly width: number;
    /** Rows. */
    readonly height: number;
  };
}

/** Options of {@link softAttention}. */
export interface SoftAttentionOptions extends PublishedAttentionOptions {
  /** τ: width of the step between cold and hot, 1e-6 to 1e6. Default 0.1. */
  readonly tau?: number;
}

/** What {@link publishedAttention} gives. */
export interface PublishedAttention {
  /** a, [B]: 1 - share of the region that is hot. 0 for a class without a region, and for an empty region. */
  readonly attention: Tensor;
  /** bool [B]: the class has a region, but no pixel of the map lies in it (a flat box; no lung found and `outside`). */
  readonly empty: Tensor;
}

/** What {@link softAttention} gives. */
export interface SoftAttention extends PublishedAttention {
  /** o, [B]: mean soft heat of the pixels that are not in the region. 0 where there are none, and where a is 0 by rule. */
  readonly outside: Tensor;
}

const publishedKeys = ['regions', 'threshold', 'boxSize'];

/**
 * The localisation term as published: how much of the place where a disease belongs the map leaves cold. A count of
 * pixels, so it has **no gradient**: it moves what is logged and the learning-rate schedule, never the weights directly.
 * {@link softAttention} is the form that trains.
 *
 * With R the region of the label and M the map: a = 1 - |{p in R: M_p > t}| / |R|. A region that is empty, which makes the
 * original's loss NaN or stops it, gives a = 0 and is told in `empty`. Wu et al., Data Mining and Knowledge Discovery
 * 40(4):47, 2026; `deeplearninglab21/cxr-loc-attention: scripts/model_loss_attent.py`.
 *
 * @param maps [B, H, W], floating point
 * @param boxes one box around the lungs for each map; what reaches over the border is cut off
 * @param labels int64 [B], the true classes
 * @param options regions and threshold
 * @throws CxrGazeError `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`; `ERR_INVALID_ARGUMENT` for a label without an entry in the
 *   table, or a box with a negative number
 */
export function publishedAttention(
  maps: Tensor,
  boxes: Boxes,
  labels: Tensor,
  options: PublishedAttentionOptions,
): PublishedAttention {
  knownKeys('options', options, publishedKeys);
  const [attention, empty] = attentionTerms('loss.publishedAttention', maps, boxes, labels, bagOf(options));
  return { attention: attention as Tensor, empty: empty as Tensor };
}

/**
 * The localisation term that can be minimised: {@link publishedAttention} with the step M > t replaced by a smooth one, so
 * that gradients flow through the map into the weights. With heat = σ((M - t) / τ): a = 1 - mean heat of the region, o =
 * mean heat of all other pixels. As τ goes to 0, a goes to the published value. Minimising a alone makes maps hot
 * everywhere; o in the loss ({@link localisationLoss}, `penaliseOutside`) counters that.
 *
 * @param maps [B, H, W] of `attentionMap` with `differentiable: true`
 * @param boxes one box around the lungs for each map
 * @param labels int64 [B], the true classes
 * @param options regions, threshold and τ
 * @throws CxrGazeError as {@link publishedAttention}
 */
export function softAttention(
  maps: Tensor,
  boxes: Boxes,
  labels: Tensor,
  options: SoftAttentionOptions,
): SoftAttention {
  knownKeys('options', options, [...publishedKeys, 'tau']);
  const tau = number('options.tau', options.tau ?? attentionDefaults.tau, tauRange);
  const bag = { ...bagOf(options), tau };
  const [attention, outside, empty] = attentionTerms('loss.softAttention', maps, boxes, labels, bag);
  return { attention: attention as Tensor, outside: outside as Tensor, empty: empty as Tensor };
}

/** Options of {@link localisationLoss}. */
export interface LocalisationLossOptions {
  /** λ, 0 to 1: share of the classification loss; 1 is that loss alone. */
  readonly lambda: number;
  /** μ, at least 0: weight of the heat outside the region. Default 0, as published. */
  readonly penaliseOutside?: number;
}

/**
 * λ CE + (1 - λ) (a + μ o), averaged over the batch.
 *
 * @param classification a scalar such as `crossEntropy` gives, or [B], whose mean is taken
 * @param terms of {@link publishedAttention} or {@link softAttention}
 * @param options λ and μ
 * @returns a scalar
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for λ outside 0 to 1, and for μ above 0 with the published term, which has no
 *   o
 */
export function localisationLoss(
  classification: Tensor,
  terms: PublishedAttention | SoftAttention,
  options: LocalisationLossOptions,
): Tensor {
  knownKeys('options', options, ['lambda', 'penaliseOutside']);
  const lambda = number('options.lambda', options.lambda, { min: 0, max: 1 });
  const mu = number('options.penaliseOutside', options.penaliseOutside ?? 0, { min: 0 });
  requireTensors([classification], 'classification');
  const { attention } = object('terms', terms);
  const outside = 'outside' in terms ? terms.outside : undefined;
  if (mu > 0 && outside === undefined)
    throw invalidArgument('options.penaliseOutside', '0 beside a term that has no outside', mu);
  return tidy(() => {
    const place = mu > 0 && outside !== undefined ? attention.add(outside.mul(mu)) : attention;
    return classification
      .mean()
      .mul(lambda)
      .add(place.mean().mul(1 - lambda));
  });
}

function bagOf(options: PublishedAttentionOptions): OptionBag {
  const regions = list('options.regions', options.regions, (name, region) =>
    region === null ? 'none' : oneOf(name, region, regionNames),
  );
  if (regions.length === 0) throw invalidArgument('options.regions', 'a region for each class', regions);
  const threshold = number('options.threshold', options.threshold ?? attentionDefaults.threshold, {
    min: 0,
    max: 1,
  });
  if (options.boxSize === undefined) return { regions, threshold };
  const { width, height } = object('options.boxSize', options.boxSize);
  return {
    ...{ regions, threshold },
    width: integer('options.boxSize.width', width, { min: 1 }),
    height: integer('options.boxSize.height', height, { min: 1 }),
  };
}

function attentionTerms(
  operation: string,
  maps: Tensor,
  boxes: Boxes,
  labels: Tensor,
  options: OptionBag,
): Tensor[] {
  requireTensors([maps], 'maps');
  requireTensors([labels], 'labels');
  if (boxes instanceof Tensor) return runMany(operation, [maps, boxes, labels], options);
  const values = boxes instanceof Int32Array ? boxes : numbersOf(boxes);
  if (values.length === 0 || values.length % 4 !== 0)
    throw invalidArgument('boxes', 'four integers for each map', values.length);
  const made = tensor(values, [values.length / 4, 4]);
  try {
    return runMany(operation, [maps, made, labels], options);
  } finally {
    made.dispose();
  }
}

function numbersOf(boxes: readonly Box[]): Int32Array {
  const rows = list('boxes', boxes, (name, box) => {
    const { x, y, width, height } = object(name, box as Box);
    const part = (key: string, value: number): number => integer(`${name}.${key}`, value, { min: 0 });
    return [part('x', x), part('y', y), part('width', width), part('height', height)];
  });
  return Int32Array.from(rows.flat());
}

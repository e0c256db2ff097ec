import { native } from '../native.js';
import { flag, integer, invalidArgument, knownKeys, list, number, object, oneOf } from '../validate.js';
import { type Reading, requireReading } from './reading.js';
import type { WindowShare } from './windows.js';

/** Length in pixels of the film that GazeLT's σ is meant for. */
const referenceSide = 2048;
/** Largest side, and number of pixels, of a heat map. */
const maxSide = 16384;
const maxPixels = 2 ** 26;

/** What is drawn into one heat map: places on a film, each with its weight. */
export interface WeightedPoints {
  /** Columns of the film. */
  readonly width: number;
  /** Rows of the film. */
  readonly height: number;
  /** Columns of the points, pixels of the film from its left edge. */
  readonly x: ArrayLike<number>;
  /** Rows of the points, pixels of the film from its upper edge. */
  readonly y: ArrayLike<number>;
  /** Weights of the points, at least 0: seconds, or 1 each. */
  readonly weight: ArrayLike<number>;
}

/** Options of {@link renderHeatmaps}. */
export interface HeatmapOptions {
  /** Rows of the map. Default 224. */
  readonly height?: number;
  /** Columns of the map. Default 224. */
  readonly width?: number;
  /** Standard deviation of the Gaussian; GazeLT's are 64 (global) and 128 (focal). Default 64. */
  readonly sigma?: number;
  /**
   * What σ counts: `'film'`, pixels of the film if its long side had 2048 (so a film of another size, and a map of any
   * size, gets the same blur relative to the film); `'pixel'`, pixels of the map. Default `'film'`, and `'pixel'` with
   * the original layout, which knows no other.
   */
  readonly sigmaUnit?: 'film' | 'pixel';
  /**
   * `'image'`: rows are y, one bin a pixel, points off the film dropped. `'original'`: as GazeLT's program has it: rows
   * are bins of x and columns bins of y, their range spanned by the points. Default `'image'`.
   */
  readonly layout?: 'image' | 'original';
  /**
   * Whether points of weight 1 at (0, 0) and (width, height) are added, as the original does to span the axes. Default:
   * with the original layout only.
   */
  readonly anchors?: boolean;
  /** `'max'` scales each map to a maximum of 1 (an empty one stays 0), `'none'` leaves sums of weights. Default `'max'`. */
  readonly normalise?: 'max' | 'none';
}

const optionNames = ['height', 'width', 'sigma', 'sigmaUnit', 'layout', 'anchors', 'normalise'] as const;

interface Plan {
  readonly height: number;
  readonly width: number;
  readonly sigma: number;
  readonly sigmaUnit: 'film' | 'pixel';
  readonly layout: 'image' | 'original';
  readonly anchors: boolean;
  readonly normalise: 'max' | 'none';
}

/** @internal Whether a heat map may be so large. */
export function fitsMap(width: number, height: number): boolean {
  return width <= maxSide && height <= maxSide && width * height <= maxPixels;
}

/** Defaults filled in, ranges checked. */
function resolve(options: HeatmapOptions): Plan {
  knownKeys('options', options, optionNames);
  const height = integer('options.height', options.height ?? 224, { min: 1, max: maxSide });
  const width = integer('options.width', options.width ?? 224, { min: 1, max: maxSide });
  if (!fitsMap(width, height))
    throw invalidArgument('options.height', `at most ${maxPixels} pixels a map`, `${height} x ${width}`);
  const layout = oneOf('options.layout', options.layout ?? 'image', ['image', 'original']);
  const usualUnit = layout === 'original' ? 'pixel' : 'film';
  const sigmaUnit = oneOf('options.sigmaUnit', options.sigmaUnit ?? usualUnit, ['film', 'pixel']);
  if (layout === 'original' && sigmaUnit === 'film')
    throw invalidArgument('options.sigmaUnit', "'pixel' with the original layout", sigmaUnit);
  return {
    height,
    width,
    sigma: number('options.sigma', options.sigma ?? 64, { above: 0, max: maxSide }),
    sigmaUnit,
    layout,
    anchors: flag('options.anchors', options.anchors ?? layout === 'original'),
    normalise: oneOf('options.normalise', options.normalise ?? 'max', ['max', 'none']),
  };
}

/**
 * Renders heat maps: a histogram of the points, then a Gaussian filter, equal to SciPy's `gaussian_filter` of NumPy's
 * `histogram2d` (truncated at 4σ, borders reflected as often as the filter reaches). Coordinates are
 * scaled to the map first. The work runs on the data lane.
 *
 * @param maps one list of points a map; an empty one gives a map of zeros
 * @param options size, σ, layout
 * @returns a map each, row-major, `[height * width]`
 * @throws `ERR_INVALID_ARGUMENT` for options out of range, points that are no numbers, negative weights
 * @example
 * ```ts
 * const points = { width: 1024, height: 1024, x: [512], y: [300], weight: [1] };
 * const [map] = await renderHeatmaps([points], { sigma: 128 });
 * ```
 */
export async function renderHeatmaps(
  maps: readonly WeightedPoints[],
  options: HeatmapOptions = {},
): Promise<Float32Array[]> {
  const plan = resolve(options);
  const counts = list('maps', maps, (name, map) => pointCount(name, map as WeightedPoints));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const x = new Float64Array(total);
  const y = new Float64Array(total);
  const weight = new Float64Array(total);
  const sigmaRows = new Float64Array(maps.length);
  const sigmaColumns = new Float64Array(maps.length);
  let at = 0;
  for (const [m, points] of maps.entries()) {
    const [across, down] = [plan.width / points.width, plan.height / points.height];
    // σ of the film, in its own pixels, shrinks with each axis of the film.
    const film = Math.max(points.width, points.height) / referenceSide;
    sigmaRows[m] = plan.sigma * (plan.sigmaUnit === 'film' ? film * down : 1);
    sigmaColumns[m] = plan.sigma * (plan.sigmaUnit === 'film' ? film * across : 1);
    for (let i = 0; i < points.x.length; i++, at++) {
      x[at] = finite(`maps[${m}].x[${i}]`, points.x[i]) * across;
      y[at] = finite(`maps[${m}].y[${i}]`, points.y[i]) * down;
      weight[at] = positive(`maps[${m}].weight[${i}]`, points.weight[i]);
    }
  }
  return native().renderHeatmaps({
    ...{ height: plan.height, width: plan.width, counts: Uint32Array.from(counts) },
    ...{ x, y, weight, sigmaRows, sigmaColumns },
    original: plan.layout === 'original',
    anchors: plan.anchors,
    scaleToOne: plan.normalise === 'max',
  });
}

function pointCount(name: string, points: WeightedPoints): number {
  const { width, height, x, y, weight } = object(name, points);
  for (const [axis, values] of Object.entries({ x, y, weight })) {
    if (!(values?.length >= 0)) throw invalidArgument(`${name}.${axis}`, 'numbers', values);
  }
  number(`${name}.width`, width, { above: 0 });
  number(`${name}.height`, height, { above: 0 });
  if (y.length !== x.length) throw invalidArgument(`${name}.y`, `${x.length} values, as x has,`, y.length);
  if (weight.length !== x.length)
    throw invalidArgument(`${name}.weight`, `${x.length} values, as x has,`, weight.length);
  return x.length;
}

// Plain tests first: this is done for every sample of a data set.
function finite(name: string, value: number | undefined): number {
  return Number.isFinite(value) ? (value as number) : number(name, value);
}

function positive(name: string, value: number | undefined): number {
  return (value as number) >= 0 && Number.isFinite(value)
    ? (value as number)
    : number(name, value, { min: 0 });
}

/**
 * The points of a reading, or of one of its time windows, as {@link renderHeatmaps} takes them.
 *
 * @param reading whose fixations they are
 * @param shares of a window from `timeWindows`; by default every fixation with its duration
 */
export function readingPoints(reading: Reading, shares?: readonly WindowShare[]): WeightedPoints {
  const { width, height, fixations } = requireReading('reading', reading);
  const chosen =
    shares ?? fixations.map(({ start, end }, index): WindowShare => ({ index, weight: end - start }));
  list('shares', chosen, (name, share) => object(name, share as WindowShare));
  const x = new Float64Array(chosen.length);
  const y = new Float64Array(chosen.length);
  const weight = new Float64Array(chosen.length);
  for (const [i, share] of chosen.entries()) {
    const fixation = fixations[share.index];
    if (!fixation) throw invalidArgument(`shares[${i}].index`, `0 to ${fixations.length - 1}`, share.index);
    x[i] = fixation.x;
    y[i] = fixation.y;
    weight[i] = share.weight;
  }
  return { width, height, x, y, weight };
}

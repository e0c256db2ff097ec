import { CxrGazeError } from '../errors.js';
import { integer, invalidArgument, list, number, object } from '../validate.js';
import { type Fixation, isOnFilm } from './reading.js';

// How near a predicted map is to recorded gaze, with the definitions of Bylinskii et al., "What do different evaluation
// metrics tell us about saliency models?" (2019). All sums are in double precision.

/**
 * A teacher's map read as a saliency prediction: root of the mean over channels of squares, divided by its sum.
 *
 * @param map `[channels, height, width]`, row-major
 * @param channels default 3
 * @returns `[height * width]`, of sum 1; zeros where the map is zero everywhere
 */
export function saliencyOfMap(map: ArrayLike<number>, channels = 3): Float32Array {
  integer('channels', channels, { min: 1 });
  if (!(map?.length > 0) || map.length % channels !== 0)
    throw invalidArgument('map', `values for ${channels} channels`, map?.length);
  const area = map.length / channels;
  const roots = new Float64Array(area);
  let sum = 0;
  for (let p = 0; p < area; p++) {
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += (map[c * area + p] as number) ** 2;
    roots[p] = Math.sqrt(squares / channels);
    sum += roots[p] as number;
  }
  return Float32Array.from(roots, (value) => (sum > 0 ? value / sum : 0));
}

/** Mean and standard deviation (of all values, not of a sample). */
function moments(map: ArrayLike<number>): { mean: number; deviation: number } {
  let sum = 0;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let p = 0; p < map.length; p++) {
    const value = map[p] as number;
    sum += value;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const mean = sum / map.length;
  // A flat map has none; computed, it would have its rounding errors.
  if (low === high) return { mean, deviation: 0 };
  let squares = 0;
  for (let p = 0; p < map.length; p++) squares += ((map[p] as number) - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / map.length) };
}

function sameSize(prediction: ArrayLike<number>, target: ArrayLike<number>): void {
  for (const [name, map] of Object.entries({ prediction, target })) {
    if (!(map?.length >= 0)) throw invalidArgument(name, 'the values of a map', map);
  }
  if (prediction.length > 0 && prediction.length === target.length) return;
  throw new CxrGazeError(
    'ERR_INVALID_SHAPE',
    `Expected a prediction and a target of one size but received ${prediction.length} and ${target.length} values`,
  );
}

/**
 * Pearson's correlation of two maps (CC), -1 to 1; higher is better.
 *
 * @param prediction any scale
 * @param target any scale, of the same size
 * @returns 0 where either map is the same everywhere, as a uniform one is: it tells nothing about the other
 * @throws `ERR_INVALID_SHAPE` for maps of different sizes
 */
export function cc(prediction: ArrayLike<number>, target: ArrayLike<number>): number {
  sameSize(prediction, target);
  const [p, t] = [moments(prediction), moments(target)];
  if (p.deviation === 0 || t.deviation === 0) return 0;
  let products = 0;
  for (let i = 0; i < target.length; i++)
    products += ((prediction[i] as number) - p.mean) * ((target[i] as number) - t.mean);
  return products / target.length / (p.deviation * t.deviation);
}

/**
 * KL(target ‖ prediction) of two maps after each is divided by its sum: Σ t ln(ε + t / (p + ε)); 0 or more but for ε,
 * lower is better.
 *
 * @param target of values of at least 0, not all 0
 * @param prediction of values of at least 0, of the same size; where it is 0 everywhere it counts as 0, not as uniform
 * @param epsilon default 1e-7
 * @throws `ERR_INVALID_SHAPE` for maps of different sizes; `ERR_INVALID_ARGUMENT` for a target without mass
 */
export function klDivergence(
  target: ArrayLike<number>,
  prediction: ArrayLike<number>,
  epsilon = 1e-7,
): number {
  sameSize(prediction, target);
  number('epsilon', epsilon, { above: 0 });
  const [targetSum, predictionSum] = [mass('target', target), mass('prediction', prediction)];
  if (targetSum === 0) throw invalidArgument('target', 'a map that is not 0 everywhere', 0);
  let divergence = 0;
  for (let i = 0; i < target.length; i++) {
    const t = (target[i] as number) / targetSum;
    const p = predictionSum > 0 ? (prediction[i] as number) / predictionSum : 0;
    if (t > 0) divergence += t * Math.log(epsilon + t / (p + epsilon));
  }
  return divergence;
}

function mass(name: string, map: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < map.length; i++) {
    const value = map[i] as number;
    if (!(value >= 0)) throw invalidArgument(`${name}[${i}]`, 'a number of at least 0', value);
    sum += value;
  }
  return sum;
}

/** Where a reader looked, for {@link nss}. */
export interface LookedAt {
  /** Columns of the film. */
  readonly width: number;
  /** Rows of the film. */
  readonly height: number;
  /** Fixations of the window that the map is about, in pixels of the film; those off the film are left out. */
  readonly fixations: readonly Pick<Fixation, 'x' | 'y'>[];
}

/**
 * Normalised scanpath saliency (NSS): mean over the fixations of the prediction, standardised to mean 0 and standard
 * deviation 1; higher is better, 0 is chance.
 *
 * @param prediction `[height * width]` of the map, any scale
 * @param size of the map
 * @param looked where a reader looked
 * @returns 0 for a map that is the same everywhere; NaN where there is no fixation on the film
 */
export function nss(
  prediction: ArrayLike<number>,
  size: { readonly width: number; readonly height: number },
  looked: LookedAt,
): number {
  object('size', size);
  list('looked.fixations', object('looked', looked).fixations, (name, at) => object(name, at as object));
  const width = integer('size.width', size.width, { min: 1 });
  const height = integer('size.height', size.height, { min: 1 });
  if (prediction?.length !== width * height)
    throw invalidArgument('prediction', `${width} x ${height} values`, prediction?.length);
  const { mean, deviation } = moments(prediction);
  let sum = 0;
  let count = 0;
  for (const { x, y } of looked.fixations) {
    if (!isOnFilm(looked, x, y)) continue;
    const column = Math.min(width - 1, Math.floor((x * width) / looked.width));
    const row = Math.min(height - 1, Math.floor((y * height) / looked.height));
    sum += (prediction[row * width + column] as number) - mean;
    count++;
  }
  if (count === 0) return Number.NaN;
  return deviation === 0 ? 0 : sum / count / deviation;
}

/**
 * The baseline that a saliency prediction has to beat: the mean target of each time window over the training readings
 * (centre bias). Maps of empty windows are left out.
 *
 * @example
 * ```ts
 * const bias = new CentreBias(4, 224 * 224);
 * for (const reading of training) bias.add(await teacherTargets(reading, { branch: 'global' }));
 * const maps = bias.maps();
 * ```
 */
export class CentreBias {
  /** Pixels of a map. */
  readonly area: number;
  readonly #sums: Float64Array[];
  readonly #counts: number[];

  /** @param windows number of time windows; @param area pixels of a map */
  constructor(windows: number, area: number) {
    integer('windows', windows, { min: 1 });
    this.area = integer('area', area, { min: 1 });
    this.#sums = Array.from({ length: windows }, () => new Float64Array(area));
    this.#counts = new Array<number>(windows).fill(0);
  }

  /** Readings that had something in each window. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  /**
   * Adds the targets of one reading.
   *
   * @param targets of `teacherTargets`
   */
  add({ maps, present }: { readonly maps: ArrayLike<number>; readonly present: readonly boolean[] }): void {
    if (present.length !== this.#sums.length || maps.length !== present.length * this.area)
      throw invalidArgument('targets', `${this.#sums.length} maps of ${this.area} values`, maps.length);
    for (const [k, sums] of this.#sums.entries()) {
      if (!present[k]) continue;
      for (let p = 0; p < this.area; p++) sums[p] = (sums[p] as number) + (maps[k * this.area + p] as number);
      this.#counts[k] = (this.#counts[k] as number) + 1;
    }
  }

  /** The mean of each window; zeros for one in which nobody looked anywhere. */
  maps(): Float32Array[] {
    return this.#sums.map((sums, k) =>
      Float32Array.from(sums, (sum) => sum / Math.max(1, this.#counts[k] as number)),
    );
  }
}

import { type Random, rng } from '../data/random.js';
import { integer, knownKeys } from '../validate.js';
import { type Fixation, fixationsOnFilm, type Reading, requireReading } from './reading.js';

/** Options of {@link focalCluster}. */
export interface FocalClusterOptions {
  /** Seed of the starting points; default 0. */
  readonly seed?: number;
}

/** Starts of which the best is taken, and most rounds of each. */
const starts = 8;
const rounds = 100;

interface Place {
  readonly x: number;
  readonly y: number;
  readonly weight: number;
}

/**
 * The part of a reading that most of it was spent on: of two clusters of its fixations on the film the larger, by time. A
 * whole reading's focal map is made of it, its global map of all fixations. GazeLT's program takes the first cluster of
 * an unseeded 2-means over points and two added corners, whichever that is; here it is seeded, and nothing is added.
 *
 * 2-means (Lloyd, IEEE Trans. Inf. Theory 28, 1982) from centres drawn by k-means++ (Arthur and Vassilvitskii, SODA 2007),
 * the best of eight starts. Fixations weigh their durations, or the same where none of them takes time.
 *
 * @param reading of any length; where all fixations are in one place, they are one cluster
 * @param options seed
 * @returns the reading with these fixations only, in their order
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 * @example
 * ```ts
 * const [global, focal] = await renderHeatmaps([readingPoints(reading), readingPoints(focalCluster(reading))]);
 * ```
 */
export function focalCluster(reading: Reading, options: FocalClusterOptions = {}): Reading {
  requireReading('reading', reading);
  knownKeys('options', options, ['seed']);
  const seed = integer('options.seed', options.seed ?? 0, { min: 0 });
  const seen = fixationsOnFilm(reading);
  const places = weighted(seen);
  const random = rng(seed, 'focal cluster', reading.id);
  let best: { readonly second: readonly boolean[]; readonly spread: number } | undefined;
  for (let start = 0; start < starts; start++) {
    const found = twoMeans(places, random);
    if (found === undefined) return { ...reading, fixations: seen };
    if (best === undefined || found.spread < best.spread) best = found;
  }
  const { second } = best as NonNullable<typeof best>;
  const mass = (of: boolean): number =>
    places.reduce((sum, { weight }, i) => sum + (second[i] === of ? weight : 0), 0);
  const larger = mass(true) > mass(false);
  return { ...reading, fixations: seen.filter((_, i) => second[i] === larger) };
}

function weighted(fixations: readonly Fixation[]): Place[] {
  const isTimed = fixations.some(({ start, end }) => end > start);
  return fixations.map(({ x, y, start, end }) => ({ x, y, weight: isTimed ? end - start : 1 }));
}

type Centre = Pick<Place, 'x' | 'y'>;

function distance(a: Centre, b: Centre): number {
  return (a.x - b.x) ** 2 + (a.y - b.y) ** 2;
}

/** Which places are in the second cluster, the first place never; `undefined` where there is one place only. */
function twoMeans(places: readonly Place[], random: Random) {
  const one = draw(places, random, ({ weight }) => weight);
  const other = one && draw(places, random, (place) => place.weight * distance(place, one));
  if (!one || !other) return undefined;
  let centres: readonly [Centre, Centre] = [one, other];
  let second: boolean[] = [];
  for (let round = 0; round < rounds; round++) {
    const next = places.map((place) => distance(place, centres[1]) < distance(place, centres[0]));
    if (round > 0 && next.every((value, i) => value === second[i])) break;
    second = next;
    const of = (wanted: boolean) => middle(places.filter((_, i) => second[i] === wanted));
    centres = [of(false) ?? centres[0], of(true) ?? centres[1]];
  }
  const spread = places.reduce(
    (sum, place, i) => sum + place.weight * distance(place, centres[second[i] ? 1 : 0]),
    0,
  );
  return { second: second.map((value) => value !== second[0]), spread };
}

/** One of the places with a probability in proportion; `undefined` where all are 0. */
function draw(places: readonly Place[], random: Random, share: (place: Place) => number): Place | undefined {
  const total = places.reduce((sum, place) => sum + share(place), 0);
  if (!(total > 0)) return undefined;
  let left = random.uniform(0, total);
  let drawn: Place | undefined;
  for (const place of places) {
    const own = share(place);
    if (own === 0) continue;
    drawn = place;
    left -= own;
    if (left < 0) break;
  }
  return drawn;
}

/** The mean of some places; `undefined` where they weigh nothing. */
function middle(places: readonly Place[]): Centre | undefined {
  let [x, y, weight] = [0, 0, 0];
  for (const place of places) {
    x += place.weight * place.x;
    y += place.weight * place.y;
    weight += place.weight;
  }
  return weight > 0 ? { x: x / weight, y: y / weight } : undefined;
}

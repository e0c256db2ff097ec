import type { CamMap } from '../cam/maps.js';
import type { Box } from '../data/box.js';
import type { LungMask } from '../data/lung-box.js';
import { invalidArgument, knownKeys, list, number, object } from '../validate.js';
import { type MeanWithInterval, meanWithInterval } from './mean.js';
import { type BootstrapOptions, bootstrapSettings, resampleWeights, resamplingUnits } from './resample.js';

/** Where something is: a box in the map's pixels (it may have fractions and reach over the border), or a mask of its size. */
export type Place = Box | LungMask;

/** How {@link localisationScores} counts. */
export interface LocalisationOptions {
  /** Pointing game: how far from the place, in pixels along either axis, the maximum may lie. Default 0. */
  readonly tolerance?: number;
  /** IoU: share of the map's maximum that a pixel must reach to count. Default 0.5. */
  readonly level?: number;
}

/** How well a map finds a place. */
export interface LocalisationScores {
  /** Share of the pixels at the map's maximum that lie in the place: 1 or 0 where there is one such pixel. */
  readonly pointing: number;
  /** Share of the map's sum that lies in the place; 0 for a map without heat. */
  readonly energy: number;
  /** Intersection over union of the place and the pixels that reach `level` of the maximum; 0 for a map without heat. */
  readonly iou: number;
}

const optionKeys = ['tolerance', 'level'];

/**
 * Scores one attention map against where something really is.
 *
 * - Pointing game: Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016. Pixels that share the maximum
 *   count in equal parts, so that a map that is the same everywhere hits as often as chance does.
 * - Energy: Wang et al., "Score-CAM", CVPR Workshops 2020 (energy-based pointing game).
 * - IoU at half maximum: Zhou et al., "Learning deep features for discriminative localization", CVPR 2016, with one threshold
 *   and all pixels above it.
 *
 * A pixel belongs to a box if its centre does.
 *
 * @param map values of at least 0
 * @param place in the map's pixels; `scaleBox` brings a box there
 * @param options tolerance and level
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, for a place that holds no pixel of the map too
 */
export function localisationScores(
  map: CamMap,
  place: Place,
  options: LocalisationOptions = {},
): LocalisationScores {
  return scoresOf(map, place, checkedOptions(options), '');
}

/** @param of what comes before the arguments' names in messages */
function scoresOf(
  map: CamMap,
  place: Place,
  { tolerance, level }: Required<LocalisationOptions>,
  of: string,
): LocalisationScores {
  checkMap(`${of}map`, map);
  const inside = insideOf(`${of}place`, place, map);
  if (isEmpty(inside))
    throw invalidArgument(
      `${of}place`,
      `a place with a pixel of the ${map.width} x ${map.height} map`,
      textOf(place),
    );
  const near = tolerance === 0 ? inside : dilated(inside, map, tolerance);
  let [top, sum, within] = [0, 0, 0];
  for (const [i, value] of map.data.entries()) {
    if (value > top) top = value;
    sum += value;
    if (inside[i]) within += value;
  }
  let [highest, hits, union, shared] = [0, 0, 0, 0];
  for (const [i, value] of map.data.entries()) {
    const isInside = inside[i] !== 0;
    const isHot = top > 0 && value >= level * top;
    if (isHot && isInside) shared++;
    if (isHot || isInside) union++;
    if (value !== top) continue;
    highest++;
    if (near[i]) hits++;
  }
  return { pointing: hits / highest, energy: sum > 0 ? within / sum : 0, iou: shared / union };
}

/** A map, the place that it should find, and whose it is. */
export interface LocatedMap {
  /** The map. */
  readonly map: CamMap;
  /** Where it should be hot. */
  readonly place: Place;
  /** Whose image it is: images of one patient are drawn together in the bootstrap. */
  readonly patient?: string | number;
}

/** Options of {@link evaluateLocalisation}. */
export interface EvaluateLocalisationOptions extends LocalisationOptions {
  /** Percentile intervals of the means, by patient where all patients are given; `true` for the defaults. Default none. */
  readonly bootstrap?: BootstrapOptions | boolean;
}

/** What {@link evaluateLocalisation} gives. */
export interface LocalisationEvaluation {
  /** Maps. */
  readonly count: number;
  /** Mean share of hits in the pointing game. */
  readonly pointing: MeanWithInterval;
  /** Mean share of the energy inside. */
  readonly energy: MeanWithInterval;
  /** Mean intersection over union. */
  readonly iou: MeanWithInterval;
  /** The scores of each map, in order. */
  readonly each: readonly LocalisationScores[];
}

/**
 * {@link localisationScores} of a set of maps, averaged.
 *
 * @param maps the set; may be read once only
 * @param options how to count, and the bootstrap
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function evaluateLocalisation(
  maps: Iterable<LocatedMap>,
  options: EvaluateLocalisationOptions = {},
): LocalisationEvaluation {
  knownKeys('options', options, [...optionKeys, 'bootstrap']);
  if (typeof (maps as Partial<Iterable<unknown>> | undefined | null)?.[Symbol.iterator] !== 'function')
    throw invalidArgument('maps', 'an iterable of maps with their places', maps);
  const { bootstrap, ...how } = options;
  const settings = bootstrapSettings(bootstrap);
  const counting = checkedOptions(how);
  const each: LocalisationScores[] = [];
  const patients: (string | number | undefined)[] = [];
  for (const located of maps) {
    const name = `maps[${each.length}]`;
    const { map, place, patient } = object(name, located);
    each.push(scoresOf(map, place, counting, `${name}.`));
    patients.push(patient);
  }
  const known = patients.filter((patient) => patient !== undefined);
  if (known.length > 0 && known.length < each.length)
    throw invalidArgument('maps', 'a patient with each map or with none', `${known.length} patients`);
  const units = resamplingUnits(each.length, known.length > 0 ? known : undefined);
  const resamples =
    settings && each.length > 0 ? Array.from(resampleWeights(units, settings), (w) => w.slice()) : [];
  const mean = (score: keyof LocalisationScores): MeanWithInterval =>
    meanWithInterval(
      each.map((scores) => scores[score]),
      resamples,
      settings?.level ?? 0,
    );
  return { count: each.length, pointing: mean('pointing'), energy: mean('energy'), iou: mean('iou'), each };
}

function checkedOptions(options: LocalisationOptions): Required<LocalisationOptions> {
  knownKeys('options', options, optionKeys);
  return {
    tolerance: number('options.tolerance', options.tolerance ?? 0, { min: 0 }),
    level: number('options.level', options.level ?? 0.5, { above: 0, max: 1 }),
  };
}

function checkMap(name: string, map: CamMap): void {
  const { width, height, data } = object(name, map);
  if (!(width > 0 && height > 0) || data?.length !== width * height)
    throw invalidArgument(`${name}.data`, `${width} x ${height} values, not none,`, data?.length);
  const bad = data.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (bad >= 0) throw invalidArgument(`${name}.data[${bad}]`, 'a finite number of at least 0', data[bad]);
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** @internal Whether a place holds a pixel of a map of this size: a small box may lie between the centres of all. */
export function holdsPixel(name: string, place: Place, size: Size): boolean {
  return !isEmpty(insideOf(name, place, size));
}

function isEmpty(inside: Uint8Array): boolean {
  return inside.every((value) => value === 0);
}

/** One byte a pixel of the map: 1 inside. */
function insideOf(name: string, place: Place, { width, height }: Size): Uint8Array {
  object(name, place);
  return 'data' in place ? ofMask(name, place, width, height) : ofBox(name, place, width, height);
}

function textOf(place: Place): string {
  if ('data' in place) return 'a mask of zeros';
  return `x ${place.x}, y ${place.y}, width ${place.width}, height ${place.height}`;
}

function ofMask(name: string, mask: LungMask, width: number, height: number): Uint8Array {
  if (mask.width !== width || mask.height !== height || mask.data.length !== width * height)
    throw invalidArgument(name, `a mask of ${width} x ${height} bytes`, `${mask.width} x ${mask.height}`);
  return mask.data.map((value) => Number(value !== 0));
}

function ofBox(name: string, box: Box, width: number, height: number): Uint8Array {
  const [x, y, w, h] = list(name, [box.x, box.y, box.width, box.height], (part, value) =>
    number(part, value),
  ) as [number, number, number, number];
  const inside = new Uint8Array(width * height);
  const first = (edge: number): number => Math.max(0, Math.ceil(edge - 0.5));
  for (let row = first(y); row < height && row + 0.5 < y + h; row++) {
    for (let column = first(x); column < width && column + 0.5 < x + w; column++)
      inside[row * width + column] = 1;
  }
  return inside;
}

/** Pixels within `distance` of one that is inside, along rows and then along columns. */
function dilated(inside: Uint8Array, { width, height }: CamMap, distance: number): Uint8Array {
  const reach = Math.floor(distance);
  const grown = new Uint8Array(inside.length);
  const spread = (from: Uint8Array, to: Uint8Array, step: number, length: number, start: number): void => {
    let last = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < length; i++) {
      if (from[start + i * step]) last = i;
      if (i - last <= reach) to[start + i * step] = 1;
    }
    last = Number.POSITIVE_INFINITY;
    for (let i = length - 1; i >= 0; i--) {
      if (from[start + i * step]) last = i;
      if (last - i <= reach) to[start + i * step] = 1;
    }
  };
  for (let row = 0; row < height; row++) spread(inside, grown, 1, width, row * width);
  const result = new Uint8Array(inside.length);
  for (let column = 0; column < width; column++) spread(grown, result, width, height, column);
  return result;
}

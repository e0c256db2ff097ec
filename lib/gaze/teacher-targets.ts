import { type TeacherBranch, teacherBranches } from '../models/teacher.js';
import { integer, knownKeys, number, oneOf } from '../validate.js';
import { readingPoints, renderHeatmaps, type WeightedPoints } from './heatmap.js';
import type { Reading } from './reading.js';
import {
  cumulativeWindows,
  maxWindows,
  publishedWindows,
  timeWindows,
  type WindowConvention,
} from './windows.js';

/**
 * σ of each teacher's heat maps, in pixels of a film 2048 long: GazeLT's by the names global and focal. (Its program also
 * gives 64 to disintegration and 128 to integration, which would be the other way round.)
 */
export const branchSigma: Readonly<Record<TeacherBranch, number>> = { global: 64, focal: 128 };

/** Options of {@link teacherTargets}. */
export interface TeacherTargetOptions {
  /** `'global'`: windows 0 to k together (TW-I). `'focal'`: window k alone (TW-D). */
  readonly branch: TeacherBranch;
  /** Side of the square maps. Default 224. */
  readonly size?: number;
  /** Number of time windows, at most 64. Default 4. */
  readonly windows?: number;
  /** How windows are cut. Default `'half-open'`. */
  readonly convention?: WindowConvention;
  /** Standard deviation in pixels of a film 2048 long. Default {@link branchSigma}. */
  readonly sigma?: number;
}

/** What a teacher learns from one reading. */
export interface TeacherTargets {
  /** `[windows, size, size]`, each map with maximum 1; zeros where there was nothing to look at. */
  readonly maps: Float32Array;
  /** Whether anything was looked at, for each map; where not, the map takes no part in the loss. */
  readonly present: readonly boolean[];
}

/** The points behind each map of a teacher, window by window. */
export function teacherPoints(
  reading: Reading,
  branch: TeacherBranch,
  windows = publishedWindows,
  convention: WindowConvention = 'half-open',
): WeightedPoints[] {
  const stamp = reading.stamp ?? 'start';
  const alone = timeWindows(reading.fixations, { windows, convention, stamp });
  const shares = branch === 'global' ? cumulativeWindows(alone, convention) : alone;
  return shares.map((window) => readingPoints(reading, window));
}

/**
 * The heat maps that one of GazeLT's teachers learns to predict for a film (arXiv 2508.09478).
 *
 * @param reading one person's gaze over the film
 * @param options which teacher, size, windows
 */
export async function teacherTargets(
  reading: Reading,
  options: TeacherTargetOptions,
): Promise<TeacherTargets> {
  knownKeys('options', options, ['branch', 'size', 'windows', 'convention', 'sigma']);
  const branch = oneOf('options.branch', options.branch, teacherBranches);
  const size = integer('options.size', options.size ?? 224, { min: 1, max: 4096 });
  const windows = integer('options.windows', options.windows ?? publishedWindows, {
    min: 1,
    max: maxWindows,
  });
  const sigma = number('options.sigma', options.sigma ?? branchSigma[branch], { above: 0 });
  const points = teacherPoints(reading, branch, windows, options.convention);
  const rendered = await renderHeatmaps(points, { height: size, width: size, sigma });
  const maps = new Float32Array(windows * size * size);
  for (const [k, map] of rendered.entries()) maps.set(map, k * size * size);
  // A window may hold points that all lie off the film: its map is as empty as one without points.
  return { maps, present: rendered.map((map) => map.some((value) => value > 0)) };
}

import { integer, invalidArgument, knownKeys, list, object, oneOf } from '../validate.js';
import type { Fixation } from './reading.js';

/** How a reading is cut into time windows: see {@link timeWindows}. */
export const windowConventions = ['half-open', 'as-published'] as const;

/** One of {@link windowConventions}. */
export type WindowConvention = (typeof windowConventions)[number];

/** GazeLT's number of time windows, the default everywhere. @internal */
export const publishedWindows = 4;

/** Most time windows of a reading. @internal */
export const maxWindows = 64;

/** Options of {@link timeWindows}. */
export interface WindowOptions {
  /** Number of windows of equal length, at most 64. Default 4. */
  readonly windows?: number;
  /** Default `'half-open'`. */
  readonly convention?: WindowConvention;
  /** The end of a fixation that is its time stamp; read by `'as-published'` only. Default `'start'`. */
  readonly stamp?: 'start' | 'end';
}

/** The part of a fixation that falls into a window. */
export interface WindowShare {
  /** Index of the fixation. */
  readonly index: number;
  /** Seconds inside the window; 1 as published. */
  readonly weight: number;
}

/**
 * Cuts a reading into time windows of equal length.
 *
 * - `'half-open'`: from the first start to the last end; windows [a, b), the last one closed; a fixation counts in each
 *   window with its time inside. One without any time inside is in none, so a reading whose fixations all take no time
 *   has empty windows only.
 * - `'as-published'`: from 0 to T, the last time stamp; window k holds the fixations stamped kT/n to (k+1)T/n, both ends
 *   included, with weight 1. A stamp on a boundary is in two windows. (`visual_attention_integration_disintegration.py`
 *   of `lordmoinak1/gazelt`.)
 *
 * @param fixations of one reading, in any order
 * @param options number and kind of windows
 * @returns for each window the fixations in it, in their order
 * @throws `ERR_INVALID_ARGUMENT` for times that are no numbers or an end before its start
 */
export function timeWindows(fixations: readonly Fixation[], options: WindowOptions = {}): WindowShare[][] {
  knownKeys('options', options, ['windows', 'convention', 'stamp']);
  const windows = integer('options.windows', options.windows ?? publishedWindows, {
    min: 1,
    max: maxWindows,
  });
  const convention = oneOf('options.convention', options.convention ?? 'half-open', windowConventions);
  const stamp = oneOf('options.stamp', options.stamp ?? 'start', ['start', 'end']);
  list('fixations', fixations, (name, fixation) => object(name, fixation as Fixation));
  for (const [i, { start, end }] of fixations.entries()) {
    if (!(Number.isFinite(start) && Number.isFinite(end) && start <= end))
      throw invalidArgument(
        `fixations[${i}]`,
        'finite times, the end not before the start,',
        `${start} to ${end}`,
      );
  }
  return convention === 'half-open'
    ? halfOpen(fixations, windows)
    : closed(
        fixations.map((fixation) => fixation[stamp]),
        windows,
      );
}

function halfOpen(fixations: readonly Fixation[], windows: number): WindowShare[][] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { start, end } of fixations) {
    first = Math.min(first, start);
    last = Math.max(last, end);
  }
  const edge = (k: number): number => (k === windows ? last : first + (k * (last - first)) / windows);
  return Array.from({ length: windows }, (_, k) => {
    const [from, to] = [edge(k), edge(k + 1)];
    const shares: WindowShare[] = [];
    for (const [index, { start, end }] of fixations.entries()) {
      const weight = Math.min(end, to) - Math.max(start, from);
      if (weight > 0) shares.push({ index, weight });
    }
    return shares;
  });
}

function closed(times: readonly number[], windows: number): WindowShare[][] {
  const last = times.reduce((latest, time) => Math.max(latest, time), Number.NEGATIVE_INFINITY);
  return Array.from({ length: windows }, (_, k) => {
    const [from, to] = [(k * last) / windows, ((k + 1) * last) / windows];
    return times.flatMap((time, index) => (time >= from && time <= to ? [{ index, weight: 1 }] : []));
  });
}

/**
 * The windows 0 to k together, for each k: what has been looked at so far (GazeLT's integrated windows, TW-I).
 *
 * @param shares of {@link timeWindows}
 * @param convention they were made by: as published a fixation on a boundary, which is in two windows, counts once
 */
export function cumulativeWindows(
  shares: readonly (readonly WindowShare[])[],
  convention: WindowConvention = 'half-open',
): WindowShare[][] {
  list('shares', shares, (name, window) =>
    list(name, window, (item, share) => object(item, share as WindowShare)),
  );
  const soFar = new Map<number, number>();
  return shares.map((window) => {
    for (const { index, weight } of window)
      soFar.set(index, convention === 'as-published' ? weight : (soFar.get(index) ?? 0) + weight);
    return [...soFar].map(([index, weight]) => ({ index, weight })).sort((a, b) => a.index - b.index);
  });
}

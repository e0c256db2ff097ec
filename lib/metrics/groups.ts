import { integer, invalidArgument, knownKeys, number } from '../validate.js';
import type { GroupName, GroupThresholds } from './types.js';
import { groupNames } from './types.js';

/** The cuts of the published tables: head above 1000 training images, tail below 100. */
export const defaultGroupThresholds: GroupThresholds = { head: 1000, tail: 100 };

/** Checks a pair of cuts. */
export function checkThresholds(name: string, thresholds: GroupThresholds): GroupThresholds {
  knownKeys(name, thresholds, ['head', 'tail']);
  const head = number(`${name}.head`, thresholds.head, { min: 0 });
  const tail = number(`${name}.tail`, thresholds.tail, { min: 0 });
  // Where tail is above head + 1 a class could be both.
  if (tail > head + 1)
    throw invalidArgument(`${name}.tail`, `a number not above ${name}.head (${head}) + 1`, tail);
  return { head, tail };
}

/**
 * Long-tail group of each class: head has more than `thresholds.head` training images, tail fewer than
 * `thresholds.tail`, medium the rest.
 *
 * @param counts training images of each class `[C]`
 * @param thresholds default `{ head: 1000, tail: 100 }`
 */
export function groupsFromCounts(
  counts: ArrayLike<number>,
  thresholds: GroupThresholds = defaultGroupThresholds,
): GroupName[] {
  const { head, tail } = checkThresholds('thresholds', thresholds);
  integer('counts.length', counts?.length, { min: 0 });
  return Array.from(counts, (count, k) => {
    integer(`counts[${k}]`, count, { min: 0 });
    if (count > head) return 'head';
    return count < tail ? 'tail' : 'medium';
  });
}

/** Indices of the classes of each group. */
export function groupMembers(groups: readonly GroupName[]): Record<GroupName, number[]> {
  const members: Record<GroupName, number[]> = { head: [], medium: [], tail: [] };
  groups.forEach((group, k) => {
    members[group].push(k);
  });
  return members;
}

/**
 * Mean class accuracy of each group over its classes that are in the truth, NaN for a group without one.
 *
 * @param groups group of each class `[C]`
 * @param recall class accuracies `[C]`
 * @param support images of each class in the truth `[C]`
 */
export function groupAccuracies(
  groups: readonly GroupName[],
  recall: ArrayLike<number>,
  support: ArrayLike<number>,
): Record<GroupName, number> {
  const sums = { head: 0, medium: 0, tail: 0 };
  const counts = { head: 0, medium: 0, tail: 0 };
  groups.forEach((group, k) => {
    if ((support[k] as number) === 0) return;
    sums[group] += recall[k] as number;
    counts[group]++;
  });
  const out = { head: Number.NaN, medium: Number.NaN, tail: Number.NaN };
  for (const name of groupNames) if (counts[name] > 0) out[name] = sums[name] / counts[name];
  return out;
}

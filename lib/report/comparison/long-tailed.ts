/** The long-tailed table of GazeLT: its columns, and what stands in them. */
import type { Metrics } from '../../metrics/types.js';
import type { PublishedFigures } from '../../systems/gazelt/published.js';
import type { ComparisonColumn, Figure, PublishedFigure } from './table.js';

/** The columns of the long-tailed table. */
export const longTailedColumns = [
  { name: 'head', title: 'Head' },
  { name: 'medium', title: 'Medium' },
  { name: 'tail', title: 'Tail' },
  { name: 'averageOfGroups', title: 'Avg (mean of groups)' },
  { name: 'averageOfClasses', title: 'Avg (mean of classes)' },
  { name: 'balancedAccuracy', title: 'bAcc' },
] as const satisfies readonly ComparisonColumn[];

/** What an asterisk at a published average means. */
export const unclearAverage = 'Published average that is the mean of neither groups nor classes.';

type ColumnName = (typeof longTailedColumns)[number]['name'];

/** A row's figures. */
export type LongTailedFigures = Readonly<Record<ColumnName, Figure>>;

/**
 * The figures of a row: groups and both averages from one split, balanced accuracy from another (gazelt.md section 6).
 *
 * @param grouped metrics of the balanced test set
 * @param imbalanced metrics of the imbalanced test set
 */
export function longTailedFigures(grouped: Metrics, imbalanced: Metrics): LongTailedFigures {
  const { longTail, intervals } = grouped;
  const group = (at: number, name: 'head' | 'medium' | 'tail'): Figure => ({
    value: longTail?.groups[at]?.accuracy ?? null,
    interval: intervals?.groups?.[name] ?? null,
  });
  return {
    head: group(0, 'head'),
    medium: group(1, 'medium'),
    tail: group(2, 'tail'),
    averageOfGroups: {
      value: longTail?.averageOfGroups ?? null,
      interval: intervals?.averageOfGroups ?? null,
    },
    averageOfClasses: { value: grouped.balancedAccuracy, interval: intervals?.balancedAccuracy ?? null },
    balancedAccuracy: {
      value: imbalanced.balancedAccuracy,
      interval: imbalanced.intervals?.balancedAccuracy ?? null,
    },
  };
}

/** The published figures by column: the average stands where it belongs. */
export function publishedLongTailed(
  published: PublishedFigures,
): Partial<Record<ColumnName, PublishedFigure>> {
  const { head, medium, tail, average, averageOf, balancedAccuracy } = published;
  return {
    head: { value: head },
    medium: { value: medium },
    tail: { value: tail },
    // An average that fits neither definition stands with the groups, and is marked.
    ...(averageOf === 'classes'
      ? { averageOfClasses: { value: average } }
      : { averageOfGroups: { value: average, unclear: averageOf === null } }),
    balancedAccuracy: { value: balancedAccuracy },
  };
}

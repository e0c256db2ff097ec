import type { Interval, Metrics } from '../../metrics/types.js';
import type { PublishedFigures } from '../../systems/gazelt/published.js';
import type { OptionValue } from '../report-data.js';

/** The columns of the long-tailed table. */
export const comparisonColumns = [
  { name: 'head', title: 'Head' },
  { name: 'medium', title: 'Medium' },
  { name: 'tail', title: 'Tail' },
  { name: 'averageOfGroups', title: 'Avg (mean of groups)' },
  { name: 'averageOfClasses', title: 'Avg (mean of classes)' },
  { name: 'balancedAccuracy', title: 'bAcc' },
] as const;

/** One of {@link comparisonColumns}. */
export type ComparisonColumn = (typeof comparisonColumns)[number]['name'];

/** A figure of ours with its interval. */
export interface Figure {
  /** A share; `null` where it is not defined. */
  readonly value: number | null;
  /** Patient-wise bootstrap interval; `null` for none. */
  readonly interval: Interval | null;
}

/** A row's figures. */
export type Figures = Readonly<Record<ComparisonColumn, Figure>>;

/** One method. */
export interface ComparisonRow {
  /** Short name, such as `rw-ldam-drw`. */
  readonly name: string;
  /** As the published tables call it. */
  readonly title: string;
  /** What became of it. */
  readonly status: 'done' | 'needs-features' | 'failed' | 'not-trained';
  /** Why there are no figures; `null` where there are. */
  readonly note: string | null;
  /** Ours; `null` where there are none. */
  readonly figures: Figures | null;
  /** The published ones; `null` where none are shown. */
  readonly published: PublishedFigures | null;
}

/** All that the table shows. */
export interface Comparison {
  /** Heading. */
  readonly title: string;
  /** Sentences about data, conditions and what the columns are. */
  readonly description: readonly string[];
  /** What a reader must know before the numbers. */
  readonly notices: readonly string[];
  /** When, as it shall be shown. */
  readonly date: string;
  /** The command's options. */
  readonly options: Readonly<Record<string, OptionValue>>;
  /** In the order of the published tables. */
  readonly rows: readonly ComparisonRow[];
}

/**
 * The figures of a row: groups and both averages from one split, balanced accuracy from another (gazelt.md section 6).
 *
 * @param grouped metrics of the balanced test set
 * @param imbalanced metrics of the imbalanced test set
 */
export function figuresOf(grouped: Metrics, imbalanced: Metrics): Figures {
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

/** The published figure of a column; `null` where the tables have none. */
export function publishedValue(published: PublishedFigures | null, column: ComparisonColumn): number | null {
  if (published === null) return null;
  const { average, averageOf } = published;
  // An average that fits neither definition stands with the groups, and is marked.
  if (column === 'averageOfGroups') return averageOf === 'classes' ? null : average;
  if (column === 'averageOfClasses') return averageOf === 'classes' ? average : null;
  return published[column];
}

/** Whether the published figure of a column is of no known definition. */
export function isUnclear(published: PublishedFigures | null, column: ComparisonColumn): boolean {
  return column === 'averageOfGroups' && published !== null && published.averageOf === null;
}

/** A share with three decimals, as the published tables have them. */
export function share(value: number | null): string {
  return value === null ? '–' : value.toFixed(3);
}

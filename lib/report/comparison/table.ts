import type { ResampledUnit } from '../../metrics/resample.js';
import type { Interval } from '../../metrics/types.js';
import type { OptionValue } from '../report-data.js';

/** A column of figures. */
export interface ComparisonColumn {
  /** Key in {@link ComparisonRow.figures}; in CSV as snake case. */
  readonly name: string;
  /** As it is shown. */
  readonly title: string;
  /** Title over it and its neighbours of the same group; default none. */
  readonly group?: string;
}

/** A figure of ours with its interval. */
export interface Figure {
  /** A share; `null` where it is not defined. */
  readonly value: number | null;
  /** Bootstrap interval; `null` for none. {@link ComparisonRow.resampled} tells of what. */
  readonly interval: Interval | null;
  /** The lowest and the highest of several seeds, of which `value` is the mean; `null` or absent for one seed. */
  readonly range?: Interval | null;
}

/** A published figure. */
export interface PublishedFigure {
  /** As published. */
  readonly value: number;
  /** Whether it is of no known definition: marked, with {@link Comparison.mark} below the table. */
  readonly unclear?: boolean;
}

/** One method. */
export interface ComparisonRow {
  /** Short name, such as `rw-ldam-drw`. */
  readonly name: string;
  /** As the published tables call it. */
  readonly title: string;
  /** What became of it. */
  readonly status: 'done' | 'needs-features' | 'failed' | 'not-trained';
  /** Why there are no figures, or what is to be known of those there are; `null` for nothing. */
  readonly note: string | null;
  /** Ours by column; `null` where there are none. */
  readonly figures: Readonly<Record<string, Figure>> | null;
  /** What was drawn with replacement for the intervals: patients where they are known, else images; `null` for none. */
  readonly resampled?: ResampledUnit | null;
  /** The published ones by column; `null` where none are shown. */
  readonly published: Readonly<Record<string, PublishedFigure>> | null;
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
  /** Columns in order. */
  readonly columns: readonly ComparisonColumn[];
  /** What the mark at a published figure means; needed only where one is {@link PublishedFigure.unclear}. */
  readonly mark?: string;
  /** In the order of the published tables. */
  readonly rows: readonly ComparisonRow[];
}

/** A number with three decimals, as the published tables have them. */
export function share(value: number | null | undefined): string {
  return value == null ? '–' : value.toFixed(3);
}

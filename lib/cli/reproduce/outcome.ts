/** From what became of the rows to the table. */
import type { LongTailedName } from '../../data/long-tailed.js';
import { CxrGazeError } from '../../errors.js';
import type { ResampledUnit } from '../../metrics/resample.js';
import type { Metrics } from '../../metrics/types.js';
import {
  type LongTailedFigures,
  longTailedColumns,
  longTailedFigures,
  publishedLongTailed,
  unclearAverage,
} from '../../report/comparison/long-tailed.js';
import type { Comparison, ComparisonRow } from '../../report/comparison/table.js';
import type { OptionValue } from '../../report/report-data.js';
import { type PublishedRow, publishedFigures } from '../../systems/gazelt/published.js';
import type { OpenedData } from '../datasets.js';
import { usageError } from '../options.js';
import { phantomNotice } from '../say-data.js';
import type { PlannedRow } from './plan.js';
import { type Conditions, tableRows } from './rows.js';

/** What became of a row. */
export interface RowOutcome {
  readonly name: PublishedRow;
  readonly status: ComparisonRow['status'];
  /** Why there are no figures. */
  readonly note: string | null;
  readonly figures: LongTailedFigures | null;
  /** What the intervals rest on. */
  readonly resampled?: ResampledUnit | null;
  /** What a row failed with. */
  readonly error?: unknown;
}

/** Which split each column is of. */
export interface TableSplits {
  /** Head, medium, tail and both averages: the balanced test set where there is one. */
  readonly grouped: string;
  /** bAcc: the imbalanced test set where there is one. */
  readonly imbalanced: string;
}

/** The splits of a data set that the table is made of. */
export function tableSplits({ name, tests }: Pick<OpenedData, 'name' | 'tests'>): TableSplits {
  const names = tests.filter(([, dataset]) => dataset.length > 0).map(([split]) => split);
  const [first] = names;
  if (first === undefined) throw usageError(`${name} has no test split, so there is nothing to tabulate`);
  const grouped = names.includes('balanced-test') ? 'balanced-test' : first;
  return { grouped, imbalanced: names.includes('test') ? 'test' : (names.at(-1) as string) };
}

/** The outcome of a row that was evaluated. */
export function doneOutcome(
  { name, target }: PlannedRow,
  metrics: ReadonlyMap<string, Metrics>,
  { grouped, imbalanced }: TableSplits,
): RowOutcome {
  const [first, second] = [metrics.get(grouped), metrics.get(imbalanced)];
  if (first === undefined || second === undefined) {
    const missing = first === undefined ? grouped : imbalanced;
    throw new CxrGazeError(
      'ERR_DATASET',
      `${target}: expected metrics of the split ${missing} but found none`,
    );
  }
  const figures = longTailedFigures(first, second);
  return { name, status: 'done', note: null, figures, resampled: first.intervals?.unit ?? null };
}

/** What the table is about. */
export interface TableFacts {
  readonly data: OpenedData;
  readonly splits: TableSplits;
  readonly conditions: Conditions;
  readonly published: LongTailedName | null;
  /** Rows that are shown whether or not they have a result; the others only if they have. */
  readonly chosen: ReadonlySet<PublishedRow>;
  readonly seed: number;
  readonly options: Readonly<Record<string, OptionValue>>;
}

const meanings: Readonly<Record<Conditions, string>> = {
  equal: 'Equal conditions: all rows have the same head, input size, epochs and initial weights.',
  published: "Published conditions: each row has its own program's head, input size, epochs and BatchNorm.",
};

/** The table of the rows so far. */
export function comparisonOf(
  { data, splits, conditions, published, chosen, seed, options }: TableFacts,
  outcomes: ReadonlyMap<PublishedRow, RowOutcome>,
): Comparison {
  const { grouped, imbalanced } = splits;
  const sizes = [...data.splits].map(([name, { length }]) => `${name} ${length}`).join(', ');
  return {
    title: `Long-tailed table on ${data.name}, ${conditions} conditions`,
    description: [
      `${data.classes.length} classes; images: ${sizes}; seed ${seed}. ${meanings[conditions]}`,
      `Head, Medium, Tail and both averages are mean class accuracies on ${grouped}; bAcc is balanced accuracy on ${imbalanced}.`,
      'The published tables call two different means “Avg”; here each stands in a column of its own.',
    ],
    notices: data.isPhantom ? [phantomNotice.message] : [],
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    options,
    columns: longTailedColumns,
    mark: unclearAverage,
    rows: [...tableRows]
      .filter(([name]) => chosen.has(name) || outcomes.has(name))
      .map(([name, { title }]) => ({
        ...shown(outcomes.get(name) ?? notYet(name)),
        title,
        published: published === null ? null : publishedLongTailed(publishedFigures(name, published)),
      })),
  };
}

function shown({ name, status, note, figures, resampled = null }: RowOutcome) {
  return { name, status, note, figures, resampled };
}

function notYet(name: PublishedRow): RowOutcome {
  return { name, status: 'not-trained', note: 'not trained yet', figures: null };
}

import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import { csvLine } from '../data/csv-row.js';
import { CxrGazeError } from '../errors.js';
import type { EpochHalf } from '../training/checkpoint.js';
import { integer, invalidArgument, list, number, oneOf, text } from '../validate.js';
import { pythonFloat } from './python-format.js';

/** The two halves of an epoch. */
export type Phase = EpochHalf['phase'];

/** One row of a classifier's `history.csv`. */
export interface HistoryRow extends EpochHalf {
  /** Balanced accuracy. */
  readonly balancedAccuracy: number;
  /** Matthews correlation coefficient. */
  readonly mcc: number;
  /** Mean AUROC; `null` where no class has one, written as an empty cell. */
  readonly auroc: number | null;
}

/** A number of a history besides epoch and phase. */
export interface HistoryColumn<Row> {
  /** Member of the row. */
  readonly key: Exclude<keyof Row & string, 'epoch' | 'phase'>;
  /** Name of the column. */
  readonly name: string;
  /** Whether an empty cell stands for `null`; default `false`. */
  readonly nullable?: boolean;
  /** Whether it is a count; default `false`: written as Python prints a float. */
  readonly whole?: boolean;
}

/** The columns of a classifier's history, as the originals name them. */
export const classificationColumns: readonly HistoryColumn<HistoryRow>[] = [
  { key: 'loss', name: 'loss' },
  { key: 'balancedAccuracy', name: 'balanced_acc' },
  { key: 'mcc', name: 'mcc' },
  { key: 'auroc', name: 'auroc', nullable: true },
];

function requireColumns(columns: readonly { readonly key: string; readonly name: string }[]): void {
  list('columns', columns, (name, column) => {
    if (typeof column !== 'object' || column === null) throw invalidArgument(name, 'a column', column);
    const { key, name: title } = column as { readonly key?: unknown; readonly name?: unknown };
    text(`${name}.key`, key);
    text(`${name}.name`, title);
  });
}

function headerOf<Row>(columns: readonly HistoryColumn<Row>[]): string[] {
  return ['epoch', 'phase', ...columns.map(({ name }) => name)];
}

/** One row as text, floats with all their digits as Python prints them. */
function historyLine<Row extends EpochHalf>(row: Row, columns: readonly HistoryColumn<Row>[]): string {
  return csvLine([
    String(integer('row.epoch', row.epoch, { min: 1 })),
    oneOf('row.phase', row.phase, ['train', 'val']),
    ...columns.map(({ key, nullable, whole }) => {
      const value: unknown = row[key];
      if (nullable && value === null) return '';
      const checked = number(`row.${key}`, value);
      return whole ? String(checked) : pythonFloat(checked);
    }),
  ]);
}

/**
 * Reads `history.csv`. A missing file is an empty history.
 *
 * @param path the file
 * @param columns of the rows, such as {@link classificationColumns}
 * @throws `ERR_TABLE` with file and line where it is not such a file
 */
export async function readHistory<Row extends EpochHalf>(
  path: string,
  columns: readonly HistoryColumn<Row>[],
): Promise<Row[]> {
  text('path', path);
  requireColumns(columns);
  const header = headerOf(columns);
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new CxrGazeError('ERR_FILE', `Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  let records: string[][];
  try {
    records = parse(content, { bom: true, skip_empty_lines: true });
  } catch (cause) {
    throw new CxrGazeError('ERR_TABLE', `${path}: ${(cause as Error).message}`, {
      cause,
      details: { file: path },
    });
  }
  const [first, ...rows] = records;
  if (first?.join() !== header.join()) {
    throw tableError(path, 1, `expected the header ${header.join()} but found ${first?.join() ?? 'nothing'}`);
  }
  return rows.map((cells, i) => historyRow({ path, line: i + 2 }, cells, columns));
}

function historyRow<Row extends EpochHalf>(
  { path, line }: { readonly path: string; readonly line: number },
  cells: readonly string[],
  columns: readonly HistoryColumn<Row>[],
): Row {
  const cell = (name: string, value: string): number => {
    const parsed = Number(value);
    if (value.trim() === '' || !Number.isFinite(parsed)) {
      throw tableError(path, line, `expected a number in column ${name} but found '${value}'`);
    }
    return parsed;
  };
  const [epoch = '', phase = '', ...rest] = cells;
  if (phase !== 'train' && phase !== 'val') {
    throw tableError(path, line, `expected 'train' or 'val' in column phase but found '${phase}'`);
  }
  const numbers = columns.map(({ key, name, nullable }, i) => {
    const value = rest[i] ?? '';
    return [key, nullable && value === '' ? null : cell(name, value)] as const;
  });
  // The columns are the row's members, one each.
  return { epoch: cell('epoch', epoch), phase, ...Object.fromEntries(numbers) } as unknown as Row;
}

function tableError(path: string, line: number, problem: string): CxrGazeError {
  return new CxrGazeError('ERR_TABLE', `${path}, line ${line}: ${problem}`, {
    details: { file: path, line },
  });
}

/**
 * `history.csv` as it grows: a `train` and a `val` row an epoch. Every append rewrites the small file whole and renames
 * it, so that a killed run never leaves half a row.
 *
 * @typeParam Row what a row tells; a classifier's by default
 */
export class HistoryFile<Row extends EpochHalf = HistoryRow> {
  /** Where it is written. */
  readonly path: string;
  readonly #columns: readonly HistoryColumn<Row>[];
  #rows: readonly Row[];

  private constructor(path: string, columns: readonly HistoryColumn<Row>[], rows: readonly Row[]) {
    this.path = path;
    this.#columns = columns;
    this.#rows = rows;
  }

  /**
   * Begins a new file, replacing one that is there.
   *
   * @param path the file
   * @param columns of the rows, such as {@link classificationColumns}
   */
  static async create<Row extends EpochHalf>(
    path: string,
    columns: readonly HistoryColumn<Row>[],
  ): Promise<HistoryFile<Row>> {
    const history = new HistoryFile(path, columns, []);
    await history.#write();
    return history;
  }

  /**
   * Continues a file after `lastEpoch`, whose rows are the last that are kept: rows that a killed run wrote after its
   * checkpoint are cut off.
   *
   * @param path the file
   * @param columns of the rows
   * @param lastEpoch from 1; 0 keeps none
   */
  static async resume<Row extends EpochHalf>(
    path: string,
    columns: readonly HistoryColumn<Row>[],
    lastEpoch: number,
  ): Promise<HistoryFile<Row>> {
    integer('lastEpoch', lastEpoch, { min: 0 });
    const rows = (await readHistory(path, columns)).filter((row) => row.epoch <= lastEpoch);
    const history = new HistoryFile(path, columns, rows);
    await history.#write();
    return history;
  }

  /** The rows so far. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Adds a row; an epoch may not go back. */
  async append(row: Row): Promise<void> {
    const last = this.#rows.at(-1);
    if (last !== undefined && row.epoch < last.epoch) {
      throw invalidArgument('row.epoch', `an epoch not before ${last.epoch}`, row.epoch);
    }
    historyLine(row, this.#columns);
    this.#rows = [...this.#rows, { ...row }];
    await this.#write();
  }

  async #write(): Promise<void> {
    const lines = this.#rows.map((row) => historyLine(row, this.#columns));
    await writeFileAtomic(this.path, csvLine(headerOf(this.#columns)) + lines.join(''));
  }
}

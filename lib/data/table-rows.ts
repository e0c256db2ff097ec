/** Which rows of a table are asked for, and in which split they are. */
import { CxrGazeError } from '../errors.js';
import { didYouMean, nearest } from '../validate.js';
import type { CsvTable } from './csv.js';
import { listed } from './listed.js';

/** A `WhereClause`, its accepted texts always in a list. */
export interface CheckedClause {
  readonly column: string;
  readonly equals: readonly string[];
}

/** The rows that satisfy all clauses. @throws CxrGazeError `ERR_TABLE` where none does, or no row holds a value */
export function rowsWhere(table: CsvTable, where: readonly CheckedClause[]): number[] {
  let rows = Array.from({ length: table.length }, (_, row) => row);
  for (const { column: name, equals } of where) {
    const column = table.column(name);
    const present = new Set(Array.from({ length: table.length }, (_, row) => table.cell(row, column)));
    const absent = equals.find((value) => !present.has(value));
    if (absent !== undefined) {
      const near = nearest(absent, [...present]);
      throw new CxrGazeError(
        'ERR_TABLE',
        `${table.file}, column '${name}': no row holds ${JSON.stringify(absent)}${didYouMean(near)} It holds ${listed([...present].sort())}`,
        { details: { file: table.file, column: name, found: absent } },
      );
    }
    rows = rows.filter((row) => equals.includes(table.cell(row, column)));
  }
  if (rows.length > 0) return rows;
  const clauses = where.map(({ column, equals }) => `${column}=${equals.join(',')}`).join(' and ');
  throw new CxrGazeError(
    'ERR_TABLE',
    `${table.file}: the table has no rows${clauses ? ` with ${clauses}` : ''}`,
    {
      details: { file: table.file },
    },
  );
}

/** The rows with a label. @throws CxrGazeError `ERR_TABLE` for one without, unless such rows are skipped */
export function rowsWithLabel(
  table: CsvTable,
  rows: readonly number[],
  label: number,
  emptyLabel: 'error' | 'skip',
): number[] {
  const labelled = rows.filter((row) => table.cell(row, label).trim() !== '');
  const empty = rows.length - labelled.length;
  if (labelled.length > 0 && (empty === 0 || emptyLabel === 'skip')) return labelled;
  const first = rows.find((row) => table.cell(row, label).trim() === '') as number;
  const remedy = labelled.length > 0 ? "; with emptyLabel 'skip' such rows are left out and counted" : '';
  throw table.error(first, label, `the label is empty, as in ${empty} of ${rows.length} rows${remedy}`, {
    empty,
  });
}

/** Rows by the name of their split, in order of appearance; `all` without a column of splits. */
export function rowsBySplit(
  table: CsvTable,
  rows: readonly number[],
  splitColumn: string | undefined,
): Map<string, number[]> {
  if (splitColumn === undefined) return new Map([['all', [...rows]]]);
  const column = table.column(splitColumn);
  const groups = new Map<string, number[]>();
  for (const row of rows) {
    const split = table.cell(row, column).trim();
    if (split === '') throw table.error(row, column, 'the split is empty');
    const group = groups.get(split);
    if (group) group.push(row);
    else groups.set(split, [row]);
  }
  return groups;
}

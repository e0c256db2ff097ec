import { readFile } from 'node:fs/promises';
import { CxrGazeError, type ErrorCode } from '../errors.js';
import { didYouMean, nearest, text } from '../validate.js';
import { type CsvRow, decodeText, emptyTable, firstLine, parseRows, unreadable } from './csv-text.js';
import { listed } from './listed.js';

/** A CSV file with a header: columns found by name, every cell with its line number. */
export class CsvTable {
  /** What error messages call the file. */
  readonly file: string;
  /** Names in the header, in file order. */
  readonly columns: readonly string[];
  /** Number of rows below the header. */
  readonly length: number;
  readonly #rows: readonly CsvRow[];

  /** @internal Made by {@link readCsv} and {@link parseCsv}. */
  constructor(file: string, columns: readonly string[], rows: readonly CsvRow[]) {
    this.file = file;
    this.columns = columns;
    this.length = rows.length;
    this.#rows = rows;
  }

  /**
   * @param name of a column, exactly as in the header
   * @returns its index
   * @throws `ERR_TABLE` if there is none of this name, or more than one
   */
  column(name: string): number {
    return findColumn(this.file, this.columns, name);
  }

  /**
   * @param row 0 to `length - 1`
   * @param column index from {@link CsvTable.column}
   * @returns the text of the cell, untrimmed
   */
  cell(row: number, column: number): string {
    return this.#row(row).values[column] as string;
  }

  /**
   * @param row 0 to `length - 1`
   * @returns the line of the file on which the row begins, counted from 1
   */
  line(row: number): number {
    return firstLine(this.#row(row));
  }

  /**
   * @param row 0 to `length - 1`
   * @param column index or name
   * @param problem what is wrong with the cell
   * @returns an error that names file, line and column
   */
  error(
    row: number,
    column: number | string,
    problem: string,
    details: Readonly<Record<string, unknown>> = {},
    code: ErrorCode = 'ERR_TABLE',
  ): CxrGazeError {
    const name = typeof column === 'number' ? (this.columns[column] as string) : column;
    return cellError({ file: this.file, line: this.line(row), column: name }, problem, details, code);
  }

  #row(index: number): CsvRow {
    const row = this.#rows[index];
    if (row) return row;
    throw new CxrGazeError(
      'ERR_INVALID_ARGUMENT',
      `Expected a row from 0 to ${this.length - 1} but received ${index}`,
    );
  }
}

/** Where in a file a cell is. @internal */
export interface CellPlace {
  readonly file: string;
  readonly line: number;
  readonly column: string;
}

/** An error that names file, line and column. @internal */
export function cellError(
  place: CellPlace,
  problem: string,
  details: Readonly<Record<string, unknown>> = {},
  code: ErrorCode = 'ERR_TABLE',
): CxrGazeError {
  const { file, line, column } = place;
  return new CxrGazeError(code, `${file}, line ${line}, column '${column}': ${problem}`, {
    details: { ...place, ...details },
  });
}

/** Index of the one column of this name; `ERR_TABLE` if there is none, or more than one. @internal */
export function findColumn(file: string, columns: readonly string[], name: string): number {
  const index = columns.indexOf(name);
  if (index >= 0 && columns.indexOf(name, index + 1) < 0) return index;
  const known = columns.filter((c) => c !== '');
  const near = nearest(name, known);
  const problem =
    index >= 0
      ? `has more than one column '${name}'`
      : `has no column '${name}'${didYouMean(near)} Its columns are ${listed(known)}`;
  throw new CxrGazeError('ERR_TABLE', `${file}, line 1: the table ${problem}`, {
    details: { file, line: 1, column: name, columns, ...(near ? { nearest: near } : {}) },
  });
}

/**
 * Reads a UTF-8 CSV file with a header: comma separated, quoted where needed, lines ended by LF or
 * CR LF, with or without a byte order mark; empty lines are passed over.
 *
 * @param file path of the file
 * @throws `ERR_FILE` if it cannot be read, `ERR_TABLE` if it is not such a table
 */
export async function readCsv(file: string): Promise<CsvTable> {
  text('file', file);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
  return parseCsv(bytes, file);
}

/**
 * As {@link readCsv}, from memory.
 *
 * @param content of the file
 * @param name what error messages call it
 */
export async function parseCsv(content: string | Uint8Array, name: string): Promise<CsvTable> {
  const rows = await parseRows(decodeText(content, name), name);
  const [header, ...body] = rows;
  if (!header) throw emptyTable(name);
  return new CsvTable(name, header.values, body);
}

import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type CsvError, parse } from 'csv-parse';
import { CxrGazeError, type ErrorCode } from '../errors.js';
import { nearest, text } from '../validate.js';

/** Longest row accepted: an unclosed quote would otherwise swallow the rest of the file first. */
const MAX_ROW = 1 << 20;
/** Characters given to the parser at a time, so that the event loop gets its turn in between. */
const CHUNK = 1 << 16;

interface Row {
  readonly values: readonly string[];
  /** Line on which the row ends. */
  readonly lastLine: number;
}

/** A CSV file with a header: columns found by name, every cell with its line number. */
export class CsvTable {
  /** What error messages call the file. */
  readonly file: string;
  /** Names in the header, in file order. */
  readonly columns: readonly string[];
  /** Number of rows below the header. */
  readonly length: number;
  readonly #rows: readonly Row[];

  /** @internal Made by {@link readCsv} and {@link parseCsv}. */
  constructor(file: string, columns: readonly string[], rows: readonly Row[]) {
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
    const index = this.columns.indexOf(name);
    if (index >= 0 && this.columns.indexOf(name, index + 1) < 0) return index;
    const known = this.columns.filter((c) => c !== '');
    const near = nearest(name, known);
    const problem =
      index >= 0
        ? `has more than one column '${name}'`
        : `has no column '${name}'${near ? `; did you mean '${near}'?` : ''} Its columns are ${listed(known)}`;
    throw new CxrGazeError('ERR_TABLE', `${this.file}, line 1: the table ${problem}`, {
      details: {
        file: this.file,
        line: 1,
        column: name,
        columns: this.columns,
        ...(near ? { nearest: near } : {}),
      },
    });
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
    const { values, lastLine } = this.#row(row);
    return lastLine - values.reduce((breaks, value) => breaks + value.split('\n').length - 1, 0);
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
    const name = typeof column === 'number' ? this.columns[column] : column;
    const line = this.line(row);
    return new CxrGazeError(code, `${this.file}, line ${line}, column '${name}': ${problem}`, {
      details: { file: this.file, line, column: name, ...details },
    });
  }

  #row(index: number): Row {
    const row = this.#rows[index];
    if (row) return row;
    throw new CxrGazeError(
      'ERR_INVALID_ARGUMENT',
      `Expected a row from 0 to ${this.length - 1} but received ${index}`,
    );
  }
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
    throw new CxrGazeError('ERR_FILE', `Cannot read the table ${file}: ${(cause as Error).message}`, {
      cause,
      details: { file },
    });
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
  if (!header)
    throw new CxrGazeError('ERR_TABLE', `${name}: the table is empty`, { details: { file: name } });
  return new CsvTable(name, header.values, body);
}

function decodeText(content: string | Uint8Array, name: string): string {
  if (typeof content === 'string') return content.replace(/^\uFEFF/, '');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (cause) {
    throw new CxrGazeError('ERR_TABLE', `${name}: the table is not UTF-8 text`, {
      cause,
      details: { file: name },
    });
  }
}

async function parseRows(content: string, name: string): Promise<Row[]> {
  const rows: Row[] = [];
  let returns = 0;
  const parser = parse({
    // Both are accepted line by line; csv-parse by itself would fix on the first line's ending.
    record_delimiter: ['\r\n', '\n'],
    skip_empty_lines: true,
    max_record_size: MAX_ROW,
    on_record: (values: string[], { lines }) => {
      // csv-parse counts a carriage return inside a cell as a line of its own.
      for (const value of values) if (value.includes('\r')) returns += value.split('\r').length - 1;
      rows.push({ values, lastLine: lines - returns });
      return null;
    },
  });
  parser.resume();
  try {
    await pipeline(Readable.from(chunks(content)), parser);
  } catch (cause) {
    throw malformed(cause as CsvError, name);
  }
  return rows;
}

function* chunks(content: string): Generator<Buffer> {
  // Encoded chunk by chunk; a surrogate pair must not be cut in two.
  for (let start = 0; start < content.length; ) {
    let end = Math.min(start + CHUNK, content.length);
    const last = content.charCodeAt(end - 1);
    if (end < content.length && last >= 0xd800 && last < 0xdc00) end++;
    yield Buffer.from(content.slice(start, end));
    start = end;
  }
}

function malformed(cause: CsvError & { lines?: number }, name: string): CxrGazeError {
  const place = cause.lines === undefined ? name : `${name}, line ${cause.lines}`;
  return new CxrGazeError('ERR_TABLE', `${place}: ${cause.message}`, {
    cause,
    details: { file: name, line: cause.lines, reason: cause.code },
  });
}

/** Names for a message: at most twenty. @internal */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => `'${name}'`);
  return names.length > 20 ? `${shown.join(', ')} and ${names.length - 20} more` : shown.join(', ');
}

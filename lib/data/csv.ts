import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TextDecoder } from 'node:util';
import { type CsvError, parse } from 'csv-parse';
import { CxrGazeError, type ErrorCode } from '../errors.js';
import { nearest, text } from '../validate.js';

/** Longest row accepted: an unclosed quote would otherwise swallow the rest of the file first. */
const MAX_ROW = 1 << 20;
/** Characters given to the parser at a time, so that the event loop gets its turn in between. */
const CHUNK = 1 << 16;

/** One row of a table. */
export interface CsvRow {
  /** Texts of the cells, untrimmed; as many as the header has. */
  readonly values: readonly string[];
  /** Line on which the row ends; see {@link firstLine}. */
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

/** The line of the file on which a row begins, counted from 1. @internal */
export function firstLine({ values, lastLine }: CsvRow): number {
  return lastLine - values.reduce((breaks, value) => breaks + value.split('\n').length - 1, 0);
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
      : `has no column '${name}'${near ? `; did you mean '${near}'?` : ''} Its columns are ${listed(known)}`;
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

function unreadable(file: string, cause: unknown): CxrGazeError {
  return new CxrGazeError('ERR_FILE', `Cannot read the table ${file}: ${(cause as Error).message}`, {
    cause,
    details: { file },
  });
}

/** Options of {@link streamCsv}. @internal */
export interface StreamCsvOptions {
  /** Gives the reading up when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the bytes read so far. */
  readonly onBytes?: ((done: number) => void) | undefined;
}

/**
 * As {@link readCsv}, row by row: nothing of the file stays in memory but what the caller keeps.
 *
 * @param file path of the file
 * @param begin is given the column names and returns what is called with each row
 * @returns number of rows below the header
 * @throws as {@link readCsv}, whatever `begin` and the function of the rows throw, and `ERR_ABORTED`
 * @internal
 */
export async function streamCsv(
  file: string,
  begin: (columns: readonly string[]) => (row: CsvRow) => void,
  { signal, onBytes }: StreamCsvOptions = {},
): Promise<number> {
  let rows = -1;
  let each: ((row: CsvRow) => void) | undefined;
  let thrown: unknown;
  const parser = rowParser((row) => {
    try {
      if (each) each(row);
      else each = begin(row.values);
    } catch (error) {
      thrown = error; // csv-parse would wrap what is no error of its own
      throw error;
    }
    rows++;
  });
  let opened = false;
  const source = createReadStream(file).once('open', () => {
    opened = true;
  });
  const checked = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    let done = 0;
    for await (const chunk of chunks) {
      decodeChecked(decoder, chunk, file);
      yield chunk;
      done += chunk.length;
      onBytes?.(done);
    }
    decodeChecked(decoder, undefined, file);
  };
  try {
    await pipeline(source, checked, parser, { ...(signal ? { signal } : {}) });
  } catch (cause) {
    if (thrown !== undefined) throw thrown;
    if (signal?.aborted)
      throw new CxrGazeError('ERR_ABORTED', `Reading ${file} was given up`, { cause: signal.reason });
    if (cause instanceof CxrGazeError) throw cause;
    throw !opened || (cause as NodeJS.ErrnoException).syscall
      ? unreadable(file, cause)
      : malformed(cause as CsvError, file);
  }
  if (rows < 0) throw emptyTable(file);
  return rows;
}

function decodeChecked(decoder: TextDecoder, chunk: Uint8Array | undefined, name: string): void {
  try {
    decoder.decode(chunk, { stream: chunk !== undefined });
  } catch (cause) {
    throw notText(name, cause);
  }
}

function emptyTable(name: string): CxrGazeError {
  return new CxrGazeError('ERR_TABLE', `${name}: the table is empty`, { details: { file: name } });
}

function notText(name: string, cause: unknown): CxrGazeError {
  return new CxrGazeError('ERR_TABLE', `${name}: the table is not UTF-8 text`, {
    cause,
    details: { file: name },
  });
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

/** @internal The text of a table's bytes. @throws CxrGazeError `ERR_TABLE` where they are not UTF-8 */
export function decodeText(content: string | Uint8Array, name: string): string {
  if (typeof content === 'string') return content.replace(/^\uFEFF/, '');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (cause) {
    throw notText(name, cause);
  }
}

/** The tokeniser, with the settings of this package's tables; keeps no rows. */
function rowParser(each: (row: CsvRow) => void): Transform {
  let returns = 0;
  const parser = parse({
    // Both are accepted line by line; csv-parse by itself would fix on the first line's ending.
    record_delimiter: ['\r\n', '\n'],
    bom: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW,
    on_record: (values: string[], { lines }) => {
      // csv-parse counts a carriage return inside a cell as a line of its own.
      for (const value of values) if (value.includes('\r')) returns += value.split('\r').length - 1;
      each({ values, lastLine: lines - returns });
      return null;
    },
  });
  parser.resume();
  return parser;
}

async function parseRows(content: string, name: string): Promise<CsvRow[]> {
  const rows: CsvRow[] = [];
  try {
    await pipeline(
      Readable.from(chunks(content)),
      rowParser((row) => rows.push(row)),
    );
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

/** The first names of many, for a message. @internal */
export function someOf(names: readonly string[]): string {
  return `${listed(names.slice(0, 5))}${names.length > 5 ? ', ...' : ''}`;
}

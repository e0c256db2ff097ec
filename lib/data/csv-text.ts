/** Rows of CSV text, from memory or as a stream, with the settings of this package's tables. */
import { createReadStream } from 'node:fs';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TextDecoder } from 'node:util';
import { type CsvError, parse } from 'csv-parse';
import { CxrGazeError } from '../errors.js';

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

/** The line of the file on which a row begins, counted from 1. @internal */
export function firstLine({ values, lastLine }: CsvRow): number {
  return lastLine - values.reduce((breaks, value) => breaks + value.split('\n').length - 1, 0);
}

/** Options of {@link streamCsv}. @internal */
export interface StreamCsvOptions {
  /** Gives the reading up when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the bytes read so far. */
  readonly onBytes?: ((done: number) => void) | undefined;
}

/**
 * A UTF-8 CSV file, row by row: nothing of the file stays in memory but what the caller keeps.
 *
 * @param file path of the file
 * @param begin is given the column names and returns what is called with each row
 * @returns number of rows below the header
 * @throws `ERR_FILE` and `ERR_TABLE` as `readCsv`, whatever `begin` and the function of the rows throw, and `ERR_ABORTED`
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

/** @internal The text of a table's bytes. @throws CxrGazeError `ERR_TABLE` where they are not UTF-8 */
export function decodeText(content: string | Uint8Array, name: string): string {
  if (typeof content === 'string') return content.replace(/^\uFEFF/, '');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (cause) {
    throw notText(name, cause);
  }
}

/** The tokeniser; keeps no rows. */
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

/** All rows of a text, the header among them. @throws CxrGazeError `ERR_TABLE` @internal */
export async function parseRows(content: string, name: string): Promise<CsvRow[]> {
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

/** The error of a table that cannot be opened or read on. @internal */
export function unreadable(file: string, cause: unknown): CxrGazeError {
  return new CxrGazeError('ERR_FILE', `Cannot read the table ${file}: ${(cause as Error).message}`, {
    cause,
    details: { file },
  });
}

/** The error of a table without even a header. @internal */
export function emptyTable(name: string): CxrGazeError {
  return new CxrGazeError('ERR_TABLE', `${name}: the table is empty`, { details: { file: name } });
}

function notText(name: string, cause: unknown): CxrGazeError {
  return new CxrGazeError('ERR_TABLE', `${name}: the table is not UTF-8 text`, {
    cause,
    details: { file: name },
  });
}

function malformed(cause: CsvError & { lines?: number }, name: string): CxrGazeError {
  const place = cause.lines === undefined ? name : `${name}, line ${cause.lines}`;
  return new CxrGazeError('ERR_TABLE', `${place}: ${cause.message}`, {
    cause,
    details: { file: name, line: cause.lines, reason: cause.code },
  });
}

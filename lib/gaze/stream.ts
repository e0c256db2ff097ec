/** Streaming gaze tables, twice where the sizes of their films have to be found first. */
import { stat } from 'node:fs/promises';
import { findColumn } from '../data/csv.js';
import { type CsvRow, streamCsv } from '../data/csv-text.js';
import type { GazeReadOptions } from './builder.js';
import { type FilmSizes, type KnownSizes, lookUp } from './film-sizes.js';

/** What streaming takes of a reader's options. */
type StreamOptions = Pick<GazeReadOptions, 'signal' | 'onProgress'>;

/** Streams a table with the progress and signal of a reader's options. @internal */
export async function streamGaze(
  file: string,
  begin: (columns: readonly string[]) => (row: CsvRow) => void,
  { signal, onProgress }: StreamOptions,
): Promise<void> {
  const size = onProgress ? (await stat(file).catch(() => ({ size: 0 }))).size : 0;
  await streamCsv(file, begin, {
    signal,
    ...(onProgress ? { onBytes: (done: number) => onProgress(size > 0 ? Math.min(1, done / size) : 1) } : {}),
  });
}

/** Where a table names its films. @internal */
export interface FilmColumn {
  /** Name of the column. */
  readonly column: string;
  /** The other columns that will be read: one that is missing is told before any film is measured. */
  readonly others: readonly string[];
  /** The film that a cell means; `undefined` for a row without one. Throws for what cannot be a name. */
  readonly imageOf: (cell: string, row: CsvRow) => string | undefined;
}

/**
 * The sizes that a table needs. A function that finds them is asked for the films that the table names, and for no others:
 * a folder may hold far more, and broken ones.
 *
 * @returns the sizes, and the options for reading the table itself, whose progress goes on from here
 * @internal
 */
export async function sizesOfNamed(
  file: string,
  names: FilmColumn,
  films: FilmSizes | undefined,
  options: StreamOptions,
): Promise<{ readonly sizes: KnownSizes | undefined; readonly onward: StreamOptions }> {
  if (typeof films !== 'function') return { sizes: films, onward: options };
  const images = await namedImages(file, names, third(options, 0));
  return { sizes: await lookUp(images, films, third(options, 1)), onward: third(options, 2) };
}

/** Names, films and rows: a third of the progress each. */
function third({ signal, onProgress }: StreamOptions, index: number): StreamOptions {
  return {
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress: (share: number) => onProgress((index + share) / 3) } : {}),
  };
}

async function namedImages(
  file: string,
  { column, others, imageOf }: FilmColumn,
  options: StreamOptions,
): Promise<readonly string[]> {
  const cells = new Set<string>();
  const images = new Set<string>();
  const begin = (columns: readonly string[]) => {
    const at = findColumn(file, columns, column);
    for (const other of others) findColumn(file, columns, other);
    return (row: CsvRow): void => {
      const cell = row.values[at] as string;
      if (cells.has(cell)) return;
      cells.add(cell);
      const image = imageOf(cell, row);
      if (image !== undefined) images.add(image);
    };
  };
  await streamGaze(file, begin, options);
  return [...images];
}

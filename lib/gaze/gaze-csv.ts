import { stat } from 'node:fs/promises';
import { type CsvRow, findColumn, firstLine, streamCsv } from '../data/csv.js';
import { featureName } from '../data/image-table.js';
import { CxrGazeError } from '../errors.js';
import { flag, invalidArgument, knownKeys, number, text } from '../validate.js';
import {
  cellNumber,
  type FilmSizes,
  filmSize,
  type GazeReadOptions,
  GazeTableBuilder,
  gazeReadOptionNames,
} from './builder.js';
import { checkedId } from './names.js';
import type { FilmSize, GazeTable } from './reading.js';

/** Options of {@link readGazeCsv}. */
export interface GazeCsvOptions extends GazeReadOptions {
  /** Whether x and y are fractions of the film, 0 to 1, instead of pixels. Default `false`. */
  readonly normalised?: boolean;
  /**
   * Sizes of the films. Needed for pixels: what is off the film, and how wide σ is, depends on them. With fractions they
   * make pixels of them; without, readings have the size 1 x 1.
   */
  readonly films?: FilmSizes;
}

/**
 * Reads fixations from a table `id,x,y,start,end`: places in pixels from the top left of the film (or fractions of it),
 * seconds. An id is the film's name, with or without the extension of an image; its rows need not stand together. Other
 * columns are passed over. The file is read as a stream.
 *
 * @param file path of the table
 * @param options units, films, what to do about faults
 * @throws `ERR_TABLE` for a missing column or too many faulty rows; `ERR_PATH_ESCAPE` for an id that is a path;
 *   `ERR_DATASET` if the size of a film is not known; `ERR_FILE`, `ERR_ABORTED`
 * @example
 * ```ts
 * const gaze = await readGazeCsv('fixations.csv', { films: { width: 1024, height: 1024 } });
 * ```
 */
export async function readGazeCsv(file: string, options: GazeCsvOptions = {}): Promise<GazeTable> {
  text('file', file);
  knownKeys('options', options, ['normalised', 'films', ...gazeReadOptionNames]);
  const normalised = flag('options.normalised', options.normalised ?? false);
  const films = options.films === undefined ? undefined : checkFilms(options.films);
  if (!normalised && films === undefined)
    throw invalidArgument(
      'options.films',
      'the size of the films, or normalised: true for fractions,',
      undefined,
    );
  const builder = new GazeTableBuilder(file, options);
  const unknown = new UnknownFilms();
  const begin = (columns: readonly string[]) => {
    const [id, x, y, start, end] = ['id', 'x', 'y', 'start', 'end'].map((name) =>
      findColumn(file, columns, name),
    ) as [number, number, number, number, number];
    const open = (name: string, row: CsvRow) => {
      const image = featureName(checkedId(name, { file, line: firstLine(row), column: 'id' }));
      const film = films ? filmSize(films, image) : { width: 1, height: 1 };
      if (!film) unknown.add(image);
      return builder.begin({ id: name, image, width: film?.width ?? 1, height: film?.height ?? 1 });
    };
    return (row: CsvRow): void => {
      const { values } = row;
      const name = values[id] as string;
      const recording = builder.recording(name) ?? open(name, row);
      const { width, height } = recording.parts;
      const [scaleX, scaleY] = normalised ? [width, height] : [1, 1];
      builder.rows++;
      recording.add(
        cellNumber(values[x]) * scaleX,
        cellNumber(values[y]) * scaleY,
        cellNumber(values[start]),
        cellNumber(values[end]),
        row,
      );
    };
  };
  await streamGaze(file, begin, options);
  unknown.refuse(file);
  return builder.finish();
}

/** Streams a table with the progress and signal of a reader's options. @internal */
export async function streamGaze(
  file: string,
  begin: (columns: readonly string[]) => (row: CsvRow) => void,
  { signal, onProgress }: GazeReadOptions,
): Promise<void> {
  const size = onProgress ? (await stat(file).catch(() => ({ size: 0 }))).size : 0;
  await streamCsv(file, begin, {
    signal,
    ...(onProgress ? { onBytes: (done: number) => onProgress(size > 0 ? Math.min(1, done / size) : 1) } : {}),
  });
}

/** Films whose size nobody knows: listed at once, when all rows were seen. @internal */
export class UnknownFilms {
  readonly #images = new Set<string>();

  /** Notes a film. */
  add(image: string): void {
    this.#images.add(image);
  }

  /** Throws `ERR_DATASET` if there is any. */
  refuse(file: string): void {
    const { size } = this.#images;
    if (size === 0) return;
    const examples = [...this.#images].slice(0, 5);
    throw new CxrGazeError(
      'ERR_DATASET',
      `${file}: the size of ${size} ${size === 1 ? 'film is' : 'films is'} not known: ${examples.join(', ')}${size > examples.length ? ', ...' : ''}`,
      { details: { file, images: [...this.#images] } },
    );
  }
}

/** Checks the sizes that a user gives. @internal */
export function checkFilms(films: FilmSizes): FilmSizes {
  const check = (name: string, size: FilmSize): void => {
    knownKeys(name, size, ['width', 'height']);
    number(`${name}.width`, size.width, { above: 0 });
    number(`${name}.height`, size.height, { above: 0 });
  };
  if (films instanceof Map) for (const [image, size] of films) check(`options.films.get('${image}')`, size);
  else check('options.films', films as FilmSize);
  return films;
}

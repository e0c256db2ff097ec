import { findColumn } from '../data/csv.js';
import { type CsvRow, firstLine } from '../data/csv-text.js';
import { featureName } from '../data/image-table.js';
import { flag, invalidArgument, knownKeys, text } from '../validate.js';
import { cellNumber, type GazeReadOptions, GazeTableBuilder, gazeReadOptionNames } from './builder.js';
import { checkFilms, type FilmSizes, filmSize } from './film-sizes.js';
import { checkedId } from './names.js';
import type { GazeTable } from './reading.js';
import { sizesOfNamed, streamGaze } from './stream.js';

/** Options of {@link readGazeCsv}. */
export interface GazeCsvOptions extends GazeReadOptions {
  /** Whether x and y are fractions of the film, 0 to 1, instead of pixels. Default `false`. */
  readonly normalised?: boolean;
  /**
   * Sizes of the films. Needed for pixels: what is off the film, and how wide σ is, depends on them. With fractions they
   * make pixels of them; without, readings have the size 1 x 1. Films that a map or a function does not know are left out
   * and counted as `unknownFilm`. With a function the table is read twice: first for the names of its films.
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
 *   `ERR_DATASET` if the size of no film is known; `ERR_FILE`, `ERR_ABORTED`; whatever a function of `films` throws
 * @example
 * ```ts
 * const gaze = await readGazeCsv('fixations.csv', { films: { width: 1024, height: 1024 } });
 * const images = await FilmFiles.open('images');
 * const measured = await readGazeCsv('fixations.csv', { films: (image) => images.size(image) });
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
  const imageOf = (name: string, row: CsvRow): string =>
    featureName(checkedId(name, { file, line: firstLine(row), column: 'id' }));
  const names = { column: 'id', others: ['x', 'y', 'start', 'end'], imageOf };
  const { sizes, onward } = await sizesOfNamed(file, names, films, options);
  const begin = (columns: readonly string[]) => {
    const [id, x, y, start, end] = ['id', 'x', 'y', 'start', 'end'].map((name) =>
      findColumn(file, columns, name),
    ) as [number, number, number, number, number];
    const open = (name: string, row: CsvRow) => {
      const image = imageOf(name, row);
      const film = sizes ? filmSize(sizes, image) : { width: 1, height: 1 };
      if (film) return builder.begin({ id: name, image, width: film.width, height: film.height });
      builder.passOverFilm(image);
      return undefined;
    };
    return (row: CsvRow): void => {
      const { values } = row;
      const name = values[id] as string;
      builder.rows++;
      const recording = builder.recording(name) ?? open(name, row);
      if (!recording) return;
      const { width, height } = recording.parts;
      const [scaleX, scaleY] = normalised ? [width, height] : [1, 1];
      recording.add(
        cellNumber(values[x]) * scaleX,
        cellNumber(values[y]) * scaleY,
        cellNumber(values[start]),
        cellNumber(values[end]),
        row,
      );
    };
  };
  await streamGaze(file, begin, onward);
  return builder.finish();
}

import path from 'node:path';
import { findColumn } from '../data/csv.js';
import { type CsvRow, firstLine } from '../data/csv-text.js';
import { knownKeys, oneOf, text } from '../validate.js';
import {
  cellNumber,
  type GazeReadOptions,
  GazeTableBuilder,
  gazeReadOptionNames,
  type Recording,
} from './builder.js';
import { readMasterSheet, type Shown, screen } from './egd-screen.js';
import { checkFilms, type FilmSizes, filmSize, type KnownSizes } from './film-sizes.js';
import { checkedId } from './names.js';
import type { GazeTable } from './reading.js';
import { type FilmColumn, sizesOfNamed, streamGaze } from './stream.js';

/** Options of {@link readEgd}. */
export interface EgdOptions extends GazeReadOptions {
  /**
   * `'eye_gaze'`: every sample of the tracker, with the time since the sample before it; `'fixations'`: the tracker's
   * fixations. Default `'eye_gaze'`, which GazeLT reads.
   */
  readonly table?: 'eye_gaze' | 'fixations';
  /**
   * Sizes of the films in pixels. With them `X_ORIGINAL`, `Y_ORIGINAL` are read; without, places on the screen
   * (`FPOGX`, `FPOGY`) less the paddings of `master_sheet.csv`, so that readings have the size that the film had on the
   * screen. As in `readGazeCsv`: films that a map or a function does not know are left out and counted as `unknownFilm`,
   * and with a function the table is read twice.
   */
  readonly films?: FilmSizes;
}

/**
 * Reads EGD (Karargyris et al. 2021, eye-gaze-data-for-chest-x-rays 1.0.0): `eye_gaze.csv` or `fixations.csv`, and
 * `master_sheet.csv`. The table is read as a stream. `DICOM_ID`s that the master sheet does not have, empty ones among
 * them, are calibration pictures: passed over and counted. No cell of the master sheet is ever shown: it holds diagnoses.
 *
 * Times: `Time (in secs)` starts anew with each film. A sample lasts from the sample before it (the first one from 0), a
 * fixation from `Time (in secs)` less `FPOGD`.
 *
 * @param folder of the tables
 * @param options which table, films, what to do about faults
 * @throws `ERR_TABLE`, `ERR_PATH_ESCAPE`, `ERR_DATASET`, `ERR_FILE`, `ERR_ABORTED` as `readGazeCsv`
 */
export async function readEgd(folder: string, options: EgdOptions = {}): Promise<GazeTable> {
  text('folder', folder);
  knownKeys('options', options, ['table', 'films', ...gazeReadOptionNames]);
  const table = oneOf('options.table', options.table ?? 'eye_gaze', ['eye_gaze', 'fixations']);
  const films = options.films === undefined ? undefined : checkFilms(options.films);
  const master = await readMasterSheet(folder, films !== undefined);
  const file = path.join(folder, `${table}.csv`);
  const builder = new GazeTableBuilder(file, options);
  const imageOf = filmNames(file, master);
  const others = ['Time (in secs)', 'X_ORIGINAL', 'Y_ORIGINAL', ...(table === 'fixations' ? ['FPOGD'] : [])];
  const { sizes, onward } = await sizesOfNamed(file, { column: 'DICOM_ID', others, imageOf }, films, options);
  const source = { file, table, builder, imageOf, sizes, master };
  await streamGaze(file, (columns) => rowReader(source, columns), onward);
  return builder.finish(table === 'eye_gaze');
}

/** A table of EGD that is being read, and what is known of its films. */
interface Source {
  readonly file: string;
  readonly table: 'eye_gaze' | 'fixations';
  readonly builder: GazeTableBuilder;
  readonly imageOf: FilmColumn['imageOf'];
  /** Sizes of the films; `undefined` where places are read off the screen. */
  readonly sizes: KnownSizes | undefined;
  readonly master: ReadonlyMap<string, Shown> | undefined;
}

/** The film that a `DICOM_ID` means; `undefined` for a calibration picture. */
function filmNames(file: string, master: Source['master']): FilmColumn['imageOf'] {
  return (id, row) => {
    if (master && id.trim() === '') return undefined;
    checkedId(id, { file, line: firstLine(row), column: 'DICOM_ID' });
    return master && !master.has(id) ? undefined : id;
  };
}

/** Finds the table's columns, and returns what is called with each row. */
function rowReader(source: Source, columns: readonly string[]): (row: CsvRow) => void {
  const { file, table, builder, sizes, master } = source;
  const column = (name: string): number => findColumn(file, columns, name);
  const id = column('DICOM_ID');
  const time = column('Time (in secs)');
  const duration = table === 'fixations' ? column('FPOGD') : -1;
  const [across, down] = sizes
    ? [column('X_ORIGINAL'), column('Y_ORIGINAL')]
    : [column('FPOGX'), column('FPOGY')];
  return (row) => {
    const { values } = row;
    const name = values[id] as string;
    builder.rows++;
    const recording = builder.recording(name) ?? openRecording(source, name, row);
    if (!recording) return;
    const shown = sizes ? undefined : (master?.get(name) as Shown);
    const x = cellNumber(values[across]);
    const y = cellNumber(values[down]);
    const onFilmX = shown ? x * screen.width - shown.left : x;
    const onFilmY = shown ? y * screen.height - shown.top : y;
    const end = cellNumber(values[time]);
    if (duration < 0) recording.addSample(onFilmX, onFilmY, end, row);
    else recording.add(onFilmX, onFilmY, end - cellNumber(values[duration]), end, row);
  };
}

/** Begins the recording of a film; `undefined` for a row that is passed over, which is counted. */
function openRecording(source: Source, id: string, row: CsvRow): Recording | undefined {
  const { table, builder, imageOf, sizes, master } = source;
  const image = imageOf(id, row);
  const film = sizes ? filmSize(sizes, id) : master?.get(id);
  if (image === undefined) builder.passOver('calibration');
  else if (!film) builder.passOverFilm(image);
  else {
    const { width, height } = film;
    return builder.begin({ id, image, width, height, stamp: table === 'eye_gaze' ? 'end' : 'start' });
  }
  return undefined;
}

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type CsvRow, type CsvTable, findColumn, firstLine, readCsv } from '../data/csv.js';
import { CxrGazeError } from '../errors.js';
import { knownKeys, oneOf, text } from '../validate.js';
import {
  cellNumber,
  type GazeReadOptions,
  GazeTableBuilder,
  gazeReadOptionNames,
  type Recording,
} from './builder.js';
import { checkFilms, type FilmSizes, filmSize } from './film-sizes.js';
import { checkedId } from './names.js';
import type { FilmSize, GazeTable } from './reading.js';
import { sizesOfNamed, streamGaze } from './stream.js';

/** The screen that the films were read on, in pixels. */
const screen = { width: 1920, height: 1080 } as const;

const masterSheet = 'master_sheet.csv';

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

/** Part of the screen that a film covered. */
interface Shown extends FilmSize {
  readonly left: number;
  readonly top: number;
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

  /** `undefined` for a calibration picture. */
  const imageOf = (id: string, row: CsvRow): string | undefined => {
    if (master && id.trim() === '') return undefined;
    checkedId(id, { file, line: firstLine(row), column: 'DICOM_ID' });
    return master && !master.has(id) ? undefined : id;
  };
  const others = ['Time (in secs)', 'X_ORIGINAL', 'Y_ORIGINAL', ...(table === 'fixations' ? ['FPOGD'] : [])];
  const { sizes, onward } = await sizesOfNamed(file, { column: 'DICOM_ID', others, imageOf }, films, options);

  /** `undefined` for a row that is passed over. */
  const open = (id: string, row: CsvRow): Recording | undefined => {
    const image = imageOf(id, row);
    const film = sizes ? filmSize(sizes, id) : master?.get(id);
    if (image === undefined) builder.passOver('calibration');
    else if (!film) builder.passOverFilm(image);
    else {
      const { width, height } = film;
      return builder.begin({ id, image, width, height, stamp: table === 'eye_gaze' ? 'end' : 'start' });
    }
    return undefined;
  };
  const begin = (columns: readonly string[]) => {
    const column = (name: string): number => findColumn(file, columns, name);
    const id = column('DICOM_ID');
    const time = column('Time (in secs)');
    const duration = table === 'fixations' ? column('FPOGD') : -1;
    const [across, down] = films
      ? [column('X_ORIGINAL'), column('Y_ORIGINAL')]
      : [column('FPOGX'), column('FPOGY')];
    return (row: CsvRow): void => {
      const { values } = row;
      const name = values[id] as string;
      builder.rows++;
      const recording = builder.recording(name) ?? open(name, row);
      if (!recording) return;
      const shown = films ? undefined : (master?.get(name) as Shown);
      const x = cellNumber(values[across]);
      const y = cellNumber(values[down]);
      const onFilmX = shown ? x * screen.width - shown.left : x;
      const onFilmY = shown ? y * screen.height - shown.top : y;
      const end = cellNumber(values[time]);
      if (duration < 0) recording.addSample(onFilmX, onFilmY, end, row);
      else recording.add(onFilmX, onFilmY, end - cellNumber(values[duration]), end, row);
    };
  };
  await streamGaze(file, begin, onward);
  return builder.finish(table === 'eye_gaze');
}

/** Whether a folder of EGD tells where on the screen its films lay. @internal */
export async function hasMasterSheet(folder: string): Promise<boolean> {
  return stat(path.join(folder, masterSheet)).then(
    () => true,
    () => false,
  );
}

/** Where on the screen each film lay. */
async function readMasterSheet(folder: string, optional: boolean): Promise<Map<string, Shown> | undefined> {
  const file = path.join(folder, masterSheet);
  if (!(await hasMasterSheet(folder))) {
    if (optional) return undefined;
    throw new CxrGazeError(
      'ERR_FILE',
      `${file} is not there. It tells where on the screen each film lay; without it the sizes of the films have to be given`,
      { details: { file } },
    );
  }
  const table = await readCsv(file);
  const id = table.column('dicom_id');
  const [left, right, top, bottom] = ['left', 'right', 'top', 'bottom'].map((side) =>
    padding(table, side),
  ) as [number, number, number, number];
  const films = new Map<string, Shown>();
  for (let row = 0; row < table.length; row++) {
    const name = checkedId(table.cell(row, id), { file, line: table.line(row), column: 'dicom_id' }, false);
    if (films.has(name)) throw table.error(row, id, 'the film was given before');
    const pad = (column: number): number => {
      const value = cellNumber(table.cell(row, column));
      if (value >= 0) return value;
      throw table.error(row, column, 'the padding is not a number of at least 0');
    };
    const width = screen.width - pad(left) - pad(right);
    const height = screen.height - pad(top) - pad(bottom);
    if (width <= 0 || height <= 0)
      throw table.error(row, width <= 0 ? left : top, 'the paddings leave no room on the screen');
    films.set(name, { width, height, left: pad(left), top: pad(top) });
  }
  return films;
}

/** The makers' programs know the column under two names. */
function padding(table: CsvTable, side: string): number {
  const short = `image_${side}`;
  return table.column(table.columns.includes(short) ? short : `image_${side}_pad`);
}

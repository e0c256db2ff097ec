import { stat } from 'node:fs/promises';
import path from 'node:path';
import { forEachBounded, throwIfAborted } from '../data/bounded.js';
import { type CsvTable, readCsv } from '../data/csv.js';
import { featureName } from '../data/image-table.js';
import { CxrGazeError } from '../errors.js';
import { integer, knownKeys, list, text } from '../validate.js';
import { cellNumber, type GazeReadOptions, GazeTableBuilder, gazeReadOptionNames } from './builder.js';
import { checkedId } from './names.js';
import type { ChestBox, GazeTable, Reading } from './reading.js';

/** Options of {@link readReflacx}. */
export interface ReflacxOptions extends GazeReadOptions {
  /** Which of `metadata_phase_N.csv` to read. Default: those that are there. */
  readonly phases?: readonly number[];
}

/** Readings whose files are read at the same time. */
const concurrency = 8;

/**
 * Reads REFLACX (Bigolin Lanfredi et al. 2022, version 1.0.0): `main_data/metadata_phase_N.csv` and for each reading
 * `main_data/ID/fixations.csv` and, where it is there, `chest_bounding_box.csv`. Readings marked
 * `eye_tracking_data_discarded` have no gaze; they are passed over and counted.
 *
 * @param folder that holds `main_data`
 * @param options phases, what to do about faults
 * @throws `ERR_TABLE`, `ERR_PATH_ESCAPE`, `ERR_FILE`, `ERR_ABORTED` as `readGazeCsv`
 */
export async function readReflacx(folder: string, options: ReflacxOptions = {}): Promise<GazeTable> {
  text('folder', folder);
  knownKeys('options', options, ['phases', ...gazeReadOptionNames]);
  const root = path.join(folder, 'main_data');
  const builder = new GazeTableBuilder(root, options);
  const found = await readMetadata(root, options.phases, builder);
  let done = 0;
  // Begun in order, so that readings keep the order of the metadata.
  const recordings = found.map((parts) => builder.begin(parts));
  await forEachBounded(found.length, concurrency, async (index) => {
    throwIfAborted(options.signal, `Reading ${root}`);
    const recording = recordings[index] as (typeof recordings)[number];
    const file = path.join(root, recording.parts.id, 'fixations.csv');
    const table = await readCsv(file);
    const [x, y, start, end] = [
      'x_position',
      'y_position',
      'timestamp_start_fixation',
      'timestamp_end_fixation',
    ].map((name) => table.column(name)) as [number, number, number, number];
    for (let row = 0; row < table.length; row++) {
      const value = (column: number): number => cellNumber(table.cell(row, column));
      builder.rows++;
      recording.add(value(x), value(y), value(start), value(end), `${file}, line ${table.line(row)}`);
    }
    options.onProgress?.(++done / found.length);
  });
  return builder.finish();
}

async function readMetadata(
  root: string,
  phases: readonly number[] | undefined,
  builder: GazeTableBuilder,
): Promise<Omit<Reading, 'fixations'>[]> {
  const wanted = phases
    ? list('options.phases', phases, (name, phase) => integer(name, phase, { min: 1, max: 3 }))
    : await presentPhases(root);
  const readings = new Map<string, Omit<Reading, 'fixations'>>();
  for (const phase of wanted) {
    const table = await readCsv(path.join(root, `metadata_phase_${phase}.csv`));
    for (let row = 0; row < table.length; row++) {
      const reading = await readRow(table, row, root);
      if (reading === undefined) builder.count('discarded');
      else if (readings.has(reading.id)) throw table.error(row, 'id', 'the reading was given before');
      else readings.set(reading.id, reading);
    }
  }
  return [...readings.values()];
}

async function presentPhases(root: string): Promise<number[]> {
  const phases: number[] = [];
  for (const phase of [1, 2, 3]) {
    const file = path.join(root, `metadata_phase_${phase}.csv`);
    if (await isThere(file)) phases.push(phase);
  }
  if (phases.length > 0) return phases;
  throw new CxrGazeError('ERR_FILE', `Expected metadata_phase_1.csv, 2 or 3 in ${root} but none is there`, {
    details: { file: root },
  });
}

function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** A row of the metadata; `undefined` if its gaze was discarded. */
async function readRow(
  table: CsvTable,
  row: number,
  root: string,
): Promise<Omit<Reading, 'fixations'> | undefined> {
  const cell = (name: string): string => table.cell(row, table.column(name));
  const id = checkedId(cell('id'), { file: table.file, line: table.line(row), column: 'id' });
  const discarded = cell('eye_tracking_data_discarded').trim().toLowerCase();
  if (['true', '1', '1.0'].includes(discarded)) return undefined;
  if (!['false', '0', '0.0', ''].includes(discarded))
    throw table.error(
      row,
      'eye_tracking_data_discarded',
      `${JSON.stringify(discarded)} is neither True nor False`,
    );
  const size = (name: string): number => {
    const value = cellNumber(cell(name));
    if (value > 0) return value;
    throw table.error(row, name, `${JSON.stringify(cell(name))} is not the size of a film`);
  };
  // A path below the root of MIMIC-CXR; its last part is the film.
  const image = checkedId(featureName(imagePath(table, row)), {
    file: table.file,
    line: table.line(row),
    column: 'image',
  });
  const chestBox = await readChestBox(path.join(root, id, 'chest_bounding_box.csv'));
  return {
    ...{ id, image, width: size('image_size_x'), height: size('image_size_y') },
    ...(chestBox ? { chestBox } : {}),
  };
}

function imagePath(table: CsvTable, row: number): string {
  const image = table.cell(row, table.column('image'));
  if (!image.split(/[\\/]/).includes('..')) return image;
  throw table.error(row, 'image', `the path ${JSON.stringify(image)} climbs by '..'`, {}, 'ERR_PATH_ESCAPE');
}

async function readChestBox(file: string): Promise<ChestBox | undefined> {
  if (!(await isThere(file))) return undefined;
  const table = await readCsv(file);
  if (table.length !== 1)
    throw new CxrGazeError('ERR_TABLE', `${file}: expected one row but found ${table.length}`, {
      details: { file, rows: table.length },
    });
  const edge = (name: string): number => {
    const column = table.column(name);
    const value = cellNumber(table.cell(0, column));
    if (Number.isFinite(value)) return value;
    throw table.error(0, column, `${JSON.stringify(table.cell(0, column))} is not a number`);
  };
  const box = { xmin: edge('xmin'), ymin: edge('ymin'), xmax: edge('xmax'), ymax: edge('ymax') };
  if (box.xmin <= box.xmax && box.ymin <= box.ymax) return box;
  throw table.error(0, box.xmin <= box.xmax ? 'ymax' : 'xmax', 'the box ends before it begins');
}

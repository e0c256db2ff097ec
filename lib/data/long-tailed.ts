import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { CxrGazeError } from '../errors.js';
import { knownKeys, nearest, oneOf, text } from '../validate.js';
import { type CsvTable, readCsv } from './csv.js';
import type { DataWarning } from './data-warning.js';
import { ImageTable, readPaths, refuseDuplicates } from './image-table.js';
import type { LabelTableFormat } from './label-table-format.js';
import { MIMIC_CXR_LT } from './mimic-cxr-lt.js';
import { NIH_CXR_LT } from './nih-cxr-lt.js';

/** Names of the published long-tailed label sets. */
export const LONG_TAILED_DATASETS = ['nih-cxr-lt', 'mimic-cxr-lt'] as const;
/** One of {@link LONG_TAILED_DATASETS}. */
export type LongTailedName = (typeof LONG_TAILED_DATASETS)[number];

/** Parts of a long-tailed set. The balanced test set of NIH-CXR-LT is a part of its test set. */
export const LONG_TAILED_SPLITS = ['train', 'balanced-val', 'balanced-test', 'test'] as const;
/** One of {@link LONG_TAILED_SPLITS}. */
export type LongTailedSplit = (typeof LONG_TAILED_SPLITS)[number];

/** What a single-label file says; lists have one entry a row. */
export interface LabelTable {
  /** Class names in label order. */
  readonly classes: readonly string[];
  /** Image names. */
  readonly ids: readonly string[];
  /** Image paths as written, relative to the data folder. */
  readonly paths: readonly string[];
  /** Patients, with their leading zeros. */
  readonly patients: readonly string[];
  /** Indices into `classes`. */
  readonly labels: Int32Array;
  /** Column sums in class order. */
  readonly classCounts: readonly number[];
  /** Rows that do not hold exactly one 1, if any. */
  readonly warnings: readonly DataWarning[];
}

/** Options of {@link openLongTailed}. */
export interface LongTailedOptions {
  /** Which set. */
  readonly dataset: LongTailedName;
  /** Folder of `{dataset}_single-label_{split}.csv`. */
  readonly labelDir: string;
  /** Folder that image paths are relative to: NIH's images, or the root of MIMIC-CXR-JPG. */
  readonly dataDir: string;
  /** Which part. */
  readonly split: LongTailedSplit;
}

const FORMATS: Readonly<Record<LongTailedName, LabelTableFormat>> = {
  'nih-cxr-lt': NIH_CXR_LT,
  'mimic-cxr-lt': MIMIC_CXR_LT,
};

/** @returns layout and classes of a published set */
export function longTailedFormat(dataset: LongTailedName): LabelTableFormat {
  return FORMATS[oneOf('dataset', dataset, LONG_TAILED_DATASETS)];
}

/**
 * Opens one part of NIH-CXR-LT or MIMIC-CXR-LT from its label file. Images are not opened, and need not
 * be there yet; `checkImages` tells which are missing.
 *
 * @throws `ERR_FILE` for a missing label file, `ERR_TABLE` for what is wrong in it (with line and
 *   column), `ERR_PATH_ESCAPE` for a path out of `dataDir`
 */
export async function openLongTailed(options: LongTailedOptions): Promise<ImageTable> {
  knownKeys('options', options, ['dataset', 'labelDir', 'dataDir', 'split']);
  const format = longTailedFormat(options.dataset);
  const split = oneOf('options.split', options.split, LONG_TAILED_SPLITS);
  const root = path.resolve(text('options.dataDir', options.dataDir));
  const table = await readLabelFile(
    text('options.labelDir', options.labelDir),
    `${format.dataset}_single-label_${split}.csv`,
  );
  const labels = readLabelTable(table, format);
  const rows = Array.from({ length: table.length }, (_, row) => row);
  await readPaths({ table, column: table.column(format.pathColumn), rows, root });
  return new ImageTable({
    ...labels,
    name: `${format.dataset} ${split}`,
    root,
    origin: (index) => `${table.file}, line ${table.line(index)}`,
  });
}

/**
 * The label of a row is the first class, in class order, with the largest value; columns are found by
 * name and others ignored.
 *
 * @param table of a single-label file
 * @param format its layout
 * @throws `ERR_TABLE` with line and column
 */
export function readLabelTable(table: CsvTable, format: LabelTableFormat): LabelTable {
  if (table.length === 0)
    throw new CxrGazeError('ERR_TABLE', `${table.file}: the table has no rows`, {
      details: { file: table.file },
    });
  const id = table.column(format.idColumn);
  const image = table.column(format.pathColumn);
  const patient = table.column(format.patientColumn);
  const columns = format.classes.map((name) => table.column(name));
  const rows = Array.from({ length: table.length }, (_, row) => row);
  const empty = rows.find((row) => table.cell(row, id).trim() === '');
  if (empty !== undefined) throw table.error(empty, id, 'the image name is empty');
  refuseDuplicates(table, id, rows);
  const classCounts = columns.map(() => 0);
  const labels = new Int32Array(table.length);
  const odd: number[] = [];
  for (const row of rows) {
    const values = columns.map((column) => labelValue(table, row, column));
    labels[row] = values.indexOf(Math.max(...values));
    values.forEach((value, k) => {
      classCounts[k] = (classCounts[k] as number) + value;
    });
    if (values.filter((value) => value === 1).length !== 1) odd.push(table.line(row));
  }
  return {
    classes: format.classes,
    ids: rows.map((row) => table.cell(row, id)),
    paths: rows.map((row) => table.cell(row, image)),
    patients: rows.map((row) => table.cell(row, patient)),
    labels,
    classCounts,
    warnings: oddRows(table.file, odd),
  };
}

function labelValue(table: CsvTable, row: number, column: number): number {
  const cell = table.cell(row, column);
  if (cell === '0') return 0;
  if (cell === '1') return 1;
  const value = cell.trim() === '' ? Number.NaN : Number(cell);
  if (Number.isFinite(value)) return value;
  throw table.error(row, column, `expected 0 or 1 but found ${JSON.stringify(cell)}`, { found: cell });
}

function oddRows(file: string, lines: readonly number[]): DataWarning[] {
  if (lines.length === 0) return [];
  const message = `${file}: ${lines.length} ${lines.length === 1 ? 'row does' : 'rows do'} not hold exactly one 1 (lines ${lines.slice(0, 5).join(', ')}${lines.length > 5 ? ', ...' : ''}); the first class with the largest value counts`;
  return [{ kind: 'not-single-label', message, details: { file, lines } }];
}

async function readLabelFile(folder: string, name: string): Promise<CsvTable> {
  try {
    return await readCsv(path.join(folder, name));
  } catch (error) {
    const cause =
      error instanceof CxrGazeError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
    if (cause?.code !== 'ENOENT') throw error;
    const present = await readdir(folder).catch(() => undefined);
    const near =
      present &&
      nearest(
        name,
        present.filter((entry) => entry.endsWith('.csv')),
      );
    const hint = present ? (near ? `; there is ${near}` : '') : ': there is no such folder';
    throw new CxrGazeError('ERR_FILE', `Expected the label file ${name} in ${folder}${hint}`, {
      cause,
      details: { file: path.join(folder, name) },
    });
  }
}

import path from 'node:path';
import { CxrGazeError } from '../errors.js';
import { callable, integer, invalidArgument, knownKeys, list, text } from '../validate.js';
import type { CsvTable } from './csv.js';
import type { DataWarning } from './data-warning.js';
import { type Dataset, requireDataset, type Sample } from './dataset.js';
import { IMAGE_EXTENSIONS } from './image-files.js';
import { linksHint, resolveInside, surveyFiles } from './paths.js';

/** What an {@link ImageTable} is made of; all lists have one entry a sample. */
export interface ImageTableParts {
  /** What messages and reports call it. */
  readonly name: string;
  /** Class names in label order. */
  readonly classes: readonly string[];
  /** Folder that `paths` are relative to. */
  readonly root: string;
  /** Unique names of the samples. */
  readonly ids: readonly string[];
  /** Image files relative to `root`, already known not to leave it. */
  readonly paths: readonly string[];
  /** Indices into `classes`. */
  readonly labels: Int32Array;
  /** Patients, where known. */
  readonly patients: readonly (string | undefined)[];
  /** Images of each class as the source counts them; counted from `labels` by default. */
  readonly classCounts?: readonly number[];
  /** Where a sample was found, for error messages. */
  readonly origin: (index: number) => string;
  /** What was odd about the source. */
  readonly warnings?: readonly DataWarning[];
}

/** A data set of image files under one folder: what label tables and image folders become. */
export class ImageTable implements Dataset {
  /** What messages and reports call it. */
  readonly name: string;
  /** Class names; the index is the label. */
  readonly classes: readonly string[];
  /** Number of samples. */
  readonly length: number;
  /** Folder that {@link ImageTable.paths} are relative to. */
  readonly root: string;
  /** Unique names of the samples, in order. */
  readonly ids: readonly string[];
  /** Image files relative to {@link ImageTable.root}, as the source writes them. */
  readonly paths: readonly string[];
  /** Label of each sample. */
  readonly labels: Int32Array;
  /** Patient of each sample, `undefined` where not known. */
  readonly patients: readonly (string | undefined)[];
  /** Images of each class, in class order. */
  readonly classCounts: readonly number[];
  /** What was odd about the source; empty if nothing was. */
  readonly warnings: readonly DataWarning[];
  readonly #origin: (index: number) => string;

  /**
   * @param parts lists of one length; not copied
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
   */
  constructor(parts: ImageTableParts) {
    checkParts(parts);
    this.name = parts.name;
    this.classes = parts.classes;
    this.length = parts.ids.length;
    this.root = parts.root;
    this.ids = parts.ids;
    this.paths = parts.paths;
    this.labels = parts.labels;
    this.patients = parts.patients;
    this.classCounts = parts.classCounts ?? countClasses(parts.labels, parts.classes.length);
    this.warnings = parts.warnings ?? [];
    this.#origin = parts.origin;
  }

  /** @returns id, image file, label and patient of a row */
  sample(index: number): Sample {
    this.#check(index);
    const patient = this.patients[index];
    return {
      id: this.ids[index] as string,
      image: { kind: 'file', path: path.resolve(this.root, this.paths[index] as string) },
      label: this.labels[index] as number,
      ...(patient === undefined ? {} : { patient }),
    };
  }

  /** @returns such as `labels.csv, line 17` */
  origin(index: number): string {
    this.#check(index);
    return this.#origin(index);
  }

  #check(index: number): void {
    integer('index', index, { min: 0, max: this.length - 1 });
  }
}

function checkParts(parts: ImageTableParts): void {
  knownKeys('parts', parts, [
    ...['name', 'classes', 'root', 'ids', 'paths', 'labels', 'patients', 'classCounts', 'origin', 'warnings'],
  ]);
  text('parts.name', parts.name);
  text('parts.root', parts.root);
  list('parts.classes', parts.classes, text);
  callable('parts.origin', parts.origin);
  const { ids, paths, labels, patients } = parts;
  if (!Array.isArray(ids)) throw invalidArgument('parts.ids', 'an array', ids);
  for (const [name, given] of Object.entries({ paths, labels, patients })) {
    if (given?.length !== ids.length)
      throw invalidArgument(`parts.${name}`, `one entry for each of ${ids.length} ids`, given);
  }
}

function countClasses(labels: Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] as number) + 1;
  return counts;
}

/** Labels of the chosen rows of a table and where in the table they were found. @internal */
export interface PathColumn {
  readonly table: CsvTable;
  /** Index of the column. */
  readonly column: number;
  /** Row of each sample. */
  readonly rows: readonly number[];
  /** Folder that the paths have to stay in. */
  readonly root: string;
}

/**
 * Paths of a table, refused where they leave the root by their text or by a link. Files that do not
 * exist pass: `checkImages` lists them. @internal
 */
export async function readPaths({ table, column, rows, root }: PathColumn): Promise<string[]> {
  const paths = rows.map((row) => table.cell(row, column));
  const absolute = paths.map((relative, i) => {
    const row = rows[i] as number;
    if (relative.trim() === '') throw table.error(row, column, 'the path is empty');
    try {
      return resolveInside(root, relative);
    } catch (cause) {
      if (!(cause instanceof CxrGazeError)) throw cause;
      throw table.error(row, column, cause.message, { ...cause.details }, cause.code);
    }
  });
  const states = await surveyFiles(absolute, root);
  const outside = states.indexOf('outside');
  if (outside < 0) return paths;
  const count = states.filter((state) => state === 'outside').length;
  throw table.error(
    rows[outside] as number,
    column,
    `a symbolic link leads the path ${JSON.stringify(paths[outside])} out of ${root}${count > 1 ? ` (and ${count - 1} more)` : ''}; ${linksHint}`,
    { path: paths[outside], root, count },
    'ERR_PATH_ESCAPE',
  );
}

/** Refuses a second row with an id that was there before. @internal */
export function refuseDuplicates(table: CsvTable, column: number, rows: readonly number[]): void {
  const first = new Map<string, number>();
  for (const row of rows) {
    const id = table.cell(row, column);
    const before = first.get(id);
    if (before !== undefined)
      throw table.error(
        row,
        column,
        `${JSON.stringify(id)} was already given in line ${table.line(before)}`,
        {
          id,
          firstLine: table.line(before),
        },
      );
    first.set(id, row);
  }
}

/**
 * The name by which features (`global_{name}.npy`, `focal_{name}.npy`) and gaze of an image are found: its last path
 * component without the extension of an image. Nothing else is cut off: DICOM's ids have dots of their own.
 *
 * @param file path, file name or id of the image
 */
export function featureName(file: string): string {
  text('file', file);
  const base = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
  const lower = base.toLowerCase();
  const extension = IMAGE_EXTENSIONS.find((one) => lower.endsWith(one) && lower.length > one.length);
  return extension === undefined ? base : base.slice(0, -extension.length);
}

/**
 * Finds patients whose images lie in more than one of several data sets: a network that has seen a
 * patient in training is not tested by that patient.
 *
 * @param splits by name, such as train, val, test
 * @returns one warning with all patient ids, or none
 */
export function sharedPatients(splits: ReadonlyMap<string, Dataset>): DataWarning[] {
  if (!(splits instanceof Map)) throw invalidArgument('splits', 'a Map of data sets', splits);
  const seen = new Map<string, Set<string>>();
  for (const [split, dataset] of splits) {
    requireDataset(`splits.get('${split}')`, dataset);
    for (let i = 0; i < dataset.length; i++) {
      const { patient } = dataset.sample(i);
      if (patient === undefined) continue;
      const names = seen.get(patient);
      if (names) names.add(split);
      else seen.set(patient, new Set([split]));
    }
  }
  const shared = [...seen]
    .filter(([, names]) => names.size > 1)
    .map(([patient, names]) => ({ patient, splits: [...names] }));
  if (shared.length === 0) return [];
  const examples = shared.slice(0, 5).map(({ patient, splits: names }) => `${patient} (${names.join(', ')})`);
  const message = `${shared.length} ${shared.length === 1 ? 'patient is' : 'patients are'} in more than one split: ${examples.join('; ')}${shared.length > 5 ? '; ...' : ''}`;
  return [{ kind: 'patient-in-two-splits', message, details: { patients: shared } }];
}

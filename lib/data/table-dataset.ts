import path from 'node:path';
import { CxrGazeError } from '../errors.js';
import {
  classNames,
  didYouMean,
  flag,
  invalidArgument,
  knownKeys,
  list,
  nearest,
  oneOf,
  text,
} from '../validate.js';
import { emptyClasses, orderByFrequency } from './class-order.js';
import { type CsvTable, readCsv } from './csv.js';
import type { DataWarning } from './data-warning.js';
import { ImageTable, readPaths, refuseDuplicates, sharedPatients } from './image-table.js';
import { listed } from './listed.js';
import { type CheckedClause, rowsBySplit, rowsWhere, rowsWithLabel } from './table-rows.js';

/** Keeps the rows whose cell equals one of the values. */
export interface WhereClause {
  /** Name of the column. */
  readonly column: string;
  /** Accepted text, or several of them; compared exactly. */
  readonly equals: string | readonly string[];
}

/** Options of {@link openTable}. */
export interface TableOptions {
  /** The table: UTF-8 CSV with a header. */
  readonly csv: string;
  /** Folder that image paths are relative to and may not leave. */
  readonly root: string;
  /** Column of the image path; `'path'` by default. */
  readonly pathColumn?: string;
  /**
   * Column of the class name; `'label'` by default. `null` for films whose classes are not asked for, as a teacher's: no column is
   * read, and all rows are of one class, `unlabelled`.
   */
  readonly labelColumn?: string | null;
  /** Column that tells train, val and test apart; without it all rows form one split `'all'`. */
  readonly splitColumn?: string;
  /** Column of the patient; without it patients are unknown. */
  readonly patientColumn?: string;
  /** Column of the unique image name; the path by default. */
  readonly idColumn?: string;
  /** What to do with rows without a label: refuse the table (default), or leave them out and count them. */
  readonly emptyLabel?: 'error' | 'skip';
  /** Only rows that satisfy all of these; all rows by default. */
  readonly where?: readonly WhereClause[];
  /**
   * Class names in label order. By default those that occur, by decreasing number of rows in
   * `trainSplit`, equal numbers by name.
   */
  readonly classes?: readonly string[];
  /** The split that orders the classes; `'train'`, or `'all'` without a split column. */
  readonly trainSplit?: string;
  /** Whether rows may carry labels outside `classes`, which are then left out and counted; `false` by default. */
  readonly skipUnknownLabels?: boolean;
}

/** A table, divided. */
export interface TableSplits {
  /** Class names in label order, common to all splits. */
  readonly classes: readonly string[];
  /** Data sets by the name in the split column, in order of appearance. */
  readonly splits: ReadonlyMap<string, ImageTable>;
  /** Rows of the file. */
  readonly rows: number;
  /** Rows left out, by reason; nothing is left out silently. */
  readonly skipped: {
    /** Rows that `where` did not ask for. */
    readonly where: number;
    /** Rows without a label. */
    readonly emptyLabel: number;
    /** Rows with a label outside `classes`. */
    readonly unknownLabel: number;
  };
  /** Patients in two splits, classes without training images, rows without patient. */
  readonly warnings: readonly DataWarning[];
}

const OPTIONS = [
  'csv',
  'root',
  'pathColumn',
  'labelColumn',
  'splitColumn',
  'patientColumn',
  'idColumn',
  'emptyLabel',
  'where',
  'classes',
  'trainSplit',
  'skipUnknownLabels',
] as const;

/** Classes in label order, and labels by row. */
interface Labels {
  readonly classes: readonly string[];
  readonly labels: ReadonlyMap<number, number>;
}

/** Options with their defaults, checked. */
interface Plan {
  readonly csv: string;
  readonly root: string;
  readonly pathColumn: string;
  readonly labelColumn: string | null;
  readonly splitColumn: string | undefined;
  readonly patientColumn: string | undefined;
  readonly idColumn: string;
  readonly emptyLabel: 'error' | 'skip';
  readonly where: readonly CheckedClause[];
  readonly classes: readonly string[] | undefined;
  readonly trainSplit: string;
  readonly skipUnknownLabels: boolean;
}

/**
 * Opens a table of images with classes of its own. Images are not opened, and need not be there yet;
 * `checkImages` tells which are missing.
 *
 * @throws `ERR_TABLE` with line and column for a missing column, an unknown label, an empty cell or a
 *   duplicate id; `ERR_PATH_ESCAPE` for a path out of `root`; `ERR_FILE` if the table cannot be read
 */
export async function openTable(options: TableOptions): Promise<TableSplits> {
  const plan = checkOptions(options);
  const table = await readCsv(plan.csv);
  const wanted = rowsWhere(table, plan.where);
  const label = plan.labelColumn === null ? null : table.column(plan.labelColumn);
  const labelled = label === null ? wanted : rowsWithLabel(table, wanted, label, plan.emptyLabel);
  const groups = rowsBySplit(table, labelled, plan.splitColumn);
  const { classes, labels } = label === null ? unlabelled(labelled) : labelRows(table, groups, label, plan);
  const known = labelled.filter((row) => labels.has(row));
  const id = table.column(plan.idColumn);
  const emptyId = known.find((row) => table.cell(row, id).trim() === '');
  if (emptyId !== undefined)
    throw table.error(emptyId, id, `the ${id === table.column(plan.pathColumn) ? 'path' : 'id'} is empty`);
  refuseDuplicates(table, id, known);
  await readPaths({ table, column: table.column(plan.pathColumn), rows: known, root: plan.root });
  const splits = new Map<string, ImageTable>();
  for (const [name, rows] of groups) splits.set(name, imageTable(name, table, rows, labels, classes, plan));
  return {
    classes,
    splits,
    rows: table.length,
    skipped: {
      where: table.length - wanted.length,
      emptyLabel: wanted.length - labelled.length,
      unknownLabel: labelled.length - known.length,
    },
    warnings: [
      ...sharedPatients(splits),
      ...emptyClasses(splits.get(plan.trainSplit)),
      ...patientless(table, known, plan),
    ],
  };
}

/**
 * Reads a clause as the command line writes it: `source=nih`, `source=montgomery,shenzhen`. What stands
 * before the first `=` is the column; `column=` keeps the rows whose cell is empty.
 *
 * @param clause text of one `--where`
 */
export function parseWhere(clause: string): WhereClause {
  const cut = typeof clause === 'string' ? clause.indexOf('=') : -1;
  if (cut < 1) throw invalidArgument('where', "a clause like 'column=value' or 'column=value,value'", clause);
  return { column: clause.slice(0, cut), equals: clause.slice(cut + 1).split(',') };
}

function checkOptions(options: TableOptions): Plan {
  knownKeys('options', options, OPTIONS);
  const column = (key: 'pathColumn' | 'splitColumn' | 'patientColumn' | 'idColumn'): string | undefined =>
    options[key] === undefined ? undefined : text(`options.${key}`, options[key]);
  const pathColumn = column('pathColumn') ?? 'path';
  const splitColumn = column('splitColumn');
  return {
    csv: text('options.csv', options.csv),
    root: path.resolve(text('options.root', options.root)),
    pathColumn,
    labelColumn: checkLabelColumn(options),
    splitColumn,
    patientColumn: column('patientColumn'),
    idColumn: column('idColumn') ?? pathColumn,
    emptyLabel: oneOf('options.emptyLabel', options.emptyLabel ?? 'error', ['error', 'skip']),
    where: list('options.where', options.where ?? [], checkClause),
    classes: options.classes === undefined ? undefined : classNames('options.classes', options.classes),
    trainSplit: text(
      'options.trainSplit',
      options.trainSplit ?? (splitColumn === undefined ? 'all' : 'train'),
    ),
    skipUnknownLabels: flag('options.skipUnknownLabels', options.skipUnknownLabels ?? false),
  };
}

/** Whatever sorts rows by their labels is without effect where no labels are read. */
function checkLabelColumn(options: TableOptions): string | null {
  const { labelColumn = 'label' } = options;
  if (labelColumn !== null) return text('options.labelColumn', labelColumn);
  for (const key of ['emptyLabel', 'classes', 'skipUnknownLabels'] as const)
    if (options[key] !== undefined)
      throw invalidArgument(`options.${key}`, 'nothing where labelColumn is null', options[key]);
  return null;
}

function checkClause(name: string, value: unknown): CheckedClause {
  const clause = value as WhereClause;
  knownKeys(name, clause, ['column', 'equals']);
  const equals = typeof clause.equals === 'string' ? [clause.equals] : clause.equals;
  if (!Array.isArray(equals) || equals.length === 0 || !equals.every((v) => typeof v === 'string'))
    throw invalidArgument(`${name}.equals`, 'a string or a list of strings', clause.equals);
  return { column: text(`${name}.column`, clause.column), equals };
}

function orderClasses(
  table: CsvTable,
  groups: ReadonlyMap<string, readonly number[]>,
  label: number,
  plan: Plan,
): string[] {
  const train = groups.get(plan.trainSplit);
  if (!train)
    throw new CxrGazeError(
      'ERR_TABLE',
      `${table.file}: no row with a label is in the split '${plan.trainSplit}', whose frequencies order the classes; the splits are ${listed([...groups.keys()])}. Give trainSplit or classes`,
      { details: { file: table.file, trainSplit: plan.trainSplit, splits: [...groups.keys()] } },
    );
  const counts = new Map<string, number>();
  for (const rows of groups.values()) for (const row of rows) counts.set(table.cell(row, label), 0);
  for (const row of train)
    counts.set(table.cell(row, label), (counts.get(table.cell(row, label)) as number) + 1);
  return orderByFrequency(counts);
}

/** The classes, and the label of each row that has one of them. */
function labelRows(
  table: CsvTable,
  groups: ReadonlyMap<string, readonly number[]>,
  label: number,
  plan: Plan,
): Labels {
  const classes = plan.classes ?? orderClasses(table, groups, label, plan);
  const rows = [...groups.values()].flat().sort((a, b) => a - b);
  const known = plan.skipUnknownLabels
    ? rows.filter((row) => classes.includes(table.cell(row, label)))
    : rows;
  return { classes, labels: labelIndices(table, known, label, classes) };
}

function unlabelled(rows: readonly number[]): Labels {
  return { classes: ['unlabelled'], labels: new Map(rows.map((row) => [row, 0])) };
}

function labelIndices(
  table: CsvTable,
  rows: readonly number[],
  label: number,
  classes: readonly string[],
): Map<number, number> {
  const index = new Map(classes.map((name, i) => [name, i]));
  const labels = new Map<number, number>();
  for (const row of rows) {
    const name = table.cell(row, label);
    const found = index.get(name);
    if (found === undefined) {
      const near = nearest(name, classes);
      const problem = `${JSON.stringify(name)} is not one of the ${classes.length} classes${didYouMean(near)} They are ${listed(classes)}`;
      throw table.error(row, label, problem, { found: name, expected: classes });
    }
    labels.set(row, found);
  }
  return labels;
}

function imageTable(
  split: string,
  table: CsvTable,
  all: readonly number[],
  labels: ReadonlyMap<number, number>,
  classes: readonly string[],
  plan: Plan,
): ImageTable {
  const rows = all.filter((row) => labels.has(row));
  const [image, id] = [table.column(plan.pathColumn), table.column(plan.idColumn)];
  const patient = plan.patientColumn === undefined ? undefined : table.column(plan.patientColumn);
  return new ImageTable({
    name: `${path.basename(table.file)} ${split}`,
    classes,
    root: plan.root,
    ids: rows.map((row) => table.cell(row, id)),
    paths: rows.map((row) => table.cell(row, image)),
    labels: Int32Array.from(rows, (row) => labels.get(row) as number),
    patients: rows.map((row) =>
      patient === undefined ? undefined : table.cell(row, patient).trim() || undefined,
    ),
    origin: (index) => `${table.file}, line ${table.line(rows[index] as number)}`,
  });
}

function patientless(table: CsvTable, rows: readonly number[], { patientColumn }: Plan): DataWarning[] {
  if (patientColumn === undefined) return [];
  const column = table.column(patientColumn);
  const lines = rows.filter((row) => table.cell(row, column).trim() === '').map((row) => table.line(row));
  if (lines.length === 0) return [];
  const message = `${table.file}, column '${patientColumn}': ${lines.length} of ${rows.length} rows name no patient (the first in line ${lines[0]})`;
  return [
    { kind: 'row-without-patient', message, details: { file: table.file, column: patientColumn, lines } },
  ];
}

/** The flags that say which images and labels a command works on. */
import path from 'node:path';
import type { Command, Option } from 'commander';
import { parseWhere, type WhereClause } from '../data/table-dataset.js';
import { asChoice, asInteger, asText, collect, headings, option, usageError } from './options.js';

/** Kinds of data sets. */
export const dataKinds = ['nih-cxr-lt', 'mimic-cxr-lt', 'csv', 'folder', 'sample'] as const;

/** One of {@link dataKinds}. */
export type DataKind = (typeof dataKinds)[number];

/** The data flags as given. */
export interface DataFlags {
  readonly dataset?: DataKind;
  readonly data_dir?: string;
  readonly label_dir?: string;
  readonly class_order?: 'frequency' | 'name';
  readonly patients?: string;
  readonly csv?: string;
  readonly path_column?: string;
  readonly label_column?: string;
  readonly split_column?: string;
  readonly patient_column?: string;
  readonly empty_label?: 'error' | 'skip';
  readonly unknown_label?: 'error' | 'skip';
  readonly where?: readonly WhereClause[];
  readonly train_split?: string;
  readonly val_split?: string;
  readonly test_split?: readonly string[];
  readonly sample_train?: number;
  readonly sample_seed?: number;
}

/** Names of {@link DataFlags}. */
export const dataFlagNames = [
  ...([
    'dataset',
    'data_dir',
    'label_dir',
    'class_order',
    'patients',
    'csv',
    'path_column',
    'label_column',
  ] as const),
  ...([
    'split_column',
    'patient_column',
    'empty_label',
    'unknown_label',
    'where',
    'train_split',
    'val_split',
  ] as const),
  ...(['test_split', 'sample_train', 'sample_seed'] as const),
] satisfies (keyof DataFlags)[];

const tables = 'Tables (--csv):';
const sample = 'Embedded sample (--dataset sample):';

/** Adds the data flags to a command. */
export function addDataOptions(command: Command): Command {
  command
    .addOption(
      option(
        headings.data,
        '--dataset <name>',
        `which data set: ${dataKinds.join(', ')}; csv where --csv is given`,
        asChoice(dataKinds),
      ),
    )
    .addOption(
      option(
        headings.data,
        '--data_dir <folder>',
        "folder of the images (csv: default the table's own folder)",
        asText,
      ),
    )
    .addOption(
      option(
        headings.data,
        '--label_dir <folder>',
        'folder of {dataset}_single-label_{split}.csv (default: labels/)',
        asText,
      ),
    )
    .addOption(
      option(
        headings.data,
        '--class_order <how>',
        'labels of folder: by falling frequency, or by name as loc-attention, SPLIT/CLASS/ only (default: frequency)',
        asChoice(['frequency', 'name'] as const),
      ),
    )
    .addOption(patientsOption());
  return addTableOptions(command);
}

/** `--patients` of folders. */
export function patientsOption(): Option {
  const help =
    "whose the images of a folder are: CSV with the columns image (path below the folder, or file name) and patient (default: by NIH's names)";
  // Another working directory cannot mean another file.
  return option(headings.data, '--patients <file>', help, (file) => path.resolve(asText(file)));
}

/** The flags of tables and of the embedded sample among them. */
export function addTableOptions(command: Command): Command {
  addColumns(command);
  addRows(command);
  addSplits(command);
  return addSample(command);
}

function addColumns(command: Command): void {
  command
    .addOption(option(tables, '--csv <file>', 'a table of images with classes of its own', asText))
    .addOption(option(tables, '--path_column <name>', 'column of the image path (default: path)', asText))
    .addOption(option(tables, '--label_column <name>', 'column of the class (default: label)', asText))
    .addOption(option(tables, '--split_column <name>', 'column that tells train, val and test apart', asText))
    .addOption(option(tables, '--patient_column <name>', 'column of the patient', asText));
}

function addRows(command: Command): void {
  const keepOrSkip = asChoice(['error', 'skip'] as const);
  command
    .addOption(
      option(
        tables,
        '--empty_label <what>',
        'rows without a label: error or skip (default: error)',
        keepOrSkip,
      ),
    )
    .addOption(
      option(
        tables,
        '--unknown_label <what>',
        "labels outside a trained model's classes: error or skip (default: error)",
        keepOrSkip,
      ),
    )
    .addOption(
      option(
        tables,
        '--where <column=value>',
        'only rows that hold this value, or one of several with commas between; repeatable',
        collect(asClause),
      ),
    );
}

function addSplits(command: Command): void {
  command
    .addOption(option(tables, '--train_split <name>', 'split to train on (default: train)', asText))
    .addOption(
      option(tables, '--val_split <name>', 'split to validate on (default: val or balanced-val)', asText),
    )
    .addOption(
      option(
        tables,
        '--test_split <name>',
        'split to evaluate; repeatable (default: all but training and validation)',
        collect(asText),
      ),
    );
}

function addSample(command: Command): Command {
  return command
    .addOption(
      option(
        sample,
        '--sample_train <n>',
        'phantoms to train on (default: 800)',
        asInteger({ min: 9, max: 9e6 }),
      ),
    )
    .addOption(
      option(
        sample,
        '--sample_seed <n>',
        'which set of phantoms (default: 1)',
        asInteger({ min: 0, max: 2 ** 32 - 1 }),
      ),
    );
}

export function asClause(text: string): WhereClause {
  try {
    return parseWhere(text);
  } catch {
    throw usageError(`Expected --where COLUMN=VALUE or COLUMN=VALUE,VALUE but received '${text}'`);
  }
}

/** The data flags among a command's flags; those not given are left out. */
export function pickDataFlags(flags: object): DataFlags {
  const given = flags as Record<string, unknown>;
  return Object.fromEntries(
    dataFlagNames.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]),
  ) as DataFlags;
}

/** Paths that another working directory cannot mean otherwise. */
export function absoluteDataFlags(flags: DataFlags): DataFlags {
  const absolute = (value: string | undefined) => (value === undefined ? undefined : path.resolve(value));
  const needsLabels = flags.dataset === 'nih-cxr-lt' || flags.dataset === 'mimic-cxr-lt';
  const csv = absolute(flags.csv);
  const dataDir = absolute(flags.data_dir);
  const labelDir = absolute(flags.label_dir ?? (needsLabels ? 'labels' : undefined));
  return {
    ...flags,
    ...(csv === undefined ? {} : { csv }),
    ...(dataDir === undefined ? {} : { data_dir: dataDir }),
    ...(labelDir === undefined ? {} : { label_dir: labelDir }),
  };
}

const ofTables = [
  ...(['csv', 'path_column', 'label_column', 'split_column', 'patient_column', 'empty_label'] as const),
  ...(['unknown_label', 'where'] as const),
];
const ofNamedSplits = ['train_split', 'val_split', 'test_split'] as const;

/** Which kind of data set the flags mean. A flag that belongs to another kind is refused, not ignored. */
export function dataKind(flags: DataFlags): DataKind {
  const kind = flags.dataset ?? (flags.csv === undefined ? undefined : 'csv');
  if (kind === undefined) {
    throw usageError(
      'Expected a data set: --csv FILE for a table, or --dataset NAME with one of nih-cxr-lt, mimic-cxr-lt, folder (with --data_dir), sample',
    );
  }
  const allowed: Readonly<Record<DataKind, readonly (keyof DataFlags)[]>> = {
    'nih-cxr-lt': ['data_dir', 'label_dir', 'test_split'],
    'mimic-cxr-lt': ['data_dir', 'label_dir', 'test_split'],
    csv: ['data_dir', ...ofTables, ...ofNamedSplits],
    folder: ['data_dir', 'class_order', 'patients', ...ofNamedSplits],
    sample: ['sample_train', 'sample_seed', 'test_split'],
  };
  for (const name of Object.keys(flags) as (keyof DataFlags)[]) {
    if (name === 'dataset' || allowed[kind].includes(name)) continue;
    throw usageError(`--${name} does not belong to --dataset ${kind}; it would be without effect`);
  }
  if (kind === 'csv' && flags.csv === undefined) throw usageError('Expected --csv FILE with --dataset csv');
  if (kind !== 'csv' && kind !== 'sample' && flags.data_dir === undefined)
    throw usageError(`Expected --data_dir FOLDER, the folder of the images, with --dataset ${kind}`);
  return kind;
}

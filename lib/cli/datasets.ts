/** Opens the data set that flags describe, and checks it as far as that goes without decoding. */
import path from 'node:path';
import { neededImages } from '../data/check-images.js';
import { emptyClasses } from '../data/class-order.js';
import type { DataWarning } from '../data/data-warning.js';
import type { Dataset } from '../data/dataset.js';
import { openImageFolder } from '../data/image-folder.js';
import { type ImageTable, sharedPatients } from '../data/image-table.js';
import { LONG_TAILED_SPLITS, type LongTailedName, openLongTailed } from '../data/long-tailed.js';
import { missingText, type NeededFiles, refuseMissing } from '../data/needed-files.js';
import { phantomSplits } from '../data/phantom/splits.js';
import { openTable } from '../data/table-dataset.js';
import { CxrGazeError } from '../errors.js';
import { didYouMean, nearest } from '../validate.js';
import { type DataFlags, type DataKind, dataKind } from './data-options.js';
import { usageError } from './options.js';

/** A data set, divided. */
export interface OpenedData {
  /** What the run's folder is called after. */
  readonly name: string;
  /** Whether its films are the embedded sample's, whatever the data are called. */
  readonly isPhantom: boolean;
  /** Class names in label order. */
  readonly classes: readonly string[];
  /** All splits by name. */
  readonly splits: ReadonlyMap<string, Dataset>;
  /** Split to train on; its absence matters to training only. */
  readonly train: Dataset | undefined;
  /** Split to validate on. */
  readonly validation: Dataset | undefined;
  /** Splits to evaluate, the most important first. */
  readonly tests: readonly (readonly [name: string, dataset: Dataset])[];
  /** Sentences about rows left out, with their counts. */
  readonly remarks: readonly string[];
  /** What a person must see. */
  readonly warnings: readonly DataWarning[];
}

/** What is asked of a data set. */
export interface OpenOptions {
  /** Side of the network's input, for phantoms that are drawn at that size. */
  readonly imageSize: number;
  /** A trained model's classes; without them the data set's own. */
  readonly classes?: readonly string[];
  /** Which splits are wanted of a published set, whose splits are files of their own; default all. */
  readonly purpose: 'training' | 'evaluation';
  /** Whether labels are of no concern, so that a table needs no column of them unless one is named; default no. */
  readonly unlabelled?: boolean;
  /** Whether missing images are left out, as bad ones are under `--on_error skip`, and warned of; default no. */
  readonly skipMissing?: boolean;
  /** Further files that training needs of an image, such as teacher vectors, given all splits besides; default none. */
  readonly needs?:
    | ((dataset: Dataset, all: Iterable<Dataset>) => Promise<readonly NeededFiles[]>)
    | undefined;
}

/**
 * Opens a data set and looks for its image files and whatever else is needed of them, all at once.
 *
 * @throws CxrGazeError what the tables throw; `ERR_DATASET` listing all that is missing
 */
export async function openData(flags: DataFlags, options: OpenOptions): Promise<OpenedData> {
  const kind = dataKind(flags);
  const opened = await openers[kind](flags, options);
  const images: NeededFiles[] = [];
  const needed: NeededFiles[] = [];
  for (const dataset of opened.splits.values()) {
    if (dataset.length === 0) continue;
    images.push(await neededImages(dataset));
    const isTaught = dataset === opened.train || dataset === opened.validation;
    if (isTaught && options.needs) needed.push(...(await options.needs(dataset, opened.splits.values())));
  }
  refuseMissing(options.skipMissing ? needed : [...images, ...needed]);
  const warnings = [...opened.warnings, ...missingImages(images)];
  return { ...opened, isPhantom: kind === 'sample', warnings };
}

function missingImages(images: readonly NeededFiles[]): DataWarning[] {
  const message = missingText(images);
  if (message === undefined) return [];
  const paths = images.flatMap(({ missing }) => missing.map(({ path: file }) => file));
  return [{ kind: 'image-missing', message, details: { count: paths.length, paths } }];
}

type Divided = Omit<OpenedData, 'isPhantom'>;
type Opener = (flags: DataFlags, options: OpenOptions) => Promise<Divided>;

const openers: Readonly<Record<DataKind, Opener>> = {
  'nih-cxr-lt': openPublished,
  'mimic-cxr-lt': openPublished,
  csv: openCsv,
  folder: openFolder,
  sample: openSample,
};

async function openPublished(flags: DataFlags, { purpose }: OpenOptions): Promise<Divided> {
  const dataset = flags.dataset as LongTailedName;
  const [dataDir, labelDir] = [flags.data_dir as string, flags.label_dir ?? 'labels'];
  const tests = flags.test_split ?? ['balanced-test', 'test'];
  const wanted = purpose === 'training' ? ['train', 'balanced-val', ...tests] : tests;
  const splits = new Map<string, ImageTable>();
  for (const name of wanted) {
    const split = LONG_TAILED_SPLITS.find((one) => one === name);
    if (split === undefined) throw unknownSplit(name, LONG_TAILED_SPLITS);
    if (!splits.has(split)) splits.set(split, await openLongTailed({ dataset, labelDir, dataDir, split }));
  }
  const first = [...splits.values()][0] as ImageTable;
  // balanced-test is a part of test: only a patient who is also trained or validated on is amiss.
  const apart = new Map([...splits].filter(([name]) => name !== 'balanced-test' || !splits.has('test')));
  return {
    name: dataset,
    classes: first.classes,
    splits,
    train: splits.get('train'),
    validation: splits.get('balanced-val'),
    tests: tests.map((name) => [name, splits.get(name) as Dataset]),
    remarks: [],
    warnings: [
      ...[...splits.values()].flatMap(({ warnings }) => warnings),
      ...emptyClasses(splits.get('train')),
      ...sharedPatients(apart),
    ],
  };
}

async function openCsv(flags: DataFlags, options: OpenOptions): Promise<Divided> {
  const csv = flags.csv as string;
  const { classes } = options;
  const table = await openTable({
    ...{ csv, root: flags.data_dir ?? path.dirname(csv) },
    ...(flags.path_column === undefined ? {} : { pathColumn: flags.path_column }),
    ...labelColumnOf(flags, options),
    ...(flags.split_column === undefined ? {} : { splitColumn: flags.split_column }),
    ...(flags.patient_column === undefined ? {} : { patientColumn: flags.patient_column }),
    ...(flags.empty_label === undefined ? {} : { emptyLabel: flags.empty_label }),
    ...(flags.where === undefined ? {} : { where: flags.where }),
    ...(flags.train_split === undefined || flags.split_column === undefined
      ? {}
      : { trainSplit: flags.train_split }),
    ...(classes === undefined ? {} : { classes, skipUnknownLabels: flags.unknown_label === 'skip' }),
  });
  const { where, emptyLabel, unknownLabel } = table.skipped;
  const remarks = [
    ...(where > 0 ? [`${where} of ${table.rows} rows are not asked for by --where`] : []),
    ...(emptyLabel > 0 ? [`${emptyLabel} rows without a label are left out`] : []),
    ...(unknownLabel > 0 ? [`${unknownLabel} rows with a label that is not a class are left out`] : []),
  ];
  return {
    name: path.basename(csv).replace(/\.[^.]*$/, ''),
    classes: table.classes,
    ...choose(table.splits, flags),
    remarks,
    // A trained model's rare class may well be missing from the table it is tested on.
    warnings: table.warnings.filter(
      ({ kind }) => options.purpose === 'training' || kind !== 'class-without-training-images',
    ),
  };
}

/** A flag about labels says that they are wanted after all. */
function labelColumnOf(
  { label_column: named, empty_label }: DataFlags,
  { unlabelled = false }: OpenOptions,
): { readonly labelColumn?: string | null } {
  if (named !== undefined) return { labelColumn: named };
  return unlabelled && empty_label === undefined ? { labelColumn: null } : {};
}

async function openFolder(flags: DataFlags, options: OpenOptions): Promise<Divided> {
  const root = flags.data_dir as string;
  const folder = await openImageFolder({
    root,
    ...(options.classes === undefined ? {} : { classes: options.classes }),
    ...(flags.train_split === undefined ? {} : { trainSplit: flags.train_split }),
    ...(flags.class_order === undefined ? {} : { classOrder: flags.class_order }),
    ...(flags.patients === undefined ? {} : { patients: flags.patients }),
    ...(flags.class_order === 'name' ? { layout: 'split/class' as const } : {}),
  });
  return {
    name: path.basename(path.resolve(root)),
    classes: folder.classes,
    ...choose(folder.splits, flags),
    remarks: [],
    warnings: folder.warnings.filter(
      ({ kind }) => options.purpose === 'training' || kind !== 'class-without-training-images',
    ),
  };
}

async function openSample(flags: DataFlags, { imageSize }: OpenOptions): Promise<Divided> {
  const phantoms = phantomSplits({
    seed: flags.sample_seed ?? 1,
    size: Math.min(1024, Math.max(64, imageSize)),
    train: flags.sample_train ?? 800,
  });
  const splits = new Map<string, Dataset>(Object.entries(phantoms));
  const tests = flags.test_split ?? ['balanced-test', 'test'];
  return {
    name: 'sample',
    classes: phantoms.train.classes,
    splits,
    train: phantoms.train,
    validation: phantoms['balanced-val'],
    tests: tests.map((name) => [name, named(splits, name)]),
    remarks: [],
    warnings: [],
  };
}

/** What a split to validate on may be called; the first that is there is it. */
export const validationNames = ['val', 'balanced-val', 'valid', 'validation', 'dev'];

/** Finds training, validation and test among the splits of a table or folder. */
export function choose(
  splits: ReadonlyMap<string, Dataset>,
  flags: Pick<DataFlags, 'train_split' | 'val_split' | 'test_split'>,
): Pick<OpenedData, 'splits' | 'train' | 'validation' | 'tests'> {
  const trainName = flags.train_split ?? 'train';
  const valName = flags.val_split ?? validationNames.find((name) => splits.has(name));
  const train = flags.train_split === undefined ? splits.get(trainName) : named(splits, trainName);
  const validation = valName === undefined ? undefined : named(splits, valName);
  const others = [...splits.keys()].filter((name) => name !== trainName && name !== valName);
  const tests = flags.test_split ?? others.sort((a, b) => rank(a) - rank(b));
  return { splits, train, validation, tests: tests.map((name) => [name, named(splits, name)]) };
}

function rank(split: string): number {
  const at = ['balanced-test', 'test'].indexOf(split);
  return at < 0 ? 2 : at;
}

function named(splits: ReadonlyMap<string, Dataset>, name: string): Dataset {
  const found = splits.get(name);
  if (found) return found;
  throw unknownSplit(name, [...splits.keys()]);
}

function unknownSplit(name: string, known: readonly string[]): CxrGazeError {
  const near = nearest(name, known);
  return usageError(`There is no split '${name}'${didYouMean(near)} The splits are ${known.join(', ')}`);
}

/** Train and validation, which training cannot do without. */
export function trainingSplits(data: OpenedData): { train: Dataset; validation: Dataset } {
  const train = trainingSplit(data);
  const { validation } = data;
  if (validation && validation.length > 0) return { train, validation };
  throw withoutSplit(data, 'validation', '--val_split');
}

/** The split to train on alone. */
export function trainingSplit(data: OpenedData): Dataset {
  const { train } = data;
  if (train && train.length > 0) return train;
  throw withoutSplit(data, 'training', '--train_split');
}

function withoutSplit({ name, splits }: OpenedData, missing: string, flag: string): CxrGazeError {
  return new CxrGazeError(
    'ERR_DATASET',
    `Expected a split for ${missing} in ${name} but its splits are ${[...splits.keys()].join(', ')}; name it with ${flag} (and the column with --split_column)`,
    { details: { splits: [...splits.keys()] } },
  );
}

/** The name of a split as file names bear it. */
export function splitFileName(split: string): string {
  const plain = split.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return plain === '' ? 'split' : plain;
}

import path from 'node:path';
import { CxrGazeError } from '../errors.js';
import { integer, invalidArgument, knownKeys, number, object, text } from '../validate.js';
import type { DataWarning } from './data-warning.js';
import { type Dataset, type ImageSource, requireDataset, subsetOf } from './dataset.js';
import { drawParts, patientKey, tooFewPatients } from './draw-parts.js';
import { listImages } from './image-files.js';
import { featureName, ImageTable } from './image-table.js';
import { someOf } from './listed.js';
import { MaskFolder, withoutSuffix } from './mask-folder.js';
import { linksHint, resolveInside, surveyFiles } from './paths.js';
import { PhantomDataset } from './phantom/splits.js';
import { openTable, type WhereClause } from './table-dataset.js';

/** Images with a mask each: what a segmenter is trained and judged on. */
export interface MaskPairs {
  /** The images. */
  readonly images: Dataset;
  /** The mask of each image, in order. */
  readonly masks: readonly ImageSource[];
  /** What each pair belongs to, such as its source or who drew the mask; scored apart. Absent: one group. */
  readonly groups?: readonly string[];
}

/** Pairs that were looked for, and what was odd about them. */
export interface FoundPairs<T> {
  /** The pairs. */
  readonly pairs: T;
  /** Images without a mask, masks without an image, patients in two splits. */
  readonly warnings: readonly DataWarning[];
}

/** @internal Refuses what is no pairs. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function requirePairs(name: string, value: MaskPairs, least = 1): void {
  const { images, masks, groups } = object(name, value);
  requireDataset(`${name}.images`, images, least);
  for (const [part, given] of Object.entries({ masks, groups: groups ?? masks }))
    if (!Array.isArray(given) || given.length !== images.length)
      throw invalidArgument(`${name}.${part}`, `one entry for each of ${images.length} images`, given);
}

/** @internal Some of the pairs. */
export function somePairs({ images, masks, groups }: MaskPairs, indices: readonly number[]): MaskPairs {
  const at = <T>(from: readonly T[]): T[] => indices.map((index) => from[index] as T);
  return { images: subsetOf(images, indices), masks: at(masks), ...(groups ? { groups: at(groups) } : {}) };
}

/**
 * Pairs the images of one folder with the masks of another by file name without extension; a mask may be called
 * `NAME_mask`. Subfolders are looked through.
 *
 * @param images folder of images
 * @param masks folder of masks
 * @throws CxrGazeError `ERR_FILE` for a folder that cannot be read, `ERR_DATASET` where nothing pairs
 */
export async function pairFolders(images: string, masks: string): Promise<FoundPairs<MaskPairs>> {
  const root = path.resolve(text('images', images));
  const folder = await MaskFolder.open(masks);
  // Masks may lie among the images: a file that is the mask of another is no image.
  const isOwnMask = (file: string) =>
    folder.folder.startsWith(root) &&
    path.join(root, file) === pathOf(folder.find(withoutSuffix(featureName(file))));
  const files = (await listImages(root)).images.filter((file) => !isOwnMask(file));
  const paired = files.filter((file) => folder.find(featureName(file)) !== undefined);
  const alone = files.filter((file) => folder.find(featureName(file)) === undefined);
  if (paired.length === 0)
    throw new CxrGazeError(
      'ERR_DATASET',
      `None of the ${files.length} images of ${root} has a mask in ${folder.folder}: expected NAME.png or NAME_mask.png`,
      { details: { images: root, masks: folder.folder } },
    );
  folder.refuseShared(paired);
  const names = new Set(paired.map(featureName));
  const unused = folder.names.filter((name) => !names.has(name));
  const pairs = {
    images: tableOf(root, paired),
    masks: paired.map((file) => folder.find(featureName(file)) as ImageSource),
  };
  return {
    pairs,
    warnings: [
      ...oddity('images-without-mask', root, alone, 'images have no mask and are left out'),
      ...oddity('masks-without-image', folder.folder, unused, 'masks belong to no image and are left out'),
    ],
  };
}

function pathOf(source: ImageSource | undefined): string | undefined {
  return source?.kind === 'file' ? source.path : undefined;
}

function oddity(kind: string, where: string, names: readonly string[], what: string): DataWarning[] {
  if (names.length === 0) return [];
  return [{ kind, message: `${where}: ${names.length} ${what}: ${someOf(names)}`, details: { names } }];
}

function tableOf(root: string, files: readonly string[]): ImageTable {
  return new ImageTable({
    ...{ name: path.basename(root), classes: ['lungs'], root, ids: files, paths: files },
    labels: new Int32Array(files.length),
    patients: files.map(() => undefined),
    origin: () => root,
  });
}

/** Options of {@link openPairTable}. */
export interface PairTableOptions {
  /** The table: UTF-8 CSV with a header. */
  readonly csv: string;
  /** Folder that both paths are relative to and may not leave. */
  readonly root: string;
  /** Column of the image path; default `image`. */
  readonly imageColumn?: string;
  /** Column of the mask path, each used once; default `mask`. */
  readonly maskColumn?: string;
  /** Column that tells train, val and test apart; without it all rows form one split `all`. */
  readonly splitColumn?: string;
  /** Name of the split to train on, which has to be there where groups are named: it orders them; default `train`. */
  readonly trainSplit?: string;
  /** Column of the patient; without it patients are unknown. */
  readonly patientColumn?: string;
  /** Column of what is scored apart, such as the source. */
  readonly groupColumn?: string;
  /** Only rows that satisfy all of these. */
  readonly where?: readonly WhereClause[];
}

/**
 * Opens a table of images and masks. An image may occur with several masks.
 *
 * @returns pairs by split
 * @throws CxrGazeError as `openTable`
 */
export async function openPairTable(options: PairTableOptions): Promise<FoundPairs<Map<string, MaskPairs>>> {
  knownKeys('options', options, [
    ...['csv', 'root', 'imageColumn', 'maskColumn', 'splitColumn', 'patientColumn', 'groupColumn', 'where'],
    'trainSplit',
  ]);
  const { csv, root, imageColumn = 'image', maskColumn = 'mask', groupColumn, ...rest } = options;
  const table = await openTable({
    ...{ csv, root, pathColumn: imageColumn, idColumn: maskColumn, ...rest },
    labelColumn: groupColumn ?? null,
  });
  const pairs = new Map<string, MaskPairs>();
  for (const [split, images] of table.splits) {
    const masks = await masksWithin(root, maskColumn, images);
    const groups = Array.from(images.labels, (label) => images.classes[label] as string);
    pairs.set(split, { images, masks, ...(groupColumn === undefined ? {} : { groups }) });
  }
  return { pairs, warnings: table.warnings.filter(({ kind }) => kind !== 'class-without-training-images') };
}

/** The masks of a table's images, whose ids are their paths; no link may lead out of the root either. */
async function masksWithin(root: string, column: string, images: ImageTable): Promise<ImageSource[]> {
  const refusal = (index: number, problem: string) =>
    new CxrGazeError('ERR_PATH_ESCAPE', `${images.origin(index)}, column '${column}': ${problem}`, {
      details: { path: images.ids[index], root },
    });
  const paths = images.ids.map((id, index) => {
    try {
      return resolveInside(root, id);
    } catch (cause) {
      throw cause instanceof CxrGazeError ? refusal(index, cause.message) : cause;
    }
  });
  const outside = (await surveyFiles(paths, root)).indexOf('outside');
  if (outside < 0) return paths.map((file) => ({ kind: 'file', path: file }));
  throw refusal(outside, `a symbolic link leads ${images.ids[outside]} out of ${root}; ${linksHint}`);
}

/** Phantoms, with the lung masks that they were drawn with. */
export function phantomPairs(films: PhantomDataset): MaskPairs {
  requireDataset('films', films);
  if (!(films instanceof PhantomDataset)) throw invalidArgument('films', 'a set of phantoms', films);
  const masks = Array.from({ length: films.length }, (_, index): ImageSource => {
    const { size: side } = films;
    const pixels = () => ({
      width: side,
      height: side,
      channels: 1 as const,
      data: films.masks(index).lungMask,
    });
    return { kind: 'pixels', name: `lungs of ${films.sample(index).id}`, pixels };
  });
  return { images: films, masks };
}

/** What {@link splitPairs} gives. */
export interface SplitPairs {
  /** Pairs to train on. */
  readonly train: MaskPairs;
  /** Pairs to validate on. */
  readonly validation: MaskPairs;
  /** Pairs to test on; may be none. */
  readonly test: MaskPairs;
}

/** Options of {@link splitPairs}. */
export interface SplitPairsOptions {
  /** Share for validation, above 0; default 0.1. */
  readonly validation?: number;
  /** Share for testing; default 0.1. */
  readonly test?: number;
  /** Of the draw; default 0. */
  readonly seed?: number;
}

/**
 * Divides pairs at random into train, validation and test; images of one patient, where known, stay together.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`; `ERR_DATASET` where a part would be empty
 */
export function splitPairs(pairs: MaskPairs, options: SplitPairsOptions = {}): SplitPairs {
  knownKeys('options', options, ['validation', 'test', 'seed']);
  requirePairs('pairs', pairs);
  const shares = {
    validation: number('options.validation', options.validation ?? 0.1, { above: 0, below: 1 }),
    test: number('options.test', options.test ?? 0.1, { min: 0, below: 1 }),
  };
  const keys = Array.from({ length: pairs.images.length }, (_, i) => {
    const { id, patient } = pairs.images.sample(i);
    return patientKey(patient, id);
  });
  const [validation = [], test = [], train = []] = drawParts({
    ...{ keys, shares: [shares.validation, shares.test] },
    ...{ seed: integer('options.seed', options.seed ?? 0), purpose: 'mask pairs' },
  });
  const take = (indices: readonly number[]) => somePairs(pairs, indices);
  const parts = { train: take(train), validation: take(validation), test: take(test) };
  if (parts.train.masks.length > 0 && parts.validation.masks.length > 0) return parts;
  throw tooFewPatients(pairs.images.name, keys, shares.validation);
}

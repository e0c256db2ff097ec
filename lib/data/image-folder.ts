import path from 'node:path';
import { CxrGazeError } from '../errors.js';
import { classNames, didYouMean, knownKeys, nearest, oneOf, text } from '../validate.js';
import { emptyClasses, orderByFrequency } from './class-order.js';
import type { DataWarning } from './data-warning.js';
import { listImages, otherFiles } from './image-files.js';
import { ImageTable, sharedPatients } from './image-table.js';
import { listed } from './listed.js';
import { nihPatients } from './nih-tasks.js';
import { patientsOf } from './patient-table.js';

/** Options of {@link openImageFolder}. */
export interface ImageFolderOptions {
  /** Folder of the set. */
  readonly root: string;
  /**
   * `'split/class'` for `root/split/class/*.png`, `'class'` for `root/class/*.png` (one split `'all'`);
   * by default whichever all images fit. Where it is named, images may lie deeper, in subfolders of their class.
   */
  readonly layout?: 'split/class' | 'class';
  /** Class names in label order; by default as {@link ImageFolderOptions.classOrder} says. */
  readonly classes?: readonly string[];
  /**
   * Which class has which label: `frequency`, by decreasing number of training images, equal ones by name; or `name`, the
   * positions of the names in byte order, as torchvision's `ImageFolder` and loc-attention have it. Default `frequency`.
   */
  readonly classOrder?: 'frequency' | 'name';
  /**
   * A CSV file with the columns `image` and `patient`, one row for each image: its path below `root`, or its file name where no
   * other image has it. Default: see {@link openImageFolder}.
   */
  readonly patients?: string;
  /** The split whose frequencies order the classes; `'train'`, or `'all'` in the layout `'class'`. */
  readonly trainSplit?: string;
}

/** A folder of images, divided. */
export interface ImageFolderSplits {
  /** Class names in label order, common to all splits. */
  readonly classes: readonly string[];
  /** Data sets by name of the split, sorted. */
  readonly splits: ReadonlyMap<string, ImageTable>;
  /** Patients in two splits, classes without training images, files that are no images. */
  readonly warnings: readonly DataWarning[];
}

interface Entry {
  readonly file: string;
  readonly split: string;
  readonly label: string;
  readonly patient: string | undefined;
}

/**
 * Opens a folder whose subfolders are the classes. The id of a sample is its path below `root`. Patients are known where
 * `patients` tells them, or every image of the folder is called as NIH's are, `PPPPPPPP_FFF.png` with the patient before `_`; one
 * who is in two splits is warned of. Images lie directly in the folder of their class, unless `layout` is named.
 *
 * @throws `ERR_DATASET` for an image that fits no layout or an unknown class, or one without a patient; `ERR_TABLE` for a
 *   table of patients that is none, `ERR_FILE` for a folder or table that cannot be read, `ERR_PATH_ESCAPE` for a link out of it
 */
export async function openImageFolder(options: ImageFolderOptions): Promise<ImageFolderSplits> {
  knownKeys('options', options, ['root', 'layout', 'classes', 'classOrder', 'trainSplit', 'patients']);
  const root = path.resolve(text('options.root', options.root));
  if (options.layout !== undefined) oneOf('options.layout', options.layout, ['split/class', 'class']);
  const own = options.classes === undefined ? undefined : classNames('options.classes', options.classes);
  const order = oneOf('options.classOrder', options.classOrder ?? 'frequency', ['frequency', 'name']);
  const { images, others } = await listImages(root);
  const patients =
    options.patients === undefined ? nihPatients(images) : await patientsOf(options.patients, images);
  const entries = divide(root, images, { layout: options.layout, patients });
  const names = [...new Set(entries.map((entry) => entry.split))].sort();
  const trainSplit = text(
    'options.trainSplit',
    options.trainSplit ?? (names.includes('all') ? 'all' : 'train'),
  );
  const byFrequency = () => orderClasses(root, entries, names, trainSplit);
  const classes = own ?? (order === 'name' ? byName(entries) : byFrequency());
  const splits = new Map(names.map((split) => [split, splitTable(root, split, entries, classes)]));
  return {
    classes,
    splits,
    warnings: [
      ...sharedPatients(splits),
      ...emptyClasses(splits.get(trainSplit)),
      ...otherFiles(root, others),
    ],
  };
}

function divide(
  root: string,
  images: readonly string[],
  {
    layout,
    patients,
  }: {
    readonly layout: ImageFolderOptions['layout'];
    readonly patients: readonly (string | undefined)[];
  },
): Entry[] {
  const [first] = images;
  if (first === undefined)
    throw new CxrGazeError('ERR_DATASET', `Expected images in ${root} but found none`, { details: { root } });
  const depth = layout === undefined ? first.split('/').length : layout === 'class' ? 2 : 3;
  const fits = (parts: number) => (layout === undefined ? parts === depth : parts >= depth);
  const misfit = images.find((file) => depth < 2 || depth > 3 || !fits(file.split('/').length));
  if (misfit !== undefined) {
    const expected = layout ?? (depth === 2 ? 'class' : depth === 3 ? 'split/class' : 'class or split/class');
    throw new CxrGazeError(
      'ERR_DATASET',
      `Expected all images as ${expected}/* below ${root} but found ${misfit}`,
      {
        details: { root, file: misfit, expected },
      },
    );
  }
  return images.map((file, i) => {
    const parts = file.split('/');
    const label = parts[depth - 2] as string;
    return { file, label, split: depth === 3 ? (parts[0] as string) : 'all', patient: patients[i] };
  });
}

// UTF-16's order, which is JavaScript's, differs from that of the bytes beyond the basic plane.
function byName(entries: readonly Entry[]): string[] {
  const names = new Set(entries.map(({ label }) => label));
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function orderClasses(
  root: string,
  entries: readonly Entry[],
  names: readonly string[],
  trainSplit: string,
): string[] {
  if (!names.includes(trainSplit))
    throw new CxrGazeError(
      'ERR_DATASET',
      `${root} has no split '${trainSplit}', whose frequencies order the classes; the splits are ${listed(names)}. Give trainSplit or classes`,
      { details: { root, trainSplit, splits: names } },
    );
  const counts = new Map(entries.map(({ label }) => [label, 0]));
  for (const { label, split } of entries)
    if (split === trainSplit) counts.set(label, (counts.get(label) as number) + 1);
  return orderByFrequency(counts);
}

function splitTable(
  root: string,
  split: string,
  all: readonly Entry[],
  classes: readonly string[],
): ImageTable {
  const entries = all.filter((entry) => entry.split === split);
  const labels = entries.map(({ file, label }) => {
    const index = classes.indexOf(label);
    if (index >= 0) return index;
    const near = nearest(label, classes);
    throw new CxrGazeError(
      'ERR_DATASET',
      `The folder of ${path.join(root, file)} is not one of the ${classes.length} classes${didYouMean(near)} They are ${listed(classes)}`,
      { details: { file, found: label, expected: classes } },
    );
  });
  return new ImageTable({
    name: `${path.basename(root)} ${split}`,
    classes,
    root,
    ids: entries.map(({ file }) => file),
    paths: entries.map(({ file }) => file),
    labels: Int32Array.from(labels),
    patients: entries.map(({ patient }) => patient),
    origin: () => root,
  });
}

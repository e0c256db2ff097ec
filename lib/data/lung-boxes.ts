import { callback, checkSignal, integer, knownKeys, text } from '../validate.js';
import { forEachBounded, throwIfAborted } from './bounded.js';
import type { Box } from './box.js';
import { BoxCache } from './box-cache.js';
import type { DataWarning } from './data-warning.js';
import { type Dataset, requireDataset } from './dataset.js';
import { imageName } from './decode.js';
import { fingerprintOf } from './fingerprint.js';
import { featureName } from './image-table.js';
import { someOf } from './listed.js';
import { boxSide, type LungBox, lungBox } from './lung-box.js';
import { MaskFolder } from './mask-folder.js';
import { withSample } from './prepare-sample.js';
import { readMask } from './read-mask.js';

/** The lungs of every image of a data set: what a loss that looks at places is given. */
export interface LungBoxes {
  /** Side of the square image in whose pixels the boxes are. */
  readonly size: number;
  /** Ids of the samples, in the order of the data set. */
  readonly ids: readonly string[];
  /** One box a sample, in that order. */
  readonly boxes: readonly Box[];
  /** The same with what was found; an image that was left out counts as `none`. */
  readonly lungs: readonly LungBox[];
  /** Boxes that were found in the cache. */
  readonly reused: number;
  /** Images with no lung, one lung, an implausible box; masks of several sizes, masks of no image. */
  readonly warnings: readonly DataWarning[];
}

/** Options of every way to the boxes of a data set. */
export interface LungBoxOptions {
  /** Side of the classifier's square input, in whose pixels the boxes are given; default 224. */
  readonly size?: number;
  /** Folder of prepared images, in which the boxes are kept; default: computed anew each time. */
  readonly cacheDir?: string;
  /** Called after each image. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Ends the work with `ERR_ABORTED`. */
  readonly signal?: AbortSignal;
}

const optionNames = ['size', 'cacheDir', 'onProgress', 'signal'];

/** @internal @returns the side. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkLungBoxOptions(options: LungBoxOptions, further: readonly string[] = []): number {
  knownKeys('options', options, [...optionNames, ...further]);
  if (options.cacheDir !== undefined) text('options.cacheDir', options.cacheDir);
  callback('options.onProgress', options.onProgress);
  checkSignal('options.signal', options.signal);
  return integer('options.size', options.size ?? boxSide, { min: 1, max: 16384 });
}

/**
 * The boxes around the lungs of a data set's images, from a folder of masks: `NAME.png` or `NAME_mask.png` for the image
 * `NAME`, of any size, each covering the whole of its image.
 *
 * @param dataset whose images have masks
 * @param folder of the masks
 * @param options size, progress
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_DATASET` listing images without a mask, `ERR_IMAGE`
 *   for a mask that cannot be read, `ERR_FILE`, `ERR_ABORTED`
 */
export function lungBoxesOfMasks(
  dataset: Dataset,
  folder: string,
  options: LungBoxOptions = {},
): Promise<LungBoxes> {
  requireDataset('dataset', dataset);
  text('folder', folder);
  const checked = { ...options, size: checkLungBoxOptions(options) };
  return MaskFolder.open(folder).then((masks) => fromMasks(dataset, masks, checked));
}

/** @internal As {@link lungBoxesOfMasks}, of a folder that has been listed. */
export function lungBoxesIn(
  masks: MaskFolder,
  dataset: Dataset,
  options: LungBoxOptions = {},
): Promise<LungBoxes> {
  return fromMasks(dataset, masks, { ...options, size: checkLungBoxOptions(options) });
}

/** Masks decoded at once. */
const concurrency = 4;

async function fromMasks(
  dataset: Dataset,
  folder: MaskFolder,
  { size, cacheDir, onProgress, signal }: LungBoxOptions & { readonly size: number },
): Promise<LungBoxes> {
  const { masks, unused } = folder.masksOf(dataset);
  const cache =
    cacheDir === undefined ? undefined : await BoxCache.open(cacheDir, `masks, size ${size}, rule 2`);
  const lungs = new Array<LungBox>(dataset.length);
  let [done, reused] = [0, 0];
  await forEachBounded(dataset.length, concurrency, async (index) => {
    throwIfAborted(signal, `Finding the lungs of ${dataset.name}`);
    const source = masks[index] as (typeof masks)[number];
    try {
      const fingerprint = await fingerprintOf(source);
      const known = await cache?.find(source, fingerprint);
      if (known) reused++;
      lungs[index] = known ?? (await lungBox(await readMask(source), size));
      if (!known) await cache?.add(source, fingerprint, lungs[index]);
    } catch (error) {
      throw withSample(error, dataset, index);
    }
    onProgress?.({ done: ++done, total: dataset.length });
  });
  await cache?.save();
  const warnings = [...severalSizes(dataset, lungs), ...withoutImage(folder.folder, unused)];
  return lungBoxes(dataset, size, lungs, { reused, warnings });
}

function severalSizes(dataset: Dataset, lungs: readonly LungBox[]): DataWarning[] {
  const sizes = new Map<string, string[]>();
  for (const [index, { maskSize }] of lungs.entries()) {
    const key = maskSize.join(' x ');
    const ids = sizes.get(key) ?? [];
    ids.push(dataset.sample(index).id);
    sizes.set(key, ids);
  }
  const [most, ...others] = [...sizes].sort(([, a], [, b]) => b.length - a.length);
  if (!most || others.length === 0) return [];
  const odd = others.flatMap(([, ids]) => ids);
  const message = `${odd.length} masks are not of ${most[0]} pixels as the other ${most[1].length} (${others
    .map(([size]) => size)
    .slice(0, 3)
    .join(', ')}): each is taken to cover the whole of its image: ${someOf(odd)}`;
  return [{ kind: 'mask-sizes', message, details: { sizes: Object.fromEntries(sizes) } }];
}

/** @internal The kind of warning that masks belong to no image. */
export const strayMasks = 'masks-without-image';

function withoutImage(folder: string, unused: readonly string[]): DataWarning[] {
  if (unused.length === 0) return [];
  const message = `${folder}: ${unused.length} masks belong to no image: ${someOf(unused)}`;
  return [{ kind: strayMasks, message, details: { folder, names: unused } }];
}

/**
 * @internal The warnings without masks of other data sets: splits often share one folder of masks.
 *
 * @param warnings of {@link LungBoxes}
 * @param others whose images have masks in the same folder
 */
export function withoutMasksOf(
  warnings: readonly DataWarning[],
  others: Iterable<Dataset>,
): readonly DataWarning[] {
  const told = warnings.find(({ kind }) => kind === strayMasks);
  if (told === undefined) return warnings;
  const { folder, names } = told.details as { folder: string; names: readonly string[] };
  const known = new Set<string>();
  for (const dataset of others)
    for (let i = 0; i < dataset.length; i++) known.add(featureName(imageName(dataset.sample(i).image)));
  const stray = names.filter((name) => !known.has(name));
  return [...warnings.filter((warning) => warning !== told), ...withoutImage(folder, stray)];
}

/** @internal The boxes of a data set with the report of what deserves a look. */
export function lungBoxes(
  dataset: Dataset,
  size: number,
  lungs: readonly LungBox[],
  more: {
    readonly reused: number;
    readonly warnings?: readonly DataWarning[];
    /** Whether an image was left out, which tells nothing of its lungs; default none was. */
    readonly unseen?: (index: number) => boolean;
    /** What becomes of an image without a lung. */
    readonly withoutLung?: string;
  },
): LungBoxes {
  const { withoutLung = 'so their box is the whole image', unseen = () => false } = more;
  const all = lungs.map((_, i) => dataset.sample(i).id);
  const idsOf = (finding: LungBox['finding']) =>
    all.filter((_, i) => lungs[i]?.finding === finding && !unseen(i));
  const about = (finding: LungBox['finding'], kind: string, what: string, notes = ''): DataWarning[] => {
    const ids = idsOf(finding);
    if (ids.length === 0) return [];
    const message = `${dataset.name}: ${ids.length} of ${lungs.length} images have ${what}: ${someOf(ids)}${notes}`;
    return [{ kind, message, details: { dataset: dataset.name, ids } }];
  };
  const odd = lungs.find(({ finding }) => finding === 'implausible');
  return {
    size,
    ids: all,
    boxes: lungs.map(({ box }) => box),
    lungs,
    reused: more.reused,
    warnings: [
      ...about('none', 'no-lung', `no lung, ${withoutLung}`),
      ...about('one', 'one-lung', 'lungs on one side only'),
      ...about(
        'implausible',
        'implausible-lungs',
        'an implausible box',
        odd ? `; the first: ${odd.reasons.join(', ')}` : '',
      ),
      ...(more.warnings ?? []),
    ],
  };
}

import { type Dataset, requireDataset } from './dataset.js';
import { type NeededFiles, refuseMissing } from './needed-files.js';
import { type FileState, surveyFiles } from './paths.js';

/** An image of a data set that cannot be opened. */
export interface MissingImage {
  /** Index in the data set. */
  readonly index: number;
  /** Id of the sample. */
  readonly id: string;
  /** Where the file was expected. */
  readonly path: string;
  /** Nothing is there, or something that is not a file. */
  readonly state: Exclude<FileState, 'file' | 'outside'>;
}

/**
 * Looks for every image file of a data set. Files are not opened; samples in memory are passed over.
 *
 * @param dataset whose files are looked for
 * @returns all that are not there, in order; empty if nothing is missing
 */
export async function findMissingImages(dataset: Dataset): Promise<MissingImage[]> {
  requireDataset('dataset', dataset);
  const indices: number[] = [];
  const paths: string[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const { image } = dataset.sample(index);
    if (image.kind !== 'file') continue;
    indices.push(index);
    paths.push(image.path);
  }
  const states = await surveyFiles(paths);
  return states.flatMap((state, i) => {
    if (state !== 'missing' && state !== 'not-a-file') return [];
    const index = indices[i] as number;
    return [{ index, id: dataset.sample(index).id, path: paths[i] as string, state }];
  });
}

/** @internal The images of a data set as {@link refuseMissing} takes them. */
export async function neededImages(dataset: Dataset): Promise<NeededFiles> {
  const missing = await findMissingImages(dataset);
  return {
    what: `images of ${dataset.name}`,
    total: dataset.length,
    missing: missing.map(({ index, path, state }) => {
      const origin = dataset.origin?.(index);
      return { path, notes: [...(state === 'missing' ? [] : ['not a file']), ...(origin ? [origin] : [])] };
    }),
  };
}

/**
 * Refuses a data set whose image files are not all there, before the first epoch and all at once.
 *
 * @param dataset whose files are looked for
 * @throws `ERR_DATASET` with the number missing, the first five, and all of them in `details.missing[0].paths`
 */
export async function checkImages(dataset: Dataset): Promise<void> {
  refuseMissing([await neededImages(dataset)]);
}

import { CxrGazeError } from '../errors.js';
import { type Dataset, requireDataset } from './dataset.js';
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

/**
 * Refuses a data set whose image files are not all there, before the first epoch and all at once.
 *
 * @param dataset whose files are looked for
 * @throws `ERR_DATASET` with the number missing, the first five, and all of them in `details.missing`
 */
export async function checkImages(dataset: Dataset): Promise<void> {
  const missing = await findMissingImages(dataset);
  if (missing.length === 0) return;
  const examples = missing.slice(0, 5).map(({ index, path, state }) => {
    const origin = dataset.origin?.(index);
    return `${path}${state === 'missing' ? '' : ' (not a file)'}${origin ? ` (${origin})` : ''}`;
  });
  throw new CxrGazeError(
    'ERR_DATASET',
    `${missing.length} of ${dataset.length} images of ${dataset.name} are missing: ${examples.join('; ')}${missing.length > 5 ? '; ...' : ''}`,
    { details: { dataset: dataset.name, count: missing.length, missing } },
  );
}

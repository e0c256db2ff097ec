import { CxrGazeError } from '../errors.js';
import type { Dataset, Pixels } from './dataset.js';
import { decodeImage } from './decode.js';
import type { DecodeLimits } from './decode-limits.js';
import { type Interpolation, resizeImage } from './resize.js';

/** @internal */
export interface SampleSize {
  readonly width: number;
  readonly height: number;
  readonly limits: DecodeLimits;
  readonly interpolation: Interpolation;
}

/**
 * Decodes and stretches the image of one sample.
 *
 * @param made the pixels, if they have been made already
 * @internal
 */
export async function prepareSample(
  dataset: Dataset,
  index: number,
  { width, height, limits, interpolation }: SampleSize,
  made?: Pixels,
): Promise<Pixels> {
  const { image } = dataset.sample(index);
  try {
    const source = made && image.kind === 'pixels' ? { ...image, pixels: () => made } : image;
    return await resizeImage(await decodeImage(source, limits), width, height, interpolation);
  } catch (error) {
    throw withSample(error, dataset, index);
  }
}

/** Adds to an image's error which sample it is and which line names it. @internal */
export function withSample(error: unknown, dataset: Dataset, index: number): unknown {
  if (!(error instanceof CxrGazeError)) return error;
  const { id } = dataset.sample(index);
  const origin = dataset.origin?.(index);
  return new CxrGazeError(
    error.code,
    `${error.message} (sample ${id} of ${dataset.name}${origin ? `; ${origin}` : ''})`,
    { cause: error, details: { ...error.details, id, index, dataset: dataset.name } },
  );
}

/** How large the films are that gaze tables name. */
import { forEachBounded, throwIfAborted } from '../data/bounded.js';
import { someOf } from '../data/listed.js';
import { CxrGazeError } from '../errors.js';
import { knownKeys, number } from '../validate.js';
import type { FilmSize } from './reading.js';

/** Finds the size of a film by its name; `undefined` where nobody knows it. */
export type FilmLookup = (image: string) => Promise<FilmSize | undefined>;

/**
 * Films' sizes: one for all, one for each by its name, or a function that finds them, which is asked once for each film
 * that the gaze table names.
 */
export type FilmSizes = FilmSize | ReadonlyMap<string, FilmSize> | FilmLookup;

/** Sizes that need no looking up. @internal */
export type KnownSizes = FilmSize | ReadonlyMap<string, FilmSize>;

/** Films measured at a time: a header each as a rule, but a DICOM file is decoded. */
const atOnce = 4;

/** The size of a film, if it is known. @internal */
export function filmSize(films: KnownSizes, image: string): FilmSize | undefined {
  return films instanceof Map ? (films as ReadonlyMap<string, FilmSize>).get(image) : (films as FilmSize);
}

/** Checks the sizes that a user gives. @internal */
export function checkFilms(films: FilmSizes): FilmSizes {
  if (films instanceof Map)
    for (const [image, size] of films) checkSize(`options.films.get('${image}')`, size);
  else if (typeof films !== 'function') checkSize('options.films', films as FilmSize);
  return films;
}

function checkSize(name: string, size: FilmSize): void {
  knownKeys(name, size, ['width', 'height']);
  number(`${name}.width`, size.width, { above: 0 });
  number(`${name}.height`, size.height, { above: 0 });
}

/**
 * Looks films up, a few at a time.
 *
 * @param images names, each once
 * @param lookup is asked for each; films that it does not know are not in the result
 * @throws whatever the lookup throws; `ERR_INVALID_ARGUMENT` for a size that is none; `ERR_ABORTED`
 * @internal
 */
export async function lookUp(
  images: readonly string[],
  lookup: FilmLookup,
  { signal, onProgress }: LookUpOptions = {},
): Promise<ReadonlyMap<string, FilmSize>> {
  const sizes = new Map<string, FilmSize>();
  let done = 0;
  await forEachBounded(images.length, atOnce, async (index) => {
    throwIfAborted(signal, 'Measuring films');
    const image = images[index] as string;
    const size = await lookup(image);
    if (size !== undefined) {
      checkSize(`options.films('${image}')`, size);
      sizes.set(image, size);
    }
    onProgress?.(++done / images.length);
  });
  return sizes;
}

/** Options of {@link lookUp}. @internal */
export interface LookUpOptions {
  /** Gives the work up when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the share of films that were looked up, 0 to 1. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** The error for a table of which no film is known. @internal */
export function noFilmKnown(file: string, images: readonly string[]): CxrGazeError {
  const films = images.length === 1 ? 'its only film' : `all of its ${images.length} films`;
  return new CxrGazeError('ERR_DATASET', `${file}: the size of ${films} is not known: ${someOf(images)}`, {
    details: { file, images },
  });
}

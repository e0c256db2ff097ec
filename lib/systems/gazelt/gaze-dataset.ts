import { type Dataset, requireDataset, type Sample, subsetOf } from '../../data/dataset.js';
import { drawParts, patientKey, tooFewPatients } from '../../data/draw-parts.js';
import { featureName } from '../../data/image-table.js';
import { PhantomDataset } from '../../data/phantom/splits.js';
import { CxrGazeError } from '../../errors.js';
import { type Reading, requireReading } from '../../gaze/reading.js';
import { integer, invalidArgument, knownKeys, list, number } from '../../validate.js';

/** Films with recordings of how they were read: one sample a reading, so a film that was read twice is there twice. */
export interface GazeDataset {
  /** The film of each reading. */
  readonly images: Dataset;
  /** The recordings, in the order of the samples. */
  readonly readings: readonly Reading[];
}

/**
 * Refuses what is no gaze data set.
 *
 * @param name of the argument, for the message
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 * @internal
 */
export function requireGaze(name: string, value: unknown): void {
  const gaze = value as Partial<GazeDataset> | null | undefined;
  if (typeof gaze !== 'object' || gaze === null) throw invalidArgument(name, 'a GazeDataset', value);
  requireDataset(`${name}.images`, gaze.images);
  const readings = list(`${name}.readings`, gaze.readings, requireReading);
  if (readings.length === gaze.images?.length) return;
  throw invalidArgument(
    `${name}.readings`,
    `${gaze.images?.length} readings, one for each image,`,
    gaze.readings,
  );
}

/** What {@link matchReadings} found. */
export interface MatchedGaze extends GazeDataset {
  /** Films of the data set of which there is no recording. */
  readonly unread: number;
  /** Recordings of films that are not in the data set. */
  readonly unmatched: number;
  /** Recordings without a fixation, which are left out. */
  readonly empty: number;
}

/**
 * Brings films and recordings together by name: a recording belongs to the film whose file name without extension it
 * tells.
 *
 * @param dataset films, each name once
 * @param readings recordings, such as the readers of eye-tracking files give
 * @returns the films that were read, in the order of the data set, with their recordings
 * @throws CxrGazeError `ERR_DATASET` where two films have the same name, or nothing matches
 */
export function matchReadings(dataset: Dataset, readings: readonly Reading[]): MatchedGaze {
  requireDataset('dataset', dataset);
  list('readings', readings, requireReading);
  const byImage = groupByImage(readings);
  const kept: { readonly sample: number; readonly reading: Reading }[] = [];
  const seen = new Set<string>();
  let [unread, empty, matched] = [0, 0, 0];
  for (let index = 0; index < dataset.length; index++) {
    const { id } = dataset.sample(index);
    const name = featureName(id);
    if (seen.has(name))
      throw new CxrGazeError(
        'ERR_DATASET',
        `${dataset.name}: expected every film's name once, for recordings are found by it, but two are called ${name}`,
        { details: { name } },
      );
    seen.add(name);
    const own = byImage.get(name) ?? [];
    matched += own.length;
    const full = own.filter(({ fixations }) => fixations.length > 0);
    empty += own.length - full.length;
    if (full.length === 0) unread++;
    for (const reading of full) kept.push({ sample: index, reading });
  }
  const counts = { unread, empty, unmatched: readings.length - matched };
  if (kept.length === 0) throw nothingMatches(dataset, readings, counts);
  return { images: filmsOf(dataset, kept), readings: kept.map(({ reading }) => reading), ...counts };
}

function groupByImage(readings: readonly Reading[]): Map<string, Reading[]> {
  const groups = new Map<string, Reading[]>();
  for (const reading of readings) {
    const group = groups.get(reading.image);
    if (group) group.push(reading);
    else groups.set(reading.image, [reading]);
  }
  return groups;
}

function nothingMatches(
  dataset: Dataset,
  readings: readonly Reading[],
  counts: { readonly unread: number; readonly empty: number; readonly unmatched: number },
): CxrGazeError {
  const film = dataset.length > 0 ? featureName(dataset.sample(0).id) : '-';
  return new CxrGazeError(
    'ERR_DATASET',
    `None of the ${readings.length} recordings is of a film of ${dataset.name}: the first film is called ${film}, the first recording is of ${readings[0]?.image ?? '-'}`,
    { details: counts },
  );
}

/** A film that was read more than once is told apart by the recording. */
function filmsOf(
  dataset: Dataset,
  kept: readonly { readonly sample: number; readonly reading: Reading }[],
): Dataset {
  const times = new Map<number, number>();
  for (const { sample } of kept) times.set(sample, (times.get(sample) ?? 0) + 1);
  const at = (index: number) => {
    const found = kept[index];
    if (found) return found;
    throw invalidArgument('index', `an index below ${kept.length}`, index);
  };
  return {
    name: `${dataset.name} with gaze`,
    classes: dataset.classes,
    length: kept.length,
    sample(index): Sample {
      const { sample, reading } = at(index);
      const film = dataset.sample(sample);
      return times.get(sample) === 1 ? film : { ...film, id: `${film.id}#${reading.id}` };
    },
    ...(dataset.origin ? { origin: (index: number) => dataset.origin?.(at(index).sample) ?? '' } : {}),
  };
}

/** The first `most` readings of a data set, or all of them. */
export function firstReadings(gaze: GazeDataset, most: number): GazeDataset {
  requireGaze('gaze', gaze);
  const length = Math.min(integer('most', most, { min: 0 }), gaze.readings.length);
  return someReadings(
    gaze,
    Array.from({ length }, (_, i) => i),
  );
}

function someReadings({ images, readings }: GazeDataset, indices: readonly number[]): GazeDataset {
  return { images: subsetOf(images, indices), readings: indices.map((index) => readings[index] as Reading) };
}

/** @internal Share of the patients to validate on where nobody says otherwise. */
export const validationShare = 0.1;

/** What {@link splitReadings} gives. */
export interface SplitReadings {
  /** To train on. */
  readonly train: GazeDataset;
  /** To validate on. */
  readonly validation: GazeDataset;
}

/** Options of {@link splitReadings}. */
export interface SplitReadingsOptions {
  /** Share of the patients to validate on, above 0 and below 1; default 0.1. */
  readonly validation?: number;
  /** Of the draw; default 0. */
  readonly seed?: number;
}

/**
 * Divides readings at random, for films that have no part to validate on. All readings of a patient stay together; where
 * patients are not known, those of a film.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`; `ERR_DATASET` where a part would be empty
 */
export function splitReadings(gaze: GazeDataset, options: SplitReadingsOptions = {}): SplitReadings {
  requireGaze('gaze', gaze);
  knownKeys('options', options, ['validation', 'seed']);
  const share = number('options.validation', options.validation ?? validationShare, { above: 0, below: 1 });
  const seed = integer('options.seed', options.seed ?? 0);
  const keys = gaze.readings.map(({ image }, i) => patientKey(gaze.images.sample(i).patient, image));
  const [validation = [], train = []] = drawParts({ keys, shares: [share], seed, purpose: 'readings' });
  if (train.length > 0 && validation.length > 0)
    return { train: someReadings(gaze, train), validation: someReadings(gaze, validation) };
  throw tooFewPatients(gaze.images.name, keys, share);
}

/**
 * The simulated readings of a set of phantoms. Each film is drawn once for it, some milliseconds each; the thread is
 * given free between films.
 *
 * @param phantoms a split of the embedded sample
 * @param onProgress called after each film
 */
export async function phantomGaze(
  phantoms: PhantomDataset,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<GazeDataset> {
  if (!(phantoms instanceof PhantomDataset)) throw invalidArgument('phantoms', 'a PhantomDataset', phantoms);
  const readings: Reading[] = [];
  for (let index = 0; index < phantoms.length; index++) {
    const { id, fixations } = phantoms.phantom(index);
    readings.push({ id, image: id, width: phantoms.size, height: phantoms.size, fixations });
    onProgress(index + 1, phantoms.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { images: phantoms, readings };
}

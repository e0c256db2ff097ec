/** The readings that `train teacher` learns from, whatever source the flags name. */
import type { Dataset } from '../data/dataset.js';
import { featureName } from '../data/image-table.js';
import { LONG_TAILED_DATASETS } from '../data/long-tailed.js';
import { PhantomDataset } from '../data/phantom/splits.js';
import { CxrGazeError } from '../errors.js';
import { FilmFiles } from '../gaze/film-files.js';
import type { FilmLookup } from '../gaze/film-sizes.js';
import type { Reading } from '../gaze/reading.js';
import {
  type GazeDataset,
  matchReadings,
  phantomGaze,
  splitReadings,
  validationShare,
} from '../systems/gazelt/gaze-dataset.js';
import { type OpenedData, trainingSplit, trainingSplits } from './datasets.js';
import { checkGazeFlags, type GazeFlags, namedSources, openGaze, sayFiltered } from './gaze-options.js';
import { usageError } from './options.js';
import type { Output, Session } from './session.js';
import type { TeacherFlags } from './teacher-flags.js';

/** The readings of the splits that a teacher is trained, validated and tested on. */
export interface GazeSplits {
  readonly train: GazeDataset;
  readonly validation: GazeDataset;
  readonly tests: readonly (readonly [name: string, gaze: GazeDataset])[];
}

/**
 * Refuses what the flags of gaze and of validation cannot mean: a look at all films takes its time.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function checkReadingFlags(flags: TeacherFlags): void {
  if (flags.val_share !== undefined && flags.val_split !== undefined)
    throw usageError('--val_share and --val_split exclude each other: both say which films validate');
  const [named] = namedSources(flags);
  if (flags.dataset !== 'sample') checkGazeFlags(gazeFlagsOf(flags));
  else if (named !== undefined)
    throw usageError(`--${named} does not belong to --dataset sample, which brings readings of its own`);
}

/** The films are the data set's, whatever its folder is called. */
function gazeFlagsOf({ data_dir: _, ...flags }: TeacherFlags): GazeFlags {
  return flags;
}

/** Opens the readings of all splits; a test split without any is left out with a warning. @param flags checked */
export async function openSplits(
  data: OpenedData,
  flags: TeacherFlags,
  session: Session,
  output: Output,
): Promise<GazeSplits> {
  const films = flags.val_share === undefined ? trainingSplits(data) : { train: trainingSplit(data) };
  const readingsOf = await gazeOf(data, flags, session, output);
  const say: Say = (split, { readings }, count, of = 'films') => {
    output.say(`${split}: ${readings.length} readings of ${count} ${of}`);
    output.event({ type: 'gaze', split, films: count, readings: readings.length });
  };
  const halves = await openHalves({ data, flags, readingsOf, say, output }, films);
  const tests: [string, GazeDataset][] = [];
  for (const [name, dataset] of data.tests) {
    if (dataset.length === 0) continue;
    const gaze = await readingsOf(dataset).catch((error: unknown) => {
      // A test split may well be without gaze; training and validation may not.
      output.warn('split-without-gaze', `${name} is not evaluated: ${withoutGaze(error).message}`);
    });
    if (!gaze) continue;
    say(name, gaze, dataset.length);
    tests.push([name, gaze]);
  }
  return { ...halves, tests };
}

/** Tells how many readings there are, and of which films. */
type Say = (split: string, gaze: GazeDataset, films: number, of?: string) => void;

interface Halves {
  readonly data: OpenedData;
  readonly flags: TeacherFlags;
  readonly readingsOf: ReadingsOf;
  readonly say: Say;
  readonly output: Output;
}

/** Training and validation, the latter a split or a share of the former. */
async function openHalves(
  { data, flags, readingsOf, say, output }: Halves,
  { train, validation }: { readonly train: Dataset; readonly validation?: Dataset },
): Promise<Pick<GazeSplits, 'train' | 'validation'>> {
  const gaze = await readingsOf(train);
  const own = validation && (await ownValidation(validation, { flags, readingsOf, output }));
  if (validation && own) {
    say('training', gaze, train.length);
    say('validation', own, validation.length, `films of ${nameOf(validation, data)}`);
    return { train: gaze, validation: own };
  }
  const { val_share: share = validationShare, seed } = flags;
  const parts = splitReadings(gaze, { validation: share, seed });
  const idle = data.validation === undefined ? '' : `; ${nameOf(data.validation, data)} takes no part`;
  say('training', parts.train, filmsOf(parts.train), `films of ${nameOf(train, data)}`);
  say(
    ...(['validation', parts.validation, filmsOf(parts.validation)] as const),
    `other films of ${nameOf(train, data)}, drawn by patient (--val_share ${share}, --seed ${seed})${idle}`,
  );
  return parts;
}

/** The readings of a split to validate on; `undefined` where a published one has none. */
function ownValidation(
  dataset: Dataset,
  { flags, readingsOf, output }: Pick<Halves, 'flags' | 'readingsOf' | 'output'>,
): Promise<GazeDataset | undefined> {
  const isPublished = LONG_TAILED_DATASETS.some((name) => name === flags.dataset);
  return readingsOf(dataset).catch((error: unknown) => {
    if (!isPublished) throw error;
    output.say(`${withoutGaze(error).message}. A share of the training films validates instead`);
    return undefined;
  });
}

/** Passes on what is not the want of readings. */
function withoutGaze(error: unknown): CxrGazeError {
  if (error instanceof CxrGazeError && error.code === 'ERR_DATASET') return error;
  throw error;
}

function filmsOf({ readings }: GazeDataset): number {
  return new Set(readings.map(({ image }) => image)).size;
}

function nameOf(dataset: Dataset, { splits }: OpenedData): string {
  return [...splits].find(([, one]) => one === dataset)?.[0] ?? dataset.name;
}

type ReadingsOf = (dataset: Dataset) => Promise<GazeDataset>;

async function gazeOf(
  data: OpenedData,
  flags: TeacherFlags,
  session: Session,
  output: Output,
): Promise<ReadingsOf> {
  if (data.isPhantom) return (dataset) => samplesGaze(dataset, session);
  const films = flags.film_size ? undefined : FilmFiles.of(data.name, data.splits.values());
  const lookup = films && measuring(films, flags.on_error, output);
  const table = await openGaze(gazeFlagsOf(flags), lookup, session);
  sayFiltered(table, output);
  const { readings } = table;
  warnUnmatched(data, readings, output);
  return async (dataset) => {
    const matched = matchReadings(dataset, readings);
    if (matched.empty > 0) output.say(`  ${matched.empty} recordings of its films have no fixation`);
    if (matched.unread > 0)
      output.say(`  ${matched.unread} of ${dataset.length} films of ${dataset.name} have no reading`);
    return matched;
  };
}

/** Films that cannot be read are warned of and left out with `--on_error skip`, as they are in training. */
function measuring(films: FilmFiles, onError: TeacherFlags['on_error'], output: Output): FilmLookup {
  if (onError === 'throw') return (image) => films.size(image);
  return (image) =>
    films.size(image).catch((error: unknown) => {
      if (!(error instanceof CxrGazeError) || !['ERR_FILE', 'ERR_IMAGE'].includes(error.code)) throw error;
      output.warn('image-skipped', error.message);
      return undefined;
    });
}

/** Recordings of films that are in no split at all: a sign of names that do not fit. */
function warnUnmatched(data: OpenedData, readings: readonly Reading[], output: Output): void {
  const names = new Set<string>();
  for (const dataset of data.splits.values())
    for (let i = 0; i < dataset.length; i++) names.add(featureName(dataset.sample(i).id));
  const strange = readings.filter(({ image }) => !names.has(image));
  if (strange.length === 0) return;
  const examples = [...new Set(strange.map(({ image }) => image))].slice(0, 3).join(', ');
  output.warn(
    'gaze-unmatched',
    `${strange.length} of ${readings.length} recordings are of films that are in no split: ${examples}`,
    { images: [...new Set(strange.map(({ image }) => image))] },
  );
}

async function samplesGaze(dataset: Dataset, session: Session): Promise<GazeDataset> {
  if (!(dataset instanceof PhantomDataset)) throw usageError('Expected phantoms for --dataset sample');
  const bar = session.progress(`reading ${dataset.name}`, dataset.length);
  try {
    return await phantomGaze(dataset, (done) => bar.update(done));
  } finally {
    bar.end();
  }
}

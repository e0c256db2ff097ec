/** The readings that `train teacher` learns from, whatever source the flags name. */
import type { Dataset } from '../data/dataset.js';
import { featureName } from '../data/image-table.js';
import { PhantomDataset } from '../data/phantom/splits.js';
import { CxrGazeError } from '../errors.js';
import { FilmFiles } from '../gaze/film-files.js';
import type { FilmLookup } from '../gaze/film-sizes.js';
import type { Reading } from '../gaze/reading.js';
import { type GazeDataset, matchReadings, phantomGaze } from '../systems/gazelt/gaze-dataset.js';
import { type OpenedData, trainingSplits } from './datasets.js';
import { openGaze, sayFiltered } from './gaze-options.js';
import { usageError } from './options.js';
import type { Output, Session } from './session.js';
import type { TeacherFlags } from './teacher-flags.js';

/** The readings of the splits that a teacher is trained, validated and tested on. */
export interface GazeSplits {
  readonly train: GazeDataset;
  readonly validation: GazeDataset;
  readonly tests: readonly (readonly [name: string, gaze: GazeDataset])[];
}

/** Opens the readings of all splits; a test split without any is left out with a warning. */
export async function openSplits(
  data: OpenedData,
  flags: TeacherFlags,
  session: Session,
  output: Output,
): Promise<GazeSplits> {
  const { train, validation } = trainingSplits(data);
  const readingsOf = await gazeOf(data, flags, session, output);
  const one = async (name: string, dataset: Dataset): Promise<GazeDataset> => {
    const gaze = await readingsOf(dataset);
    output.say(`${name}: ${gaze.readings.length} readings of ${dataset.length} films`);
    output.event({ type: 'gaze', split: name, films: dataset.length, readings: gaze.readings.length });
    return gaze;
  };
  const splits = { train: await one('training', train), validation: await one('validation', validation) };
  const tests: [string, GazeDataset][] = [];
  for (const [name, dataset] of data.tests) {
    if (dataset.length === 0) continue;
    const gaze = await one(name, dataset).catch((error: unknown) => {
      if (!(error instanceof CxrGazeError) || error.code !== 'ERR_DATASET') throw error;
      // A test split may well be without gaze; training and validation may not.
      output.warn('split-without-gaze', `${name} is not evaluated: ${error.message}`);
    });
    if (gaze) tests.push([name, gaze]);
  }
  return { ...splits, tests };
}

type ReadingsOf = (dataset: Dataset) => Promise<GazeDataset>;

async function gazeOf(
  data: OpenedData,
  flags: TeacherFlags,
  session: Session,
  output: Output,
): Promise<ReadingsOf> {
  const named = (['egd', 'reflacx', 'siim', 'gaze'] as const).filter((name) => flags[name] !== undefined);
  if (data.name === 'sample') {
    if (named.length > 0)
      throw usageError(`--${named[0]} does not belong to --dataset sample, which brings readings of its own`);
    return (dataset) => samplesGaze(dataset, session);
  }
  // The films are the data set's, whatever its folder is called.
  const { data_dir: _, ...source } = flags;
  const films = flags.film_size ? undefined : FilmFiles.of(data.name, data.splits.values());
  const lookup = films && measuring(films, flags.on_error, output);
  const table = await openGaze(source, lookup, session);
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

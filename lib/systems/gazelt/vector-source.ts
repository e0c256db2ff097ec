import type { Json } from '../../checkpoints/folder.js';
import type { Dataset } from '../../data/dataset.js';
import { requireDataset } from '../../data/dataset.js';
import { featureName } from '../../data/image-table.js';
import type { NeededFiles } from '../../data/needed-files.js';
import { CxrGazeError } from '../../errors.js';
import { callback, integer, invalidArgument, list, text } from '../../validate.js';
import type { FitOptions } from '../classifier/fit.js';
import type { PassOptions } from '../classifier/passes.js';
import type { DistillationSettings } from './distillation.js';
import { GazeTeacher } from './teacher.js';
import { featurePrefixes, neededFeatures, TeacherFeatures } from './teacher-features.js';
import { allVectors, weightsHash } from './teacher-vectors.js';

/** Where the vectors of a fit come from. */
export interface VectorSource {
  /** How many teachers there are. */
  readonly teachers: number;
  /** What messages call it. */
  readonly name: string;
  /**
   * Keeps its numbers as they are until the function that it returns is called.
   *
   * @throws CxrGazeError `ERR_BUSY` where they are changing just now
   */
  readonly hold: () => () => void;
  /** What a run records of it; of files, once none is missing: see {@link VectorSource.needs}. */
  readonly record: () => Promise<{ readonly [key: string]: Json }>;
  /** The files that it needs of a data set. */
  readonly needs: (dataset: Dataset) => Promise<readonly NeededFiles[]>;
  /** The vectors of the films of both data sets. */
  readonly vectors: () => Promise<{ readonly train: TeacherFeatures; readonly val: TeacherFeatures }>;
}

type Films = Pick<FitOptions, 'train' | 'validation' | 'signal'>;

/** Files or teachers, whichever the settings name. @throws CxrGazeError `ERR_INVALID_ARGUMENT` for both or neither */
export function checkSource(settings: DistillationSettings, films: Films): VectorSource {
  if (typeof settings !== 'object' || settings === null)
    throw invalidArgument('options.distillation', 'an object', settings);
  const { teachers, features, featuresDir } = settings;
  if (teachers === undefined) {
    for (const name of ['teacherImages', 'teacherBatchSize', 'onTeach'] as const)
      if (settings[name] !== undefined)
        throw invalidArgument(`options.distillation.${name}`, 'nothing without teachers', settings[name]);
    const set = text('options.distillation.features', features);
    return fromFiles(set, text('options.distillation.featuresDir', featuresDir), films);
  }
  if (features !== undefined || featuresDir !== undefined)
    throw invalidArgument(
      'options.distillation',
      'either teachers, or features with featuresDir, not both',
      settings,
    );
  return fromTeachers(teachers, settings, films);
}

function fromFiles(set: string, folder: string, { train, validation }: Films): VectorSource {
  let read: ReturnType<VectorSource['vectors']> | undefined;
  const vectors = () => {
    const both = async () => ({
      train: await TeacherFeatures.read(train, folder, set),
      val: await TeacherFeatures.read(validation, folder, set),
    });
    read ??= both();
    return read;
  };
  const hashes = async () => {
    const { train, val } = await vectors();
    return [train.hash(), val.hash()];
  };
  return {
    teachers: featurePrefixes(set).length,
    name: `'${set}'`,
    hold: () => () => {},
    record: async () => ({ features: set, featuresDir: folder, vectors: await hashes() }),
    needs: (dataset) => neededFeatures(dataset, folder, set),
    vectors,
  };
}

function fromTeachers(
  teachers: readonly GazeTeacher[],
  { teacherImages, teacherBatchSize = 16, onTeach }: DistillationSettings,
  { train, validation, signal }: Films,
): VectorSource {
  checkTeachers(teachers);
  integer('options.distillation.teacherBatchSize', teacherBatchSize, { min: 1 });
  callback('options.distillation.onTeach', onTeach);
  const seen = teacherImages ?? { train, validation };
  sameFilms('options.distillation.teacherImages.train', seen.train, train);
  sameFilms('options.distillation.teacherImages.validation', seen.validation, validation);
  const pass = {
    batchSize: teacherBatchSize,
    ...(onTeach ? { onTeach } : {}),
    ...(signal ? { signal } : {}),
  };
  return {
    teachers: teachers.length,
    name: `the ${teachers.length} given`,
    hold: () => holdAll(teachers),
    record: async () => ({ teachers: await identities(teachers) }),
    needs: async () => [],
    vectors: async () => ({
      train: await teach(teachers, seen.train, pass),
      val: await teach(teachers, seen.validation, pass),
    }),
  };
}

function checkTeachers(teachers: readonly GazeTeacher[]): void {
  list('options.distillation.teachers', teachers, (name, teacher) => {
    if (!(teacher instanceof GazeTeacher)) throw invalidArgument(name, 'a GazeTeacher', teacher);
    if (teacher.network.disposed)
      throw new CxrGazeError('ERR_DISPOSED', `Expected a live GazeTeacher for ${name}`);
    // Now, so that the message names it.
    if (teacher.training)
      throw new CxrGazeError('ERR_BUSY', `Expected a GazeTeacher that is not being trained for ${name}`);
  });
  if (teachers.length === 0)
    throw invalidArgument('options.distillation.teachers', 'at least one GazeTeacher', teachers);
}

function holdAll(teachers: readonly GazeTeacher[]): () => void {
  const releases = teachers.map((teacher) => teacher.hold());
  return () => {
    for (const release of releases) release();
  };
}

/** What tells teachers from others: their branches and hashes of their weights. */
async function identities(teachers: readonly GazeTeacher[]): Promise<Json[]> {
  const found: Json[] = [];
  for (const { network, card } of teachers) {
    const teacher = await weightsHash(network, 'block');
    const projection = await weightsHash(network, 'projection');
    found.push({ branch: card.branch, teacher, projection });
  }
  return found;
}

/** The vectors that teachers give of a data set's films. */
async function teach(
  teachers: readonly GazeTeacher[],
  dataset: Dataset,
  { onTeach, ...pass }: Pick<DistillationSettings, 'onTeach'> & Omit<PassOptions, 'onProgress'>,
): Promise<TeacherFeatures> {
  const all: Float32Array[] = [];
  for (const teacher of teachers) {
    const { branch } = teacher.card;
    const onProgress = (progress: { readonly done: number; readonly total: number }) =>
      onTeach?.({ dataset: dataset.name, branch, ...progress });
    all.push(await allVectors(teacher, dataset, { ...pass, onProgress }));
  }
  return new TeacherFeatures(all);
}

/** Vectors belong to samples by index, so the films must be the same ones. */
function sameFilms(name: string, seen: Dataset, learned: Dataset): void {
  if (seen === learned) return;
  requireDataset(name, seen);
  if (seen.length !== learned.length)
    throw invalidArgument(name, `the ${learned.length} films of ${learned.name}`, `${seen.length} films`);
  for (let i = 0; i < seen.length; i++) {
    const [theirs, ours] = [featureName(seen.sample(i).id), featureName(learned.sample(i).id)];
    if (theirs !== ours) throw invalidArgument(`${name}, sample ${i}`, `the film ${ours}`, theirs);
  }
}

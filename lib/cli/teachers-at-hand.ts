/** `--teachers` of `train gazelt`: teachers that give their vectors without files. */
import { teacherBranches, teacherSize } from '../models/teacher.js';
import type { DistillationSettings } from '../systems/gazelt/distillation.js';
import { GazeTeacher } from '../systems/gazelt/teacher.js';
import type { DataFlags } from './data-options.js';
import { type OpenedData, openData, trainingSplits } from './datasets.js';
import { usageError } from './options.js';
import type { Progress } from './progress.js';
import type { Session } from './session.js';

/** Teachers that have been loaded, as the distillation takes them. */
export interface TeachersAtHand extends Disposable {
  /** What goes into the distillation's settings. */
  readonly settings: Pick<DistillationSettings, 'teachers' | 'teacherImages' | 'onTeach'>;
}

/**
 * Loads teachers: the focal one before the global one, whose shares are in that order.
 *
 * @param paths runs, saved folders or files of the authors
 * @param place where they compute, and which films they see
 */
export async function openTeachers(
  paths: readonly string[],
  place: {
    readonly data: OpenedData;
    readonly dataFlags: DataFlags;
    readonly device: string;
    readonly session: Session;
  },
): Promise<TeachersAtHand> {
  const teachers = await loadTeachers(paths, place.device);
  const free = () => disposeOf(teachers);
  try {
    const images = await filmsFor(place);
    const settings = {
      teachers,
      onTeach: progressOf(place.session),
      ...(images ? { teacherImages: images } : {}),
    };
    return { settings, [Symbol.dispose]: free };
  } catch (error) {
    free();
    throw error;
  }
}

/**
 * Finds out whether {@link openTeachers} will be able to load them.
 *
 * @throws CxrGazeError what loading them throws; `ERR_INVALID_ARGUMENT` for two of one branch
 */
export async function checkTeachers(paths: readonly string[], device: string): Promise<void> {
  disposeOf(await loadTeachers(paths, device));
}

function disposeOf(teachers: readonly GazeTeacher[]): void {
  for (const teacher of teachers) teacher.dispose();
}

async function loadTeachers(paths: readonly string[], device: string): Promise<GazeTeacher[]> {
  const teachers: GazeTeacher[] = [];
  try {
    for (const path of paths) teachers.push(await GazeTeacher.load(path, { device }));
    refuseTwice(teachers);
  } catch (error) {
    disposeOf(teachers);
    throw error;
  }
  // As in the authors' sets of files: focal, global.
  return teachers.sort(
    (a, b) => teacherBranches.indexOf(b.card.branch) - teacherBranches.indexOf(a.card.branch),
  );
}

function refuseTwice(teachers: readonly GazeTeacher[]): void {
  const branches = teachers.map(({ card }) => card.branch);
  const twice = branches.find((branch, i) => branches.indexOf(branch) !== i);
  if (twice !== undefined) throw usageError(`Expected one ${twice} teacher for --teachers but there are two`);
}

/** Phantoms are drawn at the size of a network's input; the teachers' may be larger than the student's. */
async function filmsFor({ data, dataFlags }: { readonly data: OpenedData; readonly dataFlags: DataFlags }) {
  if (!data.isPhantom) return undefined;
  return trainingSplits(await openData(dataFlags, { imageSize: teacherSize, purpose: 'training' }));
}

function progressOf(session: Session): NonNullable<DistillationSettings['onTeach']> {
  let bar: Progress | undefined;
  let of = '';
  return ({ dataset, branch, done, total }) => {
    const label = `${branch} vectors of ${dataset}`;
    if (label !== of) {
      bar?.end();
      bar = session.progress(label, total);
      of = label;
    }
    bar?.update(done);
    if (done >= total) bar?.end();
  };
}

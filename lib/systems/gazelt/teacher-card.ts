import path from 'node:path';
import { type Json, readJson } from '../../checkpoints/folder.js';
import { CxrGazeError } from '../../errors.js';
import { gazeBranches } from '../../gaze/teacher-targets.js';
import { type TeacherBranch, teacherSize } from '../../models/teacher.js';
import { imagenetNormalisation, type Normalisation } from '../../training/inputs.js';
import { integer, invalidArgument, knownKeys, oneOf } from '../../validate.js';

/** Time windows of a reading: one map each. */
export const teacherWindows = 4;

/** What a saved teacher is. */
export interface TeacherCard {
  /** Which teacher: `global` integrates attention over the windows (TW-I), `focal` tells them apart (TW-D). */
  readonly branch: TeacherBranch;
  /** Seed of the projection to 64 numbers, which is never trained. */
  readonly seed: number;
  /** Side of the square input in pixels. */
  readonly imageSize: number;
  /** Of the input. */
  readonly normalisation: Normalisation;
}

/** Name of the card's file beside `model.safetensors`. */
export const teacherCardFile = 'teacher.json';

/** A card for a teacher. */
export function teacherCard(branch: TeacherBranch, seed: number): TeacherCard {
  return { branch, seed, imageSize: teacherSize, normalisation: imagenetNormalisation };
}

/** The card as JSON holds it. */
export function teacherCardToJson({ branch, seed, imageSize }: TeacherCard): {
  readonly [key: string]: Json;
} {
  const { mean, std } = imagenetNormalisation;
  return { system: 'gazelt-teacher', branch, seed, imageSize, normalisation: { mean, std } };
}

/**
 * Reads a card.
 *
 * @param folder of a saved teacher (`teacher.json`) or of a checkpoint (`state.json`)
 * @throws CxrGazeError `ERR_CHECKPOINT` naming file and member
 */
export async function readTeacherCard(folder: string, file: string): Promise<TeacherCard> {
  const name = path.join(folder, file);
  const document = await readJson(name);
  try {
    return cardFrom(file === teacherCardFile ? document : document.card);
  } catch (cause) {
    if (!(cause instanceof CxrGazeError)) throw cause;
    throw new CxrGazeError('ERR_CHECKPOINT', `${name}: ${cause.message}`, { cause, details: { file: name } });
  }
}

function cardFrom(value: unknown): TeacherCard {
  if (typeof value !== 'object' || value === null) throw invalidArgument('the card', 'an object', value);
  const card = value as Readonly<Record<string, unknown>>;
  if (card.system !== 'gazelt-teacher')
    throw invalidArgument(
      'the card',
      "that of a gaze teacher ('gazelt-teacher')",
      card.system ?? 'a classifier',
    );
  knownKeys('card', card, ['system', 'branch', 'seed', 'imageSize', 'normalisation']);
  integer('imageSize', card.imageSize, { min: teacherSize, max: teacherSize });
  return teacherCard(oneOf('branch', card.branch, gazeBranches), integer('seed', card.seed, { min: 0 }));
}

import path from 'node:path';
import { type Json, readJson } from '../../checkpoints/folder.js';
import { CxrGazeError } from '../../errors.js';
import { publishedWindows } from '../../gaze/windows.js';
import { publishedDropPath, type TeacherBranch, teacherBranches, teacherSize } from '../../models/teacher.js';
import { imagenetNormalisation, type Normalisation } from '../../training/inputs.js';
import { integer, invalidArgument, knownKeys, number, oneOf } from '../../validate.js';

/** Time windows of a reading: one map each. */
export const teacherWindows = publishedWindows;

/** What a saved teacher is. */
export interface TeacherCard {
  /** Which teacher: `global` integrates attention over the windows (TW-I), `focal` tells them apart (TW-D). */
  readonly branch: TeacherBranch;
  /** Seed of the projection to 64 numbers, which is never trained. */
  readonly seed: number;
  /** Drop path of its last block in training. */
  readonly dropPath: number;
  /** Side of the square input in pixels. */
  readonly imageSize: number;
  /** Of the input. */
  readonly normalisation: Normalisation;
}

/** Name of the card's file beside `model.safetensors`. */
export const teacherCardFile = 'teacher.json';

/** A card for a teacher. */
export function teacherCard({
  branch,
  seed,
  dropPath,
}: Pick<TeacherCard, 'branch' | 'seed' | 'dropPath'>): TeacherCard {
  return { branch, seed, dropPath, imageSize: teacherSize, normalisation: imagenetNormalisation };
}

/** The card as JSON holds it; drop path only where it is not the published one. */
export function teacherCardToJson(card: TeacherCard): { readonly [key: string]: Json } {
  const { branch, seed, dropPath, imageSize, normalisation } = card;
  const { mean, std } = normalisation;
  return {
    ...{ system: 'gazelt-teacher', branch, seed, imageSize, normalisation: { mean, std } },
    ...(dropPath === publishedDropPath[branch] ? {} : { dropPath }),
  };
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
  knownKeys('card', card, ['system', 'branch', 'seed', 'dropPath', 'imageSize', 'normalisation']);
  integer('imageSize', card.imageSize, { min: teacherSize, max: teacherSize });
  const branch = oneOf('branch', card.branch, teacherBranches);
  return teacherCard({
    branch,
    seed: integer('seed', card.seed, { min: 0 }),
    dropPath: number('dropPath', card.dropPath ?? publishedDropPath[branch], { min: 0, below: 1 }),
  });
}

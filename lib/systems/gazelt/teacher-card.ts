import type { Json } from '../../checkpoints/folder.js';
import { publishedWindows } from '../../gaze/windows.js';
import { publishedDropPath, type TeacherBranch, teacherBranches, teacherSize } from '../../models/teacher.js';
import { imagenetNormalisation, type Normalisation } from '../../training/inputs.js';
import { integer, knownKeys, number, oneOf } from '../../validate.js';
import { readCardFile, type StoredCard } from '../card-file.js';

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

/** A teacher, as its card names it. */
const system = 'gazelt-teacher';

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
    ...{ system, branch, seed, imageSize, normalisation: { mean, std } },
    ...(dropPath === publishedDropPath[branch] ? {} : { dropPath }),
  };
}

/**
 * Reads a card.
 *
 * @param folder of a saved teacher (`teacher.json`) or of a checkpoint (`state.json`)
 * @throws CxrGazeError `ERR_CHECKPOINT` naming file and member
 */
export function readTeacherCard(folder: string, file: string): Promise<TeacherCard> {
  return readCardFile(folder, file, [system], cardFrom);
}

function cardFrom(card: StoredCard<typeof system>): TeacherCard {
  knownKeys('card', card, ['system', 'branch', 'seed', 'dropPath', 'imageSize', 'normalisation']);
  integer('imageSize', card.imageSize, { min: teacherSize, max: teacherSize });
  const branch = oneOf('branch', card.branch, teacherBranches);
  return teacherCard({
    branch,
    seed: integer('seed', card.seed, { min: 0 }),
    dropPath: number('dropPath', card.dropPath ?? publishedDropPath[branch], { min: 0, below: 1 }),
  });
}

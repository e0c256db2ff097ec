import path from 'node:path';
import { readJson } from '../checkpoints/folder.js';
import { CxrGazeError } from '../errors.js';
import { stateFile } from '../training/checkpoint.js';
import { oneOf, record } from '../validate.js';

/** A card as a file holds it: what a saved system is, not checked but for the system. */
export type StoredCard<System extends string> = Readonly<Record<string, unknown>> & {
  readonly system: System;
};

/**
 * Reads the card of a saved system.
 *
 * @param folder of a saved system (`model.json`, `teacher.json`, `segmenter.json`, `NAME.json`) or of a checkpoint (`state.json`)
 * @param file in it
 * @param systems those that are taken
 * @param check makes the card of its members
 * @throws CxrGazeError `ERR_CHECKPOINT` naming file and member, also for the card of another system
 */
export async function readCardFile<System extends string, Card>(
  folder: string,
  file: string,
  systems: readonly System[],
  check: (card: StoredCard<System>) => Card,
): Promise<Card> {
  const name = path.join(folder, file);
  const document = await readJson(name);
  try {
    const card = record('the card', file === stateFile ? document.card : document);
    // First of all: the card of another system has other members.
    return check({ ...card, system: oneOf('system', card.system, systems) });
  } catch (cause) {
    if (!(cause instanceof CxrGazeError)) throw cause;
    throw new CxrGazeError('ERR_CHECKPOINT', `${name}: ${cause.message}`, { cause, details: { file: name } });
  }
}

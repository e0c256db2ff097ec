/** What a row's numbers hang on besides its options: the content of the models and vectors whose paths they name. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { cardFile } from '../../systems/classifier/model-card.js';
import { teacherCardFile } from '../../systems/gazelt/teacher-card.js';
import { featurePrefixes } from '../../systems/gazelt/teacher-features.js';
import { weightsFileOf } from '../../systems/saved.js';
import { segmenterCardFile } from '../../systems/segmenter/segmenter-card.js';

/** SHA-256 by flag; of a flag that names several things, one each. */
export type Inputs = Readonly<Record<string, readonly string[]>>;

/** The flags that name models or vectors. */
export interface InputFlags {
  readonly weights?: string;
  readonly teachers?: readonly string[];
  readonly features?: string;
  readonly features_dir?: string;
  readonly unet?: string;
}

/** Hashes inputs; rows of one command share most of theirs. */
export class InputHashes {
  readonly #known = new Map<string, Promise<string | undefined>>();

  /** Those of a row. What cannot be read is left out: training says what is wrong with it. */
  async of({ weights, teachers, features, features_dir, unet }: InputFlags): Promise<Inputs> {
    const inputs: Record<string, string[]> = {};
    const add = async (flag: string, hashes: readonly Promise<string | undefined>[]) => {
      const found = (await Promise.all(hashes)).filter((hash) => hash !== undefined);
      if (found.length > 0) inputs[flag] = found;
    };
    if (weights !== undefined) await add('weights', [this.#model(weights, cardFile)]);
    if (teachers !== undefined)
      await add(
        'teachers',
        teachers.map((given) => this.#model(given, teacherCardFile)),
      );
    if (features_dir !== undefined && features !== undefined && features !== 'none')
      await add(
        'features_dir',
        featurePrefixes(features).map((prefix) => this.#vectors(features_dir, prefix)),
      );
    if (unet !== undefined) await add('unet', [this.#model(unet, segmenterCardFile)]);
    return inputs;
  }

  #model(given: string, card: string): Promise<string | undefined> {
    return this.#once(given, () => modelHash(given, card));
  }

  #vectors(folder: string, prefix: string): Promise<string | undefined> {
    return this.#once(path.join(folder, prefix), () => vectorsHash(folder, prefix));
  }

  #once(key: string, make: () => Promise<string | undefined>): Promise<string | undefined> {
    const known = this.#known.get(key) ?? make().catch(() => undefined);
    this.#known.set(key, known);
    return known;
  }
}

/** The weights of a classifier's run, saved folder or file, as a hash; `undefined` where it has none. */
export async function weightsHash(given: string): Promise<string | undefined> {
  return modelHash(given, cardFile).catch(() => undefined);
}

async function modelHash(given: string, card: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(await weightsFileOf(given, card))) hash.update(part as Buffer);
  return hash.digest('hex');
}

/** Names and bytes of all files of one prefix. */
async function vectorsHash(folder: string, prefix: string): Promise<string> {
  const names = (await readdir(folder)).filter(
    (name) => name.startsWith(`${prefix}_`) && name.endsWith('.npy'),
  );
  const hash = createHash('sha256');
  for (const name of names.sort()) await addFile(hash, folder, name);
  return hash.digest('hex');
}

async function addFile(hash: Hash, folder: string, name: string): Promise<void> {
  hash.update(`${name}\0`).update(await readFile(path.join(folder, name)));
}

/** Which inputs are no longer what they were. Those of a row from before they were recorded pass. */
export function changedInputs(before: unknown, now: Inputs): string[] {
  const was = (before ?? {}) as Inputs;
  return Object.keys(now).filter(
    (flag) => was[flag] !== undefined && JSON.stringify(was[flag]) !== JSON.stringify(now[flag]),
  );
}

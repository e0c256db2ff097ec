/** What a row's numbers hang on besides its options: the content of the models, vectors and tables that they name. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Dataset } from '../../data/dataset.js';
import { cardFile } from '../../systems/classifier/model-card.js';
import { teacherCardFile } from '../../systems/gazelt/teacher-card.js';
import { TeacherFeatures } from '../../systems/gazelt/teacher-features.js';
import { weightsFileOf } from '../../systems/saved.js';
import { segmenterCardFile } from '../../systems/segmenter/segmenter-card.js';

/** SHA-256 by flag; of a flag that names several things, one each. */
export type Inputs = Readonly<Record<string, readonly string[]>>;

/** The flags that name them. Label tables, films and masks are compared by their paths alone. */
export interface InputFlags {
  readonly weights?: string;
  readonly teachers?: readonly string[];
  readonly features?: string;
  readonly features_dir?: string;
  readonly unet?: string;
  readonly regions?: string;
}

/** Hashes inputs, each once: rows share most of theirs. */
export class InputHashes {
  readonly #known = new Map<string, Promise<string>>();

  /**
   * Those of a row. A flag whose content cannot be read is left out: training says what is wrong with it.
   *
   * @param films whose vectors count: those that are trained and validated on
   */
  async of(flags: InputFlags, films: readonly Dataset[] = []): Promise<Inputs> {
    const { weights, teachers, features, features_dir, unet, regions } = flags;
    const inputs: Record<string, string[]> = {};
    const add = async (flag: string, hashes: readonly Promise<string>[]) => {
      const found = await Promise.all(hashes).catch(() => []);
      if (found.length > 0) inputs[flag] = found;
    };
    if (weights !== undefined) await add('weights', [this.#model(weights, cardFile)]);
    const loaded = teachers?.map((given) => this.#model(given, teacherCardFile)) ?? [];
    await add('teachers', loaded);
    if (features_dir !== undefined && features !== undefined && features !== 'none')
      await add(
        'features_dir',
        films.map((dataset) => this.#vectors(dataset, features_dir, features)),
      );
    if (unet !== undefined) await add('unet', [this.#model(unet, segmenterCardFile)]);
    if (regions !== undefined) await add('regions', [this.#once(`file ${regions}`, () => fileHash(regions))]);
    return inputs;
  }

  #model(given: string, card: string): Promise<string> {
    return this.#once(`${card} ${given}`, async () => fileHash(await weightsFileOf(given, card)));
  }

  #vectors(dataset: Dataset, folder: string, set: string): Promise<string> {
    const key = `${set} of ${dataset.name}, ${dataset.length} films, in ${folder}`;
    return this.#once(key, async () => (await TeacherFeatures.read(dataset, folder, set)).hash());
  }

  #once(key: string, make: () => Promise<string>): Promise<string> {
    const known = this.#known.get(key) ?? make();
    // Whoever asks meets the failure; one that nobody has asked for yet is none.
    known.catch(() => {});
    this.#known.set(key, known);
    return known;
  }
}

/** The weights of a classifier's run, saved folder or file, as a hash; `undefined` where it has none. */
export async function weightsHash(given: string): Promise<string | undefined> {
  return weightsFileOf(given, cardFile)
    .then(fileHash)
    .catch(() => undefined);
}

async function fileHash(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest('hex');
}

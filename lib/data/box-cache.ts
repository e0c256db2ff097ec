import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, writeFileAtomic } from '../checkpoints/atomic.js';
import { fileError } from '../checkpoints/fault.js';
import type { ImageSource } from './dataset.js';
import { edgesOf, type Fingerprint } from './fingerprint.js';
import type { LungBox } from './lung-box.js';

const format = 'cxr-gaze lung boxes 1';

/** Of which image, as it was, a box is. */
type Entry = Fingerprint & { readonly edges: string; readonly lungs: LungBox };

/**
 * Lung boxes kept beside the prepared images of a `cacheDir`, so that a data set's boxes are computed once. A box counts
 * as long as its image (or mask) has not changed, by the rules of the prepared images.
 *
 * @internal
 */
export class BoxCache {
  readonly path: string;
  /** In words why a file that was found is not used. */
  readonly distrust: string | undefined;
  readonly #recipe: string;
  readonly #entries: Map<string, Entry>;
  #changed = false;

  private constructor(file: string, recipe: string, entries: Map<string, Entry>, distrust?: string) {
    this.path = file;
    this.distrust = distrust;
    this.#recipe = recipe;
    this.#entries = entries;
  }

  /**
   * @param cacheDir folder of prepared images
   * @param recipe all that decides a box but the image: which network or what masks, sizes
   */
  static async open(cacheDir: string, recipe: string): Promise<BoxCache> {
    const hash = createHash('sha256').update(recipe).digest('hex').slice(0, 12);
    const file = path.join(cacheDir, `lung-boxes-${hash}.json`);
    await makeFolder(cacheDir);
    const content = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined;
      throw fileError(file, 'could not be read', cause);
    });
    if (content === undefined) return new BoxCache(file, recipe, new Map());
    const entries = parse(content, recipe);
    return entries
      ? new BoxCache(file, recipe, entries)
      : new BoxCache(file, recipe, new Map(), `${file} is torn or of another format`);
  }

  /** The lungs of an image that has not changed since. */
  async find(source: ImageSource, fingerprint: Fingerprint): Promise<LungBox | undefined> {
    const entry = this.#entries.get(fingerprint.key);
    if (entry?.size !== fingerprint.size || entry.mtimeMs !== fingerprint.mtimeMs) return undefined;
    if (entry.ctimeMs !== fingerprint.ctimeMs && entry.edges !== (await edgesOf(source))) return undefined;
    return entry.lungs;
  }

  /** Enters the lungs of an image. */
  async add(
    source: ImageSource,
    { key, size, mtimeMs, ctimeMs }: Fingerprint,
    lungs: LungBox,
  ): Promise<void> {
    this.#entries.set(key, { key, size, mtimeMs, ctimeMs, edges: await edgesOf(source), lungs });
    this.#changed = true;
  }

  /** Writes what was entered, with what another run has entered meanwhile left out. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    const entries = [...this.#entries.values()];
    const text = JSON.stringify({ format, recipe: this.#recipe, entries });
    await writeFileAtomic(this.path, `${hashOf(text)}\n${text}\n`);
    this.#changed = false;
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Its own hash vouches for the content. */
function parse(content: string, recipe: string): Map<string, Entry> | undefined {
  const [hash, text] = content.split('\n');
  if (text === undefined || hash !== hashOf(text)) return undefined;
  const body = JSON.parse(text) as { format: string; recipe: string; entries: Entry[] };
  if (body.format !== format || body.recipe !== recipe) return undefined;
  return new Map(body.entries.map((entry) => [entry.key, entry]));
}

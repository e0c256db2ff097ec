import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { text } from '../validate.js';
import { makeFolder, recoverFolder, sweepTemporaries, writeFileAtomic, writeFolderAtomic } from './atomic.js';
import { checkpointError, fileError } from './fault.js';

/** Plain data as JSON holds it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The pointers of a checkpoint store: small files that name a checkpoint. */
export type Pointer = 'best' | 'last';

const MANIFEST = 'manifest.json';

/**
 * A folder of checkpoints: `epoch-3/`, `epoch-4/`, ... each whole or not there at all, and the pointers `best` and
 * `last`. A checkpoint is written under a temporary name, flushed and renamed, so that `kill -9` at any moment leaves
 * the previous one whole.
 */
export class CheckpointStore {
  /** The folder. */
  readonly root: string;

  /** @param root the folder; made when the first checkpoint is saved */
  constructor(root: string) {
    this.root = text('root', root);
  }

  /**
   * Adds a checkpoint.
   *
   * @param name such as `epoch-3`
   * @param write fills an empty folder
   * @returns its folder
   */
  async save(name: string, write: (folder: string) => Promise<void>): Promise<string> {
    await makeFolder(this.root);
    await sweepTemporaries(this.root);
    const folder = path.join(this.root, name);
    await writeFolderAtomic(folder, async (temporary) => {
      await write(temporary);
      const manifest = `${JSON.stringify(await manifestOf(temporary), null, 2)}\n`;
      await writeFileAtomic(path.join(temporary, MANIFEST), manifest);
    });
    return folder;
  }

  /** Lets a pointer name a checkpoint. */
  async point(pointer: Pointer, name: string): Promise<void> {
    await writeFileAtomic(path.join(this.root, pointer), `${name}\n`);
  }

  /** The name behind a pointer, or `undefined` where there is none yet. */
  async named(pointer: Pointer): Promise<string | undefined> {
    try {
      return (await readFile(path.join(this.root, pointer), 'utf8')).trim();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw fileError(path.join(this.root, pointer), 'could not be read', cause);
    }
  }

  /** Names of the checkpoints that are there. */
  async names(): Promise<string[]> {
    const entries = await readdir(this.root, { withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
  }

  /** Deletes every checkpoint whose name is not in `keep`. */
  async prune(keep: ReadonlySet<string>): Promise<void> {
    for (const name of await this.names()) {
      if (!keep.has(name)) await rm(path.join(this.root, name), { recursive: true, force: true });
    }
  }

  /**
   * The folder behind a pointer, its files checked against its manifest.
   *
   * @throws CxrGazeError `ERR_CHECKPOINT` if there is none or a file is not what was written
   */
  async open(pointer: Pointer): Promise<string> {
    const name = await this.named(pointer);
    if (name === undefined) throw checkpointError(this.root, `there is no checkpoint '${pointer}' in it`);
    if (name !== path.basename(name) || name === '' || name.startsWith('.')) {
      throw checkpointError(
        path.join(this.root, pointer),
        `expected the name of a checkpoint but found '${name}'`,
      );
    }
    const folder = path.join(this.root, name);
    // Only if it is not there: another process may be saving while this one reads.
    await stat(folder).catch(() => recoverFolder(folder));
    await verifyCheckpoint(folder);
    return folder;
  }
}

interface Manifest {
  readonly files: { readonly [name: string]: { readonly sha256: string; readonly bytes: number } };
}

async function manifestOf(folder: string): Promise<Manifest> {
  const files: Record<string, { sha256: string; bytes: number }> = {};
  for (const name of (await readdir(folder)).sort()) files[name] = await fingerprint(path.join(folder, name));
  return { files };
}

async function fingerprint(file: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/**
 * Checks a checkpoint's files against its manifest.
 *
 * @throws CxrGazeError `ERR_CHECKPOINT` naming the file that is missing or changed
 */
export async function verifyCheckpoint(folder: string): Promise<void> {
  text('folder', folder);
  const manifest = await readManifest(folder);
  for (const [name, expected] of Object.entries(manifest.files)) {
    const file = path.join(folder, name);
    const found = await fingerprint(file).catch((cause: unknown) => {
      throw fileError(file, 'could not be read', cause);
    });
    if (found.sha256 === expected.sha256) continue;
    throw checkpointError(
      file,
      `expected ${expected.bytes} bytes with hash ${expected.sha256.slice(0, 12)} but found ${found.bytes} with ${found.sha256.slice(0, 12)}`,
    );
  }
}

async function readManifest(folder: string): Promise<Manifest> {
  const file = path.join(folder, MANIFEST);
  const value = await readJson(file);
  const { files } = value;
  if (!isObject(files)) throw checkpointError(file, 'expected an object `files`');
  for (const [name, entry] of Object.entries(files)) {
    const fits = isObject(entry) && typeof entry.sha256 === 'string' && typeof entry.bytes === 'number';
    if (!fits || name !== path.basename(name))
      throw checkpointError(file, `expected a file name with \`sha256\` and \`bytes\` but found '${name}'`);
  }
  return value as unknown as Manifest;
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a JSON file of a checkpoint. @throws CxrGazeError `ERR_FILE` or `ERR_CHECKPOINT` naming it */
export async function readJson(file: string): Promise<{ readonly [key: string]: Json }> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (cause) {
    throw fileError(file, 'could not be read', cause);
  }
  try {
    const value = JSON.parse(content) as unknown;
    if (isObject(value)) return value as { [key: string]: Json };
  } catch (cause) {
    throw checkpointError(file, `expected JSON: ${(cause as Error).message}`);
  }
  throw checkpointError(file, 'expected a JSON object');
}

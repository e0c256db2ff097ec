import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { makeFolder } from '../checkpoints/atomic.js';
import { CxrGazeError } from '../errors.js';
import { type Entry, readIndex, type Segment, writeIndex } from './cache-index.js';
import type { ImageSource, Pixels } from './dataset.js';
import { edgesOf, type Fingerprint } from './fingerprint.js';

/** A file of pixels that no index names is left alone for so long: its build may still be running. */
const orphanAgeMs = 24 * 3600 * 1000;

/** Where the records of one size lie within the folder of all prepared images. @internal */
export interface CacheSettings {
  readonly cacheDir: string;
  readonly width: number;
  readonly height: number;
  /** What else decides the pixels: the resizing mode and the versions of the decoders. */
  readonly recipe: string;
}

/** The pixel file of a build under way. */
interface Writer {
  readonly name: string;
  readonly handle: FileHandle;
  /** Where the next record goes. */
  end: number;
}

/** The last commit to each folder: the index is read, added to and written, so two of them must not interleave. */
const commits = new Map<string, Promise<void>>();

/**
 * A folder of prepared images: files of pixels (`pixels-*.bin`) and the index that says which record is which image's.
 *
 * A build appends to a pixel file of its own, and its records count from the moment at which an index that names them
 * has taken the old one's place. So a build killed at any moment leaves what was there, and two builds at once cost
 * each other work, never wrong pixels.
 *
 * @internal
 */
export class CacheFolder {
  readonly path: string;
  /** In words why the index that was found is not used or not all of it; undefined if it is. */
  distrust: string | undefined;
  readonly #settings: CacheSettings;
  readonly #segments = new Map<string, Segment>();
  readonly #entries = new Map<string, Entry>();
  /** Pixel files that the index named when it was opened: those that it does not name now are ours to forget. */
  readonly #known = new Set<string>();
  #writer: Writer | undefined;
  #opening: Promise<Writer> | undefined;
  #changed = false;

  private constructor(settings: CacheSettings) {
    this.#settings = settings;
    const hash = createHash('sha256').update(settings.recipe).digest('hex').slice(0, 8);
    this.path = join(settings.cacheDir, `${settings.width}x${settings.height}-${hash}`);
  }

  /** Opens or makes the folder. Pixel files that were touched since the last build are verified record by record. */
  static async open(settings: CacheSettings): Promise<CacheFolder> {
    const folder = new CacheFolder(settings);
    await makeFolder(folder.path);
    const index = await readIndex(folder.#indexFile, settings.recipe);
    if (typeof index !== 'object') {
      folder.distrust = index;
      return folder;
    }
    for (const [key, entry] of index.entries) folder.#entries.set(key, entry);
    for (const segment of index.segments.values()) {
      folder.#known.add(segment.file);
      await folder.#admit(segment);
    }
    return folder;
  }

  get #indexFile(): string {
    return join(this.path, 'index.json');
  }

  #recordBytes(channels: number): number {
    return this.#settings.width * this.#settings.height * channels;
  }

  /** The record of an image that has not changed since it was prepared. */
  async find(source: ImageSource, fingerprint: Fingerprint): Promise<Entry | undefined> {
    const entry = this.#entries.get(fingerprint.key);
    if (entry?.size !== fingerprint.size || entry.mtimeMs !== fingerprint.mtimeMs) return undefined;
    if (entry.ctimeMs === fingerprint.ctimeMs) return entry;
    // Moved, copied or given other rights, or replaced by another file of the same size and date.
    if (entry.edges !== (await edgesOf(source))) return undefined;
    const { key, size, mtimeMs, ctimeMs } = fingerprint;
    return this.#set({ ...entry, key, size, mtimeMs, ctimeMs });
  }

  /** Writes the record of an image; it counts from the next {@link commit} on. */
  async add(fingerprint: Fingerprint, edges: string, pixels: Pixels): Promise<Entry> {
    const writer = await this.#begin();
    this.#writer = writer;
    const { data, channels } = pixels;
    const offset = writer.end;
    writer.end += data.length;
    await attempt(join(this.path, writer.name), 'written', () => writeAll(writer.handle, data, offset));
    const { key, size, mtimeMs, ctimeMs } = fingerprint;
    const crc = crc32(data);
    return this.#set({ key, size, mtimeMs, ctimeMs, edges, segment: writer.name, offset, channels, crc });
  }

  /** Flushes the records and puts the index in place; one commit of this process after the other. */
  async commit(): Promise<void> {
    const turn = (commits.get(this.path) ?? Promise.resolve()).then(() => this.#commit());
    commits.set(
      this.path,
      turn.catch(() => {}),
    );
    await turn;
  }

  async #commit(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const entries = new Map(this.#entries);
    if (this.#writer) await this.#flush(this.#writer, entries);
    const segments = new Map(this.#segments);
    await this.#mergeOthers(entries, segments);
    const used = new Set([...entries.values()].map((entry) => entry.segment));
    for (const name of segments.keys()) if (!used.has(name)) segments.delete(name);
    await writeIndex(this.#indexFile, { settings: this.#settings.recipe, segments, entries });
    await this.#removeUnused(used);
  }

  /** Commits and closes the file being written. */
  async close(): Promise<void> {
    try {
      await this.commit();
    } finally {
      await this.#writer?.handle.close();
      this.#writer = undefined;
    }
  }

  /** Path and trusted length of a pixel file, after {@link close}. */
  segment(name: string): { readonly path: string; readonly bytes: number } {
    const segment = this.#segments.get(name) as Segment;
    return { path: join(this.path, name), bytes: segment.bytes };
  }

  #set(entry: Entry): Entry {
    this.#entries.set(entry.key, entry);
    this.#changed = true;
    return entry;
  }

  #begin(): Promise<Writer> {
    this.#opening ??= (async () => {
      const name = `pixels-${randomBytes(8).toString('hex')}.bin`;
      const handle = await attempt(join(this.path, name), 'made', () => open(join(this.path, name), 'wx'));
      return { name, handle, end: 0 };
    })();
    return this.#opening;
  }

  async #flush(writer: Writer, entries: ReadonlyMap<string, Entry>): Promise<void> {
    const file = join(this.path, writer.name);
    const { mtimeMs } = await attempt(file, 'flushed to disk', async () => {
      await writer.handle.sync();
      return writer.handle.stat();
    });
    let bytes = 0;
    for (const entry of entries.values()) {
      if (entry.segment === writer.name)
        bytes = Math.max(bytes, entry.offset + this.#recordBytes(entry.channels));
    }
    this.#segments.set(writer.name, { file: writer.name, bytes, mtimeMs });
  }

  /** Takes in what other builds have committed since the index was opened. */
  async #mergeOthers(entries: Map<string, Entry>, segments: Map<string, Segment>): Promise<void> {
    const index = await readIndex(this.#indexFile, this.#settings.recipe);
    if (typeof index !== 'object') return;
    const isNew = (name: string) => !this.#known.has(name) && !this.#segments.has(name);
    for (const entry of index.entries.values()) {
      if (isNew(entry.segment) && !entries.has(entry.key)) entries.set(entry.key, entry);
    }
    for (const segment of index.segments.values())
      if (isNew(segment.file)) segments.set(segment.file, segment);
  }

  async #removeUnused(used: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.path)) {
      if (!/^pixels-[0-9a-f]{16}\.bin$/.test(name) || used.has(name) || name === this.#writer?.name) continue;
      const file = join(this.path, name);
      // Ours to remove if our index named it; else it may be the work of another build.
      const age = await stat(file).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (this.#known.has(name) || age > orphanAgeMs) await rm(file, { force: true });
    }
  }

  async #admit(segment: Segment): Promise<void> {
    const file = join(this.path, segment.file);
    const found = await stat(file).catch(() => undefined);
    if (found?.mtimeMs === segment.mtimeMs && found.size >= segment.bytes) {
      this.#segments.set(segment.file, segment);
      return;
    }
    this.#changed = true;
    const dropped = await this.#dropBadRecords(segment, found === undefined ? undefined : file);
    if (dropped > 0) this.distrust = `${dropped} records of ${file} are missing or damaged`;
    if (found)
      this.#segments.set(segment.file, {
        ...segment,
        bytes: Math.min(segment.bytes, found.size),
        mtimeMs: found.mtimeMs,
      });
  }

  async #dropBadRecords({ file: name }: Segment, file: string | undefined): Promise<number> {
    const handle = file === undefined ? undefined : await attempt(file, 'read', () => open(file, 'r'));
    let dropped = 0;
    try {
      for (const entry of [...this.#entries.values()]) {
        if (entry.segment !== name || (handle && (await this.#isWhole(handle, entry)))) continue;
        this.#entries.delete(entry.key);
        dropped++;
      }
    } finally {
      await handle?.close();
    }
    return dropped;
  }

  async #isWhole(handle: FileHandle, entry: Entry): Promise<boolean> {
    const record = Buffer.alloc(this.#recordBytes(entry.channels));
    const { bytesRead } = await handle.read(record, 0, record.length, entry.offset);
    return bytesRead === record.length && crc32(record) === entry.crc;
  }
}

async function writeAll(handle: FileHandle, data: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < data.length; )
    done += (await handle.write(data, done, data.length - done, position + done)).bytesWritten;
}

async function attempt<T>(path: string, action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new CxrGazeError('ERR_FILE', `${path} could not be ${action}: ${(cause as Error).message}`, {
      cause,
      details: { file: path },
    });
  }
}

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import { CxrGazeError } from '../errors.js';
import type { Fingerprint } from './fingerprint.js';

const format = 'cxr-gaze prepared images 1';

/** A file of pixels: records one after the other, of `width * height * channels` bytes each. @internal */
export interface Segment {
  /** Name within the folder. */
  readonly file: string;
  /** Bytes that records take; there may be more, left by a build that was cut short. */
  readonly bytes: number;
  /** Date of the file when its records were last known to be whole. */
  readonly mtimeMs: number;
}

/** Where the pixels of one image lie. @internal */
export interface Entry extends Fingerprint {
  /** Hash of the source file's ends; empty for what is keyed by content. */
  readonly edges: string;
  /** Name of the segment. */
  readonly segment: string;
  /** Where the record begins. */
  readonly offset: number;
  /** Channels of the record. */
  readonly channels: 1 | 3;
  /** CRC-32 of the record. */
  readonly crc: number;
}

/** What a folder of prepared images holds. @internal */
export interface CacheIndex {
  readonly settings: string;
  readonly segments: ReadonlyMap<string, Segment>;
  readonly entries: ReadonlyMap<string, Entry>;
}

type EntryRow = readonly [string, number, number, number, string, number, number, 1 | 3, number];

interface Body {
  readonly settings: string;
  readonly segments: readonly Segment[];
  readonly entries: readonly EntryRow[];
}

/**
 * Reads an index. One that is torn, of another format or of other settings is not trusted.
 *
 * @param file its path
 * @param settings what the records must have been made with
 * @returns the index, or in words why it cannot be used; undefined if there is none
 * @internal
 */
export async function readIndex(file: string, settings: string): Promise<CacheIndex | string | undefined> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CxrGazeError('ERR_FILE', `Cannot read ${file}: ${(cause as Error).message}`, {
      cause,
      details: { file },
    });
  }
  const end = content.indexOf('\n');
  const [header, text] = [content.slice(0, Math.max(end, 0)), content.slice(end + 1)];
  if (header !== headerOf(text)) return `${file} is torn or of another format`;
  // Its own hash vouches for what follows.
  const body = JSON.parse(text) as Body;
  if (body.settings !== settings) return `${file} was made with other settings`;
  return { settings, segments: new Map(body.segments.map((s) => [s.file, s])), entries: entriesOf(body) };
}

/** Writes an index in the place of the old one: this is the moment at which new records count. @internal */
export async function writeIndex(file: string, index: CacheIndex): Promise<void> {
  const segments = [...index.segments.values()];
  const numbers = new Map(segments.map(({ file: name }, i) => [name, i]));
  const entries = [...index.entries.values()].map(
    (e): EntryRow => [
      e.key,
      e.size,
      e.mtimeMs,
      e.ctimeMs,
      e.edges,
      numbers.get(e.segment) as number,
      e.offset,
      e.channels,
      e.crc,
    ],
  );
  const text = JSON.stringify({ settings: index.settings, segments, entries } satisfies Body);
  await writeFileAtomic(file, `${headerOf(text)}\n${text}`);
}

function headerOf(text: string): string {
  return `${format} sha256 ${createHash('sha256').update(text).digest('hex')}`;
}

function entriesOf({ segments, entries }: Body): Map<string, Entry> {
  return new Map(
    entries.map(([key, size, mtimeMs, ctimeMs, edges, segment, offset, channels, crc]) => [
      key,
      {
        key,
        size,
        mtimeMs,
        ctimeMs,
        edges,
        segment: (segments[segment] as Segment).file,
        offset,
        channels,
        crc,
      },
    ]),
  );
}

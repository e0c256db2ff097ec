import { createHash } from 'node:crypto';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { CxrGazeError } from '../errors.js';
import type { ImageSource, Pixels } from './dataset.js';

/** How much of either end of a file is hashed. */
const edgeBytes = 4096;

/** What tells whether an image is still the one that was prepared. @internal */
export interface Fingerprint {
  /** The path of a file, else the content's hash. */
  readonly key: string;
  /** Bytes of a file; 0 for what is keyed by content. */
  readonly size: number;
  /** Last change of a file's content, ms; 0 for what is keyed by content. */
  readonly mtimeMs: number;
  /** Last change of a file's entry, ms: nobody can set it, so it betrays a file put in place with an old date. */
  readonly ctimeMs: number;
}

/**
 * Identifies an image without decoding it. What is made on demand has to be made for it; the pixels are then passed on,
 * so that they are not made twice.
 *
 * @throws `ERR_FILE` for a file that is not there
 * @internal
 */
export async function fingerprintOf(
  source: ImageSource,
): Promise<Fingerprint & { readonly pixels?: Pixels }> {
  switch (source.kind) {
    case 'file':
      return fileFingerprint(source.path);
    case 'bytes':
      return contentFingerprint('bytes', source.bytes);
    case 'pixels': {
      const pixels = await source.pixels();
      const { width, height, channels, data } = pixels;
      return { ...contentFingerprint(`pixels ${width}x${height}x${channels}`, data), pixels };
    }
  }
}

async function fileFingerprint(path: string): Promise<Fingerprint> {
  try {
    const { size, mtimeMs, ctimeMs } = await stat(path);
    return { key: `file ${path}`, size, mtimeMs, ctimeMs };
  } catch (cause) {
    throw readError(path, cause);
  }
}

function contentFingerprint(kind: string, content: Uint8Array): Fingerprint {
  return {
    key: `${kind} ${createHash('sha256').update(content).digest('hex')}`,
    size: 0,
    mtimeMs: 0,
    ctimeMs: 0,
  };
}

/**
 * Hash of a file's first and last 4 KiB: a few microseconds of reading that tell two files of one size and date apart.
 *
 * @returns empty for what is keyed by content
 * @internal
 */
export async function edgesOf(source: ImageSource): Promise<string> {
  if (source.kind !== 'file') return '';
  let handle: FileHandle | undefined;
  try {
    handle = await open(source.path, 'r');
    const { size } = await handle.stat();
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(edgeBytes);
    for (const position of [0, Math.max(0, size - edgeBytes)]) {
      const { bytesRead } = await handle.read(buffer, 0, edgeBytes, position);
      hash.update(buffer.subarray(0, bytesRead));
    }
    return hash.digest('hex').slice(0, 32);
  } catch (cause) {
    throw readError(source.path, cause);
  } finally {
    await handle?.close();
  }
}

function readError(path: string, cause: unknown): CxrGazeError {
  return new CxrGazeError('ERR_FILE', `Cannot read the image ${path}: ${(cause as Error).message}`, {
    cause,
    details: { file: path },
  });
}

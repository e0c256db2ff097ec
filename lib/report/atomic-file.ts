import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CxrGazeError } from '../errors.js';

/**
 * Writes a file so that its path holds either what was there before or all of the new content, whatever happens in
 * between: a temporary file in the same folder is written, synced and renamed, then the folder is synced.
 *
 * @throws `ERR_FILE` where the folder is missing or may not be written; nothing is left behind then
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new CxrGazeError('ERR_FILE', `Cannot write ${path}: ${(cause as Error).message}`, {
      cause,
      details: { file: path },
    });
  }
}

/** Makes the rename itself last. Windows cannot open a folder, and does not need it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

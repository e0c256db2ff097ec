import { randomBytes } from 'node:crypto';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { CxrGazeError } from '../errors.js';
import { invalidArgument, text } from '../validate.js';
import { fileError } from './fault.js';

/**
 * A name for something unfinished beside `path`: `.<name>.<host>-<process>-<random>.tmp`. The folder must be the same,
 * for only within one file system is a rename atomic; host and process let {@link sweepTemporaries} tell what was left
 * behind from what is being written.
 */
export function temporaryBeside(path: string): string {
  const owner = `${hostname()}-${process.pid}-${randomBytes(6).toString('hex')}`;
  return join(dirname(path), `.${basename(path)}.${owner}.tmp`);
}

/**
 * Writes a file so that at any moment, also across a crash or power cut, the path holds the old content or the whole new
 * one: a temporary file in the same folder, flushed to disk, renamed, and the folder flushed.
 *
 * @param path the file; replaced if it is there
 * @param data its content; text as UTF-8
 * @throws `ERR_FILE` if it cannot be written; the temporary file is removed then
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await writeStreamAtomic(path, (write) => write(typeof data === 'string' ? Buffer.from(data) : data));
}

/**
 * As {@link writeFileAtomic} for content that comes in pieces.
 *
 * @param path the file; replaced if it is there
 * @param produce calls `write` for each piece and awaits it; what it returns is returned. If it throws, the old file
 *   stays and the error is passed on.
 */
export async function writeStreamAtomic<T>(
  path: string,
  produce: (write: (bytes: Uint8Array) => Promise<void>) => Promise<T>,
): Promise<T> {
  text('path', path);
  const temporary = temporaryBeside(path);
  let handle: FileHandle | undefined;
  try {
    handle = await attempt(path, 'could not be created', () => open(temporary, 'wx'));
    const target = handle;
    const result = await produce((bytes) =>
      attempt(path, 'could not be written', () => writeAll(target, bytes)),
    );
    await attempt(path, 'could not be flushed to disk', () => target.sync());
    await handle.close();
    handle = undefined;
    await attempt(path, 'could not be replaced', () => rename(temporary, path));
    await syncFolder(dirname(path));
    return result;
  } catch (error) {
    await handle?.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}

async function attempt<T>(path: string, action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw fileError(path, action, cause);
  }
}

/**
 * Makes a folder and its parents, where they are not there.
 *
 * @throws `ERR_FILE` naming the folder
 */
export async function makeFolder(path: string): Promise<void> {
  await attempt(text('path', path), 'could not be made', () => mkdir(path, { recursive: true }));
}

/** Flushes a folder's entries to disk, so that a rename inside it survives a power cut. Windows has no such call. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await syncPath(path);
}

async function syncPath(path: string): Promise<void> {
  await attempt(path, 'could not be flushed to disk', async () => {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** Flushes every file and folder of a tree to disk, leaves first. */
async function syncTree(path: string): Promise<void> {
  const entries = await attempt(path, 'could not be listed', () => readdir(path, { withFileTypes: true }));
  for (const entry of entries) {
    if (entry.isDirectory()) await syncTree(join(path, entry.name));
    else if (entry.isFile()) await syncPath(join(path, entry.name));
  }
  await syncFolder(path);
}

/**
 * Puts a finished folder in the place of another. The old one is moved aside, the new one moved in, the old one deleted.
 * A crash at any moment leaves the old or the new one whole: between the two moves it is the old one under its
 * name aside, which {@link recoverFolder} puts back, so call that before looking at `finalDir`.
 *
 * @param tempDir the finished folder, beside `finalDir`: make it under a name from {@link temporaryBeside}
 * @param finalDir the place; need not exist
 * @throws `ERR_INVALID_ARGUMENT` if the folders have different parents; `ERR_EXISTS` if `finalDir` is a file;
 *   `ERR_FILE` if a step fails, and then the old folder is in its place and `tempDir` still there
 */
export async function replaceFolder(tempDir: string, finalDir: string): Promise<void> {
  text('tempDir', tempDir);
  text('finalDir', finalDir);
  const parent = dirname(resolve(finalDir));
  if (dirname(resolve(tempDir)) !== parent)
    throw invalidArgument('tempDir', `a folder in ${parent}`, tempDir);
  await recoverFolder(finalDir);
  await syncTree(tempDir);
  const aside = asideName(finalDir);
  const kind = await kindOfPath(finalDir);
  if (kind === 'other') {
    throw new CxrGazeError('ERR_EXISTS', `${finalDir} is there already and is not a folder`, {
      details: { file: finalDir },
    });
  }
  if (kind === 'folder') await attempt(finalDir, 'could not be moved aside', () => rename(finalDir, aside));
  try {
    await attempt(finalDir, 'could not be replaced', () => rename(tempDir, finalDir));
  } catch (error) {
    if (kind === 'folder') await rename(aside, finalDir);
    throw error;
  }
  await syncFolder(parent);
  if (kind === 'folder') await attempt(aside, 'could not be removed', () => rm(aside, { recursive: true }));
}

/**
 * Writes a folder so that it appears when it is whole: under a temporary name beside, then moved in by
 * {@link replaceFolder}. If anything fails what was written is deleted, and what was there before stays.
 *
 * @param folder the place; its parents are made, a folder that is there is replaced: see {@link refuseExistingFolder}
 * @param fill writes the content into the empty folder it is given; what it returns is returned
 * @throws what `fill` throws, and as {@link replaceFolder}; failures of the file system as `ERR_FILE`
 */
export async function writeFolderAtomic<T>(
  folder: string,
  fill: (temporary: string) => Promise<T>,
): Promise<T> {
  text('folder', folder);
  const temporary = temporaryBeside(folder);
  await attempt(folder, 'could not be made', () => mkdir(temporary, { recursive: true }));
  try {
    const result = await fill(temporary);
    await replaceFolder(temporary, folder);
    return result;
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    throw cause instanceof Error && 'syscall' in cause
      ? fileError(folder, 'could not be written', cause)
      : cause;
  }
}

/**
 * Refuses to write where something is that is not to be replaced.
 *
 * @param folder that is to be written
 * @param overwrite whether one of the same kind may be replaced
 * @param kind a file that only folders of this kind hold, and what they are called, such as `a set of phantoms`
 * @throws `ERR_EXISTS` if the folder is there, with `overwrite` if it is of another kind
 */
export async function refuseExistingFolder(
  folder: string,
  overwrite: boolean,
  kind: { readonly marker: string; readonly name: string },
): Promise<void> {
  await recoverFolder(folder);
  if ((await kindOfPath(folder)) === 'absent') return;
  const isOurs = await lstat(join(folder, kind.marker)).then(
    (found) => found.isFile(),
    () => false,
  );
  if (overwrite && isOurs) return;
  const problem = overwrite
    ? `holds no ${kind.marker}, so it is not ${kind.name} and is not replaced`
    : 'choose another folder or allow overwriting';
  throw new CxrGazeError('ERR_EXISTS', `${folder} is there already${overwrite ? ' and' : ';'} ${problem}`, {
    details: { file: folder },
  });
}

/**
 * Moves a folder out of the way, under a name from which {@link recoverFolder} puts it back as long as nothing new is in
 * its place, and deletes it once something is.
 *
 * @throws `ERR_FILE` if it cannot be moved
 */
export async function moveAside(folder: string): Promise<void> {
  text('folder', folder);
  await recoverFolder(folder);
  await attempt(folder, 'could not be moved aside', () => rename(folder, asideName(folder)));
  await syncFolder(dirname(resolve(folder)));
}

/**
 * Repairs what a crash inside {@link replaceFolder} left: puts the old folder back if the new one did not arrive, deletes
 * it if it did. Without such remains it does nothing. Only for the one process that writes there: called while another
 * is inside {@link replaceFolder}, it would get in its way.
 *
 * @returns whether the old folder was put back
 */
export async function recoverFolder(finalDir: string): Promise<boolean> {
  text('finalDir', finalDir);
  const aside = asideName(finalDir);
  if ((await kindOfPath(aside)) === 'absent') return false;
  if ((await kindOfPath(finalDir)) !== 'absent') {
    await attempt(aside, 'could not be removed', () => rm(aside, { recursive: true }));
    return false;
  }
  await attempt(finalDir, 'could not be restored', () => rename(aside, finalDir));
  await syncFolder(dirname(finalDir));
  return true;
}

function asideName(finalDir: string): string {
  return join(dirname(finalDir), `.${basename(finalDir)}.old`);
}

async function kindOfPath(path: string): Promise<'absent' | 'folder' | 'other'> {
  try {
    return (await lstat(path)).isDirectory() ? 'folder' : 'other';
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return 'absent';
    throw fileError(path, 'could not be examined', cause);
  }
}

/**
 * Deletes temporary files and folders (of {@link temporaryBeside}) that processes of this machine left in `folder` when
 * they were killed. Those of living processes and of other machines stay.
 *
 * @returns the names deleted
 */
export async function sweepTemporaries(folder: string): Promise<string[]> {
  text('folder', folder);
  const names = await attempt(folder, 'could not be listed', () => readdir(folder));
  const swept: string[] = [];
  for (const name of names) {
    const owner = /^\..+\.(?<host>[^/]+)-(?<pid>\d+)-[0-9a-f]{12}\.tmp$/.exec(name)?.groups;
    if (!owner?.pid || !name.includes(`.${hostname()}-${owner.pid}-`) || isAlive(Number(owner.pid))) continue;
    await attempt(join(folder, name), 'could not be removed', () =>
      rm(join(folder, name), { recursive: true, force: true }),
    );
    swept.push(name);
  }
  return swept;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    // EPERM: it lives, under another user.
    return !(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH');
  }
}

import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { CxrGazeError } from '../errors.js';
import { invalidArgument, text } from '../validate.js';

/** What is found at a path: a file, nothing, something that is no file, or a place outside the root. */
export type FileState = 'file' | 'missing' | 'not-a-file' | 'outside';

/** Folders looked at together: enough to hide the latency of a network file system. */
const CONCURRENCY = 16;
/** With more wanted files in a folder than this, listing the folder beats asking for each. */
const LIST_FROM = 32;
/** Names the folders, separated as in `PATH`, that links may lead into: whose machine it is knows them, no table does. */
const LINKS = 'CXR_GAZE_LINKS';
/** What the error of a link that leads elsewhere says of it. @internal */
export const linksHint = `${LINKS} names folders that links may lead into`;

/**
 * The absolute path of a table's or archive's relative one. Only the text is judged here: absolute
 * paths (of either kind of system) and every `..` are refused; {@link surveyFiles} follows links.
 *
 * @param root folder that the path must stay in
 * @param relative path with `/` (or the system's separator)
 * @throws `ERR_PATH_ESCAPE`
 */
export function resolveInside(root: string, relative: string): string {
  text('root', root);
  const reason = escapes(text('relative', relative));
  if (reason === undefined) return path.resolve(root, relative);
  throw new CxrGazeError(
    'ERR_PATH_ESCAPE',
    `The path ${JSON.stringify(relative)} ${reason}; it has to stay in ${root}`,
    {
      details: { path: relative, root },
    },
  );
}

function escapes(relative: string): string | undefined {
  if (relative.includes('\0')) return 'holds a NUL character';
  if (path.posix.isAbsolute(relative) || path.win32.isAbsolute(relative) || /^[A-Za-z]:/.test(relative))
    return 'is absolute';
  // A backslash separates on Windows only, but a table is written on one system and read on another.
  return relative.split(/[\\/]/).includes('..') ? "climbs by '..'" : undefined;
}

/**
 * Looks for many files at once, folder by folder: a folder of 100,000 wanted images is one listing.
 *
 * @param paths absolute paths
 * @param root if given, the real path of each file (links followed) has to lie in the root's real path, or in a folder that the
 *   environment variable `CXR_GAZE_LINKS` names
 * @returns the state of each path, in order
 * @throws `ERR_FILE` if a folder may not be read; `ERR_INVALID_ARGUMENT` if `CXR_GAZE_LINKS` names one that is not there
 */
export async function surveyFiles(paths: readonly string[], root?: string): Promise<FileState[]> {
  const states = new Array<FileState>(paths.length).fill('missing');
  const realRoot = root === undefined ? undefined : await realPath(root);
  if (root !== undefined && realRoot === undefined) return states;
  const allowed = realRoot === undefined ? undefined : [realRoot, ...(await linkTargets())];
  const folders = [...byFolder(paths)];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let folder = folders[next++]; folder; folder = folders[next++]) {
      const [name, indices] = folder;
      await surveyFolder(name, indices, paths, allowed, states);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return states;
}

function byFolder(paths: readonly string[]): Map<string, number[]> {
  const folders = new Map<string, number[]>();
  paths.forEach((file, index) => {
    const folder = path.dirname(file);
    const indices = folders.get(folder);
    if (indices) indices.push(index);
    else folders.set(folder, [index]);
  });
  return folders;
}

async function surveyFolder(
  folder: string,
  indices: readonly number[],
  paths: readonly string[],
  allowed: readonly string[] | undefined,
  states: FileState[],
): Promise<void> {
  const realFolder = await realPath(folder);
  if (realFolder === undefined) return;
  if (!isInside(allowed, realFolder)) {
    for (const index of indices) states[index] = 'outside';
    return;
  }
  const listing = indices.length >= LIST_FROM ? await list(realFolder) : undefined;
  for (const index of indices) {
    const file = paths[index] as string;
    const name = path.basename(file);
    if (listing?.files.has(name)) states[index] = 'file';
    else if (!listing || listing.folded.has(fold(name))) states[index] = await fileState(file, allowed);
  }
}

interface Listing {
  /** Names of the entries that are files and no links. */
  readonly files: ReadonlySet<string>;
  /** Names of all entries, as a file system that ignores case or Unicode form compares them. */
  readonly folded: ReadonlySet<string>;
}

async function list(folder: string): Promise<Listing> {
  const entries = (await tolerant(folder, readdir(folder, { withFileTypes: true }))) ?? [];
  return {
    files: new Set(entries.filter((entry) => entry.isFile()).map((entry) => entry.name)),
    folded: new Set(entries.map((entry) => fold(entry.name))),
  };
}

function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

async function fileState(file: string, allowed: readonly string[] | undefined): Promise<FileState> {
  const link = await tolerant(file, lstat(file));
  if (!link) return 'missing';
  if (!link.isSymbolicLink()) return link.isFile() ? 'file' : 'not-a-file';
  const target = await realPath(file);
  if (target === undefined) return 'missing';
  if (!isInside(allowed, target)) return 'outside';
  return (await tolerant(target, stat(target)))?.isFile() ? 'file' : 'not-a-file';
}

function isInside(allowed: readonly string[] | undefined, real: string): boolean {
  const within = (root: string) =>
    real === root || real.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
  return allowed === undefined || allowed.some(within);
}

async function linkTargets(): Promise<string[]> {
  const named = (process.env[LINKS] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return Promise.all(
    named.map(async (folder) => {
      const real = path.isAbsolute(folder) ? await realPath(folder) : undefined;
      if (real !== undefined) return real;
      throw invalidArgument(LINKS, 'absolute paths of folders that are there', folder);
    }),
  );
}

function realPath(file: string): Promise<string | undefined> {
  return tolerant(file, realpath(file));
}

const ABSENT = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'];

/** Undefined where nothing is there; other failures, such as a missing permission, are errors. */
async function tolerant<T>(file: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (cause) {
    if (ABSENT.includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new CxrGazeError('ERR_FILE', `Cannot look at ${file}: ${(cause as Error).message}`, {
      cause,
      details: { file },
    });
  }
}

import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileError } from '../checkpoints/fault.js';
import { CxrGazeError } from '../errors.js';
import { text } from '../validate.js';
import type { DataWarning } from './data-warning.js';
import { someOf } from './listed.js';
import { linksHint, surveyFiles } from './paths.js';

/** Extensions of files that are taken for images in a folder; what a file is, its content decides. */
export const IMAGE_EXTENSIONS = [
  '.png',
  '.jpg',
  '.jpeg',
  '.tif',
  '.tiff',
  '.webp',
  '.dcm',
  '.dicom',
] as const;

/** What lies in a folder and its subfolders. */
export interface FolderListing {
  /** Image files relative to the folder, with `/`, sorted. */
  readonly images: readonly string[];
  /** Other files, relative to the folder, with `/`, sorted. */
  readonly others: readonly string[];
}

/**
 * Lists the images of a folder and its subfolders. Links to files are followed if they stay inside, or lead into a folder
 * that the environment variable `CXR_GAZE_LINKS` names (several are separated as in `PATH`); links to folders are not walked
 * and count as other files.
 *
 * @param folder to look through
 * @throws `ERR_FILE` if it cannot be read, `ERR_PATH_ESCAPE` for a link out of it
 */
export async function listImages(folder: string): Promise<FolderListing> {
  const root = await openFolder(text('folder', folder));
  const files = await walk(root, '');
  const links = files.filter((file) => file.link).map((file) => path.join(root, file.path));
  const states = await surveyFiles(links, root);
  const outside = states.indexOf('outside');
  if (outside >= 0)
    throw new CxrGazeError(
      'ERR_PATH_ESCAPE',
      `The symbolic link ${links[outside]} leads out of ${folder}; ${linksHint}`,
      { details: { path: links[outside], root: folder } },
    );
  const dead = new Set(links.filter((_, i) => states[i] !== 'file'));
  const images: string[] = [];
  const others: string[] = [];
  for (const { path: file } of files) {
    const isImage = isImageName(file) && !dead.has(path.join(root, file));
    (isImage ? images : others).push(file);
  }
  return { images: images.sort(), others: others.sort() };
}

/**
 * The warning of files in a folder of images that are not taken for images, if there are any.
 *
 * @param root of the listing
 * @param others of {@link FolderListing}
 * @internal
 */
export function otherFiles(root: string, others: readonly string[]): DataWarning[] {
  if (others.length === 0) return [];
  const message = `${root}: ${others.length} ${others.length === 1 ? 'file is' : 'files are'} not taken for images: ${someOf(others)}`;
  return [{ kind: 'other-files', message, details: { root, files: others } }];
}

function isImageName(file: string): boolean {
  const name = path.posix.basename(file);
  // `._x.png` is not an image but macOS' note about one.
  return (
    !name.startsWith('.') &&
    (IMAGE_EXTENSIONS as readonly string[]).includes(path.extname(name).toLowerCase())
  );
}

async function openFolder(folder: string): Promise<string> {
  try {
    const real = await realpath(folder);
    if ((await stat(real)).isDirectory()) return real;
  } catch (cause) {
    throw new CxrGazeError('ERR_FILE', `Cannot open the folder ${folder}: ${(cause as Error).message}`, {
      cause,
      details: { file: folder },
    });
  }
  throw new CxrGazeError('ERR_FILE', `Expected a folder of images but ${folder} is a file`, {
    details: { file: folder },
  });
}

async function walk(root: string, relative: string): Promise<{ path: string; link: boolean }[]> {
  const folder = path.join(root, relative);
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw fileError(folder, 'could not be listed', cause);
  });
  const found: { path: string; link: boolean }[] = [];
  for (const entry of entries) {
    const name = path.posix.join(relative, entry.name);
    if (entry.isDirectory()) found.push(...(await walk(root, name)));
    else found.push({ path: name, link: !entry.isFile() });
  }
  return found;
}

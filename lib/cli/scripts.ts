import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { CxrGazeError } from '../errors.js';
import { packageRoot } from '../native.js';

/**
 * Imports one of the set-up scripts. They are plain JavaScript outside of the compiled library, because they must run
 * before it is compiled; the caller names the part of their interface that it uses.
 *
 * @param name file name in the package's `scripts` folder
 * @throws CxrGazeError `ERR_FILE` where the package came without it
 */
export async function loadScript<T>(name: string): Promise<T> {
  const file = path.join(packageRoot(), 'scripts', name);
  try {
    return (await import(pathToFileURL(file).href)) as T;
  } catch (cause) {
    throw new CxrGazeError(
      'ERR_FILE',
      `Expected the package's set-up script at ${file} but it does not load`,
      { cause },
    );
  }
}

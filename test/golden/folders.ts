import { join } from 'node:path';
import { root } from '../support/paths.js';

/** The cases that every run of the tests compares. */
export const shortCases = join(root, 'test', 'golden');

/** Those that take more than some seconds each. */
export const longCases = join(root, 'test', 'long', 'golden');

/** Folders of cases: the one that is named, else all of the project's own. */
export function caseFolders(named: string | undefined): readonly string[] {
  return named === undefined ? [shortCases, longCases] : [named];
}

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function packageRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('no package.json above the tests');
  return packageRoot(parent);
}

/** The folder of package.json, wherever the compiled tests lie. */
export const root = packageRoot(dirname(fileURLToPath(import.meta.url)));

/** The path of a file under test/fixtures. */
export function fixture(...name: string[]): string {
  return join(root, 'test', 'fixtures', ...name);
}

/** Links between README, guides and files lead somewhere. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { root } from '../support/paths.js';
import { guides } from './blocks.js';

t.test('relative links name files that are there', async (t) => {
  let links = 0;
  for (const guide of await guides()) {
    const text = await readFile(path.join(root, guide), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|#)/.test(target)) continue;
      links++;
      const file = path.join(root, path.dirname(guide), target.replace(/#.*$/, ''));
      t.ok(existsSync(file), `${guide}: ${target}`);
    }
  }
  t.ok(links >= 15);
});

t.test('npm scripts that the guides name are there', async (t) => {
  const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  for (const guide of await guides()) {
    const text = await readFile(path.join(root, guide), 'utf8');
    for (const [, name = ''] of text.matchAll(/npm run ([\w:]+)/g))
      t.ok(name in scripts, `${guide}: npm run ${name}`);
  }
});

/** The guide's list of operations is the list of the class. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import * as face from '../../lib/index.js';
import { root } from '../support/paths.js';

async function listed(): Promise<{ members: string[]; functions: string[] }> {
  const guide = await readFile(path.join(root, 'docs/tensors-and-lifetime.md'), 'utf8');
  const part = /<!-- operations:.*?-->(.*?)<!-- end of operations -->/s.exec(guide)?.[1] ?? '';
  const names = (text: string) => [...text.matchAll(/`(\w+)`/g)].map((found) => found[1] as string);
  const rows = part.split('\n').filter((line) => line.startsWith('|'));
  const rest = part.split('\n').filter((line) => !line.startsWith('|'));
  return { members: rows.flatMap(names), functions: names(rest.join('\n')) };
}

/** Members that are there for the package itself. */
const internal = ['constructor', 'bytes'];

t.test('every operation of Tensor is in the guide, once, and nothing else is', async (t) => {
  const { members } = await listed();
  const own = Object.getOwnPropertyNames(face.Tensor.prototype).filter((name) => !internal.includes(name));
  t.strictSame([...members].sort(), own.sort());
  t.ok(members.length >= 60, `${members.length} members`);
});

t.test('the functions beside it are exported', async (t) => {
  const { functions } = await listed();
  t.ok(functions.length >= 10);
  for (const name of functions) t.type((face as Record<string, unknown>)[name], 'function', name);
});

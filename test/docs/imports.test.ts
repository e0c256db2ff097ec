/** Imports go one way, as docs/development.md says, and not in circles. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { root } from '../support/paths.js';

type Imports = ReadonlyMap<string, readonly string[]>;

/** What each file of a folder imports of the others; files without their extension, relative to the folder. */
async function importsIn(folder: string, extension: '.ts' | '.js'): Promise<Imports> {
  const entries = await readdir(path.join(root, folder), { recursive: true });
  const files = entries.filter((file) => file.endsWith(extension) && !file.endsWith('.d.ts'));
  const imports = new Map<string, string[]>();
  for (const file of files) {
    const text = await readFile(path.join(root, folder, file), 'utf8');
    const found = [...text.matchAll(/^(?:import|\} from|export .* from|import .* from) '(\.[^']+)\.js'/gm)];
    const targets = found.map(([, target = '']) => path.posix.join(path.posix.dirname(file), target));
    imports.set(file.slice(0, -extension.length), targets);
  }
  return imports;
}

function reachable(imports: Imports, file: string): Set<string> {
  const seen = new Set<string>();
  const open = [...(imports.get(file) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...(imports.get(next) ?? []));
  }
  return seen;
}

/** Sets of files each of which imports, by way of the others, itself. */
function circles(imports: Imports): string[] {
  const reach = new Map([...imports.keys()].map((file) => [file, reachable(imports, file)]));
  const found = [...reach].flatMap(([file, others]) => {
    if (!others.has(file)) return [];
    return [...others]
      .filter((other) => reach.get(other)?.has(file))
      .sort()
      .join(', ');
  });
  return [...new Set(found)];
}

/** The layers of lib/ as the guide has them, from the one that imports all to the one that imports none. */
async function layers(): Promise<string[][]> {
  const guide = await readFile(path.join(root, 'docs/development.md'), 'utf8');
  const said = /Imports go one way: (.*?);/s.exec(guide)?.[1] ?? '';
  return said.split('→').map((layer) => [...layer.matchAll(/`([\w.]+)`/g)].map(([, name = '']) => name));
}

t.test('no file imports a layer above its own, not even for a type', async (t) => {
  const order = await layers();
  t.ok(order.length >= 5, `${order.length} layers`);
  const layerOf = (file: string) =>
    order.findIndex((layer) =>
      layer.some((name) => file === name.replace(/\.ts$/, '') || file.startsWith(`${name}/`)),
    );
  const against: string[] = [];
  let counted = 0;
  for (const [file, targets] of await importsIn('lib', '.ts')) {
    for (const target of targets) {
      const [from, to] = [layerOf(file), layerOf(target)];
      if (target === 'index') against.push(`${file} imports index`);
      if (from < 0 || to < 0) continue;
      counted++;
      if (to < from) against.push(`${file} imports ${target}`);
    }
  }
  t.ok(counted > 1000, `${counted} imports`);
  t.strictSame(against, []);
});

t.test('no files import each other, types aside', async (t) => {
  // What is compiled has no imports of types left.
  const found = circles(await importsIn('dist/lib', '.js'));
  // A tensor's methods queue operations, and operations give tensors.
  t.strictSame(found, ['tensor/operands, tensor/run, tensor/tensor']);
});

t.test('a circle is found', (t) => {
  const imports = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', []],
  ]);
  t.strictSame(circles(imports), ['a, b, c']);
  t.end();
});

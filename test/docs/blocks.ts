import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from '../support/paths.js';

/** A fenced block of a guide. */
export interface Block {
  /** Path of the guide, relative to the package. */
  readonly file: string;
  /** Line of the fence. */
  readonly line: number;
  /** First word behind the fence, such as `ts`. */
  readonly language: string;
  /** Whether `run` follows it. */
  readonly runs: boolean;
  /** The lines inside. */
  readonly code: string;
}

/** README and guides, relative to the package. */
export async function guides(): Promise<string[]> {
  const docs = (await readdir(path.join(root, 'docs'))).filter((name) => name.endsWith('.md')).sort();
  return ['README.md', ...docs.map((name) => `docs/${name}`)];
}

/** All fenced blocks of the README and the guides. */
export async function allBlocks(): Promise<Block[]> {
  const blocks: Block[] = [];
  for (const file of await guides())
    blocks.push(...blocksOf(file, await readFile(path.join(root, file), 'utf8')));
  return blocks;
}

/** The fenced blocks of one guide. */
export function blocksOf(file: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; info: string; code: string[] } | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (!fence) open?.code.push(line);
    else if (!open) open = { line: i + 1, info: (fence[1] as string).trim(), code: [] };
    else {
      const [language = '', ...words] = open.info.split(' ');
      blocks.push({
        file,
        line: open.line,
        language,
        runs: words.includes('run'),
        code: open.code.join('\n'),
      });
      open = undefined;
    }
  }
  if (open) throw new Error(`${file}:${open.line}: this block is not closed`);
  return blocks;
}

/** The lines that a block says it prints: what stands behind `// →`. */
export function promised(code: string): string[] {
  return [...code.matchAll(/\/\/ → (.*)$/gm)].map((found) => (found[1] as string).trim());
}

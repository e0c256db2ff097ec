/** The command lines of README and guides are ones that the program takes. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { cli } from '../support/cli.js';
import { root } from '../support/paths.js';
import { allBlocks } from './blocks.js';

interface Help {
  /** Whether each flag takes a value. */
  readonly flags: ReadonlyMap<string, boolean>;
  /** Fewest and most arguments. */
  readonly least: number;
  readonly most: number;
}

function parseHelp(text: string): Help {
  const flags = new Map<string, boolean>();
  for (const [, name = '', value] of text.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)( <[^>]+>)?/gm))
    flags.set(name, value !== undefined);
  const usage = /^Usage: .*$/m.exec(text)?.[0] ?? '';
  const required = [...usage.matchAll(/<([^>]+)>/g)];
  const rest = required.some(([, name]) => name?.endsWith('...'));
  return { flags, least: required.length, most: rest ? Number.POSITIVE_INFINITY : required.length };
}

/** What is wrong with the words behind a command. */
function faults(words: readonly string[], { flags, least, most }: Help): string[] {
  const found: string[] = [];
  let given = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (!word.startsWith('--')) given++;
    else if (!flags.has(word)) found.push(`no flag ${word}`);
    else if (flags.get(word) && (words[++i] ?? '--').startsWith('--')) found.push(`${word} without a value`);
  }
  if (!words.includes('--help') && (given < least || given > most)) found.push(`${given} arguments`);
  return found;
}

const helps = new Map<string, Promise<Help>>();

function helpOf(command: string): Promise<Help> {
  const known = helps.get(command);
  if (known) return known;
  const asked = cli([...command.split(' '), '--help'], root).then(({ stdout }) => parseHelp(stdout));
  helps.set(command, asked);
  return asked;
}

/** The lines of a shell block, continued ones joined, without comments. */
function linesOf(code: string): string[] {
  return code
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '');
}

t.test('help is read as it is written', async (t) => {
  const help = parseHelp(
    'Usage: x y [options] <model> <files...>\n\n  --json  a\n  --csv <file>  b\n  -h, --help c',
  );
  t.strictSame(
    [...help.flags],
    [
      ['--json', false],
      ['--csv', true],
      ['--help', false],
    ],
  );
  t.strictSame(faults(['m', 'f', 'g', '--csv', 'x'], help), []);
  t.strictSame(faults(['m', '--cvs', '--csv'], help), [
    'no flag --cvs',
    '--csv without a value',
    '1 arguments',
  ]);
});

t.test('command lines of README and guides', async (t) => {
  let checked = 0;
  for (const { file, line, language, code } of await allBlocks()) {
    if (language !== 'sh') continue;
    for (const text of linesOf(code)) {
      const words = text.split(/\s+/);
      if (words[0] === 'npx' && words[1] === 'cxr-gaze') {
        const length = ['train', 'reproduce'].includes(words[2] as string) ? 4 : 3;
        const help = await helpOf(words.slice(2, length).join(' '));
        t.strictSame(faults(words.slice(length), help), [], `${file}, line ${line}: ${text}`);
        checked++;
      } else if (words[0] === 'cxr-gaze') {
        t.fail(`without npx, ${file}, line ${line}: ${text}`);
      } else if (words[0] === 'node') {
        t.ok(existsSync(path.join(root, words[1] as string)), `${file}, line ${line}: ${text}`);
      }
    }
  }
  t.ok(checked >= 36, `${checked} command lines`);
});

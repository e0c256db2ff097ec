import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { CommandLine } from '../../lib/cli/command-line.js';
import { Progress } from '../../lib/cli/progress.js';
import type { Session } from '../../lib/cli/session.js';
import { childEnv } from './child.js';
import { root } from './paths.js';

/** The built command line. */
export const main = path.join(root, 'dist/lib/cli/main.js');

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A line of `--json`. */
export type Line = Readonly<Record<string, unknown>> & { readonly type: string };

function start(args: readonly string[], cwd: string): ChildProcess {
  return spawn(process.execPath, [main, ...args], {
    cwd,
    env: childEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs a command to its end in a process of its own. */
export async function cliProcess(args: readonly string[], cwd: string): Promise<Ended> {
  const child = start(args, cwd);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr };
}

let before: Promise<unknown> = Promise.resolve();

/**
 * Runs a command to its end in this process, one after the other: a process of its own takes a second before it begins,
 * and as long again to draw its first charts. What the process itself does is `usage.test.ts`' business.
 *
 * @param heard what takes the place of a signal that never fires and bars that nobody sees
 */
export function cli(
  args: readonly string[],
  cwd: string,
  heard: Partial<Pick<Session, 'signal' | 'progress'>> = {},
): Promise<Ended> {
  const ended = before.then(() => here(args, cwd, heard));
  before = ended.catch(() => undefined);
  return ended;
}

async function here(args: readonly string[], cwd: string, heard: Partial<Session>): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  const session: Session = {
    signal: new AbortController().signal,
    print: (line) => {
      stdout += `${line}\n`;
    },
    note: (line) => {
      stderr += `${line}\n`;
    },
    progress: (label, total, unit) =>
      new Progress({ write: () => {} }, { label, total, ...(unit ? { unit } : {}) }),
    ...heard,
  };
  const home = process.cwd();
  process.chdir(cwd);
  try {
    const code = await new CommandLine(args, session).run();
    return { code, signal: null, stdout, stderr };
  } finally {
    process.chdir(home);
  }
}

/** Runs a command with `--json` and sends it a signal once a line says so. */
export async function interrupted(
  args: readonly string[],
  cwd: string,
  { when, signal }: { readonly when: (line: Line) => boolean; readonly signal: NodeJS.Signals },
): Promise<Ended & { readonly lines: readonly Line[] }> {
  const child = start([...args, '--json'], cwd);
  const lines: Line[] = [];
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  let sent = false;
  const reading = (async () => {
    for await (const text of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const line = JSON.parse(text) as Line;
      lines.push(line);
      if (sent || !when(line)) continue;
      sent = true;
      child.kill(signal);
    }
  })();
  const [code, by] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  await reading;
  return { code, signal: by, stdout: '', stderr, lines };
}

/** The objects of a command that was run with `--json`. */
export function linesOf({ stdout }: Ended): Line[] {
  return stdout
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text) as Line);
}

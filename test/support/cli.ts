import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
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

/** Runs a command to its end. */
export async function cli(args: readonly string[], cwd: string): Promise<Ended> {
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

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Tally } from './check.js';

const main = fileURLToPath(new URL('run.js', import.meta.url));
const lastLine = /^(\d+) passed, (\d+) failed$/;

/** Runs each suite by this program's `--only`, `jobs` at a time, with the other arguments passed on, and adds up what they say. */
export async function eachInItsProcess(names: readonly string[], jobs: number, tally: Tally): Promise<void> {
  const waiting = [...names];
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await runOne(name, tally);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

async function runOne(name: string, tally: Tally): Promise<void> {
  const child = spawn(
    process.execPath,
    [...process.execArgv, main, ...process.argv.slice(2), '--only', name],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = once(child, 'close');
  let said: RegExpExecArray | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(`${name}: ${line}`);
    said = lastLine.exec(line);
  }
  const [code, signal] = await ended;
  const [, passed, failed] = (said ?? []).map(Number);
  tally.passed += passed ?? 0;
  tally.failed += failed ?? 0;
  // A suite that ended without its last line, or that says all is well and still ends badly, has failed too.
  if (said === null || (code !== 0 && failed === 0)) {
    console.log(`${name}: NOT OK - ended with ${signal ?? `status ${code}`}`);
    tally.failed += 1;
  }
}

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { root } from './paths.js';

/** How a child process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** How {@link runScript} runs its child. */
export interface ScriptOptions {
  /** Flags of Node itself. */
  readonly flags?: readonly string[];
  /** Sends this signal so many milliseconds after the child has printed `ready`. */
  readonly signal?: { readonly name: NodeJS.Signals; readonly after: number };
  /** More variables of its environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** After so many milliseconds the child is killed and the promise rejects; default 60,000. */
  readonly deadline?: number;
}

/** The library's modules as a child imports them. */
export function library(module: string): string {
  return pathToFileURL(join(root, 'dist', 'lib', module)).href;
}

/** What most children begin with. */
export const prelude = `
  import { tensor, randn, full, memoryStats, threads } from '${library('tensor/create.js')}';
  import { tidy } from '${library('tensor/tidy.js')}';
  import { createModel } from '${library('models/model.js')}';
  import { createOptimizer } from '${library('training/optimizer.js')}';
`;

/**
 * What a child begins with that trains: `step()` does one step, `train()` goes on for ever. It prints `ready` after the
 * first step.
 *
 * @param threads of the compute lane
 */
export function trainingChild(threads: number): string {
  return `${prelude}
    await threads(${threads});
    const model = createModel({ architecture: 'resnet18', width: 16, classes: 4 });
    const optimizer = createOptimizer(await model.parameters(), { kind: 'adam' });
    const x = randn([4, 3, 64, 64], 1);
    const step = () => tidy(async () => {
      const loss = model.forward(x).logSoftmax(-1).mean();
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      return loss.item();
    });
    const train = async () => { for (;;) await step(); };
    await step();
    console.log('ready');
  `;
}

/** What a process that did not end cleanly leaves on standard error. */
export const crash = /SIG[A-Z]+|Segmentation|terminate called|FATAL|Assertion|core dumped|heap corruption/i;

/**
 * The environment of a process that a test starts. The test runner's own hooks have no business in it, and cost each
 * process a third of a second; one thread, because test files run side by side, and threads that wait for each other on
 * busy cores cost many times the work.
 */
export function childEnv(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return { ...env, OMP_NUM_THREADS: '1', ...more };
}

/** Runs an ES module, given as text, in a Node process of its own. */
export async function runScript(source: string, options: ScriptOptions = {}): Promise<Ended> {
  const { flags = [], signal, env, deadline = 60_000 } = options;
  const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', source], {
    cwd: root,
    env: childEnv(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { out: '', err: '' };
  let announced = false;
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text.out += part;
    if (announced || signal === undefined || !text.out.includes('ready')) return;
    announced = true;
    void sleep(signal.after).then(() => child.kill(signal.name));
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text.err += part;
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, deadline);
  const [code, ended] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject).once('close', (...how) => resolve(how));
  });
  clearTimeout(timer);
  if (late) throw new Error(`the child did not end within ${deadline} ms; it said\n${text.out}${text.err}`);
  return { code, signal: ended, ...text };
}

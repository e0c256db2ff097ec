import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CheckpointStore } from '../../lib/checkpoints/folder.js';
import { readState } from '../../lib/training/checkpoint.js';
import type { Check } from './check.js';

const child = fileURLToPath(new URL('./save-child.js', import.meta.url));

/** What one killed process told. */
interface Killed {
  /** Epoch of the last save that it said was done; 0 if none. */
  readonly saved: number;
  /** Whether a save was under way. */
  readonly inSave: boolean;
}

/**
 * Kills a process that saves checkpoints, again and again, each time at another moment of a save: `last` and `best` must
 * name whole checkpoints after each, no older than what had been saved, and the next process must go on from there.
 *
 * @param kills number of kills
 */
export async function unbrokenCheckpoints(kills: number, check: Check): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'cxr-gaze-kills-'));
  try {
    const store = new CheckpointStore(folder);
    // How long a save takes here: the moments of the kills are spread over it.
    const whole = await runUntil(folder, 3, 0);
    const broken: string[] = [];
    let [inSave, newest] = [0, whole.saved];
    for (let i = 0; i < kills; i++) {
      const killed = await runUntil(folder, 1 + (i % 2), (whole.saveMs * 1.2 * ((i * 37) % kills)) / kills);
      newest = Math.max(newest, killed.saved);
      if (killed.inSave) inSave += 1;
      const problem = await problemOf(store, newest);
      if (problem) broken.push(`kill ${i + 1}: ${problem}`);
    }
    for (const one of broken) console.log(`  ${one}`);
    check(broken.length === 0, `${kills} kills, ${broken.length} broken checkpoints`);
    check(inSave >= kills / 2, `${inSave} of the kills were in mid-save`);
    const left = readdirSync(folder).filter((name) => name.endsWith('.tmp'));
    check(left.length <= 1, `remains of killed saves do not pile up: ${left.length} left`);
    console.log(`  ${newest} checkpoints saved, one in ${whole.saveMs.toFixed(0)} ms`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runUntil(folder: string, save: number, delay: number): Promise<Killed & { saveMs: number }> {
  const run = spawn(process.execPath, [child, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(run, 'exit') as Promise<[number | null, string | null]>;
  let [saved, saving, begun, began, saveMs] = [0, 0, 0, 0, 0];
  let kill: Promise<void> | undefined;
  for await (const line of createInterface({ input: run.stdout })) {
    const [word, epoch] = line.split(' ') as [string, string];
    if (word === 'saved') [saved, saveMs] = [Number(epoch), performance.now() - began];
    else [saving, begun, began] = [Number(epoch), begun + 1, performance.now()];
    if (word === 'saving' && begun === save) {
      kill = sleep(delay).then(() => {
        run.kill('SIGKILL');
      });
    }
  }
  await kill;
  const [code, signal] = await gone;
  if (signal !== 'SIGKILL') throw new Error(`the saving process ended by itself with ${code}`);
  return { saved, inSave: saving > saved, saveMs };
}

/** What is wrong with a store whose writer was killed after it had said that `epoch` was saved. */
async function problemOf(store: CheckpointStore, epoch: number): Promise<string | undefined> {
  try {
    for (const pointer of ['last', 'best'] as const) {
      const { schedule } = await readState(await store.open(pointer));
      const least = pointer === 'last' ? epoch : epoch - 2;
      if (schedule.epochsDone < least)
        return `${pointer} is of epoch ${schedule.epochsDone}, but ${epoch} was saved`;
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

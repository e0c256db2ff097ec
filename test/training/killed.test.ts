import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { CheckpointStore } from '../../lib/checkpoints/folder.js';
import type { TrainEvent } from '../../lib/training/trainer.js';
import { childEnv } from '../support/child.js';
import { eventsOf, outcomeOf } from '../support/runs.js';
import { temporaryFolder, tinyFit, tinyGazeLT } from '../support/tiny.js';

const child = fileURLToPath(new URL('../support/fit-child.js', import.meta.url));

function startFit(checkpoints: string): ChildProcess {
  const options = JSON.stringify({ saveEvery: 2 });
  return spawn(process.execPath, [child, checkpoints, options], {
    env: childEnv(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function killed(run: ChildProcess): Promise<void> {
  const gone = once(run, 'exit');
  run.kill('SIGKILL');
  const [code, signal] = (await gone) as [number | null, string | null];
  if (signal !== 'SIGKILL') throw new Error(`expected the child to be killed, but it exited with ${code}`);
}

async function killAtStep(checkpoints: string, epoch: number, step: number): Promise<void> {
  const run = startFit(checkpoints);
  for await (const line of createInterface({ input: run.stdout as NonNullable<typeof run.stdout> })) {
    const event = JSON.parse(line) as TrainEvent;
    if (event.type === 'step' && event.epoch === epoch && event.step === step) break;
  }
  await killed(run);
}

// A save is under way as long as its temporary folder is there.
async function killInSave(checkpoints: string, name: string): Promise<void> {
  const run = startFit(checkpoints);
  run.stdout?.resume();
  for (;;) {
    if (run.exitCode !== null) throw new Error('the child ended before it could be killed');
    if (temporariesOf(checkpoints).some((entry) => entry.startsWith(`.${name}.`))) break;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await killed(run);
}

function temporariesOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter((entry) => entry.endsWith('.tmp'));
  } catch {
    return [];
  }
}

t.test('a run that was killed goes on as if nothing had happened', async (t) => {
  const folder = temporaryFolder(t);
  const whole = path.join(folder, 'whole');
  {
    using model = await tinyGazeLT();
    await eventsOf(model, tinyFit({ checkpoints: whole }));
  }
  const expected = await outcomeOf(whole);

  const resumesAs = async (t: Test, checkpoints: string) => {
    using model = await tinyGazeLT({ seed: 7 });
    await eventsOf(model, tinyFit({ checkpoints, resume: true }));
    t.same(await outcomeOf(checkpoints), expected);
    t.same(temporariesOf(checkpoints), [], 'what the killed process left is gone');
  };

  await t.test('in the middle of an epoch', async (t) => {
    const checkpoints = path.join(folder, 'epoch');
    await killAtStep(checkpoints, 2, 1);
    t.equal(await new CheckpointStore(checkpoints).named('last'), 'epoch-1');
    await resumesAs(t, checkpoints);
  });

  await t.test('in the middle of a save', async (t) => {
    const checkpoints = path.join(folder, 'save');
    await killInSave(checkpoints, 'epoch-2-step-2');
    t.equal(temporariesOf(checkpoints).length, 1, 'the save was cut off');
    const store = new CheckpointStore(checkpoints);
    t.equal(path.basename(await store.open('last')), 'epoch-1');
    t.equal(path.basename(await store.open('best')), 'epoch-1');
    await resumesAs(t, checkpoints);
  });
});

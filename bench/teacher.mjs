import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { resolvePrecision } from '../dist/lib/training/precision.js';
import { comparePairs } from './support/compare.mjs';
import { Peer } from './support/peer.mjs';
import { Teacher, writeTask } from './support/teacher.mjs';

/** What `--help` says. */
export const description =
  "the teachers' training step (224 px, attention loss of the four maps, Adam) beside PyTorch's";

const needs = 'torch of the same version as LibTorch, and numpy';

/** Relative difference of the first loss that rounding explains; more means that the two sides train different things. */
const tolerance = { float32: 1e-4, bfloat16: 2e-2 };

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure(context) {
  const { quick, threads, wants, log } = context;
  // Where the processor is not made for bfloat16 a step takes minutes: measured only where it is asked for by name.
  const fast = (await resolvePrecision('auto')) === 'bfloat16';
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  try {
    for (const branch of /** @type {const} */ (['global', 'focal'])) {
      const common = { branch, batch: quick ? 1 : 8, threads };
      const file = path.join(folder, `${branch}.safetensors`);
      const precisions = /** @type {const} */ (['float32', 'bfloat16']).filter((precision) => {
        const name = `teacher/${branch}/${precision}`;
        if (!wants(name)) return false;
        const unasked = precision === 'bfloat16' && !fast && wants('teacher/');
        if (unasked)
          log(`${name}: left out, the processor is not made for bfloat16; --only ${name} measures it`);
        return !unasked;
      });
      if (precisions.length > 0) await writeTask(file, { ...common, precision: 'float32' });
      for (const precision of precisions) {
        yield await compareSteps(`teacher/${branch}/${precision}`, { ...common, precision }, file, context);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} name
 * @param {import('./support/teacher.mjs').Task} task
 * @param {string} file
 * @param {import('./support/compare.mjs').Context} context
 */
async function compareSteps(name, task, file, { python, pairs }) {
  const peer = await Peer.start(python, 'teacher.py', needs);
  const teacher = new Teacher(task);
  try {
    await teacher.prepare();
    await peer.ask({ do: 'prepare', task, file });
    const warm = { ours: await teacher.steps(2), peer: await peer.ask({ do: 'steps', count: 2 }) };
    const [ours, theirs] = [warm.ours.losses[0], warm.peer.losses[0]];
    if (!(Math.abs(ours - theirs) <= tolerance[task.precision] * Math.abs(theirs))) {
      throw new Error(
        `${name}: the two sides do not train the same: the first loss is ${ours} here, ${theirs} there`,
      );
    }
    const count = 1; // a step takes seconds
    const processor = { ours: 0, peer: 0 };
    const result = await comparePairs(name, {
      pairs,
      unit: 'ms/step',
      ours: async () => {
        await teacher.steps(1); // memory that was given back while the other side ran
        const measured = await teacher.steps(count);
        processor.ours += measured.processor / pairs;
        return measured.wall;
      },
      peer: async () => {
        await peer.ask({ do: 'steps', count: 1 });
        const measured = await peer.ask({ do: 'steps', count });
        processor.peer += measured.processor / pairs;
        return measured.wall;
      },
    });
    return {
      ...result,
      details: {
        ...result.details,
        precision: task.precision,
        batch: task.batch,
        processorMs: processor,
        firstLoss: { ours, peer: theirs },
        peer: peer.versions,
      },
    };
  } finally {
    teacher.dispose();
    await peer.close();
  }
}

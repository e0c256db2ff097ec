import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { compareSteps, precisionsOf } from './support/steps.mjs';
import { Teacher, writeTask } from './support/teacher.mjs';

/** What `--help` says. */
export const description =
  "the teachers' training step (224 px, attention loss of the four maps, Adam) beside PyTorch's";

const needs = 'torch of the same version as LibTorch, and numpy';

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure(context) {
  const { quick, threads } = context;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  try {
    for (const branch of /** @type {const} */ (['global', 'focal'])) {
      const common = { branch, batch: quick ? 1 : 8, threads };
      const file = path.join(folder, `${branch}.safetensors`);
      const nameOf = (precision) => `teacher/${branch}/${precision}`;
      const precisions = await precisionsOf('teacher', nameOf, context);
      if (precisions.length > 0) await writeTask(file, { ...common, precision: 'float32' });
      for (const precision of precisions) {
        const task = { ...common, precision };
        const training = new Teacher(task);
        yield await compareSteps(
          nameOf(precision),
          { training, task, file, program: 'teacher.py', needs },
          context,
        );
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

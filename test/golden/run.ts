/** `npm run golden`: compares this package with numbers that the original systems gave. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from '../support/paths.js';
import { known } from './kinds/index.js';
import { runFolder, summarise } from './runner.js';

// Sums are compared in one order: one thread. Read by LibTorch when the addon loads, which is later.
process.env.OMP_NUM_THREADS = '1';
process.env.MKL_NUM_THREADS = '1';

const folder = process.env.CXR_GAZE_GOLDEN ?? join(root, 'test', 'golden');
if (!existsSync(folder)) {
  process.stderr.write(`CXR_GAZE_GOLDEN names ${folder}, which does not exist\n`);
  process.exitCode = 1;
} else {
  const outcomes = await runFolder(folder, known);
  if (outcomes.length === 0) process.stderr.write(`No case (*.json) in ${folder}\n`);
  process.stdout.write(`${summarise(outcomes).join('\n')}\n`);
  process.exitCode = outcomes.length === 0 || outcomes.some(({ status }) => status === 'failed') ? 1 : 0;
}

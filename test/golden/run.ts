/** `npm run golden`: compares this package with numbers that the original systems gave, long cases and all. */
import { existsSync } from 'node:fs';
import process from 'node:process';
import { caseFolders } from './folders.js';
import { known } from './kinds/index.js';
import { type Outcome, runFolder, summarise } from './runner.js';

// Sums are compared in one order: one thread. Read by LibTorch when the addon loads, which is later.
process.env.OMP_NUM_THREADS = '1';
process.env.MKL_NUM_THREADS = '1';

const folders = caseFolders(process.env.CXR_GAZE_GOLDEN);
const absent = folders.find((folder) => !existsSync(folder));
if (absent !== undefined) {
  process.stderr.write(`CXR_GAZE_GOLDEN names ${absent}, which does not exist\n`);
  process.exitCode = 1;
} else {
  const outcomes: Outcome[] = [];
  for (const folder of folders) outcomes.push(...(await runFolder(folder, known)));
  if (outcomes.length === 0) process.stderr.write(`No case (*.json) in ${folders.join(', ')}\n`);
  process.stdout.write(`${summarise(outcomes).join('\n')}\n`);
  process.exitCode = outcomes.length === 0 || outcomes.some(({ status }) => status === 'failed') ? 1 : 0;
}

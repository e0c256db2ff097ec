/**
 * The tests that take minutes: `node dist/test/long/run.js [--only NAME] [--steps 10000]
 * [--kills 100] [--threads 1]`. Ends with one line, `N passed, N failed`. One thread by default, because OpenMP's threads wait for each
 * other by spinning: beside another busy process two of them are many times slower than one.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { threads } from '../../lib/tensor/create.js';
import { allPvtSizes } from './backbones.js';
import { checking, type Tally } from './check.js';
import { flatExplanations } from './explained.js';
import { millionsOfGazeRows } from './gaze-rows.js';
import { unbrokenCheckpoints } from './kills.js';
import { flatFootprint } from './leak.js';
import { allLocAttentionSteps } from './loc-attention-steps.js';
import { lungSegmenter } from './segmenter.js';
import { allStudentSteps } from './student-steps.js';
import { allTeacherSteps } from './teacher-steps.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    steps: { type: 'string', default: '10000' },
    kills: { type: 'string', default: '100' },
    threads: { type: 'string', default: '1' },
  },
});
await threads(Number(values.threads));
const tally: Tally = { passed: 0, failed: 0 };
const check = checking(tally);
const suites: Readonly<Record<string, () => Promise<void>>> = {
  leak: () => flatFootprint(Number(values.steps), check),
  explained: () => flatExplanations(1000, 2000, check),
  kills: () => unbrokenCheckpoints(Number(values.kills), check),
  student: () => allStudentSteps(check),
  teachers: () => allTeacherSteps(check),
  backbones: () => allPvtSizes(check),
  'loc-attention': () => allLocAttentionSteps(check),
  segmenter: () => lungSegmenter(check),
  'gaze-rows': () => millionsOfGazeRows(3_000_000, check),
};
for (const [name, run] of Object.entries(suites)) {
  if (values.only !== undefined && values.only !== name) continue;
  const from = performance.now();
  console.log(`# ${name}`);
  await run().catch((error: unknown) =>
    check(false, `${name}: ${error instanceof Error ? error.stack : error}`),
  );
  console.log(`  ${((performance.now() - from) / 1000).toFixed(0)} s`);
}
if (tally.passed + tally.failed === 0)
  check(false, `--only ${values.only}: expected one of ${Object.keys(suites)}`);
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 ? 0 : 1;

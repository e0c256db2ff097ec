/**
 * The tests that take minutes: `node dist/test/long/run.js [--only NAME] [--steps 10000] [--kills 100] [--threads 1]
 * [--jobs 2]`. Ends with one line, `N passed, N failed`. Every suite runs in a process of its own, `--jobs` of them at a
 * time, by default one a core; `--only` runs one suite in this process. One thread each by default, because OpenMP's threads
 * wait for each other by spinning: beside another busy process two of them are many times slower than one.
 */
import { availableParallelism } from 'node:os';
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
import { eachInItsProcess } from './processes.js';
import { lungSegmenter } from './segmenter.js';
import { allStudentSteps } from './student-steps.js';
import { allTeacherSteps } from './teacher-steps.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    steps: { type: 'string', default: '10000' },
    kills: { type: 'string', default: '100' },
    threads: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
  },
});
const tally: Tally = { passed: 0, failed: 0 };
const check = checking(tally);
// Longest first, so that the cores are done at about the same time.
const suites: Readonly<Record<string, () => Promise<void>>> = {
  segmenter: () => lungSegmenter(check),
  leak: () => flatFootprint(Number(values.steps), check),
  explained: () => flatExplanations(1000, 2000, check),
  teachers: () => allTeacherSteps(check),
  kills: () => unbrokenCheckpoints(Number(values.kills), check),
  'loc-attention': () => allLocAttentionSteps(check),
  'gaze-rows': () => millionsOfGazeRows(3_000_000, check),
  backbones: () => allPvtSizes(check),
  student: () => allStudentSteps(check),
};

async function runHere(name: string, suite: () => Promise<void>): Promise<void> {
  await threads(Number(values.threads));
  const from = performance.now();
  await suite().catch((error: unknown) =>
    check(false, `${name}: ${error instanceof Error ? error.stack : error}`),
  );
  console.log(`${((performance.now() - from) / 1000).toFixed(0)} s`);
}

const only = values.only === undefined ? undefined : suites[values.only];
if (values.only === undefined) await eachInItsProcess(Object.keys(suites), Number(values.jobs), tally);
else if (only === undefined) check(false, `--only ${values.only}: expected one of ${Object.keys(suites)}`);
else await runHere(values.only, only);
if (tally.passed + tally.failed === 0) check(false, `--jobs ${values.jobs}: no suite ran`);
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 ? 0 : 1;

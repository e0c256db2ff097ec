/**
 * Runs the tests and tells how many of the lines of lib/ they reach; ends with 1 below 95 %. Node itself counts, in every
 * process that a test starts (the command line, workers, children that are killed tell nothing); c8, which tap brings
 * with it, adds up and finds the lines in the TypeScript.
 *
 * Arguments go to tap: `npm run coverage -- dist/test/losses`. The page with every line is in `.tap/report`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const leastLines = 95;
const root = fileURLToPath(new URL('../..', import.meta.url));
const counts = mkdtempSync(path.join(os.tmpdir(), 'cxr-gaze-coverage-'));

/**
 * @param {string} program of node_modules/.bin
 * @param {readonly string[]} args
 * @param {Record<string, string>} [variables]
 * @returns {number} its status
 */
function run(program, args, variables = {}) {
  const command = path.join(root, 'node_modules', '.bin', program);
  const env = { ...process.env, ...variables };
  return spawnSync(command, args, { cwd: root, env, stdio: 'inherit' }).status ?? 1;
}

try {
  const tests = run('tap', process.argv.slice(2), { NODE_V8_COVERAGE: counts });
  const lines = run('c8', [
    ...['report', '--temp-directory', counts, '--merge-async', '--all', '--src', 'dist/lib'],
    ...[
      '--include',
      'dist/lib/**',
      '--reporter',
      'text',
      '--reporter',
      'html',
      '--reports-dir',
      '.tap/report',
    ],
    ...[
      '--check-coverage',
      '--lines',
      String(leastLines),
      '--branches',
      '0',
      '--functions',
      '0',
      '--statements',
      '0',
    ],
  ]);
  process.exitCode = tests || lines;
} finally {
  rmSync(counts, { recursive: true });
}

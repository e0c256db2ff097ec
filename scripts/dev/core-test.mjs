/**
 * Builds the test of the native core, which runs without Node, under a sanitizer and runs it:
 * `node scripts/dev/core-test.mjs [address,undefined | thread]` (both, one after the other, by default).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../build.mjs';
import { ensureLibTorch } from '../libtorch.mjs';
import { defaultJobs } from '../tools.mjs';

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd) {
  const { status } = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    // One thread: OpenMP's own barriers are not known to the thread sanitizer.
    env: { OMP_NUM_THREADS: '1', UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1', ...process.env },
  });
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
}

const libtorch = await ensureLibTorch({ env: process.env, log: console.log });
const wanted = process.argv[2] === undefined ? ['address,undefined', 'thread'] : [process.argv[2]];
for (const sanitizer of wanted) {
  const folder = path.join(packageRoot, '.build', `core-${sanitizer.split(',')[0]}`);
  mkdirSync(folder, { recursive: true });
  const settings = {
    CMAKE_BUILD_TYPE: 'RelWithDebInfo',
    CXR_GAZE_LIBTORCH: libtorch.folder,
    CXR_GAZE_CORE_TEST: 'ON',
    CXR_GAZE_SANITIZE: sanitizer,
  };
  const flags = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  run('cmake', [...flags, packageRoot], folder);
  run(
    'cmake',
    ['--build', '.', '--target', 'cxr_gaze_core_test', '--parallel', String(defaultJobs())],
    folder,
  );
  run(path.join(folder, 'cxr_gaze_core_test'), [], folder);
}

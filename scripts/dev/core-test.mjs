/**
 * Builds the test of the native core, which runs without Node, and runs it:
 * `node scripts/dev/core-test.mjs [plain | address,undefined | thread] ...`; `plain`, the default, takes the addon's own
 * objects, the others build all of it again under a sanitizer.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { build, packageRoot } from '../build.mjs';
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

/** @param {string} sanitizer @returns {Promise<string>} a configured build folder */
async function configured(sanitizer) {
  if (sanitizer === 'plain') {
    await build({ log: console.log });
    return path.join(packageRoot, '.build', 'native');
  }
  const libtorch = await ensureLibTorch({ env: process.env, log: console.log });
  const folder = path.join(packageRoot, '.build', `core-${sanitizer.split(',')[0]}`);
  mkdirSync(folder, { recursive: true });
  const settings = {
    CMAKE_BUILD_TYPE: 'RelWithDebInfo',
    CXR_GAZE_LIBTORCH: libtorch.folder,
    CXR_GAZE_SANITIZE: sanitizer,
  };
  const flags = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  run('cmake', [...flags, packageRoot], folder);
  return folder;
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : ['plain'];
for (const sanitizer of wanted) {
  const folder = await configured(sanitizer);
  const target = ['--target', 'cxr_gaze_core_test', '--config', 'Release'];
  run('cmake', ['--build', '.', ...target, '--parallel', String(defaultJobs())], folder);
  run(path.join(folder, 'cxr_gaze_core_test'), [], folder);
}

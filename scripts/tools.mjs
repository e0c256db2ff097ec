/** The programs that a build needs: found, new enough, and what to install where they are not. */
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { SetupError } from './errors.mjs';

/**
 * @typedef {object} Tools
 * @property {string} compiler the C++ compiler and its version, such as `g++ 12.2.0`
 * @property {string} cmake version of CMake
 * @property {'Ninja' | 'Unix Makefiles' | null} generator what CMake drives; null leaves it to CMake (Windows)
 */

/**
 * Runs a program for its output.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, timeout?: number }} [options]
 * @returns {string | null} standard output, trimmed; null where the program is missing or failed
 */
export function output(command, args, options = {}) {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    // Python puts the working directory on its path: a folder named torch or pip there is not the machine's.
    cwd: path.parse(process.cwd()).root,
    env: options.env ?? process.env,
    timeout: options.timeout ?? 30_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return result.error !== undefined || result.status !== 0 ? null : result.stdout.trim();
}

/**
 * @param {string} version such as `3.25.1`
 * @param {readonly number[]} least such as `[3, 21]`
 */
function atLeast(version, least) {
  const parts = version.split('.').map(Number);
  for (const [i, want] of least.entries()) {
    const have = parts[i] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ name: string, version: string, ok: boolean } | null}
 */
function compiler(env) {
  // CXX may hold words before the compiler's options, as in `ccache g++`.
  for (const words of env.CXX ? [env.CXX.trim().split(/\s+/)] : [['c++'], ['g++'], ['clang++']]) {
    const [command = '', ...before] = words;
    const banner = output(command, [...before, '--version'], { env });
    if (banner === null) continue;
    const clang = /clang/i.test(banner);
    const version = output(command, [...before, clang ? '-dumpversion' : '-dumpfullversion'], { env }) ?? '0';
    const kind = clang ? 'clang++' : 'g++';
    return { name: kind, version, ok: atLeast(version, clang ? [14] : [11]) };
  }
  return null;
}

/**
 * Checks for the compiler, CMake, and make or ninja, and names everything missing at once.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Tools}
 * @throws {SetupError} with the packages to install
 */
export function checkTools(env = process.env) {
  if (process.platform === 'win32') {
    // Visual Studio is looked for by cmake-js itself, which knows where it hides.
    return { compiler: 'MSVC', cmake: output('cmake', ['--version'], { env }) ?? '', generator: null };
  }
  /** @type {string[]} */
  const problems = [];
  /** @type {string[]} */
  const packages = [];
  const cxx = compiler(env);
  if (cxx === null) {
    problems.push('a C++ compiler (g++ 11 or later, clang++ 14 or later)');
    packages.push('g++');
  } else if (!cxx.ok) {
    problems.push(
      `a C++20 compiler (found ${cxx.name} ${cxx.version}; g++ 11 or clang++ 14 is the oldest that works)`,
    );
    packages.push('g++-12');
  }
  const cmake = /cmake version (\d+(\.\d+)*)/.exec(output('cmake', ['--version'], { env }) ?? '')?.[1];
  if (cmake === undefined || !atLeast(cmake, [3, 21])) {
    problems.push(`CMake 3.21 or later${cmake === undefined ? '' : ` (found ${cmake})`}`);
    packages.push('cmake');
  }
  const ninja = output('ninja', ['--version'], { env }) !== null;
  if (!ninja && output('make', ['--version'], { env }) === null) {
    problems.push('make or ninja');
    packages.push('make');
  }
  if (problems.length > 0 || cxx === null) {
    const install =
      process.platform === 'darwin'
        ? ['xcode-select --install', 'brew install cmake']
        : [`Debian or Ubuntu: sudo apt-get install ${packages.join(' ')}`];
    throw new SetupError(`building the addon needs ${problems.join(', ')}.`, { remedy: install });
  }
  return {
    compiler: `${cxx.name} ${cxx.version}`,
    cmake: cmake ?? '',
    generator: ninja ? 'Ninja' : 'Unix Makefiles',
  };
}

/**
 * How many compilers to run at once: one a core, as far as memory goes (one takes up to 1.5 GB in LibTorch's headers).
 *
 * @returns {number}
 */
export function defaultJobs() {
  const limit = process.constrainedMemory?.() ?? 0;
  const memory = limit > 0 && limit < os.totalmem() ? limit : os.totalmem();
  return Math.max(1, Math.min(os.availableParallelism(), Math.floor(memory / 1.5e9)));
}

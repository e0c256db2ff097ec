/** Builds the addon: finds LibTorch, drives CMake through cmake-js, notes what was built with what, and loads it once. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { failScript, SetupError } from './errors.mjs';
import { ensureLibTorch } from './libtorch.mjs';
import { withLock } from './lock.mjs';
import { checkTools, defaultJobs } from './tools.mjs';

/** The package: the folder that holds `scripts/`, `native/` and CMakeLists.txt. */
export const packageRoot = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/**
 * @typedef {object} BuildOptions
 * @property {string} [root] the package
 * @property {NodeJS.ProcessEnv} [env] in place of the process's own
 * @property {(line: string) => void} [log] told one line a step
 * @property {boolean} [fetch] whether LibTorch may be downloaded
 * @property {boolean} [force] build although nothing changed, from nothing
 * @property {number} [jobs] compilers at once; by default one a core, as far as memory goes
 */

/**
 * What `build/Release/build-info.json` holds. Free of dates, so that two builds of the same thing agree.
 *
 * @typedef {object} BuildInfo
 * @property {string} libtorch full version, such as `2.13.0+cpu`
 * @property {number} minor such as 13
 * @property {string} path folder of that LibTorch
 * @property {boolean} cuda whether it was built with CUDA
 * @property {string} compiler such as `g++ 12.2.0`
 * @property {string} stamp hash of everything that the addon was made from
 */

/** @typedef {{ addon: string, info: BuildInfo, built: boolean }} Built */

/** @param {string} root */
export function addonPath(root = packageRoot) {
  return path.join(root, 'build', 'Release', 'cxr_gaze.node');
}

/**
 * @param {string} root
 * @returns {BuildInfo | null} null where there is none that can be read
 */
export function readBuildInfo(root = packageRoot) {
  try {
    return JSON.parse(readFileSync(path.join(path.dirname(addonPath(root)), 'build-info.json'), 'utf8'));
  } catch {
    return null;
  }
}

/**
 * Hash of the sources and of what else decides the outcome.
 *
 * @param {string} root
 * @param {Record<string, string>} settings
 */
function stampOf(root, settings) {
  const hash = createHash('sha256');
  hash.update(JSON.stringify(settings));
  const native = readdirSync(path.join(root, 'native'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(cc|cu|cuh|h|cmake)$/.test(file))
    .map((file) => path.join('native', file))
    .sort();
  for (const file of ['CMakeLists.txt', ...native])
    hash.update(`${file}\0`).update(readFileSync(path.join(root, file)));
  return hash.digest('hex');
}

/**
 * Builds the addon where it is missing or made from something else than what is there now.
 *
 * @param {BuildOptions} [options]
 * @returns {Promise<Built>}
 * @throws {SetupError} with what to do
 */
export async function build(options = {}) {
  const root = options.root ?? packageRoot;
  const env = options.env ?? process.env;
  const log = options.log ?? (() => {});
  const tools = checkTools(env);
  const libtorch = await ensureLibTorch({
    env,
    log,
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  const require = createRequire(path.join(root, 'package.json'));
  const settings = {
    CXR_GAZE_LIBTORCH: libtorch.folder,
    CXR_GAZE_LIBTORCH_VERSION: libtorch.version,
    compiler: tools.compiler,
    'node-addon-api': moduleVersion(require, 'node-addon-api'),
    arch: `${process.platform}-${process.arch}`,
  };
  const objects = path.join(root, '.build', 'native');
  mkdirSync(path.dirname(objects), { recursive: true });
  return withLock(path.join(root, '.build', 'lock'), log, async () => {
    const stamp = stampOf(root, settings);
    const addon = addonPath(root);
    const before = readBuildInfo(root);
    if (options.force !== true && before?.stamp === stamp && existsSync(addon)) {
      log(`Addon: up to date (${addon})`);
      return { addon, info: before, built: false };
    }
    const infoFile = path.join(path.dirname(addon), 'build-info.json');
    rmSync(infoFile, { force: true });
    if (options.force === true) rmSync(objects, { recursive: true, force: true });
    mkdirSync(path.dirname(addon), { recursive: true });
    const jobs = options.jobs ?? defaultJobs();
    log(
      `Addon: building with ${tools.compiler}, CMake ${tools.cmake}, LibTorch ${libtorch.version}, ${jobs} at a time`,
    );
    const started = Date.now();
    const args = ['--out', objects, '--config', 'Release', '--parallel', String(jobs)];
    if (tools.generator !== null) {
      dropOtherGenerator(objects, tools.generator);
      args.push('--generator', tools.generator);
    }
    for (const name of /** @type {const} */ (['CXR_GAZE_LIBTORCH', 'CXR_GAZE_LIBTORCH_VERSION'])) {
      args.push(`--CD${name}=${settings[name]}`);
    }
    args.push(`--CDCXR_GAZE_OUTPUT=${path.dirname(addon)}`);
    const run = { root, env, log, logFile: path.join(root, '.build', 'build.log') };
    // cmake-js configures by itself only where no cache is; the settings may have changed since.
    await cmakeJs(require, 'configure', args, run);
    await cmakeJs(require, 'build', args, run);
    if (!existsSync(addon)) throw new SetupError(`the build ended without an error but left no ${addon}.`);
    tryLoading(addon, env);
    /** @type {BuildInfo} */
    const info = {
      libtorch: libtorch.version,
      minor: libtorch.minor,
      path: libtorch.folder,
      cuda: libtorch.cuda,
      compiler: tools.compiler,
      stamp,
    };
    writeFileSync(`${infoFile}.new`, `${JSON.stringify(info, null, 2)}\n`);
    renameSync(`${infoFile}.new`, infoFile);
    // In an installed package nobody edits the sources: the objects and the precompiled header are half a gigabyte.
    if (!existsSync(path.join(root, 'tsconfig.json'))) rmSync(objects, { recursive: true, force: true });
    const size = (statSync(addon).size / 2 ** 20).toFixed(1);
    log(`Addon: built in ${((Date.now() - started) / 1000).toFixed(0)} s, ${size} MiB (${addon})`);
    return { addon, info, built: true };
  });
}

/**
 * @param {NodeJS.Require} require
 * @param {string} name
 * @returns {string}
 */
function moduleVersion(require, name) {
  try {
    return require(`${name}/package.json`).version;
  } catch (cause) {
    throw new SetupError(`the npm package ${name} is not installed.`, {
      remedy: ['run npm install first'],
      cause,
    });
  }
}

/**
 * CMake refuses to change the generator or the source folder of a build folder: such a one is begun anew.
 *
 * @param {string} objects
 * @param {string} generator
 */
function dropOtherGenerator(objects, generator) {
  const file = path.join(objects, 'CMakeCache.txt');
  if (!existsSync(file)) return;
  const cache = readFileSync(file, 'utf8');
  const used = /^CMAKE_GENERATOR:INTERNAL=(.+)$/m.exec(cache)?.[1];
  const folder = /^CMAKE_CACHEFILE_DIR:INTERNAL=(.+)$/m.exec(cache)?.[1];
  if (used !== generator || folder !== objects) rmSync(objects, { recursive: true, force: true });
}

/**
 * @param {NodeJS.Require} require
 * @param {'configure' | 'build'} command
 * @param {readonly string[]} args
 * @param {{ root: string, env: NodeJS.ProcessEnv, log: (line: string) => void, logFile: string }} run
 */
async function cmakeJs(require, command, args, { root, env, log, logFile }) {
  const bin = path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  const child = spawn(process.execPath, [bin, command, '--directory', root, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const file = createWriteStream(logFile, { flags: command === 'configure' ? 'w' : 'a' });
  /** @type {string[]} */
  const lines = [];
  /** @param {string} line */
  const take = (line) => {
    lines.push(line);
    file.write(`${line}\n`);
    if (/^\[\s*\d+(\/\d+\]|%\])/.test(line)) log(line);
  };
  const streams = [child.stdout, child.stderr].map((input) => createInterface({ input }).on('line', take));
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  for (const stream of streams) stream.close();
  await new Promise((resolve) => file.end(resolve));
  if (status === 0) return;
  const first = lines.findIndex((line) => /\berror\b|FAILED|CMake Error/i.test(line));
  const shown = lines.slice(Math.max(0, first), Math.max(0, first) + 40).join('\n');
  throw new SetupError(`cmake-js ${command} failed (all of its output is in ${logFile}):\n${shown}`);
}

/**
 * Loads an addon in a process of its own, so that one that brings its process down brings down no other.
 *
 * @param {string} addon
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | null} why it does not load
 */
export function loadFailure(addon, env = process.env) {
  const script = 'try { require(process.argv[1]) } catch (e) { console.log(e.message); process.exit(3) }';
  const result = spawnSync(process.execPath, ['-e', script, addon], {
    encoding: 'utf8',
    env,
    timeout: 120_000,
  });
  if (result.status === 0) return null;
  if (result.status === 3) return result.stdout.trim();
  const end = result.signal === null ? `status ${result.status}` : `signal ${result.signal}`;
  return `the process that loaded it ended with ${end}: ${result.stderr.trim().slice(-500)}`;
}

/**
 * @param {string} addon
 * @param {NodeJS.ProcessEnv} env
 */
function tryLoading(addon, env) {
  const failure = loadFailure(addon, env);
  if (failure === null) return;
  throw new SetupError(`${addon} was built but does not load: ${failure}`);
}

/** The script's own command line. */
async function main() {
  const { values } = parseArgs({
    options: {
      'no-fetch': { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
      jobs: { type: 'string' },
    },
  });
  const jobs = values.jobs === undefined ? undefined : Number(values.jobs);
  if (jobs !== undefined && !(Number.isInteger(jobs) && jobs > 0)) {
    throw new SetupError(`Expected a positive integer for --jobs but received ${values.jobs}.`);
  }
  await build({
    log: (line) => process.stdout.write(`${line}\n`),
    fetch: !values['no-fetch'],
    force: values.force,
    ...(jobs === undefined ? {} : { jobs }),
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main().catch(failScript);
}

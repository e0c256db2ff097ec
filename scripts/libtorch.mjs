/** Where LibTorch comes from: a named folder, the machine's PyTorch, the package's cache, and only then a download. */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { SetupError } from './errors.mjs';
import { cachedFolder, fetchLibTorch, PINNED } from './fetch.mjs';
import { versionOf } from './libtorch-version.cjs';
import { output } from './tools.mjs';

/** Minor versions of LibTorch 2 that the addon is written for. */
export const SUPPORTED_MINORS = Object.freeze([11, 12, 13, 14]);

/** @typedef {'CXR_GAZE_LIBTORCH' | 'python' | 'cache' | 'download'} Source */

/**
 * @typedef {object} LibTorch
 * @property {string} folder holds `include/` and `lib/`
 * @property {string} version in full, such as `2.13.0+cpu`
 * @property {number} minor such as 13
 * @property {boolean} cuda whether it was built with CUDA
 * @property {Source} source which step found it
 */

/**
 * @typedef {object} SearchOptions
 * @property {NodeJS.ProcessEnv} [env] in place of the process's own
 * @property {(line: string) => void} [log] told one line a step
 * @property {boolean} [fetch] whether a download is allowed; by default unless `CXR_GAZE_NO_FETCH` is set
 */

/** @type {Record<string, { prefix: string, suffix: string }>} */
const LIBRARY_NAMES = {
  linux: { prefix: 'lib', suffix: '.so' },
  darwin: { prefix: 'lib', suffix: '.dylib' },
  win32: { prefix: '', suffix: '.dll' },
};

/** @param {string} name such as `torch_cpu` */
function libraryFile(name) {
  const { prefix, suffix } = LIBRARY_NAMES[process.platform] ?? { prefix: 'lib', suffix: '.so' };
  return `${prefix}${name}${suffix}`;
}

/**
 * The package's own folder for what it downloads.
 *
 * @param {NodeJS.ProcessEnv} env
 */
export function cacheFolder(env) {
  if (env.CXR_GAZE_CACHE) return path.resolve(env.CXR_GAZE_CACHE);
  // The XDG rules: a relative path is to be ignored.
  const base = env.XDG_CACHE_HOME && path.isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : null;
  return path.join(base ?? path.join(env.HOME || os.homedir(), '.cache'), 'cxr-gaze');
}

/**
 * Judges a folder: everything that compiling and linking need, and a supported version.
 *
 * @param {string} folder
 * @returns {Omit<LibTorch, 'source'> | string} what is wrong with it, where something is
 */
export function inspect(folder) {
  if (!existsSync(folder)) return 'no such folder';
  const needed = [
    'include/ATen/ATen.h',
    'include/torch/csrc/api/include/torch/types.h',
    ...['torch', 'torch_cpu', 'c10'].map((name) => `lib/${libraryFile(name)}`),
  ];
  const missing = needed.filter((file) => !existsSync(path.join(folder, file)));
  if (missing.length > 0) {
    const below = path.join(folder, 'libtorch');
    const hint = existsSync(path.join(below, 'lib')) ? `; did you mean ${below}?` : '';
    return `no ${missing.join(', no ')}${hint}`;
  }
  const version = versionOf(folder);
  if (version === null) return 'its version cannot be read (no version.py, build-version or version.h)';
  const [major, minor] = version.split('.').map(Number);
  if (major !== 2 || minor === undefined || !SUPPORTED_MINORS.includes(minor)) {
    return `version ${version} is not supported (${supportedRange()} are)`;
  }
  const cuda = existsSync(path.join(folder, 'lib', libraryFile('torch_cuda')));
  return { folder, version, minor, cuda };
}

/** @returns {string} such as `2.11 to 2.14` */
export function supportedRange() {
  return `2.${SUPPORTED_MINORS[0]} to 2.${SUPPORTED_MINORS.at(-1)}`;
}

/**
 * Where the machine's Python keeps PyTorch. The package is located, not imported: importing takes seconds and runs it.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ folder: string } | string} why there is none, where there is none
 */
function pythonTorch(env) {
  const script =
    'import importlib.util as u; s = u.find_spec("torch"); ' +
    'print(list(s.submodule_search_locations)[0] if s and s.submodule_search_locations else "")';
  const folder = output('python3', ['-c', script], { env, timeout: 20_000 });
  if (folder === null) return 'no python3';
  // A site's start-up code may print too; the answer is the last line.
  const last = folder.split('\n').at(-1)?.trim() ?? '';
  return last === '' ? 'python3 has no PyTorch' : { folder: last };
}

/**
 * Looks for LibTorch without a download.
 *
 * @param {SearchOptions} [options]
 * @returns {{ found: LibTorch | null, tried: string[] }} what was tried, one line each
 * @throws {SetupError} where `CXR_GAZE_LIBTORCH` names a folder that will not do: an explicit wish is not passed over
 */
export function findLibTorch(options = {}) {
  const env = options.env ?? process.env;
  const log = options.log ?? (() => {});
  /** @type {string[]} */
  const tried = [];
  /** @param {string} line */
  const step = (line) => {
    tried.push(line);
    log(`LibTorch: ${line}`);
  };
  /**
   * @param {Omit<LibTorch, 'source'>} found
   * @param {Source} source
   */
  const take = (found, source) => ({ found: { ...found, source }, tried });

  if (env.CXR_GAZE_LIBTORCH) {
    const folder = path.resolve(env.CXR_GAZE_LIBTORCH);
    const result = inspect(folder);
    if (typeof result === 'string') {
      throw new SetupError(
        `Expected a LibTorch folder for CXR_GAZE_LIBTORCH but ${folder} will not do: ${result}.`,
        {
          remedy: [
            'name a folder that holds include/ and lib/, or unset CXR_GAZE_LIBTORCH to let it be found or fetched',
          ],
        },
      );
    }
    step(`${result.version} from CXR_GAZE_LIBTORCH, ${folder}`);
    return take(result, 'CXR_GAZE_LIBTORCH');
  }
  step('CXR_GAZE_LIBTORCH is not set');

  const python = pythonTorch(env);
  if (typeof python === 'string') {
    step(python);
  } else {
    const result = inspect(python.folder);
    if (typeof result !== 'string') {
      step(`${result.version} from python3's PyTorch, ${python.folder}`);
      return take(result, 'python');
    }
    step(`python3's PyTorch in ${python.folder} passed over: ${result}`);
  }

  const cache = cachedFolder(cacheFolder(env));
  if (cache.problem !== null) {
    step(cache.problem);
  } else {
    const result = inspect(cache.folder);
    if (typeof result !== 'string') {
      step(`${result.version} from the cache, ${cache.folder}`);
      return take(result, 'cache');
    }
    step(`${cache.folder} passed over: ${result}`);
  }
  return { found: null, tried };
}

/**
 * Looks for LibTorch and downloads it where it is nowhere and that is allowed.
 *
 * @param {SearchOptions} [options]
 * @returns {Promise<LibTorch>}
 * @throws {SetupError} with what was tried and what to do
 */
export async function ensureLibTorch(options = {}) {
  const env = options.env ?? process.env;
  const log = options.log ?? (() => {});
  const { found, tried } = findLibTorch({ ...options, env, log });
  if (found !== null) return found;

  const remedy = [
    `set CXR_GAZE_LIBTORCH to a LibTorch ${supportedRange()} folder (https://pytorch.org/get-started/locally, C++)`,
    `or install PyTorch ${supportedRange()} for python3`,
  ];
  const forbidden = !(options.fetch ?? true) || isSet(env.CXR_GAZE_NO_FETCH);
  if (forbidden) {
    throw new SetupError(
      `no LibTorch was found, and fetching one is switched off. Tried: ${tried.join('; ')}.`,
      {
        remedy: [...remedy, 'or allow the download (drop --no-fetch, unset CXR_GAZE_NO_FETCH)'],
      },
    );
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `no LibTorch was found, and LibTorch ${PINNED.version} is fetched for Linux x64 only, not for ` +
        `${process.platform} ${process.arch}. Tried: ${tried.join('; ')}.`,
      { remedy },
    );
  }
  const folder = await fetchLibTorch({ cache: cacheFolder(env), env, log, remedy });
  const result = inspect(folder);
  if (typeof result === 'string')
    throw new SetupError(`the fetched LibTorch in ${folder} will not do: ${result}.`, { remedy });
  return { ...result, source: 'download' };
}

/** @param {string | undefined} value */
function isSet(value) {
  return value !== undefined && value !== '' && value !== '0';
}

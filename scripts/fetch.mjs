/** Fetching the pinned LibTorch: by pip or over HTTPS, checked by its hash, unpacked beside its place and renamed there. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { downloadFile } from './download.mjs';
import { SetupError } from './errors.mjs';
import { output } from './tools.mjs';
import { syncFolder, unpackWheel, writeDurably } from './unpack.mjs';

/** The one build that is fetched: a wheel is a zip, and holds the headers and libraries that compiling needs. */
export const PINNED = Object.freeze({
  version: '2.13.0+cpu',
  file: 'torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl',
  bytes: 191_794_682,
  sha256: '6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b',
  index: 'https://download.pytorch.org/whl/cpu',
});

const MARKER = 'cxr-gaze.json';

/** @param {number} bytes */
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/**
 * The cache's copy of the pinned LibTorch, trusted only where its marker, written last, is there and every file that it
 * lists has the size it had.
 *
 * @param {string} cache the package's cache folder
 * @returns {{ folder: string, problem: string | null }} why it cannot be used, null where it can
 */
export function cachedFolder(cache) {
  const folder = path.join(cache, `libtorch-${PINNED.version}-linux-x64`);
  if (!existsSync(folder)) return { folder, problem: `none in the cache ${cache}` };
  return { folder, problem: incomplete(folder) };
}

/**
 * @param {string} folder
 * @returns {string | null} what is wrong with it
 */
function incomplete(folder) {
  /** @type {unknown} */
  let marker;
  try {
    marker = JSON.parse(readFileSync(path.join(folder, MARKER), 'utf8'));
  } catch {
    return `the cache's ${folder} is incomplete and will be replaced`;
  }
  const files = typeof marker === 'object' && marker !== null && 'files' in marker ? marker.files : null;
  if (!Array.isArray(files) || files.length === 0) return `the cache's ${folder} has no list of files and will be replaced`;
  for (const entry of files) {
    const [name, bytes] = Array.isArray(entry) ? entry : [null, null];
    const found = typeof name === 'string' ? statSync(path.join(folder, name), { throwIfNoEntry: false }) : undefined;
    if (found?.size !== bytes) {
      return `the cache's ${folder} is damaged (${name}: expected ${bytes} bytes, found ${found?.size ?? 'none'}) and will be replaced`;
    }
  }
  return null;
}

/**
 * @typedef {object} FetchOptions
 * @property {string} cache the package's cache folder
 * @property {NodeJS.ProcessEnv} env
 * @property {(line: string) => void} log
 * @property {readonly string[]} remedy what else a person can do, one line each
 */

/**
 * Downloads the pinned build into the cache.
 *
 * @param {FetchOptions} options
 * @returns {Promise<string>} the folder
 */
export async function fetchLibTorch({ cache, env, log, remedy }) {
  const work = path.join(cache, `fetch-${process.pid}`);
  try {
    mkdirSync(work, { recursive: true });
  } catch (cause) {
    throw new SetupError(`the cache folder ${cache} cannot be written (${message(cause)}).`, {
      remedy: ['set CXR_GAZE_CACHE to a folder that can be', ...remedy],
      cause,
    });
  }
  try {
    removeAbandoned(cache, log);
    log(
      `LibTorch: fetching ${PINNED.version} (CPU build): ${mebibytes(PINNED.bytes)} to download, about 500 MiB unpacked into ${cache}`,
    );
    const wheel = await obtainWheel({ cache, work, env, log, remedy });
    log(`LibTorch: checked ${path.basename(wheel)} (sha256), unpacking`);
    return await install(wheel, cache, work, log);
  } catch (cause) {
    if (cause instanceof SetupError) throw cause;
    throw new SetupError(`LibTorch could not be fetched: ${message(cause)}.`, { remedy, cause });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @param {unknown} error */
function message(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Folders of set-ups that were killed: their process is gone.
 *
 * @param {string} cache
 * @param {(line: string) => void} log
 */
function removeAbandoned(cache, log) {
  for (const name of readdirSync(cache)) {
    const pid = Number(/^fetch-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || pid === process.pid) continue;
    try {
      process.kill(pid, 0);
    } catch (error) {
      // EPERM: it lives, under another user.
      if (error instanceof Error && 'code' in error && error.code === 'ESRCH') {
        log(`LibTorch: removing what an interrupted set-up left in ${path.join(cache, name)}`);
        rmSync(path.join(cache, name), { recursive: true, force: true });
      }
    }
  }
}

/**
 * @param {FetchOptions & { work: string }} options
 * @returns {Promise<string>} a wheel whose hash is right
 */
async function obtainWheel({ cache, work, env, log, remedy }) {
  /** @type {string[]} */
  const failures = [];
  const ways = [
    ...(output('python3', ['-m', 'pip', '--version'], { env }) === null
      ? []
      : [
          {
            // Wheels that the machine keeps in folders: no index is asked, so no dead one can cost time.
            name: 'pip, folders of its own configuration',
            run: () => pipDownload(work, env, ['--no-index', '-q'], false),
          },
          {
            name: `pip, its indexes and ${PINNED.index}`,
            run: () =>
              pipDownload(work, env, ['--timeout', '10', '--retries', '1', '--extra-index-url', PINNED.index], true),
          },
        ]),
    {
      name: `${PINNED.index} over HTTPS`,
      run: () => downloadFile(`${PINNED.index}/${encodeURIComponent(PINNED.file)}`, path.join(cache, PINNED.file), PINNED, log),
    },
  ];
  for (const way of ways) {
    log(`LibTorch: asking ${way.name}`);
    try {
      const file = await way.run();
      const found = await sha256(file);
      const wanted = env.CXR_GAZE_LIBTORCH_SHA256 || PINNED.sha256;
      if (found === wanted) return file;
      rmSync(file, { force: true });
      throw new Error(
        `served another file of that name: expected sha256 ${wanted}, found ${found} ` +
          '(if you trust it, set CXR_GAZE_LIBTORCH_SHA256 to what was found)',
      );
    } catch (error) {
      failures.push(`${way.name}: ${message(error)}`);
      log(`LibTorch: ${way.name}: ${message(error)}`);
    }
  }
  throw new SetupError(`LibTorch ${PINNED.version} could not be fetched. Tried ${failures.join('; ')}.`, {
    remedy: ['check the network or the proxy (HTTPS_PROXY, pip configuration) and try again', ...remedy],
  });
}

/**
 * @param {string} work
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly string[]} args
 * @param {boolean} visible whether pip may show its progress
 * @returns {Promise<string>} the file
 */
async function pipDownload(work, env, args, visible) {
  const folder = path.join(work, 'wheel');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const command = [
    ...['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--no-cache-dir'],
    ...['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311', '--platform', 'manylinux_2_28_x86_64'],
    ...['--dest', folder, ...args, `torch==${PINNED.version}`],
  ];
  const show = visible && process.stderr.isTTY;
  const child = spawn('python3', command, { env, stdio: ['ignore', show ? 'inherit' : 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (status !== 0) {
    const lines = errors.split('\n').filter((line) => line.startsWith('ERROR'));
    throw new Error(lines.at(-1)?.replace(/^ERROR: /, '') ?? `pip ended with ${status}`);
  }
  const name = readdirSync(folder).find((file) => file.endsWith('.whl'));
  if (name === undefined) throw new Error('pip downloaded nothing');
  return path.join(folder, name);
}

/**
 * @param {string} file
 * @returns {Promise<string>}
 */
async function sha256(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/**
 * @param {string} wheel
 * @param {string} cache
 * @param {string} work
 * @param {(line: string) => void} log
 */
export async function install(wheel, cache, work, log) {
  const { folder } = cachedFolder(cache);
  const unpacked = path.join(work, 'unpacked');
  const files = await unpackWheel(wheel, unpacked);
  // On disk before the marker says so: after a power cut there is either no marker or a whole LibTorch.
  syncFolder(unpacked, files);
  writeDurably(
    path.join(unpacked, MARKER),
    `${JSON.stringify({ version: PINNED.version, wheel: path.basename(wheel), files: files.map((f) => [f.name, f.bytes]) })}\n`,
  );
  if (cachedFolder(cache).problem === null) return folder; // another set-up was faster
  rmSync(folder, { recursive: true, force: true });
  renameSync(unpacked, folder);
  syncFolder(cache, []);
  rmSync(path.join(cache, PINNED.file), { force: true });
  log(`LibTorch: ${PINNED.version} is in ${folder}`);
  return folder;
}

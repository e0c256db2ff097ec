/** Fetches the pinned LibTorch: by pip or over HTTPS, checked by its hash, unpacked beside its place and renamed there. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { downloadFile } from './download.mjs';
import { SetupError } from './errors.mjs';
import { output } from './tools.mjs';
import { syncFolder, unpackLibTorch } from './unpack.mjs';

/**
 * @typedef {object} Artifact a file to fetch
 * @property {string} file its name
 * @property {number} bytes
 * @property {string} sha256
 */

/**
 * @typedef {object} Pinned
 * @property {string} version
 * @property {string} index PyTorch's index of CPU wheels
 * @property {Artifact} wheel
 * @property {Artifact & { url: string }} archive
 */

/**
 * The one build that is fetched, in its two packagings. A wheel is a zip, and holds the headers and libraries that
 * compiling needs; the archive is the same build without Python.
 *
 * @type {Readonly<Pinned>}
 */
export const PINNED = Object.freeze({
  version: '2.13.0+cpu',
  index: 'https://download.pytorch.org/whl/cpu',
  wheel: Object.freeze({
    file: 'torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl',
    bytes: 191_794_682,
    sha256: '6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b',
  }),
  archive: Object.freeze({
    url: 'https://download.pytorch.org/libtorch/cpu/libtorch-shared-with-deps-2.13.0%2Bcpu.zip',
    file: 'libtorch-shared-with-deps-2.13.0+cpu.zip',
    bytes: 126_385_248,
    sha256: 'edbf4cbed78433d803e90a65f1752e57783d164bce66c95c0872b2ab8f5c159e',
  }),
});

const MARKER = 'cxr-gaze.json';

/** @param {number} bytes */
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/**
 * The cache's copy of the pinned LibTorch, trusted only where its marker, written last, is there and every file that it
 * lists has the size it had.
 *
 * @param {string} cache the package's cache folder
 * @param {Pinned} pinned
 * @returns {{ folder: string, problem: string | null }} why it cannot be used, null where it can
 */
export function cachedFolder(cache, pinned = PINNED) {
  const folder = path.join(cache, `libtorch-${pinned.version}-linux-x64`);
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
  if (!Array.isArray(files) || files.length === 0)
    return `the cache's ${folder} has no list of files and will be replaced`;
  for (const entry of files) {
    const [name, bytes] = Array.isArray(entry) ? entry : [null, null];
    const found =
      typeof name === 'string' ? statSync(path.join(folder, name), { throwIfNoEntry: false }) : undefined;
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
 * @property {Pinned} [pinned] another build than {@link PINNED}
 */

/**
 * Downloads the pinned build into the cache.
 *
 * @param {FetchOptions} options
 * @returns {Promise<string>} the folder
 */
export async function fetchLibTorch(options) {
  const { cache, log, remedy, pinned = PINNED } = options;
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
    log(`LibTorch: fetching ${pinned.version}, the CPU build; about 500 MiB unpacked into ${cache}`);
    const zip = await obtain({ ...options, work, pinned });
    log(`LibTorch: the sha256 of ${path.basename(zip)} is right; unpacking`);
    return await install(zip, { cache, work, log, pinned });
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

/** @typedef {{ name: string, artifact: Artifact, run: () => Promise<string> }} Way */

/**
 * The ways to a file, in the order in which they are tried.
 *
 * @param {FetchOptions & { work: string, pinned: Pinned }} options
 * @returns {Way[]}
 */
function waysTo({ cache, work, env, log, pinned }) {
  const { wheel, archive, index, version } = pinned;
  const pip = { work, env, version };
  /** @type {Way[]} */
  const ways = [];
  if (output('python3', ['-m', 'pip', '--version'], { env }) === null) {
    log('LibTorch: python3 has no pip');
  } else {
    ways.push(
      {
        // Wheels that the machine keeps in folders: no index is asked, so no dead one can cost time.
        name: "pip, without an index (the folders of pip's own configuration)",
        artifact: wheel,
        run: () => pipDownload({ ...pip, args: ['--no-index', '-q'], visible: false }),
      },
      {
        name: `pip, with the indexes of its configuration and ${index}`,
        artifact: wheel,
        run: () => {
          const args = ['--timeout', '10', '--retries', '1', '--extra-index-url', index];
          return pipDownload({ ...pip, args, visible: true });
        },
      },
    );
  }
  ways.push({
    name: archive.url,
    artifact: archive,
    run: () => downloadFile(archive.url, path.join(cache, archive.file), { bytes: archive.bytes, env, log }),
  });
  return ways;
}

/**
 * @param {FetchOptions & { work: string, pinned: Pinned }} options
 * @returns {Promise<string>} a file whose hash is right
 */
async function obtain(options) {
  const { env, log, remedy, pinned } = options;
  /** @type {string[]} */
  const failures = [];
  for (const { name, artifact, run } of waysTo(options)) {
    log(`LibTorch: asking ${name} for ${artifact.file}, ${mebibytes(artifact.bytes)}`);
    try {
      const file = await run();
      const found = await sha256(file);
      if (found === artifact.sha256 || found === env.CXR_GAZE_LIBTORCH_SHA256) return file;
      rmSync(file, { force: true });
      throw new Error(
        `served another file of that name, which is not used: expected sha256 ${artifact.sha256}, found ${found} ` +
          '(if you trust it, set CXR_GAZE_LIBTORCH_SHA256 to what was found)',
      );
    } catch (error) {
      failures.push(`${name}: ${message(error)}`);
      log(`LibTorch: failed: ${message(error)}`);
    }
  }
  throw new SetupError(
    `LibTorch ${pinned.version} could not be fetched. Tried:\n    ${failures.join('\n    ')}`,
    {
      remedy: ["check the network or the proxy (HTTPS_PROXY, pip's configuration) and try again", ...remedy],
    },
  );
}

/**
 * @param {{ work: string, env: NodeJS.ProcessEnv, version: string, args: readonly string[], visible: boolean }} options
 *   `visible`: whether pip may show its progress
 * @returns {Promise<string>} the file
 */
async function pipDownload({ work, env, version, args, visible }) {
  const folder = path.join(work, 'wheel');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const command = [
    ...[
      '-m',
      'pip',
      'download',
      '--no-deps',
      '--only-binary=:all:',
      '--disable-pip-version-check',
      '--no-cache-dir',
    ],
    ...[
      '--python-version',
      '3.11',
      '--implementation',
      'cp',
      '--abi',
      'cp311',
      '--platform',
      'manylinux_2_28_x86_64',
    ],
    ...['--dest', folder, ...args, `torch==${version}`],
  ];
  const show = visible && process.stderr.isTTY;
  const child = spawn('python3', command, {
    env,
    cwd: work,
    stdio: ['ignore', show ? 'inherit' : 'ignore', 'pipe'],
  });
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
 * Unpacks a checked file beside its place and moves it there.
 *
 * @param {string} zip
 * @param {{ cache: string, work: string, log: (line: string) => void, pinned: Pinned }} options
 * @returns {Promise<string>} the folder
 */
async function install(zip, { cache, work, log, pinned }) {
  const { folder } = cachedFolder(cache, pinned);
  const unpacked = path.join(work, 'unpacked');
  const files = await unpackLibTorch(zip, unpacked);
  // On disk before the marker says so: after a power cut there is either no marker or a whole LibTorch.
  syncFolder(unpacked, files);
  const marker = {
    version: pinned.version,
    from: path.basename(zip),
    files: files.map((f) => [f.name, f.bytes]),
  };
  writeFileSync(path.join(unpacked, MARKER), `${JSON.stringify(marker)}\n`, { flush: true });
  if (cachedFolder(cache, pinned).problem === null) return folder; // another set-up was faster
  rmSync(folder, { recursive: true, force: true });
  renameSync(unpacked, folder);
  syncFolder(cache, []);
  rmSync(path.join(cache, pinned.archive.file), { force: true });
  log(`LibTorch: ${pinned.version} is in ${folder}`);
  return folder;
}

/** Unpacks of PyTorch's wheel or archive what compiling and running need, and sees it onto the disk. */
import { spawnSync } from 'node:child_process';
import { closeSync, createWriteStream, fsyncSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { SetupError } from './errors.mjs';

/** @typedef {{ name: string, bytes: number }} Unpacked */

/**
 * What is used of yauzl 3's promises; its published types stop at version 2.
 *
 * @typedef {import('yauzl').ZipFile & {
 *   eachEntry(): AsyncIterable<import('yauzl').Entry>,
 *   openReadStreamPromise(entry: import('yauzl').Entry): Promise<import('node:stream').Readable>,
 * }} Zip
 * @typedef {{ openPromise(file: string, options: import('yauzl').Options): Promise<Zip> }} Yauzl
 */

/** Libraries that belong to Python or to PyTorch's own tests. */
const UNUSED =
  /^lib\/(libtorch_python|libshm|libjitbackend_test|libtorchbind_test|libbackend_with_compiler|libaoti_custom_ops)/;

/** More than any wheel of PyTorch unpacks to; a crafted archive stops here and not at the end of the disk. */
const MOST_BYTES = 4 * 2 ** 30;

/**
 * Where an entry of the wheel (`torch/lib/libc10.so`) or of the archive (`libtorch/lib/libc10.so`) goes.
 *
 * @param {string} entry
 * @returns {string | null} a path below the LibTorch folder, null where it is not needed
 */
export function placeOf(entry) {
  const licence = /^torch-[^/]+\.dist-info\/(?:licenses\/)?(LICENSE|NOTICE)$/.exec(entry);
  if (licence?.[1] !== undefined) return licence[1];
  const inside = /^(?:lib)?torch\/((?:lib|include)\/.+|version\.py|build-version)$/.exec(entry)?.[1];
  return inside === undefined || inside.endsWith('/') || UNUSED.test(inside) ? null : inside;
}

/**
 * @param {string} file
 * @param {string} folder made here
 * @returns {Promise<Unpacked[]>} what was written, in the archive's order
 */
export async function unpackLibTorch(file, folder) {
  // Loaded here: set-up imports this file before `npm ci` has put yauzl in its place.
  const { openPromise } = /** @type {Yauzl} */ (/** @type {unknown} */ (await import('yauzl')));
  const zip = await openPromise(file, { strictFileNames: true, validateEntrySizes: true });
  /** @type {Unpacked[]} */
  const files = [];
  let total = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      const name = placeOf(entry.fileName);
      if (name === null) continue;
      total += entry.uncompressedSize;
      if (total > MOST_BYTES)
        throw new SetupError(`${file} unpacks to more than ${MOST_BYTES} bytes: no build of PyTorch does.`);
      const target = path.join(folder, name);
      mkdirSync(path.dirname(target), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target, { flags: 'wx' }));
      files.push({ name, bytes: entry.uncompressedSize });
    }
  } finally {
    zip.close();
  }
  if (files.length === 0) throw new SetupError(`${file} holds no LibTorch.`);
  return files;
}

/**
 * Returns when a folder's contents are on the disk.
 *
 * @param {string} folder
 * @param {readonly Unpacked[]} files
 */
export function syncFolder(folder, files) {
  // One call for the whole file system where the tool is there: 9,000 files one by one take minutes on a slow disk.
  const linux = process.platform === 'linux';
  if (linux && spawnSync('sync', ['-f', folder], { stdio: 'ignore' }).status === 0) return;
  for (const { name } of files) sync(path.join(folder, name));
  if (process.platform !== 'win32') sync(folder);
}

/** @param {string} file */
function sync(file) {
  const handle = openSync(file, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

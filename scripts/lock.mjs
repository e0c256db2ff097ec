/** One build at a time in a package folder: `npm test` in two terminals must not write the same objects. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Runs `work` while holding the lock file; waits for another process that holds it, and takes it over from a dead one.
 *
 * @template T
 * @param {string} file
 * @param {(line: string) => void} log
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, log, work) {
  for (let told = false; !take(file); told = true) {
    const holder = holderOf(file);
    if (holder !== null && !alive(holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) log(`waiting for process ${holder ?? '?'}, which is building here (${file})`);
    await wait(500);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** @param {string} file */
function take(file) {
  try {
    writeFileSync(file, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * @param {string} file
 * @returns {number | null} null where it has just gone or is just being written
 */
function holderOf(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** One file over HTTPS, continued where an interrupted download left off. */
import { createWriteStream, renameSync, rmSync, statSync } from 'node:fs';
import process from 'node:process';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** How long a silent connection is waited for, in milliseconds. */
const STALL = 15_000;

/**
 * Downloads to `file` by way of `file.partial`. The caller checks the hash; what is there under the final name is only
 * whole by its length.
 *
 * @param {string} url
 * @param {string} file
 * @param {{ bytes: number }} expected
 * @param {(line: string) => void} log
 * @returns {Promise<string>} `file`
 */
export async function downloadFile(url, file, expected, log) {
  if (statSync(file, { throwIfNoEntry: false })?.size === expected.bytes) return file;
  const partial = `${file}.partial`;
  let start = statSync(partial, { throwIfNoEntry: false })?.size ?? 0;
  if (start >= expected.bytes) {
    rmSync(partial);
    start = 0;
  }
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(new Error(`no data for ${STALL / 1000} s`)), STALL);
  try {
    const headers = start > 0 ? { range: `bytes=${start}-` } : {};
    const response = await fetch(url, { headers, signal: stall.signal });
    if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
    const resumed = response.status === 206;
    if (start > 0) log(`LibTorch: ${resumed ? `continuing at ${start}` : 'starting again'} of ${expected.bytes} bytes`);
    const watch = progress(resumed ? start : 0, expected.bytes, () => timer.refresh());
    await pipeline(
      Readable.fromWeb(/** @type {import('node:stream/web').ReadableStream} */ (response.body)),
      watch,
      createWriteStream(partial, { flags: resumed ? 'a' : 'w' }),
      { signal: stall.signal },
    );
  } catch (error) {
    throw stall.signal.aborted ? stall.signal.reason : cause(error);
  } finally {
    clearTimeout(timer);
  }
  const bytes = statSync(partial).size;
  if (bytes !== expected.bytes) {
    rmSync(partial);
    throw new Error(`${url} sent ${bytes} bytes where ${expected.bytes} were expected`);
  }
  renameSync(partial, file);
  return file;
}

/**
 * `fetch` says only "fetch failed"; what happened is in its cause.
 *
 * @param {unknown} error
 */
function cause(error) {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error;
}

/**
 * @param {number} start bytes that are there already
 * @param {number} total
 * @param {() => void} alive called with every piece
 */
function progress(start, total, alive) {
  let bytes = start;
  let shown = 0;
  return new Transform({
    transform(chunk, _encoding, done) {
      bytes += chunk.length;
      alive();
      if (process.stderr.isTTY && Date.now() - shown > 200) {
        shown = Date.now();
        process.stderr.write(`\r${((100 * bytes) / total).toFixed(0)} % of ${(total / 2 ** 20).toFixed(0)} MiB`);
      }
      done(null, chunk);
    },
    flush(done) {
      if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
      done();
    },
  });
}

/** One file over HTTPS, continued where an interrupted download left off. */
import { spawn } from 'node:child_process';
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
 * @param {{ bytes: number, env: NodeJS.ProcessEnv, log: (line: string) => void }} options `bytes`: what is expected
 * @returns {Promise<string>} `file`
 */
export async function downloadFile(url, file, { bytes, env, log }) {
  if (statSync(file, { throwIfNoEntry: false })?.size === bytes) return file;
  const partial = `${file}.partial`;
  const start = statSync(partial, { throwIfNoEntry: false })?.size ?? 0;
  if (start >= bytes) rmSync(partial);
  else if (start > 0) log(`LibTorch: continuing after the ${start} bytes that are there`);
  // Node's own fetch passes over the proxy variables (before Node 24); Python's does not.
  const proxy = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'].some(
    (n) => env[n],
  );
  await (proxy ? byPython(url, partial, env) : byFetch(url, partial, bytes));
  const found = statSync(partial).size;
  if (found !== bytes) {
    if (found > bytes) rmSync(partial);
    throw new Error(`${url} sent ${found} bytes where ${bytes} were expected`);
  }
  renameSync(partial, file);
  return file;
}

/**
 * @param {string} url
 * @param {string} partial appended to where the server can continue, written anew where it cannot
 * @param {number} bytes
 */
async function byFetch(url, partial, bytes) {
  const start = statSync(partial, { throwIfNoEntry: false })?.size ?? 0;
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(new Error(`${url}: no data for ${STALL / 1000} s`)), STALL);
  try {
    const headers = start > 0 ? { range: `bytes=${start}-` } : {};
    const response = await fetch(url, { headers, signal: stall.signal });
    if (!response.ok || response.body === null)
      throw new Error(`${url} answered ${response.status} ${response.statusText}`);
    const resumed = response.status === 206;
    await pipeline(
      Readable.fromWeb(/** @type {import('node:stream/web').ReadableStream} */ (response.body)),
      progress(resumed ? start : 0, bytes, () => timer.refresh()),
      createWriteStream(partial, { flags: resumed ? 'a' : 'w' }),
      { signal: stall.signal },
    );
  } catch (error) {
    throw stall.signal.aborted ? stall.signal.reason : cause(error);
  } finally {
    clearTimeout(timer);
  }
}

const PYTHON = `
import os, shutil, sys, urllib.request
url, partial = sys.argv[1:3]
start = os.path.getsize(partial) if os.path.exists(partial) else 0
request = urllib.request.Request(url, headers={'Range': f'bytes={start}-'} if start else {})
with urllib.request.urlopen(request, timeout=${STALL / 1000}) as response:
    with open(partial, 'ab' if response.status == 206 else 'wb') as out:
        shutil.copyfileobj(response, out, 1 << 20)
`;

/**
 * @param {string} url
 * @param {string} partial
 * @param {NodeJS.ProcessEnv} env
 */
async function byPython(url, partial, env) {
  const child = spawn('python3', ['-c', PYTHON, url, partial], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const status = await new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(new Error(`a proxy is set, which needs python3 to pass: ${error.message}`)),
    );
    child.on('close', resolve);
  });
  if (status !== 0)
    throw new Error(`${url}: ${errors.trim().split('\n').at(-1) ?? `python3 ended with ${status}`}`);
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
        process.stderr.write(
          `\r${((100 * bytes) / total).toFixed(0)} % of ${(total / 2 ** 20).toFixed(0)} MiB`,
        );
      }
      done(null, chunk);
    },
    flush(done) {
      if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
      done();
    },
  });
}

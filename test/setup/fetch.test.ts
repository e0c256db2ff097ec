import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import {
  type FetchScript,
  fakeLibTorch,
  type LibTorchScript,
  type Pinned,
  programs,
  script,
} from '../support/setup-scripts.js';
import { zip } from '../support/zip-bytes.js';

const { cachedFolder, fetchLibTorch } = await script<FetchScript>('fetch.mjs');
const { findLibTorch } = await script<LibTorchScript>('libtorch.mjs');
const linux = process.platform === 'linux' ? {} : { skip: 'LibTorch is fetched on Linux only' };

const VERSION = '2.13.0+cpu';
const files = fakeLibTorch(VERSION);
const extra = { 'lib/libtorch_python.so': 'Python only', 'bin/protoc': 'not needed' };

function packed(prefix: string): Buffer {
  return zip(
    Object.entries({ ...files, ...extra }).map(([name, data]) => ({ name: `${prefix}/${name}`, data })),
  );
}
const archive = packed('libtorch');
const wheel = packed('torch');

function artifact(file: string, data: Buffer) {
  return { file, bytes: data.length, sha256: createHash('sha256').update(data).digest('hex') };
}

/** Serves by `listener` until the test ends. */
async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function pinned(url: string): Pinned {
  return {
    version: VERSION,
    index: `${url}/whl`,
    wheel: artifact('torch.whl', wheel),
    archive: { ...artifact('libtorch.zip', archive), url: `${url}/libtorch.zip` },
  };
}

/** An address at which nothing listens. */
async function nowhere(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

/** A machine with these programs only, an empty cache, and a log. */
function machine(t: Test, bin: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = {}) {
  const lines: string[] = [];
  const folder = t.testdir();
  const PATH = programs(path.join(folder, 'bin'), bin);
  const options = { cache: path.join(folder, 'cache'), env: { PATH, ...env }, remedy: ['ask'] };
  return { ...options, folder, lines, log: (line: string) => lines.push(line) };
}

t.test('the archive is fetched, checked, unpacked and reused without a network', linux, async (t) => {
  let requests = 0;
  const url = await serve(t, (_, response) => {
    requests += 1;
    response.end(archive);
  });
  const here = machine(t);
  const folder = await fetchLibTorch({ ...here, pinned: pinned(url) });
  for (const [name, text] of Object.entries(files))
    t.equal(readFileSync(path.join(folder, name), 'utf8'), text, name);
  t.notOk(existsSync(path.join(folder, 'lib/libtorch_python.so')), 'what only Python needs is left out');
  t.same(readdirSync(here.cache), [path.basename(folder)], 'no download and no temporary folder stays');
  t.ok(
    here.lines.some((line) => line.includes('libtorch.zip, ') && line.includes('MiB')),
    'the size is told before',
  );
  const found = findLibTorch({ env: { PATH: '', CXR_GAZE_CACHE: here.cache } });
  t.match(found.found, { folder, source: 'cache', version: VERSION });
  t.equal(requests, 1);
});

t.test('another file of the same name is refused and not kept', linux, async (t) => {
  const other = Buffer.from(archive);
  other[60] = (other[60] ?? 0) ^ 1;
  const url = await serve(t, (_, response) => response.end(other));
  const here = machine(t);
  const wrong = fetchLibTorch({ ...here, pinned: pinned(url) });
  const { sha256 } = artifact('', other);
  await t.rejects(wrong, {
    code: 'ERR_NATIVE_NOT_BUILT',
    message: new RegExp(`found ${sha256}[\\s\\S]*- ask`),
  });
  t.same(readdirSync(here.cache), []);

  const trusted = { ...here, env: { ...here.env, CXR_GAZE_LIBTORCH_SHA256: sha256 } };
  const folder = await fetchLibTorch({ ...trusted, pinned: pinned(url) });
  t.equal(cachedFolder(here.cache).problem, null, 'taken where the person names its hash');
  t.ok(existsSync(folder));
});

t.test('an interrupted download is continued; one that went wrong is begun anew', linux, async (t) => {
  const ranges: (string | undefined)[] = [];
  const url = await serve(t, (request, response) => {
    ranges.push(request.headers.range);
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200);
    // The first answer breaks off in the middle.
    response.end(ranges.length === 1 ? archive.subarray(0, 300) : archive.subarray(start));
  });
  const here = machine(t);
  await t.rejects(fetchLibTorch({ ...here, pinned: pinned(url) }), {
    message: /sent 300 bytes where \d+ were expected/,
  });
  await fetchLibTorch({ ...here, pinned: pinned(url) });
  t.same(ranges, [undefined, 'bytes=300-']);

  const partial = path.join(here.cache, 'libtorch.zip.partial');
  rmSync(cachedFolder(here.cache).folder, { recursive: true });
  writeFileSync(partial, Buffer.alloc(300));
  await t.rejects(fetchLibTorch({ ...here, pinned: pinned(url) }), { message: /expected sha256/ });
  t.same(readdirSync(here.cache), [], 'a wrong beginning is thrown away');
  await fetchLibTorch({ ...here, pinned: pinned(url) });
  t.equal(cachedFolder(here.cache).problem, null);
});

t.test('a torn LibTorch in the cache is never used, and replaced', linux, async (t) => {
  const url = await serve(t, (_, response) => response.end(archive));
  const here = machine(t);
  const env = { PATH: '', CXR_GAZE_CACHE: here.cache };
  const folder = await fetchLibTorch({ ...here, pinned: pinned(url) });
  const damages: Record<string, () => void> = {
    'no marker': () => rmSync(path.join(folder, 'cxr-gaze.json')),
    'half a marker': () => truncateSync(path.join(folder, 'cxr-gaze.json'), 20),
    'a short library': () => truncateSync(path.join(folder, 'lib/libtorch_cpu.so'), 4),
    'a missing header': () => rmSync(path.join(folder, 'include/ATen/ATen.h')),
  };
  for (const [name, damage] of Object.entries(damages)) {
    damage();
    const { found, tried } = findLibTorch({ env });
    t.equal(found, null, name);
    t.match(tried.at(-1), /will be replaced/, name);
    await fetchLibTorch({ ...here, pinned: pinned(url) });
    t.match(findLibTorch({ env }).found, { folder }, `${name}, repaired`);
  }
});

t.test('what a killed set-up left is removed', linux, async (t) => {
  const url = await serve(t, (_, response) => response.end(archive));
  const here = machine(t);
  // No process has the greatest number that Linux allows plus one.
  mkdirSync(path.join(here.cache, 'fetch-4194305', 'unpacked'), { recursive: true });
  const living = path.join(here.cache, `fetch-${process.ppid}`);
  mkdirSync(living);
  await fetchLibTorch({ ...here, pinned: pinned(url) });
  t.notOk(existsSync(path.join(here.cache, 'fetch-4194305')));
  t.ok(existsSync(living), 'that of a running one is not');
});

t.test('an archive that leaves its folder is refused', linux, async (t) => {
  const crafted = zip([
    { name: 'libtorch/lib/libtorch.so', data: 'x' },
    { name: 'libtorch/lib/../../../escaped', data: 'x' },
  ]);
  const url = await serve(t, (_, response) => response.end(crafted));
  const here = machine(t);
  const pins = pinned(url);
  const evil = { ...pins, archive: { ...pins.archive, ...artifact('libtorch.zip', crafted) } };
  await t.rejects(fetchLibTorch({ ...here, pinned: evil }), { message: /invalid relative path/ });
  t.notOk(existsSync(path.join(here.folder, 'escaped')));
  t.match(cachedFolder(here.cache).problem, /none in the cache/);
});

t.test('pip is asked for its own folders first, then with the index', linux, async (t) => {
  const python3 = [
    'if [ "$3" = --version ]; then echo pip 23; exit 0; fi',
    'echo "$*" >> "$CALLS"',
    'case "$*" in *--no-index*) echo "ERROR: No matching distribution" >&2; exit 1;; esac',
    'while [ "$1" != --dest ]; do shift; done',
    '/bin/cp "$WHEEL" "$2"',
  ].join('\n');
  const here = machine(t, { python3 });
  const calls = path.join(here.folder, 'calls');
  const source = path.join(here.folder, 'torch.whl');
  writeFileSync(source, wheel);
  const env = { ...here.env, CALLS: calls, WHEEL: source };
  const folder = await fetchLibTorch({ ...here, env, pinned: pinned('http://pytorch.invalid') });
  t.equal(readFileSync(path.join(folder, 'lib/libc10.so'), 'utf8'), 'c10');
  const [first = '', second = ''] = readFileSync(calls, 'utf8').trim().split('\n');
  for (const call of [first, second]) {
    t.match(
      call,
      /--no-deps --only-binary=:all: .*--python-version 3\.11 .*--platform manylinux_2_28_x86_64/,
    );
    t.match(call, /torch==2\.13\.0\+cpu$/);
  }
  t.match(first, /--no-index/);
  t.match(second, /--timeout 10 --retries 1 --extra-index-url http:\/\/pytorch\.invalid\/whl/);
});

t.test('when nothing answers the error names each way', linux, async (t) => {
  const here = machine(t);
  await t.rejects(fetchLibTorch({ ...here, pinned: pinned(await nowhere()) }), {
    code: 'ERR_NATIVE_NOT_BUILT',
    message:
      /could not be fetched\. Tried:\n {4}http:\/\/127\.0\.0\.1:\d+\/libtorch\.zip: connect ECONNREFUSED[\s\S]*- ask/,
  });
  t.same(readdirSync(here.cache), []);
});

const python = process.env.PATH?.split(':').some((folder) => existsSync(path.join(folder, 'python3')));
const proxies = python ? linux : { skip: 'no python3 here, which downloads through proxies' };

t.test('a proxy is obeyed', proxies, async (t) => {
  const asked: string[] = [];
  const proxy = await serve(t, (request, response) => {
    asked.push(request.url ?? '');
    response.end(archive);
  });
  // The machine's Python, but without pip.
  const python3 = `if [ "$1" = -m ]; then exit 1; fi\nPATH='${process.env.PATH}'; exec python3 "$@"`;
  const here = machine(t, { python3 }, { http_proxy: proxy });
  await fetchLibTorch({ ...here, pinned: pinned('http://pytorch.invalid') });
  t.same(asked, ['http://pytorch.invalid/libtorch.zip']);
});

import { rmSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { fakeLibTorch, type LibTorchScript, programs, script, writeFiles } from '../support/setup-scripts.js';

const { cacheFolder, ensureLibTorch, findLibTorch, inspect } = await script<LibTorchScript>('libtorch.mjs');
const linux = process.platform === 'linux' ? {} : { skip: 'library file names here are those of Linux' };

t.test('a folder is judged by what it holds', linux, async (t) => {
  const folder = writeFiles(t.testdir(), fakeLibTorch('2.13.0+cpu'));
  t.same(inspect(folder), { folder, version: '2.13.0+cpu', minor: 13, cuda: false });

  writeFiles(folder, { 'lib/libtorch_cuda.so': '' });
  t.match(inspect(folder), { cuda: true });

  rmSync(path.join(folder, 'lib/libc10.so'));
  t.equal(inspect(folder), 'no lib/libc10.so');
  t.equal(inspect(path.join(folder, 'nowhere')), 'no such folder');

  const above = path.join(folder, 'above');
  writeFiles(path.join(above, 'libtorch'), fakeLibTorch('2.13.0'));
  t.match(inspect(above), /did you mean .*libtorch\?/, 'the folder above the unpacked archive is named');
});

t.test('only supported versions are taken', linux, async (t) => {
  for (const version of ['2.11.0', '2.12.1+cu126', '2.13.0+cpu', '2.14.1']) {
    const folder = writeFiles(path.join(t.testdir(), version), fakeLibTorch(version));
    t.match(inspect(folder), { version, minor: Number(version.split('.')[1]) });
  }
  for (const version of ['2.10.0', '2.7.1+cpu', '2.15.0', '1.13.1', '3.12.0']) {
    const folder = writeFiles(path.join(t.testdir(), version), fakeLibTorch(version));
    t.equal(inspect(folder), `version ${version} is not supported (2.11 to 2.14 are)`);
  }
});

t.test('the version is read from version.py, build-version or the header', linux, async (t) => {
  const { 'version.py': _, ...files } = fakeLibTorch('');
  const folder = writeFiles(t.testdir(), files);
  t.match(inspect(folder), /version cannot be read/);
  writeFiles(folder, {
    'include/torch/headeronly/version.h':
      '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 12\n#define TORCH_VERSION_PATCH 1\n',
  });
  t.match(inspect(folder), { version: '2.12.1', minor: 12 });
  writeFiles(folder, { 'build-version': '2.14.0+cpu\n' });
  t.match(inspect(folder), { version: '2.14.0+cpu', minor: 14 });
  writeFiles(folder, { 'version.py': "__version__ = '2.11.0+cpu'\n" });
  t.match(inspect(folder), { version: '2.11.0+cpu', minor: 11 });
});

t.test('the named folder comes before PyTorch, and PyTorch before the cache', linux, async (t) => {
  const home = t.testdir();
  const named = writeFiles(path.join(home, 'named'), fakeLibTorch('2.14.0'));
  const python = writeFiles(path.join(home, 'python'), fakeLibTorch('2.12.0+cu126'));
  const cache = path.join(home, 'cache');
  const cached = path.join(cache, 'libtorch-2.13.0+cpu-linux-x64');
  const files = fakeLibTorch('2.13.0+cpu');
  const sizes = Object.entries(files).map(([name, text]) => [name, text.length]);
  writeFiles(cached, { ...files, 'cxr-gaze.json': JSON.stringify({ files: sizes }) });
  const env = {
    CXR_GAZE_LIBTORCH: named,
    CXR_GAZE_CACHE: cache,
    PATH: programs(path.join(home, 'bin'), { python3: `echo noise of a start-up file; echo ${python}` }),
  };

  const lines: string[] = [];
  const first = findLibTorch({ env, log: (line) => lines.push(line) });
  t.match(first.found, { folder: named, source: 'CXR_GAZE_LIBTORCH' });
  t.equal(lines.length, 1, 'one line a step');

  const { CXR_GAZE_LIBTORCH: _, ...unnamed } = env;
  const second = findLibTorch({ env: unnamed });
  t.match(second.found, { folder: python, source: 'python', version: '2.12.0+cu126' });

  writeFiles(python, { 'version.py': "__version__ = '2.7.0'\n" });
  const third = findLibTorch({ env: unnamed });
  t.match(third.found, { folder: cached, source: 'cache' });
  t.match(third.tried[1], /passed over: version 2\.7\.0 is not supported/);

  const nothing = findLibTorch({ env: { ...unnamed, CXR_GAZE_CACHE: path.join(home, 'empty'), PATH: '' } });
  t.equal(nothing.found, null);
  t.match(nothing.tried, ['CXR_GAZE_LIBTORCH is not set', 'no python3', /none in the cache/]);
});

t.test('a named folder that will not do is an error, not passed over', async (t) => {
  const env = { CXR_GAZE_LIBTORCH: t.testdir(), PATH: '' };
  t.throws(() => findLibTorch({ env }), {
    code: 'ERR_NATIVE_NOT_BUILT',
    message: /Expected a LibTorch folder for CXR_GAZE_LIBTORCH but .* will not do: no include\/ATen\/ATen\.h/,
  });
});

t.test('a forbidden download says what was tried and what to do', async (t) => {
  const env = { CXR_GAZE_CACHE: t.testdir(), PATH: '' };
  const expected = {
    code: 'ERR_NATIVE_NOT_BUILT',
    message:
      /switched off\. Tried: CXR_GAZE_LIBTORCH is not set; no python3; none in the cache[\s\S]*set CXR_GAZE_LIBTORCH/,
  };
  await t.rejects(ensureLibTorch({ env, fetch: false }), expected, 'by option');
  await t.rejects(ensureLibTorch({ env: { ...env, CXR_GAZE_NO_FETCH: '1' } }), expected, 'by variable');
});

t.test('the cache folder follows the XDG rules', async (t) => {
  t.equal(cacheFolder({ HOME: '/home/ada' }), '/home/ada/.cache/cxr-gaze');
  t.equal(cacheFolder({ HOME: '/home/ada', XDG_CACHE_HOME: '/var/ada' }), '/var/ada/cxr-gaze');
  t.equal(cacheFolder({ HOME: '/home/ada', XDG_CACHE_HOME: 'relative' }), '/home/ada/.cache/cxr-gaze');
  t.equal(cacheFolder({ HOME: '/home/ada', CXR_GAZE_CACHE: '/srv/torch' }), '/srv/torch');
});

import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import t, { type Test } from 'tap';
import { root } from '../support/paths.js';
import { fakeLibTorch, script, writeFiles } from '../support/setup-scripts.js';

interface Info {
  readonly libtorch: string;
  readonly minor: number;
  readonly path: string;
  readonly cuda: boolean;
  readonly compiler: string;
  readonly stamp: string;
}
interface Options {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}
interface BuildScript {
  build(options: Options): Promise<{ addon: string; info: Info; built: boolean }>;
  readBuildInfo(root: string): Info | null;
  loadFailure(addon: string): string | null;
}
interface Diagnosis {
  readonly usable: boolean;
  readonly findings: readonly { name: string; state: string; text: string }[];
  readonly next: readonly string[];
}
interface DoctorScript {
  diagnose(options: { root: string; env: NodeJS.ProcessEnv }): Promise<Diagnosis>;
}
const { build, readBuildInfo, loadFailure } = await script<BuildScript>('build.mjs');
const { diagnose } = await script<DoctorScript>('doctor.mjs');
const linux = process.platform === 'linux' ? {} : { skip: 'library file names here are those of Linux' };

const cmake = `
cmake_minimum_required(VERSION 3.21)
project(small LANGUAGES CXX)
add_library(cxr_gaze MODULE native/addon.cc)
target_include_directories(cxr_gaze PRIVATE \${CMAKE_JS_INC})
target_compile_definitions(cxr_gaze PRIVATE VERSION="\${CXR_GAZE_LIBTORCH_VERSION}")
set_target_properties(cxr_gaze PROPERTIES PREFIX "" SUFFIX ".node" LIBRARY_OUTPUT_DIRECTORY "\${CXR_GAZE_OUTPUT}")
`;
const addon = (text: string) => `
#include <node_api.h>
NAPI_MODULE_INIT() {
  napi_value value;
  napi_create_string_utf8(env, VERSION "${text}", NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, exports, "text", value);
  return exports;
}
`;

/** A package of one small source file that goes through the same script, with a LibTorch that is only looked at. */
function smallPackage(t: Test) {
  const folder = t.testdir();
  const libtorch = writeFiles(path.join(folder, 'libtorch'), fakeLibTorch('2.13.0+cpu'));
  const home = writeFiles(path.join(folder, 'package'), {
    'package.json': '{ "name": "small", "version": "1.0.0", "binary": { "napi_versions": [9] } }',
    'CMakeLists.txt': cmake,
    'native/addon.cc': addon(''),
  });
  symlinkSync(path.join(root, 'node_modules'), path.join(home, 'node_modules'));
  const lines: string[] = [];
  const env: NodeJS.ProcessEnv = { ...process.env, CXR_GAZE_LIBTORCH: libtorch };
  return { home, libtorch, lines, options: { root: home, env, log: (line: string) => lines.push(line) } };
}

t.test('builds what is stale and nothing else', linux, async (t) => {
  const { home, libtorch, options } = smallPackage(t);
  const first = await build(options);
  t.match(first, { built: true, info: { libtorch: '2.13.0+cpu', minor: 13, path: libtorch, cuda: false } });
  t.equal(createRequire(import.meta.url)(first.addon).text, '2.13.0+cpu');
  t.same(readBuildInfo(home), first.info);

  t.match(await build(options), { built: false, info: first.info });

  writeFileSync(path.join(home, 'native/addon.cc'), addon('!'));
  const second = await build(options);
  t.ok(second.built, 'a changed source');
  t.not(second.info.stamp, first.info.stamp);
  t.ok(readFileSync(second.addon).includes('2.13.0+cpu!'));

  writeFiles(libtorch, { 'version.py': "__version__ = '2.14.0+cpu'\n" });
  const third = await build(options);
  t.match(third, { built: true, info: { libtorch: '2.14.0+cpu', minor: 14 } }, 'another LibTorch');
  t.ok(readFileSync(third.addon).includes('2.14.0+cpu!'));
  t.notOk(existsSync(path.join(home, '.build/native')), 'an installed package keeps no objects');

  const healthy = await diagnose({ root: home, env: options.env });
  t.equal(healthy.findings.find(({ name }) => name === 'Addon')?.state, 'ok');
  t.equal(healthy.usable, true);

  writeFiles(libtorch, { 'version.py': "__version__ = '2.12.0+cpu'\n" });
  const changed = await diagnose({ root: home, env: options.env });
  t.equal(changed.usable, false, 'LibTorch was replaced below the addon');
  t.match(
    changed.findings.find(({ name }) => name === 'Addon')?.text,
    /built with LibTorch 2\.14\.0.*it now holds 2\.12\.0/,
  );
  t.match(changed.next, [/cxr-gaze build/]);
});

t.test("a build that fails shows the compiler's words and leaves no addon behind", linux, async (t) => {
  const { home, options } = smallPackage(t);
  writeFileSync(path.join(home, 'native/addon.cc'), '#error "no such luck"\n');
  await t.rejects(build(options), {
    code: 'ERR_NATIVE_NOT_BUILT',
    message: /cmake-js build failed[\s\S]*no such luck/,
  });
  t.equal(readBuildInfo(home), null);

  writeFileSync(path.join(home, 'native/addon.cc'), '// exports nothing\n');
  await t.rejects(build(options), { message: /was built but does not load: .*did not self-register/ });
  t.equal(readBuildInfo(home), null, 'what does not load is not taken for built');

  writeFileSync(
    path.join(home, 'native/addon.cc'),
    '__attribute__((constructor)) static void f() { __builtin_trap(); }\n',
  );
  await t.rejects(build(options), { message: /ended with signal SIG/ }, 'nor does it bring down set-up');

  writeFileSync(path.join(home, 'native/addon.cc'), addon(''));
  t.match(await build(options), { built: true }, 'and the next attempt is not held back by it');
});

t.test('the doctor says what to do where nothing is built', linux, async (t) => {
  const { home, options } = smallPackage(t);
  const { usable, findings, next } = await diagnose({ root: home, env: options.env });
  t.equal(usable, false);
  t.match(
    findings.find(({ name }) => name === 'Addon'),
    { state: 'problem', text: /not built/ },
  );
  t.match(
    findings.find(({ name }) => name === 'LibTorch'),
    { state: 'ok', text: /2\.13\.0\+cpu, without CUDA/ },
  );
  t.match(
    findings.find(({ name }) => name === 'sharp'),
    { state: 'ok' },
  );
  t.match(next, ['npx cxr-gaze build   # builds the addon']);
  t.notOk(existsSync(path.join(home, 'build')), 'and does not do it');
});

t.test('an addon that does not load is explained', async (t) => {
  const folder = writeFiles(t.testdir(), { 'bad.node': 'not a library' });
  t.match(loadFailure(path.join(folder, 'bad.node')), /bad\.node/);
});

import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { runBuild } from '../../lib/cli/build.js';
import { runDoctor } from '../../lib/cli/doctor.js';
import { root } from '../support/paths.js';

const addon = path.join(root, 'build/Release/cxr_gaze.node');
const built = existsSync(addon) ? {} : { skip: 'the addon is not built here' };

t.test('doctor prints a line for each finding and what to do next', async (t) => {
  const lines: string[] = [];
  const { usable, findings, next } = await runDoctor({ print: (line) => lines.push(line) });
  for (const name of ['Node', 'Addon', 'Compiler', 'LibTorch', 'sharp']) {
    t.ok(
      findings.some((finding) => finding.name === name),
      name,
    );
    t.ok(
      lines.some((line) => line.slice(5).startsWith(name)),
      `${name} is printed`,
    );
  }
  t.equal(usable, !findings.some(({ state }) => state === 'problem'));
  t.ok(lines.includes(usable ? 'cxr-gaze is ready.' : 'cxr-gaze is not usable yet.'));
  for (const line of next) t.ok(lines.includes(`  ${line}`));
});

t.test('doctor as JSON is the diagnosis on one line', async (t) => {
  const lines: string[] = [];
  const diagnosis = await runDoctor({ json: true, print: (line) => lines.push(line) });
  t.equal(lines.length, 1);
  t.same(JSON.parse(lines[0] ?? ''), diagnosis);
});

t.test('build says that the addon is up to date', built, async (t) => {
  const lines: string[] = [];
  const result = await runBuild({ print: (line) => lines.push(line), fetch: false });
  t.equal(result.addon, addon);
  t.match(result.libtorch, /^2\.1[1-4]\.\d/);
  t.match(lines.at(-1), /^Addon: /);
});

t.test('wrong options are refused', async (t) => {
  const code = 'ERR_INVALID_ARGUMENT';
  await t.rejects(runBuild({ jobs: 0 }), { code, message: /Expected an integer at least 1 for jobs/ });
  await t.rejects(runBuild({ fetch: 'no' as unknown as boolean }), { code });
  await t.rejects(runBuild({ forse: true } as object), { code, message: /forse/ });
  await t.rejects(runDoctor({ json: 1 as unknown as boolean }), { code });
});

t.test('a LibTorch that will not do is an error with a code', async (t) => {
  const before = process.env.CXR_GAZE_LIBTORCH;
  process.env.CXR_GAZE_LIBTORCH = t.testdir();
  t.teardown(() => {
    if (before === undefined) delete process.env.CXR_GAZE_LIBTORCH;
    else process.env.CXR_GAZE_LIBTORCH = before;
  });
  await t.rejects(runBuild({ print: () => {} }), {
    name: 'CxrGazeError',
    code: 'ERR_NATIVE_NOT_BUILT',
    message: /The addon was not built: Expected a LibTorch folder for CXR_GAZE_LIBTORCH/,
  });
});

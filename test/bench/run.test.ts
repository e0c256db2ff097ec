import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { childEnv } from '../support/child.js';
import { root } from '../support/paths.js';

// Each file beside the runner is a benchmark.
const names = readdirSync(path.join(root, 'bench'))
  .filter((file) => file.endsWith('.mjs') && file !== 'run.mjs')
  .map((file) => path.basename(file, '.mjs'))
  .sort();

function bench(...words: string[]): { status: number | null; out: string; err: string } {
  const { CXR_GAZE_PYTHON: _, ...env } = childEnv();
  const run = spawnSync(process.execPath, [path.join(root, 'bench', 'run.mjs'), ...words], {
    encoding: 'utf8',
    env,
  });
  return { status: run.status, out: run.stdout, err: run.stderr };
}

// Figures are never tested: only that the benchmarks run and say what they measured.
t.test('the benchmarks tell what they are', async (t) => {
  const { status, out } = bench('--help');
  t.equal(status, 0);
  for (const name of [...names, 'CXR_GAZE_PYTHON']) t.match(out, name);
});

t.test('one JSON object a line, the machine first', async (t) => {
  const { status, out, err } = bench('loop', '--quick', '--json', '--only', 'loop/waiting');
  t.equal(status, 0, err);
  const [machine, ...results] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(machine, { name: 'machine', cores: Number, libtorch: /^2\./, node: process.versions.node });
  t.equal(results.length, 1);
  const [waiting] = results as [{ ours: number }];
  t.match(waiting, { name: 'loop/waiting', ours: Number, peer: null, speedup: null, unit: '% of a step' });
  t.ok(waiting.ours >= 0 && waiting.ours <= 100, `${waiting.ours} %`);
});

t.test('a missing peer and a wrong name are said', async (t) => {
  const peerless = bench('metrics', '--quick');
  t.equal(peerless.status, 1);
  t.match(peerless.err, /CXR_GAZE_PYTHON must name a Python with/);
  const wrong = bench('studnet');
  t.not(wrong.status, 0);
  const [, offered] = wrong.err.match(/Expected one of (.*) but received studnet/) ?? [];
  t.same(offered?.split(', ').sort(), names);
});

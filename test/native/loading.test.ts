/** The package without an addon that loads: what is pure TypeScript works, the rest says what is missing. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { runScript } from '../support/child.js';
import { root } from '../support/paths.js';

/** A copy of the package as it is installed, below this one so that it finds its dependencies; without an addon. */
function installed(t: Test): string {
  const folder = t.testdir();
  cpSync(path.join(root, 'dist', 'lib'), path.join(folder, 'dist', 'lib'), { recursive: true });
  for (const file of ['package.json', 'scripts/libtorch-version.cjs'])
    cpSync(path.join(root, file), path.join(folder, file));
  return folder;
}

/** What the first native call says in a package at `folder`; `metrics 1` where numbers need no addon. */
async function firstCall(folder: string): Promise<{ code: string; message: string; metrics: string }> {
  const index = pathToFileURL(path.join(folder, 'dist', 'lib', 'index.js')).href;
  const ended = await runScript(`
    import { evaluatePredictions, ldamMargins, tensor } from '${index}';
    const metrics = evaluatePredictions({
      probabilities: Float64Array.of(0.9, 0.1, 0.2, 0.8), labels: Int32Array.of(0, 1), classes: ['a', 'b'],
    });
    ldamMargins({ counts: [3, 1] });
    try {
      tensor([1]);
      console.log(JSON.stringify({ code: 'none' }));
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message, metrics: 'metrics ' + metrics.accuracy }));
    }`);
  if (ended.code !== 0) throw new Error(ended.err);
  return JSON.parse(ended.out);
}

t.test('nothing is built: the paths tried and the remedy; metrics work', async (t) => {
  const folder = installed(t);
  const { code, message, metrics } = await firstCall(folder);
  t.equal(code, 'ERR_NATIVE_NOT_BUILT');
  t.ok(message.includes(`${path.join(folder, 'build', 'Release', 'cxr_gaze.node')}: not there`), message);
  t.match(message, /npx cxr-gaze build[\s\S]*npx cxr-gaze doctor/);
  t.equal(metrics, 'metrics 1');
});

t.test('what is there does not load: the reason of the system’s loader', async (t) => {
  const folder = installed(t);
  mkdirSync(path.join(folder, 'build', 'Release'), { recursive: true });
  writeFileSync(path.join(folder, 'build', 'Release', 'cxr_gaze.node'), 'no library');
  const { code, message } = await firstCall(folder);
  t.equal(code, 'ERR_NATIVE_NOT_BUILT');
  t.match(message, /cxr_gaze\.node: .*(invalid ELF header|file too short|not a|slice|%1)/i);
});

t.test('another LibTorch than it was built with is refused before it can crash', async (t) => {
  const folder = installed(t);
  const place = path.join(folder, 'build', 'Release');
  mkdirSync(place, { recursive: true });
  writeFileSync(path.join(place, 'cxr_gaze.node'), 'never looked at');
  const info = JSON.parse(readFileSync(path.join(root, 'build', 'Release', 'build-info.json'), 'utf8'));
  writeFileSync(path.join(place, 'build-info.json'), JSON.stringify({ ...info, libtorch: '2.0.1' }));
  const { code, message } = await firstCall(folder);
  t.equal(code, 'ERR_NATIVE_NOT_BUILT');
  t.match(message, new RegExp(`Expected LibTorch 2\\.0 in .* but found ${info.libtorch.split('+')[0]}`));
  t.match(message, /npx cxr-gaze build/);
});

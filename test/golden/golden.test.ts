import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { childEnv } from '../support/child.js';

const program = join(dirname(fileURLToPath(import.meta.url)), 'run.js');

function golden(folder?: string): Promise<{ code: number; output: string }> {
  const { CXR_GAZE_GOLDEN: _, ...env } = childEnv();
  const own = folder === undefined ? env : { ...env, CXR_GAZE_GOLDEN: folder };
  return new Promise((resolve) => {
    execFile(process.execPath, [program], { env: own }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
  });
}

t.test("the project's own copy passes", async (t) => {
  const { code, output } = await golden();
  t.match(output.trimEnd().split('\n').slice(-12).join('\n'), /\n[1-9]\d* passed, 0 failed, \d+ skipped$/);
  t.equal(code, 0, 'exit status');
});

t.test('what fails sets the exit status', async (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'sub'));
  const margins = (values: number[]): string =>
    JSON.stringify({
      case: 'gazelt/ldam-margins',
      config: { counts: [16, 1], max_m: 0.5 },
      inputs: {},
      outputs: { margins: { shape: [2], values } },
      tolerance: { rtol: 1e-6, atol: 0 },
    });
  writeFileSync(join(folder, 'sub', 'right.json'), margins([0.25, 0.5]));
  t.match(await golden(folder), { code: 0, output: /1 passed, 0 failed, 0 skipped\n$/ });
  writeFileSync(join(folder, 'sub', 'wrong.json'), margins([0.25, 0.4]));
  t.match(await golden(folder), { code: 1, output: /1 passed, 1 failed, 0 skipped\n$/ });
});

t.test('a folder that is not there or holds no case is an error', async (t) => {
  t.match(await golden(join(t.testdirName, 'nowhere')), { code: 1, output: /does not exist/ });
  t.match(await golden(t.testdir({ 'README.md': '' })), { code: 1, output: /No case/ });
});

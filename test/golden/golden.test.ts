import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { childEnv } from '../support/child.js';
import { findCaseFiles } from './case.js';
import { caseFolders, longCases, shortCases } from './folders.js';
import { tableFile } from './kinds/split.js';

const program = join(dirname(fileURLToPath(import.meta.url)), 'run.js');

function golden(folder: string): Promise<{ code: number; output: string }> {
  const env = { ...childEnv(), CXR_GAZE_GOLDEN: folder };
  return new Promise((resolve) => {
    execFile(process.execPath, [program], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
  });
}

t.test("the project's short cases pass", async (t) => {
  const { code, output } = await golden(shortCases);
  const lines = output.trimEnd().split('\n');
  // NIH's table is not shipped. Nothing else may be left out.
  const table = 'Data_Entry_2017_v2020.csv';
  const absent = tableFile(table) === undefined;
  t.match(
    lines.filter((line) => line.startsWith('skipped')),
    absent ? [new RegExp(`^skipped 1 case, NIH's ${table} is not at hand .*: loc-attention/split-nih$`)] : [],
  );
  t.match(
    lines.slice(-12).join('\n'),
    new RegExp(`\n[1-9]\\d* passed, 0 failed, ${Number(absent)} skipped$`),
  );
  t.equal(code, 0, 'exit status');
});

t.test('unless a folder is named, the long cases are compared, too', (t) => {
  t.same(caseFolders(undefined), [shortCases, longCases]);
  t.same(caseFolders('elsewhere'), ['elsewhere']);
  for (const folder of caseFolders(undefined)) t.ok(findCaseFiles(folder).length > 0, folder);
  t.end();
});

t.test('what is unknown of a built system fails, other systems are skipped', async (t) => {
  const map = { weights: 'load_filled', mode: 'eval', num_classes: 2, method: 'gradcam', targets: [0] };
  const cases = {
    'kind.json': { case: 'loc-attention/camm', config: {} },
    'other-kind.json': { case: 'gazelt/students', config: {} },
    'backbone.json': { case: 'loc-attention/cam', config: { ...map, model: 'resnet49' } },
    'system.json': { case: 'mcgip/byol-step', config: {} },
  };
  const files = Object.entries(cases).map(([name, item]) => [
    name,
    JSON.stringify({ ...item, inputs: {}, outputs: {}, tolerance: { rtol: 0, atol: 0 } }),
  ]);
  const { code, output } = await golden(t.testdir(Object.fromEntries(files)));
  t.equal(code, 1, 'exit status');
  t.match(output, /unknown kind 'loc-attention\/camm'/);
  t.match(output, /unknown kind 'gazelt\/students'/);
  t.match(output, /model is "resnet49", none of/);
  t.match(output, /skipped 1 case, the system mcgip is not built yet: mcgip\/byol-step/);
  t.match(output, /0 passed, 3 failed, 1 skipped\n$/);
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

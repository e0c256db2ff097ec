import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/paths.js';
import { goldenMetricOutputs, goldenMetrics } from './golden-metrics.js';

const folder = join(process.env.CXR_GAZE_GOLDEN ?? join(root, 'test', 'golden'), 'gazelt');
const files = existsSync(folder) ? readdirSync(folder).filter((name) => /^metrics-.*\.json$/.test(name)) : [];

/** All numbers of a value, depth first, with their paths. */
function leaves(value: unknown, path: string): [string, number][] {
  if (typeof value === 'number') return [[path, value]];
  return Object.entries(value as object).flatMap(([key, child]) => leaves(child, `${path}.${key}`));
}

if (files.length === 0) t.test('golden metrics', { skip: `no cases in ${folder}` }, async () => {});

for (const file of files) {
  t.test(file, async (t) => {
    const golden = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    const ours = goldenMetricOutputs(goldenMetrics(golden.config, golden.inputs));
    t.strictSame(Object.keys(ours).sort(), Object.keys(golden.outputs).sort(), 'the same numbers');
    for (const [name, expected] of Object.entries(golden.outputs)) {
      const { rtol, atol } = golden.tolerance.outputs?.[name] ?? golden.tolerance;
      const a = leaves(ours[name], name);
      const b = leaves(expected, name);
      t.equal(a.length, b.length, `${name}: as many`);
      const off = b.filter(([path, value], i) => {
        const mine = a[i] as [string, number];
        return path !== mine[0] || Math.abs(mine[1] - value) > atol + rtol * Math.abs(value);
      });
      t.strictSame(off, [], `${name} within ${rtol}`);
    }
  });
}

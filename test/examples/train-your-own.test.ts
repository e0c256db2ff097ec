import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import t from 'tap';
import { writePhantoms } from '../../lib/data/phantom/write.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { childEnv } from '../support/child.js';
import { root } from '../support/paths.js';

async function run(...flags: string[]): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawn(process.execPath, [path.join(root, 'examples/train-your-own.mjs'), ...flags], {
    env: childEnv(),
  });
  const said = { output: '', errors: '' };
  child.stdout.on('data', (text) => {
    said.output += String(text);
  });
  child.stderr.on('data', (text) => {
    said.errors += String(text);
  });
  const [code] = await once(child, 'close');
  return { code: code as number | null, ...said };
}

t.test('trains on a table, goes on where it was, and leaves metrics and a model', async (t) => {
  const folder = t.testdir();
  const data = path.join(folder, 'data');
  await writePhantoms(data, { seed: 2, size: 64, train: 24, valPerClass: 1, testPerClass: 1, test: 16 });
  const out = path.join(folder, 'run');
  const flags = ['--csv', path.join(data, 'labels.csv'), '--root', data, '--out', out];
  const network = ['--architecture', 'resnet18', '--width', '16', '--size', '32'];
  const small = [...network, '--batch', '12', '--epochs', '2'];

  const first = await run(...flags, ...small);
  t.equal(first.code, 0, first.errors);
  t.match(first.output, /epoch 1 train: loss [\d.]+/);
  t.match(first.output, /epoch 2 val: loss [\d.]+, balanced accuracy 0\.\d+/);
  t.match(first.output, /test: balanced accuracy 0\.\d+ \(95 % of resamples from 0\.\d+ to 0\.\d+/);
  const metrics = JSON.parse(await readFile(path.join(out, 'metrics.json'), 'utf8'));
  t.equal(metrics.splits.test.samples, 16);
  t.match(metrics.run.card, { imageSize: 32, width: 16 });
  const files = await readdir(out);
  for (const file of ['test_pred.csv', 'test_true.csv', 'test_summary.txt', 'test_cm.png', 'checkpoints'])
    t.ok(files.includes(file), file);
  const model = await GazeLT.load(path.join(out, 'model'));
  t.teardown(() => model.dispose());
  const [prediction] = await model.predict(path.join(data, 'images'));
  t.ok(prediction && model.card.classes.includes(prediction.class));

  const again = await run(...flags, ...small);
  t.equal(again.code, 0, again.errors);
  t.notMatch(again.output, /epoch 1 train/, 'what was done is not done again');
  const other = await run(...flags, ...small, '--batch', '6');
  t.equal(other.code, 1);
  t.match(other.errors, /ERR_RESUME: .*batchSize: 12 -> 6/);
});

t.test('says what is amiss before it begins', async (t) => {
  const folder = t.testdir({ 'labels.csv': 'path,label,split,patient\na.png,X,train,1\nb.png,Y,val,2\n' });
  const csv = path.join(folder, 'labels.csv');
  const noTest = await run('--csv', csv, '--root', folder);
  t.equal(noTest.code, 1);
  t.match(noTest.errors, /no row has 'test' in the column split/);
  const noFlag = await run('--csv', csv);
  t.match(noFlag.errors, /--root is needed/);
});

import path from 'node:path';
import t from 'tap';
import { askedOf } from '../../lib/cli/asked-evaluation.js';
import { openData } from '../../lib/cli/datasets.js';
import { Output } from '../../lib/cli/session.js';
import { failure } from '../support/outcome.js';

t.test('missing images are an error, or left out with a warning that lists them', async (t) => {
  const rows = ['a.png,x,train', 'b.png,y,train', 'c.png,x,val'];
  const folder = t.testdir({ 'films.csv': ['path,label,split', ...rows].join('\n'), 'a.png': '' });
  const flags = { csv: path.join(folder, 'films.csv'), split_column: 'split' };
  const asked = { imageSize: 32, purpose: 'training' } as const;
  const text = /1 of 2 images of films\.csv train, 1 of 1 images of films\.csv val are missing:[\s\S]*b\.png/;
  t.match(await failure(openData(flags, asked)), { code: 'ERR_DATASET', message: text });
  const { warnings } = await openData(flags, { ...asked, skipMissing: true });
  const [warning] = warnings.filter(({ kind }) => kind === 'image-missing');
  t.match(warning, {
    message: text,
    details: { count: 2, paths: ['b.png', 'c.png'].map((file) => path.join(folder, file)) },
  });
  // What else is missing is an error all the same.
  const needs = async () => [{ what: 'vectors', total: 1, missing: [{ path: 'focal_a.npy' }] }];
  const lacking = await failure(openData(flags, { ...asked, skipMissing: true, needs }));
  t.match(lacking.message, /^1 of 1 vectors, 1 of 1 vectors are missing/);
});

t.test("the data of an evaluation are those of its flags, else the run's", async (t) => {
  const folder = t.testdir({
    task: { 'options.json': JSON.stringify({ task: 'ne', sample: 3, seed: 7 }) },
    torn: { 'options.json': '{' },
    directory: { 'options.json': {} },
    'weights.safetensors': '',
    saved: {},
  });
  const silent = { signal: new AbortController().signal, print: () => {}, note: () => {} };
  const output = new Output({ ...silent, progress: () => ({}) as never }, false);
  const asked = (model: string, flags: object) => askedOf(path.join(folder, model), flags, output);
  t.match(await asked('task', {}), { source: { task: 'ne', sample_seed: 3 }, copies: { seed: 7 } });
  t.match(await failure(asked('task', { patients: 'patients.csv' })), {
    code: 'ERR_INVALID_ARGUMENT',
    message: '--patients is without effect with --dataset sample, whose patients are known',
  });

  const flags = { csv: path.join(folder, 'films.csv') };
  for (const model of ['saved', 'weights.safetensors', 'nowhere'])
    t.match(await asked(model, flags), { source: flags, copies: { seed: 0 } }, model);
  t.match(await failure(asked('saved', {})), { message: /does not say what it was trained on/ });
  t.match(await failure(asked('torn', flags)), { code: 'ERR_CHECKPOINT', message: /torn.*expected JSON/ });
  t.match(await failure(asked('directory', flags)), { code: 'ERR_FILE', message: /could not be read/ });
});

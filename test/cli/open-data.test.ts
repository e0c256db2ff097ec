import path from 'node:path';
import t from 'tap';
import { openData } from '../../lib/cli/datasets.js';
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

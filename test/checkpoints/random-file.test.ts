import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { RandomFile } from '../../lib/checkpoints/random-file.js';
import { failure } from '../support/outcome.js';

t.test('reads at any position, and nothing beyond the end', async (t) => {
  const file = path.join(t.testdir(), 'file');
  writeFileSync(file, 'abcdef');
  const opened = await RandomFile.open(file);
  t.equal((await opened.read(2, 3)).toString(), 'cde');
  t.equal((await opened.read(6, 0)).length, 0);
  const beyond = await failure(opened.read(4, 2 ** 50));
  t.match(beyond, { code: 'ERR_CHECKPOINT', message: /bytes 4 to .* the file ends at 6/ });
  await opened.close();
  t.match(await failure(opened.read(0, 1)), { code: 'ERR_FILE', message: /could not be read/ });
});

t.test('a file that is cut while it is read', async (t) => {
  const file = path.join(t.testdir(), 'file');
  writeFileSync(file, 'abcdef');
  const opened = await RandomFile.open(file);
  truncateSync(file, 3);
  const cut = await failure(opened.read(0, 6));
  t.match(cut, { code: 'ERR_CHECKPOINT', message: /was cut off at byte 3 while it was read/ });
  await opened.close();
});

t.test('what is no file is not opened', async (t) => {
  const folder = t.testdir();
  mkdirSync(path.join(folder, 'sub'));
  for (const name of ['sub', 'none'])
    t.match(await failure(RandomFile.open(path.join(folder, name))), { code: 'ERR_FILE' }, name);
});

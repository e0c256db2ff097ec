import t from 'tap';
import { script, writeFiles } from '../support/setup-scripts.js';

interface SetupScript {
  packagesProblem(root: string): string | null;
}
const { packagesProblem } = await script<SetupScript>('setup.mjs');

function lock(packages: Record<string, object>): string {
  return JSON.stringify({ packages: { '': { version: '0.1.0' }, ...packages } });
}
const wanted = lock({
  'node_modules/sharp': { version: '0.35.5' },
  'node_modules/@img/sharp-win32-x64': { version: '0.35.5', optional: true },
  'node_modules/tap': { version: '21.8.0', dev: true },
});

t.test('npm ci runs only where node_modules differs from the lock file', async (t) => {
  const root = writeFiles(t.testdir(), { 'package-lock.json': wanted });
  t.match(packagesProblem(root), /node_modules is missing/);

  const found = (packages: Record<string, object>) => {
    writeFiles(root, { 'node_modules/.package-lock.json': lock(packages) });
    return packagesProblem(root);
  };
  const good = { 'node_modules/sharp': { version: '0.35.5' }, 'node_modules/tap': { version: '21.8.0' } };
  t.equal(found(good), null, 'binaries of other systems may be missing');
  t.equal(
    found({ ...good, 'node_modules/sharp': { version: '0.34.0' } }),
    'node_modules/sharp 0.35.5 is wanted, 0.34.0 is there',
  );
  t.equal(
    found({ 'node_modules/sharp': { version: '0.35.5' } }),
    'node_modules/tap 21.8.0 is wanted, nothing is there',
    'what development needs counts',
  );
  t.match(
    found({ ...good, 'node_modules/@img/sharp-win32-x64': { version: '0.1.0' } }),
    /sharp-win32-x64 0\.35\.5 is wanted/,
  );

  writeFiles(root, { 'node_modules/.package-lock.json': '{"packages": ' });
  t.match(packagesProblem(root), /was not made by npm/);
});

t.test("an installed package has no lock file, and its dependencies are npm's affair", async (t) => {
  t.equal(packagesProblem(t.testdir()), null);
});

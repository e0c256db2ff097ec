import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import t from 'tap';
import { root } from '../support/paths.js';

const require = createRequire(import.meta.url);
const addon = path.join(root, 'build/Release/cxr_gaze.node');
const info = path.join(root, 'build/Release/build-info.json');
// Where Node's own headers lie beside it, node-gyp needs no download.
const nodedir = path.dirname(path.dirname(process.execPath));
const headers = existsSync(path.join(nodedir, 'include/node/common.gypi'));
const options = headers
  ? {}
  : { skip: `node-gyp would have to download headers: none in ${nodedir}/include/node` };

/** What the addon says of itself, asked in a fresh process. */
function buildInfo(): unknown {
  const script = 'console.log(JSON.stringify(require(process.argv[1]).buildInfo()))';
  return JSON.parse(spawnSync(process.execPath, ['-e', script, addon], { encoding: 'utf8' }).stdout);
}

t.test('node-gyp goes through the same build', options, async (t) => {
  const before = { ...(buildInfo() as object), file: readFileSync(info, 'utf8') };
  const bin = path.join(path.dirname(require.resolve('node-gyp/package.json')), 'bin/node-gyp.js');
  const result = spawnSync(process.execPath, [bin, 'configure', 'build', '--nodedir', nodedir], {
    cwd: root,
    encoding: 'utf8',
  });
  t.equal(result.status, 0, result.stderr.slice(-2000));
  t.match(result.stdout, /Addon: (up to date|built)/, 'the action ran scripts/build.mjs');
  t.same({ ...(buildInfo() as object), file: readFileSync(info, 'utf8') }, before);
});

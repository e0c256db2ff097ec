import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import {
  makeFolder,
  recoverFolder,
  refuseExistingFolder,
  replaceFolder,
  sweepTemporaries,
  temporaryBeside,
  writeFileAtomic,
  writeFolderAtomic,
  writeStreamAtomic,
} from '../../lib/checkpoints/atomic.js';
import { CheckpointStore } from '../../lib/checkpoints/folder.js';
import { failure } from '../support/outcome.js';

t.test('a file is written, replaced, and nothing else remains', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'state.json');
  await writeFileAtomic(path, 'first ä');
  t.equal(readFileSync(path, 'utf8'), 'first ä');
  await writeFileAtomic(path, new Uint8Array([1, 2]));
  t.strictSame([...readFileSync(path)], [1, 2]);
  t.strictSame(readdirSync(folder), ['state.json']);
});

t.test('until the rename, the old content is there', async (t) => {
  const folder = t.testdir({ x: 'old' });
  const path = join(folder, 'x');
  const result = await writeStreamAtomic(path, async (write) => {
    await write(Buffer.from('ne'));
    t.equal(readFileSync(path, 'utf8'), 'old');
    t.equal(readdirSync(folder).length, 2, 'the new content has a name of its own');
    await write(Buffer.from('w'));
    return 42;
  });
  t.equal(result, 42);
  t.equal(readFileSync(path, 'utf8'), 'new');
});

t.test('a folder appears when it is whole, and only one of its kind is replaced', async (t) => {
  const root = t.testdir({ foreign: { 'a.txt': '' }, file: '' });
  const folder = join(root, 'deep', 'maps');
  const kind = { marker: 'maps.json', name: 'a folder of maps' };
  const write = (text: string) =>
    writeFolderAtomic(folder, async (temporary) => {
      writeFileSync(join(temporary, kind.marker), text);
      return existsSync(folder);
    });
  await refuseExistingFolder(folder, false, kind);
  t.equal(await write('first'), false, 'not there while it is filled');
  t.match(await failure(refuseExistingFolder(folder, false, kind)), {
    code: 'ERR_EXISTS',
    message: `${folder} is there already; choose another folder or allow overwriting`,
  });
  await refuseExistingFolder(folder, true, kind);
  t.equal(await write('second'), true);
  t.equal(readFileSync(join(folder, kind.marker), 'utf8'), 'second');
  for (const other of ['foreign', 'file'])
    t.match(await failure(refuseExistingFolder(join(root, other), true, kind)), {
      code: 'ERR_EXISTS',
      message: /is there already and holds no maps\.json, so it is not a folder of maps and is not replaced/,
    });
  const mistake = new TypeError('no error of the file system');
  await t.rejects(
    writeFolderAtomic(folder, () => Promise.reject(mistake)),
    mistake,
  );
  const absent = writeFolderAtomic(folder, async (temporary) => readFileSync(join(temporary, 'none')));
  t.match(await failure(absent), { code: 'ERR_FILE', message: /maps could not be written: ENOENT/ });
  t.match(await failure(writeFolderAtomic(join(root, 'file', 'x'), async () => {})), {
    code: 'ERR_FILE',
    message: /x could not be made/,
  });
  t.equal(readFileSync(join(folder, kind.marker), 'utf8'), 'second');
  t.strictSame(readdirSync(join(root, 'deep')), ['maps'], 'nothing unfinished remains');
});

t.test('a failure keeps the old content and says what failed', async (t) => {
  const folder = t.testdir({ x: 'old', sub: { y: '' } });
  const path = join(folder, 'x');
  const stop = new Error('stop');
  await t.rejects(
    writeStreamAtomic(path, async (write) => write(Buffer.from('half')).then(() => Promise.reject(stop))),
    stop,
  );
  t.equal(readFileSync(path, 'utf8'), 'old');
  t.match(await failure(writeFileAtomic(join(folder, 'none', 'x'), '')), {
    code: 'ERR_FILE',
    message: /x could not be created/,
  });
  t.match(await failure(writeFileAtomic(join(folder, 'sub'), '')), {
    code: 'ERR_FILE',
    message: /sub could not be replaced/,
  });
  t.match(await failure(writeFileAtomic('', '')), { code: 'ERR_INVALID_ARGUMENT' });
  t.strictSame(readdirSync(folder).sort(), ['sub', 'x'], 'no temporary file is left');
});

t.test('a folder is put in place, and in the place of another', async (t) => {
  const parent = t.testdir({ one: { a: '1' }, two: { b: '2', sub: { c: '3' } } });
  const target = join(parent, 'target');
  await replaceFolder(join(parent, 'one'), target);
  t.strictSame(readdirSync(target), ['a']);
  await replaceFolder(join(parent, 'two'), target);
  t.strictSame(readdirSync(target).sort(), ['b', 'sub']);
  t.equal(readFileSync(join(target, 'sub', 'c'), 'utf8'), '3');
  t.strictSame(readdirSync(parent), ['target'], 'the old one is gone');
});

t.test('a folder that cannot be replaced stays', async (t) => {
  const parent = t.testdir({ new: { a: '1' }, old: { b: '2' }, file: 'x', deep: { new: {} } });
  const old = join(parent, 'old');
  t.match(await failure(replaceFolder(join(parent, 'deep', 'new'), old)), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /tempDir/,
  });
  t.match(await failure(replaceFolder(join(parent, 'missing'), old)), {
    code: 'ERR_FILE',
    message: /missing could not be listed/,
  });
  t.match(await failure(replaceFolder(join(parent, 'new'), join(parent, 'file'))), {
    code: 'ERR_EXISTS',
    message: /not a folder/,
  });
  t.strictSame(readdirSync(old), ['b']);
  t.strictSame(readdirSync(join(parent, 'new')), ['a']);
});

t.test('what a crash leaves is repaired', async (t) => {
  const parent = t.testdir({ '.run.old': { a: 'old' } });
  const run = join(parent, 'run');
  t.equal(await recoverFolder(run), true, 'between the two moves: the old one comes back');
  t.equal(readFileSync(join(run, 'a'), 'utf8'), 'old');
  mkdirSync(join(parent, '.run.old'));
  writeFileSync(join(parent, '.run.old', 'a'), 'older');
  t.equal(await recoverFolder(run), false, 'before the deletion: the new one stays');
  t.equal(readFileSync(join(run, 'a'), 'utf8'), 'old');
  t.strictSame(readdirSync(parent), ['run']);
  t.equal(await recoverFolder(run), false, 'without remains nothing happens');
  t.equal(await recoverFolder(join(parent, 'none')), false);
});

t.test('temporary names of dead processes are swept, others stay', async (t) => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const dead = `.x.${hostname()}-${child.pid}-0123456789ab.tmp`;
  const other = `.x.some.other-host-${child.pid}-0123456789ab.tmp`;
  const mine = basename(temporaryBeside('x'));
  const parent = t.testdir({ [dead]: { part: '' }, [other]: '', [mine]: '', 'x.tmp': '', '.x': '' });
  t.strictSame(await sweepTemporaries(parent), [dead]);
  t.strictSame(readdirSync(parent).sort(), [other, mine, 'x.tmp', '.x'].sort());
  t.match(await failure(sweepTemporaries(join(parent, 'none'))), { code: 'ERR_FILE' });
});

/** Saves version after version, each of a folder with two files and of a single file, until it is killed. */
const SAVER = `
  import { mkdirSync, writeFileSync } from 'node:fs';
  import { join } from 'node:path';
  const { replaceFolder, temporaryBeside, writeFileAtomic } = await import(process.argv[1]);
  const target = join(process.argv[2], 'last');
  for (let version = 1; ; version++) {
    const text = String(version).repeat(20000) + '|' + version;
    const folder = temporaryBeside(target);
    mkdirSync(folder);
    writeFileSync(join(folder, 'model'), text);
    writeFileSync(join(folder, 'state'), text);
    await replaceFolder(folder, target);
    await writeFileAtomic(join(process.argv[2], 'name'), text);
    if (version === 1) process.stdout.write('saving');
  }
`;

t.test('killed while saving: the last whole version is there', async (t) => {
  const parent = t.testdir({});
  const module = new URL('../../lib/checkpoints/atomic.js', import.meta.url).href;
  for (let kill = 0; kill < 12; kill++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', SAVER, module, parent], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await sleep(kill * 1.7);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await recoverFolder(join(parent, 'last'));
    await sweepTemporaries(parent);
    const contents = ['last/model', 'last/state', 'name'].map((name) =>
      readFileSync(join(parent, name), 'utf8'),
    );
    for (const text of contents) {
      const version = text.split('|')[1] as string;
      t.equal(text, `${version.repeat(20000)}|${version}`, 'each file is whole');
    }
    t.equal(contents[0], contents[1], 'the files of a folder are of one version');
    t.strictSame(readdirSync(parent).sort(), ['last', 'name'], 'nothing unfinished remains');
  }
});

t.test(
  'a folder that may not be written',
  { skip: process.getuid?.() === 0 ? 'root may write anywhere' : false },
  async (t) => {
    const parent = t.testdir({ x: 'old' });
    chmodSync(parent, 0o500);
    t.teardown(() => chmodSync(parent, 0o700));
    t.match(await failure(writeFileAtomic(join(parent, 'x'), 'new')), { code: 'ERR_FILE' });
    t.ok(existsSync(join(parent, 'x')));
  },
);

t.test('a folder that cannot be made is told by its name', async (t) => {
  const root = t.testdir({ file: '' });
  await makeFolder(join(root, 'a', 'b'));
  await makeFolder(join(root, 'a', 'b'));
  t.strictSame(readdirSync(join(root, 'a')), ['b']);
  const expected = { code: 'ERR_FILE', message: /file.x could not be made: ENOTDIR/ };
  t.match(await failure(makeFolder(join(root, 'file', 'x'))), expected);
  const store = new CheckpointStore(join(root, 'file', 'x'));
  t.match(await failure(store.save('epoch-1', async () => {})), expected);
});

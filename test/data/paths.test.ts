import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join, relative, sep } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { listImages } from '../../lib/data/image-files.js';
import { resolveInside, surveyFiles } from '../../lib/data/paths.js';

t.test('paths are judged by their text', async (t) => {
  t.equal(resolveInside('/data', 'a/b.png'), join('/data', 'a', 'b.png'));
  t.equal(resolveInside('/data', './a//b..c.png'), join('/data', 'a', 'b..c.png'), 'dots in names are names');
  t.equal(resolveInside('/data', '...'), join('/data', '...'));
  for (const path of [
    '../x',
    'a/../../x',
    'a/..',
    '..',
    'a\\..\\..\\x',
    '..\\x',
    '/etc/passwd',
    'C:\\x',
    'c:x',
    '\\\\host\\x',
    '\\x',
    'a\0b',
  ])
    t.throws(
      () => resolveInside('/data', path),
      { code: 'ERR_PATH_ESCAPE', details: { path, root: '/data' } },
      JSON.stringify(path),
    );
  t.throws(() => resolveInside('/data', ''), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => resolveInside('', 'x'), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('no text leaves the root', async () => {
  const part = fc.constantFrom('..', '.', '', 'a', 'b..', '/', '\\', '\0', 'C:', '~', '%2e%2e', ' ..', '..;');
  const path = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.array(part, { minLength: 1 }).map((p) => p.join('/') || 'x'),
  );
  fc.assert(
    fc.property(path, (text) => {
      let resolved: string;
      try {
        resolved = resolveInside('/some/root', text);
      } catch (error) {
        return (error as { code: string }).code === 'ERR_PATH_ESCAPE';
      }
      const inside = relative('/some/root', resolved);
      return (
        inside !== '..' &&
        !inside.startsWith(`..${sep}`) &&
        !inside.startsWith('/') &&
        !resolved.includes('\0')
      );
    }),
    { numRuns: 2000 },
  );
});

t.test('the state of files, links followed', async (t) => {
  const dir = t.testdir({
    root: { 'a.png': 'a', sub: { 'b.png': 'b' } },
    outside: { 'secret.png': 's', folder: { 'c.png': 'c' } },
  });
  const root = join(dir, 'root');
  await symlink(join(dir, 'outside', 'secret.png'), join(root, 'out.png'));
  await symlink(join('..', 'root', 'a.png'), join(root, 'in.png'));
  await symlink(join(dir, 'outside', 'folder'), join(root, 'away'));
  await symlink(join(root, 'sub'), join(root, 'near'));
  await symlink('nothing', join(root, 'dead.png'));
  await symlink('loop.png', join(root, 'loop.png'));
  const expected = {
    'a.png': 'file',
    'sub/b.png': 'file',
    'near/b.png': 'file',
    'in.png': 'file',
    'out.png': 'outside',
    'away/c.png': 'outside',
    'away/none.png': 'outside',
    'dead.png': 'missing',
    'loop.png': 'missing',
    'none.png': 'missing',
    'none/none.png': 'missing',
    'a.png/none.png': 'missing',
    sub: 'not-a-file',
    near: 'not-a-file',
  };
  const paths = Object.keys(expected).map((path) => resolveInside(root, path));
  t.strictSame(await surveyFiles(paths, root), Object.values(expected));
  const linked = join(dir, 'linked-root');
  await symlink(root, linked);
  t.strictSame(
    await surveyFiles([join(linked, 'a.png'), join(linked, 'out.png')], linked),
    ['file', 'outside'],
    'a root that is a link',
  );
  t.strictSame(await surveyFiles([join(root, 'out.png')]), ['file'], 'without a root nothing is outside');
  t.strictSame(
    await surveyFiles([join(dir, 'x', 'a.png')], join(dir, 'x')),
    ['missing'],
    'a root that is not there',
  );
  t.strictSame(
    await surveyFiles([join(dir, 'root2.png')], join(dir, 'root')),
    ['outside'],
    'a neighbour with a longer name',
  );
  t.strictSame(await surveyFiles([], root), []);
});

t.test('links may lead where the environment allows', async (t) => {
  const dir = t.testdir({
    root: {},
    films: { 'a.png': 'a' },
    more: { 'b.png': 'b' },
    'films-2': { 'c.png': 'c' },
  });
  const root = join(dir, 'root');
  const targets = { 'a.png': 'films', 'b.png': 'more', 'c.png': 'films-2' };
  for (const [name, folder] of Object.entries(targets))
    await symlink(join(dir, folder, name), join(root, name));
  const paths = Object.keys(targets).map((name) => join(root, name));
  const allow = (...folders: string[]) => {
    process.env.CXR_GAZE_LINKS = folders.join(delimiter);
  };
  t.teardown(() => delete process.env.CXR_GAZE_LINKS);
  t.strictSame(await surveyFiles(paths, root), ['outside', 'outside', 'outside'], 'nothing by default');
  allow(join(dir, 'films'));
  t.strictSame(await surveyFiles(paths, root), ['file', 'outside', 'outside'], 'a longer name is another');
  allow(join(dir, 'films'), join(dir, 'more'));
  t.strictSame(await surveyFiles(paths, root), ['file', 'file', 'outside'], 'several');
  t.strictSame((await listImages(join(dir, 'more'))).images, ['b.png']);
  await t.rejects(listImages(root), {
    code: 'ERR_PATH_ESCAPE',
    message: /c\.png leads out of .*root; CXR_GAZE_LINKS names folders/,
  });
  allow(dir);
  t.strictSame((await listImages(root)).images, ['a.png', 'b.png', 'c.png']);
  for (const wrong of [join(dir, 'none'), 'films']) {
    allow(dir, wrong);
    await t.rejects(surveyFiles(paths, root), { code: 'ERR_INVALID_ARGUMENT', message: /CXR_GAZE_LINKS/ });
  }
});

t.test('a folder of many', async (t) => {
  const dir = t.testdir({ out: { 'x.png': '' } });
  const root = join(dir, 'root');
  await mkdir(root);
  await Promise.all(Array.from({ length: 200 }, (_, i) => writeFile(join(root, `${i}.png`), '')));
  await symlink(join(dir, 'out', 'x.png'), join(root, 'link.png'));
  await mkdir(join(root, 'folder.png'));
  const names = [...Array.from({ length: 220 }, (_, i) => `${i}.png`), 'link.png', 'folder.png'];
  const states = await surveyFiles(
    names.map((name) => join(root, name)),
    root,
  );
  t.ok(states.slice(0, 200).every((state) => state === 'file'));
  t.ok(states.slice(200, 220).every((state) => state === 'missing'));
  t.strictSame(states.slice(220), ['outside', 'not-a-file']);
});

t.test(
  'a folder that may not be read',
  { skip: process.getuid?.() === 0 && 'root may read everything' },
  async (t) => {
    const dir = t.testdir({ closed: { 'a.png': '' } });
    await chmod(join(dir, 'closed'), 0);
    t.teardown(() => chmod(join(dir, 'closed'), 0o700));
    await t.rejects(surveyFiles([join(dir, 'closed', 'a.png')]), { code: 'ERR_FILE', message: /closed/ });
  },
);

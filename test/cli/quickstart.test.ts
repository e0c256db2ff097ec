/** The quickstart with fewer and smaller films: its files, and that the network learns. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { cli, interrupted, linesOf } from '../support/cli.js';

t.setTimeout(420_000);

const folder = t.testdir();
const runs = path.join(folder, 'runs');
const result = path.join(runs, 'quickstart');
// Enough to learn from: 3.3 and 3.8 times chance on the held-out films, of which the test asks for 2; with other seeds of
// films and weights 3.1 and 2.8, 3.0 and 3.0. With 200 films it would be 1.7 to 2.7.
const narrow = ['--size', '64', '--width', '16'];
const small = [...narrow, '--train', '320', '--lr', '3e-3', '--epochs', '6', '--drw_epoch', '4'];

t.test('it learns, and leaves what it promises', async (t) => {
  const { code, stdout, stderr } = await cli(['quickstart', ...small], folder);
  t.equal(code, 0, stderr);
  t.match(stdout, /Distillation is off/);
  t.match(stdout, /phantoms/);
  t.match(stdout, /Try next:[\s\S]*predict runs\/quickstart/);
  t.match(stdout, /Not for clinical use/);
  const files = ['report.html', 'metrics.json', 'history.csv', 'options.json', 'checkpoints/best', 'cam'];
  for (const file of files) t.ok(existsSync(path.join(result, file)), file);
  t.equal(readdirSync(path.join(result, 'cam')).length, 9, 'an overlay for each class');
  const { splits } = JSON.parse(readFileSync(path.join(result, 'metrics.json'), 'utf8'));
  const { balancedAccuracy, chance, longTail, intervals } = splits['balanced-test'];
  t.ok(balancedAccuracy >= 2 * chance, `balanced accuracy ${balancedAccuracy}, chance ${chance}`);
  t.ok(splits.test.balancedAccuracy >= 2 * splits.test.chance);
  for (const group of longTail.groups) t.ok(group.classes.length > 0, `${group.name} exists`);
  t.equal(intervals.unit, 'patient');
  t.match(readFileSync(path.join(result, 'report.html'), 'utf8'), /Distillation is off/);
  t.same(readdirSync(runs), ['quickstart'], 'nothing is left beside');
});

t.test('a second time replaces the first whole; a stopped one leaves the first', async (t) => {
  writeFileSync(path.join(result, 'stale'), '');
  const flags = ['quickstart', ...narrow, '--train', '48', '--epochs', '1'];
  const stopped = await interrupted(flags, folder, { when: ({ type }) => type === 'step', signal: 'SIGINT' });
  t.equal(stopped.code, 130);
  t.ok(existsSync(path.join(result, 'stale')));
  t.same(readdirSync(runs), ['quickstart'], 'nothing is left beside');
  const again = await cli([...flags, '--json'], folder);
  t.equal(again.code, 0, again.stderr);
  t.equal(linesOf(again).at(-1)?.type, 'done');
  t.notOk(existsSync(path.join(result, 'stale')));
});

t.test('a folder that is none of its own is not replaced', async (t) => {
  mkdirSync(path.join(folder, 'mine'));
  writeFileSync(path.join(folder, 'mine/notes.txt'), '');
  const { code, stderr } = await cli(['quickstart', '--out_dir', 'mine'], folder);
  t.equal(code, 1);
  t.match(stderr, /^ERR_EXISTS: /m);
  t.same(readdirSync(path.join(folder, 'mine')), ['notes.txt']);
});

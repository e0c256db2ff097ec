/** An interrupted `train`, continued by the same command with `--resume`, ends as an unbroken one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { cli, interrupted, type Line } from '../support/cli.js';
import { oneThread } from '../support/tiny.js';

t.setTimeout(420_000);
// The processes that are interrupted have one thread; with more the last bits would differ.
await oneThread;

const folder = t.testdir();
const run = 'labels_resnet18-w8_rand_ce_lr-0.001_bs-4';
const command = (out: string) => [
  ...[
    'train',
    'baseline',
    '--csv',
    'films/labels.csv',
    '--split_column',
    'split',
    '--patient_column',
    'patient',
  ],
  ...[
    '--rand_init',
    '--model_name',
    'resnet18',
    '--width',
    '8',
    '--image_size',
    '32',
    '--precision',
    'float32',
  ],
  ...['--batch_size', '4', '--lr', '1e-3', '--max_epochs', '2', '--bootstrap', '0', '--out_dir', out],
];
const file = (out: string, name: string) => readFileSync(path.join(folder, out, run, name), 'utf8');
const atStep = (epoch: number, step: number) => (line: Line) =>
  line.type === 'step' && line.epoch === epoch && line.step === step;

t.before(async () => {
  const splits = ['--val_per_class', '1', '--test_per_class', '0', '--test', '9'];
  const { code, stderr } = await cli(['sample', 'films', '--size', '64', '--train', '18', ...splits], folder);
  if (code !== 0) throw new Error(stderr);
  const unbroken = await cli(command('whole'), folder);
  if (unbroken.code !== 0) throw new Error(unbroken.stderr);
});

t.test('after SIGINT: saved, exit code 130', async (t) => {
  const stopped = await interrupted(command('int'), folder, { when: atStep(2, 2), signal: 'SIGINT' });
  t.equal(stopped.code, 130);
  t.match(stopped.stderr, /Stopping after the current step/);
  t.match(stopped.stderr, /--resume goes on/);
  t.ok(stopped.lines.some(({ type, reason }) => type === 'checkpoint' && reason === 'stopped'));
  t.notOk(existsSync(path.join(folder, 'int', run, 'report.html')));
  const on = await cli([...command('int'), '--resume'], folder);
  t.equal(on.code, 0, on.stderr);
  t.match(on.stdout, /Going on from the last checkpoint: epoch 2, after step \d/);
  t.equal(file('int', 'history.csv'), file('whole', 'history.csv'));
  t.equal(file('int', 'test_pred.csv'), file('whole', 'test_pred.csv'));
});

t.test('after SIGKILL in mid-epoch: history.csv is cut back and equal in the end', async (t) => {
  const flags = [...command('kill'), '--save_every', '2'];
  const killed = await interrupted(flags, folder, { when: atStep(2, 3), signal: 'SIGKILL' });
  t.equal(killed.signal, 'SIGKILL');
  const on = await cli([...flags, '--resume'], folder);
  t.equal(on.code, 0, on.stderr);
  t.equal(file('kill', 'history.csv'), file('whole', 'history.csv'));
  t.equal(file('kill', 'test_pred.csv'), file('whole', 'test_pred.csv'));
  t.same(
    readdirSync(path.join(folder, 'kill', run, 'checkpoints')).filter((name) => name.startsWith('.')),
    [],
    'nothing half-written is left',
  );
});

t.test('after a kill before the first checkpoint it begins anew, and says so', async (t) => {
  const killed = await interrupted(command('early'), folder, { when: atStep(1, 1), signal: 'SIGKILL' });
  t.equal(killed.signal, 'SIGKILL');
  const on = await cli([...command('early'), '--resume'], folder);
  t.equal(on.code, 0, on.stderr);
  t.match(on.stderr, /holds no checkpoint yet/);
  t.equal(file('early', 'history.csv'), file('whole', 'history.csv'));
});

t.test('a finished run goes on to the same end; a run that never was is not begun', async (t) => {
  const again = await cli([...command('whole'), '--resume'], folder);
  t.equal(again.code, 0, again.stderr);
  const rows = file('whole', 'history.csv').trim().split('\n');
  t.equal(rows.length, 5);
  const none = await cli([...command('none'), '--resume'], folder);
  t.equal(none.code, 1);
  t.match(none.stderr, /^ERR_RESUME: There is no run to resume/m);
  t.notOk(existsSync(path.join(folder, 'none')));
});

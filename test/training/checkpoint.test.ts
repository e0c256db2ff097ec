import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { CheckpointStore } from '../../lib/checkpoints/folder.js';
import { readState } from '../../lib/training/checkpoint.js';
import { CheckpointKeeper } from '../../lib/training/checkpoint-keeper.js';
import { failure } from '../support/outcome.js';
import { temporaryFolder } from '../support/tiny.js';

const schedule = {
  epochsDone: 1,
  best: 0.5,
  bestEpoch: 1,
  waited: 0,
  learningRate: 0.1,
  reweighted: false,
};
const state = {
  ...{ format: 1, options: { seed: 0 }, card: { architecture: 'resnet18' }, environment: { threads: 2 } },
  ...{ schedule, progress: { epoch: 2, step: 3, lossSum: 1.5 }, improvements: ['epoch-1'] },
  history: [{ epoch: 1, phase: 'train', loss: 1, balancedAccuracy: 0.5, mcc: 0, auroc: null }],
  seconds: 12.5,
};

t.test(
  'state.json is read back, and refused by file and member if it is not what it should be',
  async (t) => {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'state.json');
    const { format: _, ...content } = state;
    writeFileSync(file, JSON.stringify(state));
    t.same(await readState(folder), content);

    const bad: [object, RegExp][] = [
      [{ format: 2 }, /expected format 1 but found 2/],
      [{ options: null }, /an object for options/],
      [{ card: [] }, /an object for card/],
      [{ schedule: { ...schedule, epochsDone: -1 } }, /schedule\.epochsDone/],
      [{ schedule: { ...schedule, learningRate: 'fast' } }, /schedule\.learningRate/],
      [{ schedule: { ...schedule, reweighted: 1 } }, /schedule\.reweighted/],
      [{ schedule: undefined }, /an object for schedule/],
      [{ progress: { epoch: 0, step: 3, lossSum: 1 } }, /progress\.epoch/],
      [{ progress: { epoch: 1, step: 3, lossSum: null } }, /progress\.lossSum/],
      [{ improvements: [3] }, /improvements\[0\]/],
      [{ seconds: -1 }, /seconds/],
      [{ history: [{ epoch: 1 }] }, /history\[0\]/],
      [{ history: [{ ...state.history[0], mcc: 'high' }] }, /history\[0\]\.mcc/],
    ];
    for (const [change, message] of bad) {
      writeFileSync(file, JSON.stringify({ ...state, ...change }));
      const error = await failure(readState(folder));
      t.match(error, { code: 'ERR_CHECKPOINT', message });
      t.ok(error.message.startsWith(file), error.message);
    }
    writeFileSync(file, '[]');
    t.equal((await failure(readState(folder))).code, 'ERR_CHECKPOINT');
    t.equal((await failure(readState(path.join(folder, 'none')))).code, 'ERR_FILE');
  },
);

t.test('pointers move only to whole checkpoints, and a failed save leaves what was there', async (t) => {
  const root = temporaryFolder(t);
  const store = new CheckpointStore(root);
  const keeper = new CheckpointKeeper(store, 'recent');
  const save = (name: string, improved: boolean) =>
    keeper.add(name, improved, () =>
      store.save(name, async (folder) => {
        t.notOk((await store.names()).includes(name), 'not there before it is whole');
        writeFileSync(path.join(folder, 'content'), name);
      }),
    );
  const pointers = async () => [await store.named('best'), await store.named('last')];
  await save('epoch-1', true);
  t.same(await pointers(), ['epoch-1', 'epoch-1']);
  await save('epoch-2', false);
  await save('epoch-3', false);
  t.same(await pointers(), ['epoch-1', 'epoch-3']);
  t.same((await store.names()).sort(), ['epoch-1', 'epoch-2', 'epoch-3']);

  const failing = keeper.add('epoch-4', true, () =>
    store.save('epoch-4', async (folder) => {
      writeFileSync(path.join(folder, 'content'), 'half');
      throw new RangeError('the disk is full');
    }),
  );
  await t.rejects(failing, { message: 'the disk is full' });
  t.same(await pointers(), ['epoch-1', 'epoch-3']);
  t.same(
    readdirSync(root).filter((name) => name.includes('epoch-4')),
    [],
  );
  await save('epoch-4', true);
  await save('epoch-5', false);
  t.same((await store.names()).sort(), ['epoch-4', 'epoch-5']);
  await store.open('best');
});

t.test('a stranger among the checkpoints is never opened', async (t) => {
  const root = temporaryFolder(t);
  const store = new CheckpointStore(root);
  for (const name of ['..', '/etc', '.hidden', 'a/b', '']) {
    writeFileSync(path.join(root, 'last'), `${name}\n`);
    t.equal((await failure(store.open('last'))).code, 'ERR_CHECKPOINT', name);
  }
  mkdirSync(path.join(root, 'epoch-1'));
  await store.point('last', 'epoch-1');
  t.match(await failure(store.open('last')), { code: 'ERR_FILE', message: /manifest\.json/ });
  await store.point('last', 'epoch-2');
  t.match(await failure(store.open('last')), { code: 'ERR_FILE', message: /epoch-2/ });
});

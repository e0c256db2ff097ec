/**
 * Saves checkpoint after checkpoint until it is killed: `node save-child.js FOLDER`. Goes on from what a killed process
 * before it has left. Prints a line before and after each save.
 */
import process from 'node:process';
import { CheckpointStore } from '../../lib/checkpoints/folder.js';
import { createModel } from '../../lib/models/model.js';
import { restoreCheckpoint, saveCheckpoint, type TrainingState } from '../../lib/training/checkpoint.js';
import { CheckpointKeeper } from '../../lib/training/checkpoint-keeper.js';
import { createOptimizer } from '../../lib/training/optimizer.js';

const store = new CheckpointStore(process.argv[2] as string);
const keeper = new CheckpointKeeper(store, 'recent');
const model = createModel({ architecture: 'resnet18', classes: 3 });
const optimizer = createOptimizer(await model.parameters(), { kind: 'sgd' });
const notes = { options: {}, card: { architecture: 'resnet18' }, environment: {} };

let epoch = 0;
if ((await store.named('last')) !== undefined) {
  const before = await restoreCheckpoint(await store.open('last'), { model, optimizer });
  epoch = before.schedule.epochsDone;
  keeper.restore(before.improvements);
}
for (;;) {
  epoch += 1;
  const state: TrainingState = {
    schedule: {
      epochsDone: epoch,
      best: 0,
      bestEpoch: epoch,
      waited: 0,
      learningRate: 0.1,
      reweighted: false,
    },
    improvements: keeper.improvements,
    seconds: 0,
    history: [],
  };
  console.log(`saving ${epoch}`);
  await keeper.add(`epoch-${epoch}`, epoch % 3 === 1, () =>
    saveCheckpoint(store, `epoch-${epoch}`, { model, optimizer, state, notes }),
  );
  console.log(`saved ${epoch}`);
}

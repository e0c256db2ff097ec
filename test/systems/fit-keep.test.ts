import { readdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { TrainEvent } from '../../lib/training/trainer.js';
import { eventsOf } from '../support/runs.js';
import { spoiltAfterFirst, temporaryFolder, tinyDataset, tinyFit, tinyGazeLT } from '../support/tiny.js';

t.test('which checkpoints are kept', async (t) => {
  const folder = temporaryFolder(t);
  const foldersOf = (run: string) =>
    readdirSync(path.join(folder, run), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  const options = { ...spoiltAfterFirst, maxEpochs: 3 };
  using recent = await tinyGazeLT();
  const checkpoints = path.join(folder, 'recent');
  const result = await recent.fit(tinyFit({ ...options, checkpoints })).result;
  t.equal(result?.schedule.bestEpoch, 1);
  t.same(foldersOf('recent'), ['epoch-1', 'epoch-2', 'epoch-3'], 'best, last and the one before');

  using all = await tinyGazeLT();
  const improved: string[] = [];
  const run = {
    train: tinyDataset('train', 12),
    checkpoints: path.join(folder, 'all'),
    keep: 'all',
  } as const;
  const note = (events: readonly TrainEvent[]) => {
    for (const event of events)
      if (event.type === 'checkpoint' && event.reason === 'improved')
        improved.push(path.basename(event.folder));
  };
  const slow = tinyFit({ ...run, learningRate: 3e-4, maxEpochs: 4, augment: false });
  note(await eventsOf(all, slow, (event) => event.type === 'checkpoint' && event.folder.endsWith('epoch-2')));
  note(await eventsOf(all, { ...slow, resume: true }));
  t.ok(improved.length >= 2, `improvements: ${improved.join(', ')}`);
  t.same(foldersOf('all'), [...new Set([...improved, 'epoch-3', 'epoch-4'])].sort());
});

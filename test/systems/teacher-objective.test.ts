import t from 'tap';
import type { DataLoader } from '../../lib/data/loader.js';
import { teacherScoring } from '../../lib/systems/gazelt/teacher-objective.js';
import { tensor } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import type { InputBatch } from '../../lib/training/batch.js';

const loader = {} as DataLoader;
const batchOf = (films: number) =>
  ({ ids: Array.from({ length: films }, (_, i) => `film ${i}`) }) as unknown as InputBatch;
const positions = 224 * 224;

/** A batch in which some windows have readings and a loss. */
function entered(
  scorer: ReturnType<typeof teacherScoring.begin>,
  films: number,
  windows: readonly [number, number, number][],
) {
  return tidy(async () => {
    const given = windows.map(([window, readings, loss]) => ({
      window,
      readings,
      loss: tensor([loss]).sum(),
    }));
    await scorer.add({ loss: tensor([0]).sum(), windows: given }, batchOf(films));
  });
}

t.test(
  'losses are means over the readings of each window, unscaled; empty windows are counted',
  async (t) => {
    const whole = teacherScoring.begin(loader);
    const before = teacherScoring.begin(loader);
    const first: [number, number, number][] = [
      [0, 2, 1.5],
      [1, 1, 0.5],
    ];
    const second: [number, number, number][] = [
      [0, 1, 0.75],
      [1, 1, 1],
      [3, 1, 2],
    ];
    await entered(whole, 2, first);
    await entered(whole, 1, second);
    const means = { 0: (2 * 1.5 + 0.75) / 3, 1: 0.75, 3: 2 };
    const near = (found: number | null, expected: number) =>
      t.ok(Math.abs((found ?? Number.NaN) * positions - expected) < 1e-9, `${found} is ${expected} unscaled`);
    const scores = whole.scores();
    near(scores.attentionLoss0, means[0]);
    near(scores.attentionLoss1, means[1]);
    t.equal(scores.attentionLoss2, null);
    near(scores.attentionLoss3, means[3]);
    near(scores.attentionLoss, (means[0] + means[1] + means[3]) / 3);
    t.equal(scores.emptyWindows, 12 - 6);

    // An epoch that goes on from a checkpoint is the same.
    await entered(before, 2, first);
    const after = teacherScoring.begin(loader, before.state());
    await entered(after, 1, second);
    t.same(after.scores(), scores);
    t.equal(teacherScoring.select({ loss: 3, ...scores }), 3, 'by the loss that is minimised');
  },
);

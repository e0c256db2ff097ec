import path from 'node:path';
import t from 'tap';
import { DataLoader } from '../../lib/data/loader.js';
import { type PreparedImages, prepareImages } from '../../lib/data/prepare.js';
import { SequentialSampler } from '../../lib/data/samplers.js';
import { createModel, type Model } from '../../lib/models/model.js';
import { memoryStats } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { adamFor } from '../../lib/training/adam.js';
import type { ObjectiveResult } from '../../lib/training/batch.js';
import { EpochSchedule } from '../../lib/training/epoch-schedule.js';
import { imagenetNormalisation } from '../../lib/training/inputs.js';
import { PlateauSchedule } from '../../lib/training/plateau-schedule.js';
import type { Schedule } from '../../lib/training/schedule.js';
import type { EpochScorer, Scoring } from '../../lib/training/scoring.js';
import { type TrainEvent, Trainer, type TrainResult } from '../../lib/training/trainer.js';
import { outcomeOf } from '../support/runs.js';
import { oneThread, temporaryFolder, tinyDataset, tinySize } from '../support/tiny.js';

await oneThread;
const size = { width: tinySize, height: tinySize };
const train = await prepareImages(tinyDataset('train', 12), size);
const validation = await prepareImages(tinyDataset('validation', 8), size);
t.teardown(() => {
  train.dispose();
  validation.dispose();
});

interface MeanResult extends ObjectiveResult {
  readonly mean: Tensor;
}
interface MeanScores {
  readonly images: number;
  readonly mean: number | null;
}
type MeanEvent = TrainEvent<MeanScores>;

/** Nothing of a classifier: the network's mean output is driven to 0, and recorded with the images seen. */
class MeanScorer implements EpochScorer<MeanResult, MeanScores> {
  readonly #sums: Float64Array;

  constructor(sums: Float64Array) {
    this.#sums = sums;
  }

  async add({ mean }: MeanResult, { ids }: { readonly ids: readonly string[] }): Promise<void> {
    const value = await mean.item();
    this.#sums[0] = (this.#sums[0] as number) + ids.length;
    this.#sums[1] = (this.#sums[1] as number) + ids.length * value;
  }

  scores(): MeanScores {
    const [images, sum] = this.#sums as unknown as [number, number];
    return { images, mean: images === 0 ? null : sum / images };
  }

  state() {
    return { sums: this.#sums, nothing: new Int32Array(0) };
  }
}

const scoring: Scoring<MeanResult, MeanScores> = {
  begin: (_, state) => new MeanScorer(Float64Array.from(state?.sums ?? [0, 0])),
  select: ({ loss }) => loss,
  // Nothing that gets better: the rate of a schedule on a plateau falls.
  follow: ({ images }) => images,
};

const inOrder = (images: PreparedImages) =>
  new DataLoader({ images, sampler: new SequentialSampler({ length: images.dataset.length }), batchSize: 4 });

interface FitCase {
  readonly checkpoints?: string;
  readonly resume?: boolean;
  readonly factor?: number;
  readonly schedule?: Schedule;
}

async function fit(
  options: FitCase,
  until: (event: MeanEvent) => boolean = () => false,
): Promise<{ events: MeanEvent[]; result: TrainResult | undefined }> {
  using model = createModel({ architecture: 'resnet18', width: 8, classes: 3 });
  using optimizer = await adamFor(model, 1e-3);
  const { checkpoints, resume = false, factor = 1 } = options;
  const deferred = new EpochSchedule({
    ...{ maxEpochs: 2, patience: 5, learningRate: 1e-3, goal: 'lowest' },
    deferred: { epoch: 1, factor },
  });
  const trainer = new Trainer({
    ...{ model, optimizer, scoring, checkpoints, train: inOrder(train), validation: inOrder(validation) },
    objective: async (network: Model, { images }) => {
      await new Promise((resolve) => setImmediate(resolve)); // targets of its own may take time
      const mean = network.forward(images).mean();
      return { loss: mean.square(), mean: mean.detach() };
    },
    schedule: options.schedule ?? deferred,
    precision: 'float32',
    normalisation: imagenetNormalisation,
    notes: { options: {}, card: {}, environment: {} },
  });
  const run = trainer.fit({ resume });
  const events: MeanEvent[] = [];
  for await (const event of run) {
    events.push(event);
    if (until(event)) break;
  }
  return { events, result: await run.result };
}

const halves = (events: readonly MeanEvent[]) => events.filter((event) => event.type === 'epoch');

t.test('a scoring of its own is asked for every half of an epoch, and picks the best', async (t) => {
  const before = memoryStats().liveTensors;
  // Epoch 2 spoils what epoch 1 has learned.
  const { events, result } = await fit({ factor: 1e4 });
  const rows = halves(events);
  t.same(
    rows.map(({ epoch, phase, images }) => [epoch, phase, images]),
    [
      [1, 'train', 12],
      [1, 'val', 8],
      [2, 'train', 12],
      [2, 'val', 8],
    ],
  );
  t.ok(rows.every(({ mean }) => Number.isFinite(mean)));
  const [first, second] = rows.filter(({ phase }) => phase === 'val').map(({ loss }) => loss) as [
    number,
    number,
  ];
  t.ok(first < second, `${first} < ${second}`);
  t.match(result?.schedule, { bestEpoch: 1, best: first }, 'the lowest loss, though 0 was never undercut');
  t.equal(memoryStats().liveTensors, before);
});

t.test('a scorer and a schedule on a plateau go on where they stood in a resumed epoch', async (t) => {
  const folder = temporaryFolder(t);
  const whole = path.join(folder, 'whole');
  const broken = path.join(folder, 'broken');
  const schedule = () =>
    new PlateauSchedule({
      ...{ maxEpochs: 3, patience: 4, learningRate: 1e-3, goal: 'lowest' },
      plateau: { patience: 0, factor: 0.5 },
    });
  await fit({ checkpoints: whole, schedule: schedule() });
  const inSecond = (event: MeanEvent) => event.type === 'step' && event.epoch === 2;
  await fit({ checkpoints: broken, schedule: schedule() }, inSecond);
  const { events } = await fit({ checkpoints: broken, schedule: schedule(), resume: true });
  const [start] = events;
  t.match(start, { type: 'start', resumed: true, epoch: 2, history: [{ images: 12 }, { images: 8 }] });
  t.ok(start?.type === 'start' && start.step > 0, 'in mid-epoch');
  const falls = events.filter((event) => event.type === 'learning-rate');
  t.same(
    falls,
    [{ type: 'learning-rate', epoch: 3, learningRate: 5e-4 }],
    'no better than epoch 1; after the last epoch there is nothing to tell',
  );
  const expected = await outcomeOf(whole);
  t.same(await outcomeOf(broken), expected);
  t.match(expected.schedule, { learningRate: 2.5e-4, plateau: { best: 8, bad: 0 } });
});

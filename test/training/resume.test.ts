import path from 'node:path';
import t from 'tap';
import type { FitOptions } from '../../lib/systems/classifier/fit.js';
import type { TrainEvent } from '../../lib/training/trainer.js';
import { eventsOf, outcomeOf } from '../support/runs.js';
import { temporaryFolder, tinyFit, tinyGazeLT } from '../support/tiny.js';

const atStep = (epoch: number, step: number) => (event: TrainEvent) =>
  event.type === 'step' && event.epoch === epoch && event.step === step;
const atEpochEnd = (event: TrainEvent) => event.type === 'checkpoint' && event.reason !== 'step';

interface Scenario {
  readonly name: string;
  readonly options: Partial<FitOptions>;
  readonly until: (event: TrainEvent) => boolean;
}

const scenarios: readonly Scenario[] = [
  { name: 'at the end of an epoch, float32', options: {}, until: atEpochEnd },
  { name: 'in mid-epoch, bfloat16', options: { precision: 'bfloat16' }, until: atStep(2, 1) },
  {
    name: 'in mid-epoch with MixUp, re-weighting and the original BatchNorm',
    options: {
      mixing: { kind: 'mixup', alpha: 0.4 },
      loss: 'ldam',
      weighting: 'balanced',
      deferred: { epoch: 1, factor: 0.5 },
      legacyBatchNorm: true,
    },
    until: atStep(1, 2),
  },
  {
    name: 'after the last step of an epoch with Balanced-MixUp',
    options: { mixing: { kind: 'balanced-mixup', alpha: 0.4 } },
    until: atStep(2, 3),
  },
];

for (const { name, options, until } of scenarios) {
  t.test(`uninterrupted = resumed, and not a cold start: ${name}`, async (t) => {
    const folder = temporaryFolder(t);
    const place = (run: string) => ({ ...options, checkpoints: path.join(folder, run) });
    using whole = await tinyGazeLT();
    await eventsOf(whole, tinyFit(place('whole')));
    const expected = await outcomeOf(path.join(folder, 'whole'));

    using first = await tinyGazeLT();
    // Saving in mid-epoch changes nothing.
    await eventsOf(first, tinyFit({ ...place('broken'), saveEvery: 2 }), until);
    const before = await outcomeOf(path.join(folder, 'broken'));
    t.notSame(before, expected, 'something was left to do');

    // Other initial weights: everything has to come from the checkpoint.
    using second = await tinyGazeLT({ seed: 7 });
    const [start] = await eventsOf(second, tinyFit({ ...place('broken'), resume: true }));
    t.match(start, { type: 'start', resumed: true, history: before.history });
    t.same(await outcomeOf(path.join(folder, 'broken')), expected);
  });
}

t.test("a cold start on a checkpoint's weights is not a resumed run", async (t) => {
  const folder = temporaryFolder(t);
  const checkpoints = path.join(folder, 'run');
  using model = await tinyGazeLT();
  await eventsOf(model, tinyFit({ checkpoints }), atEpochEnd);
  const half = path.join(checkpoints, 'epoch-1', 'model.safetensors');
  const cold = path.join(folder, 'cold');
  using other = await tinyGazeLT({ init: { weights: half } });
  await eventsOf(other, tinyFit({ checkpoints: cold, maxEpochs: 1 }));
  using resumed = await tinyGazeLT();
  await eventsOf(resumed, tinyFit({ checkpoints, resume: true }));
  t.not((await outcomeOf(cold)).model, (await outcomeOf(checkpoints)).model);
});

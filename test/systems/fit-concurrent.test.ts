import path from 'node:path';
import t from 'tap';
import type { Classifier } from '../../lib/systems/classifier/classifier.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { memoryStats } from '../../lib/tensor/create.js';
import type { TrainEvent } from '../../lib/training/trainer.js';
import { eventsOf, rowsOf } from '../support/runs.js';
import { temporaryFolder, tinyBaseline, tinyDataset, tinyFit, tinyGazeLT } from '../support/tiny.js';

const lossesOf = (events: readonly TrainEvent[]) => rowsOf(events).map(({ loss }) => loss);
const films = tinyDataset('films', 3);
const images = [0, 1, 2].map((i) => films.sample(i).image);

t.test('a fit leaves no tensor behind', async (t) => {
  using model = await tinyGazeLT();
  const options = tinyFit({ mixing: { kind: 'balanced-mixup', alpha: 0.2 }, precision: 'bfloat16' });
  await model.fit(options).result;
  const before = memoryStats();
  for (let i = 0; i < 2; i++) {
    await model.fit(options).result;
    for await (const event of model.fit(options)) if (event.type === 'step') break;
    await t.rejects(model.fit({ ...options, signal: AbortSignal.abort() }).result, { code: 'ERR_ABORTED' });
    await model.predict(images);
    await model.evaluate(films, { tta: 1, precision: 'float64' });
    for await (const _ of model.explain(images)) break;
  }
  const after = memoryStats();
  t.equal(after.liveTensors, before.liveTensors, 'live tensors');
  t.ok(after.hostBytes - before.hostBytes < 1 << 20, `${after.hostBytes - before.hostBytes} bytes more`);
});

t.test('whatever a model is asked meanwhile does not change what it learns', async (t) => {
  const folder = temporaryFolder(t);
  using quiet = await tinyGazeLT();
  const options = tinyFit({ maxEpochs: 3 });
  const expected = lossesOf(await eventsOf(quiet, options));
  using busy = await tinyGazeLT();
  const events: TrainEvent[] = [];
  const asked: Promise<unknown>[] = [];
  for await (const event of busy.fit(options)) {
    events.push(event);
    if (event.type !== 'step') continue;
    asked.push(busy.predict(images, { precision: 'float32' }), busy.evaluate(films));
    if (event.step === 1) asked.push(collect(busy), busy.save(path.join(folder, `epoch-${event.epoch}`)));
    await busy.predict(images); // slowly consumed
  }
  await Promise.all(asked);
  t.same(lossesOf(events), expected);
  using saved = await GazeLT.load(path.join(folder, 'epoch-2'));
  t.equal((await saved.predict(images)).length, 3);
});

async function collect(model: Classifier): Promise<number> {
  let count = 0;
  for await (const _ of model.explain(images)) count++;
  return count;
}

t.test('predictions during training use running statistics', async (t) => {
  using model = await tinyBaseline();
  let whileTraining = 0;
  for await (const event of model.fit(tinyFit({ train: tinyDataset('train', 80), maxEpochs: 1 }))) {
    if (event.type !== 'step') continue;
    // At this size one image has no batch statistics: in training mode this is an error.
    await model.predict(images, { batchSize: 1 });
    if (model.network.training) whileTraining++;
  }
  t.ok(whileTraining > 0, 'asked while training');
});

t.test('two models learn side by side as each does alone', async (t) => {
  const options = [tinyFit({ maxEpochs: 1 }), tinyFit({ maxEpochs: 1, precision: 'bfloat16', seed: 3 })];
  const alone: number[][] = [];
  for (const one of options) {
    using model = await tinyGazeLT();
    alone.push(lossesOf(await eventsOf(model, one)));
  }
  using first = await tinyGazeLT();
  using second = await tinyGazeLT();
  const together = await Promise.all(
    [first, second].map((model, i) => eventsOf(model, options[i] as (typeof options)[0])),
  );
  t.same(together.map(lossesOf), alone);
});

t.test('a model that is being trained refuses a second fit, and can be trained again after it', async (t) => {
  using model = await tinyGazeLT();
  const options = tinyFit({ maxEpochs: 1 });
  const run = model.fit(options);
  t.throws(() => model.fit(options), { code: 'ERR_BUSY' });
  await run.result;
  await model.fit(options).result;
});

t.test('a model that is trained in float64 answers meanwhile', async (t) => {
  using model = await tinyGazeLT();
  let answers = 0;
  for await (const event of model.fit(tinyFit({ maxEpochs: 1, precision: 'float64' }))) {
    if (event.type !== 'step') continue;
    answers += (await model.predict(images)).length;
    answers += (await model.evaluate(films)).labels.length;
  }
  t.equal(answers, 18);
});

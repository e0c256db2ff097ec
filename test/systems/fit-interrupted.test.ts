import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { CheckpointStore } from '../../lib/checkpoints/folder.js';
import type { FitOptions } from '../../lib/systems/classifier/fit.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { readState } from '../../lib/training/checkpoint.js';
import { requireFinite } from '../../lib/training/finite.js';
import type { TrainEvent } from '../../lib/training/trainer.js';
import { failure } from '../support/outcome.js';
import { eventsOf } from '../support/runs.js';
import { temporaryFolder, tinyDataset, tinyFit, tinyGazeLT } from '../support/tiny.js';

const lastOf = (checkpoints: string) => new CheckpointStore(checkpoints).open('last');
const bytes = Buffer.from('this is no image');
const badImage = (at: number) =>
  tinyDataset('train', 12, {
    replace: (sample, index) =>
      index === at ? { ...sample, image: { kind: 'bytes', name: `film ${at}`, bytes } } : sample,
  });

t.test(
  'a loss that is not finite stops the run, names the batch and leaves the last checkpoint',
  async (t) => {
    const checkpoints = path.join(temporaryFolder(t), 'checkpoints');
    using model = await tinyGazeLT();
    // From epoch 2 on each step throws the weights to the end of float32.
    const options = tinyFit({ checkpoints, deferred: { epoch: 1, factor: 1e40 } });
    const error = await failure(model.fit(options).result);
    t.equal(error.code, 'ERR_NOT_FINITE');
    t.match(error.message, /epoch 2, batch \d.*the batch holds train-\d+\.png/);
    t.match(error.details, { epoch: 2, phase: 'train' });
    t.equal(path.basename(await lastOf(checkpoints)), 'epoch-1');
    using loaded = await GazeLT.load(checkpoints);
    await requireFinite(loaded.network, 'epoch-1');
  },
);

t.test('weights that are not finite are not saved', async (t) => {
  using model = await tinyGazeLT();
  await requireFinite(model.network, 'epoch 1');
  await tidy(async () => {
    const state = await model.network.stateDict();
    state.get('layer3.0.bn2.running_var')?.add_(Number.POSITIVE_INFINITY);
  });
  const error = await failure(requireFinite(model.network, 'epoch 1'));
  t.match(error, { code: 'ERR_NOT_FINITE', details: { keys: ['layer3.0.bn2.running_var'] } });
});

t.test('a signal ends the run after the step, saved, with ERR_ABORTED', async (t) => {
  const checkpoints = path.join(temporaryFolder(t), 'checkpoints');
  using model = await tinyGazeLT();
  const abort = new AbortController();
  const seen: TrainEvent[] = [];
  const looping = async () => {
    for await (const event of model.fit(tinyFit({ checkpoints, signal: abort.signal }))) {
      seen.push(event);
      if (event.type === 'step' && event.step === 2) abort.abort(new Error('enough'));
    }
  };
  const error = await failure(looping());
  t.match(error, { code: 'ERR_ABORTED', cause: { message: 'enough' } });
  t.match(seen.at(-1), { type: 'checkpoint', reason: 'stopped' });
  t.match(path.basename(await lastOf(checkpoints)), /^epoch-1-step-[23]$/);
  t.equal(model.network.training, false, 'the model can be used');
  // Nothing is begun under a signal that has fired.
  const again = await failure(model.fit(tinyFit({ signal: abort.signal })).result);
  t.equal(again.code, 'ERR_ABORTED');
});

t.test('a signal is heeded in the validation too', async (t) => {
  const checkpoints = path.join(temporaryFolder(t), 'checkpoints');
  using model = await tinyGazeLT();
  const abort = new AbortController();
  const validation = tinyDataset('validation', 400);
  const run = model.fit(tinyFit({ checkpoints, validation, batchSize: 2, signal: abort.signal }));
  const looping = async () => {
    for await (const event of run) if (event.type === 'epoch') abort.abort();
  };
  t.equal((await failure(looping())).code, 'ERR_ABORTED');
  t.equal(path.basename(await lastOf(checkpoints)), 'epoch-1-step-6');
});

t.test('a break ends the run, saved; a run without checkpoints just ends', async (t) => {
  const checkpoints = path.join(temporaryFolder(t), 'checkpoints');
  using model = await tinyGazeLT();
  const run = model.fit(tinyFit({ checkpoints }));
  for await (const event of run) if (event.type === 'step') break;
  t.match(path.basename(await lastOf(checkpoints)), /^epoch-1-step-\d$/, 'saved before the loop is left');
  t.equal(await run.result, undefined);
  const other = model.fit(tinyFit());
  for await (const event of other) if (event.type === 'start') break;
  t.equal(await other.result, undefined);
});

t.test('a bad training image fails the run, iterated or not, and leaves a model that works', async (t) => {
  using model = await tinyGazeLT();
  const options = tinyFit({ train: badImage(7) });
  const iterated = await failure(eventsOf(model, options));
  t.match(iterated, { code: 'ERR_IMAGE', message: /film 7/ });
  const awaited = await failure(model.fit(options).result);
  t.match(awaited, { code: 'ERR_IMAGE', message: /film 7/ });
  t.equal((await model.predict(tinyDataset('test', 1).sample(0).image)).length, 1);
  const skipping = { ...options, onError: 'skip', maxEpochs: 1 } as const;
  const steps = (await eventsOf(model, skipping)).filter((event) => event.type === 'step');
  t.same(
    steps.map(({ images }) => images),
    [4, 4, 3],
    'left out, where asked for',
  );
});

t.test('what is there is neither overwritten nor continued otherwise', async (t) => {
  const checkpoints = path.join(temporaryFolder(t), 'checkpoints');
  using model = await tinyGazeLT();
  await model.fit(tinyFit({ checkpoints, maxEpochs: 1 })).result;
  const refused = async (options: Partial<FitOptions>) =>
    failure(model.fit(tinyFit({ checkpoints, maxEpochs: 1, ...options })).result);

  t.match(await refused({}), { code: 'ERR_EXISTS', message: /epoch-1/ });
  const other = await refused({ resume: true, learningRate: 1e-5, loss: 'focal', seed: 3 });
  t.match(other, { code: 'ERR_RESUME', details: { changed: ['loss', 'learningRate', 'seed'] } });
  t.match(other.message, /learningRate: 0\.001 -> 0\.00001/);
  t.equal((await refused({ resume: true, train: tinyDataset('other', 12) })).code, 'ERR_RESUME');
  t.equal((await refused({ resume: true, precision: 'bfloat16' })).code, 'ERR_RESUME');

  await t.test('a run that has ended is at its end', async (t) => {
    const events = await eventsOf(model, tinyFit({ checkpoints, maxEpochs: 1, resume: true }));
    t.match(events, [{ type: 'start', epoch: 2, step: 0, resumed: true }]);
    const { seconds } = await readState(path.join(checkpoints, 'epoch-1'));
    const result = await model.fit(tinyFit({ checkpoints, maxEpochs: 1, resume: true })).result;
    t.ok(seconds > 0 && result?.earlierSeconds === seconds, 'the time of the session before is known');
  });

  type Bag = Record<string, unknown>;
  /** What resuming tells where `state.json` is another one. */
  const eventsWith = async (change: (state: Record<'environment' | 'card', Bag>) => void) => {
    const file = path.join(checkpoints, 'epoch-1', 'state.json');
    const manifest = path.join(checkpoints, 'epoch-1', 'manifest.json');
    const [before, list] = [readFileSync(file, 'utf8'), readFileSync(manifest, 'utf8')];
    const state = JSON.parse(before) as Record<'environment' | 'card', Bag>;
    change(state);
    writeFileSync(file, JSON.stringify(state));
    const files = (JSON.parse(list) as { files: Bag }).files;
    delete files['state.json'];
    writeFileSync(manifest, JSON.stringify({ files }));
    try {
      return await eventsOf(model, tinyFit({ checkpoints, maxEpochs: 1, resume: true }));
    } finally {
      writeFileSync(file, before);
      writeFileSync(manifest, list);
    }
  };

  await t.test('another environment is warned of', async (t) => {
    const events = await eventsWith(({ environment }) => {
      environment.capability = 'a slide rule';
    });
    t.match(events[1], { type: 'warning', message: /capability: a slide rule -> / });
  });

  await t.test('a run that another system began is refused', async (t) => {
    const begun = eventsWith(({ card }) => {
      card.system = 'baseline';
    });
    await t.rejects(begun, { code: 'ERR_RESUME', details: { changed: ['card.system'] } });
  });

  await t.test('a damaged checkpoint is named', async (t) => {
    for (const name of ['optimizer.safetensors', 'state.json']) {
      const file = path.join(checkpoints, 'epoch-1', name);
      appendFileSync(file, ' ');
      const error = await refused({ resume: true });
      t.equal(error.code, 'ERR_CHECKPOINT');
      t.ok(error.message.includes(file), error.message);
      const whole = readFileSync(file);
      writeFileSync(file, whole.subarray(0, -1));
    }
    writeFileSync(path.join(checkpoints, 'epoch-1', 'manifest.json'), '{"files":{"state.json":null}}');
    t.match(await refused({ resume: true }), {
      code: 'ERR_CHECKPOINT',
      message: /manifest\.json.*state\.json/,
    });
    writeFileSync(path.join(checkpoints, 'last'), '../epoch-1\n');
    t.match(await refused({ resume: true }), { code: 'ERR_CHECKPOINT', message: /epoch-1/ });
  });
});

t.test('resuming where nothing is says so', async (t) => {
  const checkpoints = path.join(temporaryFolder(t), 'nothing');
  using model = await tinyGazeLT();
  const error = await failure(model.fit(tinyFit({ checkpoints, resume: true })).result);
  t.match(error, { code: 'ERR_CHECKPOINT', message: /no checkpoint 'last'/ });
});

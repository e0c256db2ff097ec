import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { pngOf } from '../../lib/cli/png.js';
import type { DataWarning } from '../../lib/data/data-warning.js';
import { subsetOf } from '../../lib/data/dataset.js';
import type { LungBoxes } from '../../lib/data/lung-boxes.js';
import { MaskFolder } from '../../lib/data/mask-folder.js';
import type { Region } from '../../lib/losses/regions.js';
import type { ClassifierOptions } from '../../lib/systems/classifier/classifier.js';
import type { LocAttentionFitOptions } from '../../lib/systems/loc-attention/fit.js';
import { LocAttention } from '../../lib/systems/loc-attention/loc-attention.js';
import type { LocAttentionScores } from '../../lib/systems/loc-attention/scoring.js';
import { LungSegmenter } from '../../lib/systems/segmenter/segmenter.js';
import { noGrad } from '../../lib/tensor/context.js';
import { memoryStats } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { type EarlyStopping, PlateauSchedule } from '../../lib/training/plateau-schedule.js';
import type { TrainEvent, TrainResult } from '../../lib/training/trainer.js';
import { outcomeOf } from '../support/runs.js';
import { oneThread, temporaryFolder, tinyClasses, tinyDataset } from '../support/tiny.js';

type Event = TrainEvent<LocAttentionScores>;

await oneThread;

// At 64 pixels the last feature map has four places: at 32 it has one, and a map of one place is 0 everywhere.
const size = 64;
const box = { x: 8, y: 10, width: 48, height: 40 };
const boxesOf = (n: number) => Array.from({ length: n }, () => box);
const regions = { upper: 'upper', lower: 'lower', left: null } as const;

function create(own: Partial<ClassifierOptions> = { architecture: 'resnet18', width: 8 }) {
  return LocAttention.create({ classes: tinyClasses, imageSize: size, init: 'random', ...own });
}

function options(own: Partial<LocAttentionFitOptions>): LocAttentionFitOptions {
  return {
    ...{ train: tinyDataset('train', 6), validation: tinyDataset('validation', 4) },
    ...{ maxEpochs: 1, batchSize: 4, learningRate: 1e-3, precision: 'float32' },
    ...(own.attention === 'none' ? {} : { regions, boxes: { train: boxesOf(6), validation: boxesOf(4) } }),
    ...own,
  };
}

async function eventsOf(
  model: LocAttention,
  own: Partial<LocAttentionFitOptions>,
  until: (event: Event) => boolean = () => false,
): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of model.fit(options(own))) {
    events.push(event);
    if (until(event)) break;
  }
  return events;
}

const rowsOf = (events: readonly Event[]) => events.filter((event) => event.type === 'epoch');

async function headOf(model: LocAttention): Promise<number[]> {
  const state = await model.network.stateDict();
  const values = Array.from((await state.get('fc.weight')?.data()) as Float32Array);
  for (const value of state.values()) value.dispose();
  return values;
}

t.test('the published term is logged, and with λ = 1 it changes nothing', async (t) => {
  const before = memoryStats().liveTensors;
  using told = await create();
  const shared = { logThresholds: [0, 1], threshold: 0.5 };
  const rows = rowsOf(await eventsOf(told, { lambda: 1, ...shared }));
  t.equal(rows.length, 2);
  for (const row of rows) {
    t.match(row, {
      lambda: 1,
      outside: null,
      emptyRegions: 0,
      'attention@1': row.phase === 'val' ? 0.75 : 2 / 3,
    });
    t.ok(Math.abs(row.loss - row.crossEntropy) < 1e-6);
    const [low, middle] = [row['attention@0'] as number, row.attention as number];
    t.ok(low < middle && middle < (row['attention@1'] as number), `${low} < ${middle}`);
  }
  using plain = await create();
  const [trained] = rowsOf(await eventsOf(plain, { attention: 'none' }));
  t.match(trained, { attention: null, outside: null, lambda: 1, crossEntropy: rows[0]?.crossEntropy });
  t.same(await headOf(told), await headOf(plain), 'the pass in evaluation mode leaves no trace');
  const live = memoryStats().liveTensors;
  t.equal(live, before);
});

t.test('the differentiable term alone makes maps hot where they shall be', async (t) => {
  using model = await create();
  const whole: Record<string, Region> = { upper: 'whole', lower: 'whole', left: 'whole' };
  const rows = rowsOf(
    await eventsOf(model, {
      attention: 'differentiable',
      lambda: 0,
      regions: whole,
      maxEpochs: 10,
      learningRate: 1e-2,
    }),
  );
  const trained = rows.filter(({ phase }) => phase === 'train').map(({ attention }) => attention as number);
  const [first, last] = [trained[0] as number, trained.at(-1) as number];
  t.ok(last < first - 0.1, `${trained.join(', ')}`);
  t.match(rows[0], { outside: 0, lambda: 0 });
  for (const { loss, attention } of rows) t.ok(Math.abs(loss - (attention as number)) < 1e-6);
});

t.test('classes are weighed in the cross-entropy by their training counts', async (t) => {
  const classes = ['upper', 'lower'];
  // Four films of one class, two of the other, in an only batch: Σ w CE / Σ w.
  const entropyWith = async (own: Partial<LocAttentionFitOptions>) => {
    using model = await create({ architecture: 'resnet18', width: 8, classes });
    const train = tinyDataset('train', 6, { classes, labels: [0, 0, 0, 0, 1, 1] });
    const few = { train, validation: tinyDataset('validation', 2, { classes }), batchSize: 6 };
    const [row] = rowsOf(await eventsOf(model, { attention: 'none', ...few, ...own }));
    return row?.crossEntropy as number;
  };
  const plain = await entropyWith({});
  const balanced = await entropyWith({ weighting: 'balanced' });
  // Weights 6 / (2 · 4) and 6 / (2 · 2): the mean of the means of both classes.
  const first = 3 * plain - 2 * balanced;
  const second = 2 * balanced - first;
  t.ok(Math.abs(first - second) > 1e-3, `${first}, ${second}`);
  // β = 0.5: weights 1 / (1 - β⁴) and 1 / (1 - β²), as 4 to 5.
  const effective = await entropyWith({ weighting: 'class-balanced', beta: 0.5 });
  const expected = (4 * 4 * first + 2 * 5 * second) / (4 * 4 + 2 * 5);
  t.ok(Math.abs(effective - expected) < 1e-5, `${effective}, expected ${expected}`);
});

t.test('a step in bfloat16: a loss near that of float32, weights that stay float32', async (t) => {
  const networks = [{ architecture: 'resnet18', width: 8 }, { architecture: 'pvt_v2_b0' }] as const;
  const forms = [{ attention: 'published' }, { attention: 'differentiable', penaliseOutside: 1 }] as const;
  for (const network of networks)
    for (const form of forms) {
      const what = `${network.architecture}, ${form.attention}`;
      const stepIn = async (precision: 'float32' | 'bfloat16') => {
        using model = await create(network);
        const few = {
          ...{ train: tinyDataset('train', 2), validation: tinyDataset('validation', 1) },
          ...{ boxes: { train: boxesOf(2), validation: boxesOf(1) }, batchSize: 2 },
        };
        const [row] = rowsOf(await eventsOf(model, { ...form, ...few, lambda: 0.5, precision }));
        const types = await tidy(async () => {
          const state = await model.network.stateDict();
          const other = [...state].filter(([name]) => !name.endsWith('num_batches_tracked'));
          return Promise.all(other.map(async ([, value]) => (await value.ready()).dtype));
        });
        t.strictSame([...new Set(types)], ['float32'], `${what} in ${precision}: weights`);
        return row as NonNullable<typeof row>;
      };
      const [full, low] = [await stepIn('float32'), await stepIn('bfloat16')];
      t.ok(Math.abs(low.loss - full.loss) < 0.05, `${what}: ${low.loss}, in float32 ${full.loss}`);
      t.ok(Math.abs((low.attention as number) - (full.attention as number)) < 0.05, `${what}: attention`);
      t.not(low.crossEntropy, full.crossEntropy, `${what}: it was computed in bfloat16`);
    }
});

t.test('the best epoch is the one with the lowest loss, where that is what chooses it', async (t) => {
  using model = await create();
  const run = model.fit(options({ attention: 'none', select: 'crossEntropy', maxEpochs: 3 }));
  const losses: number[] = [];
  for await (const event of run)
    if (event.type === 'epoch' && event.phase === 'val') losses.push(event.crossEntropy);
  const { schedule } = (await run.result) as TrainResult;
  t.equal(schedule.best, Math.min(...losses));
  t.equal(schedule.bestEpoch, losses.indexOf(schedule.best) + 1);
});

t.test('a run ends by its own count of epochs that were no better', async (t) => {
  // As if these had been the accuracies of its epochs.
  const accuracies = [0.5, 0.4, 0.6, 0.3, 0.2, 0.9];
  const { finish } = PlateauSchedule.prototype;
  const epochsOf = async (earlyStopping?: EarlyStopping) => {
    let epoch = 0;
    const heard = t.capture(PlateauSchedule.prototype, 'finish', function (this: PlateauSchedule, _, loss) {
      return finish.call(this, accuracies[epoch++] as number, loss);
    });
    using model = await create();
    const course = { attention: 'none', maxEpochs: 6, patience: 2 } as const;
    const run = model.fit(options({ ...course, ...(earlyStopping && { earlyStopping }) }));
    const { schedule } = (await run.result) as TrainResult;
    heard.restore();
    return [schedule.epochsDone, schedule.bestEpoch];
  };
  t.same(await epochsOf('cumulative'), [4, 3], 'in all');
  t.same(await epochsOf('reset'), [5, 3], 'in a row');
  t.same(await epochsOf(), [5, 3]);
});

t.test('a run that is resumed in mid-epoch is the unbroken one, λ and logged thresholds too', async (t) => {
  const folder = temporaryFolder(t);
  const of = (run: string) => ({
    ...({ adaptive: true, attention: 'differentiable', penaliseOutside: 0.5, logThresholds: [0.5] } as const),
    ...{ maxEpochs: 2, checkpoints: path.join(folder, run) },
  });
  using first = await create();
  const whole = rowsOf(await eventsOf(first, of('whole')));
  t.same(
    whole.map(({ lambda }) => lambda),
    [1, 1, 0.977, 0.977],
  );
  using broken = await create();
  await eventsOf(broken, of('broken'), (event) => event.type === 'step' && event.epoch === 2);
  using second = await create();
  const events = await eventsOf(second, { ...of('broken'), resume: true });
  t.match(events[0], { type: 'start', resumed: true, epoch: 2 });
  t.same(await outcomeOf(path.join(folder, 'broken')), await outcomeOf(path.join(folder, 'whole')));
  const [, , , validated] = whole;
  if (validated === undefined) throw new Error('no row');
  const { loss, crossEntropy, attention, outside, lambda } = validated;
  const sum = lambda * crossEntropy + (1 - lambda) * ((attention as number) + 0.5 * (outside as number));
  t.ok(Math.abs(loss - sum) < 1e-6, `${loss} and ${sum}`);

  const other = { ...of('broken'), resume: true, tau: 0.2 };
  const changed = eventsOf(second, other);
  await t.rejects(changed, { code: 'ERR_RESUME', message: /tau: 0.1 -> 0.2/ });

  const saved = path.join(folder, 'saved');
  await second.save(saved);
  const half = [0.5, 0.5, 0.5];
  const card = { interpolation: 'pillow-bilinear', normalisation: { mean: half, std: half } };
  t.match(JSON.parse(readFileSync(path.join(saved, 'model.json'), 'utf8')), card);
  using loaded = await LocAttention.load(saved);
  t.match(loaded.card, { ...card, imageSize: size, trainCounts: null });
  t.same(await headOf(loaded), await headOf(second));
});

t.test("which of VGG's activations a run looks at is recorded, unless it is the default", async (t) => {
  const checkpoints = path.join(temporaryFolder(t), 'run');
  using model = await create({ architecture: 'vgg16', width: 8 });
  await eventsOf(model, { lambda: 0.5, activations: 'after_relu', checkpoints });
  await t.rejects(eventsOf(model, { lambda: 0.5, checkpoints, resume: true }), {
    code: 'ERR_RESUME',
    message: /differ: activations: "after_relu" -> undefined/,
  });
  const events = await eventsOf(model, { lambda: 0.5, activations: 'after_relu', checkpoints, resume: true });
  t.equal(rowsOf(events).length, 0, 'it was finished');
});

t.test('logits that are no numbers end the run with the name of the batch', async (t) => {
  using model = await create();
  const state = await model.network.stateDict();
  noGrad(() => state.get('fc.bias')?.mul_(Number.NaN));
  for (const value of state.values()) value.dispose();
  await t.rejects(eventsOf(model, { lambda: 0.5 }), {
    code: 'ERR_NOT_FINITE',
    message: /In epoch 1, batch 1: .*Expected finite logits .*; the batch holds train-\d\.png, train-\d\.png/,
  });
});

t.test(
  'the lungs of each image are found once, by a segmenter, and by no other when a run goes on',
  async (t) => {
    const folder = temporaryFolder(t);
    using segmenter = await LungSegmenter.create({ init: 'random', imageSize: 32, width: 2 });
    const found: LungBoxes[] = [];
    const own = {
      ...{ lambda: 0.5, boxes: undefined, segmenter, cacheDir: path.join(folder, 'cache') },
      ...{ checkpoints: path.join(folder, 'run'), onBoxes: (boxes: LungBoxes) => found.push(boxes) },
    };
    using model = await create();
    const [trained] = rowsOf(await eventsOf(model, own as unknown as Partial<LocAttentionFitOptions>));
    t.ok(Number.isFinite(trained?.attention));
    t.same(
      found.map(({ boxes, size: side }) => [boxes.length, side]),
      [
        [6, size],
        [4, size],
      ],
    );
    for (const { x, y, width, height } of found.flatMap(({ boxes }) => boxes))
      t.ok(x >= 0 && y >= 0 && x + width <= size && y + height <= size);
    using other = await LungSegmenter.create({ init: 'random', imageSize: 32, width: 2, seed: 1 });
    const changed = eventsOf(model, { ...(own as object), segmenter: other, resume: true });
    await t.rejects(changed, { code: 'ERR_RESUME', message: /boxes: "segmenter [0-9a-f]+" -> "segmenter/ });
  },
);

t.test(
  'a segmenter learns nothing while boxes are taken from it, and gives none while it learns',
  async (t) => {
    using segmenter = await LungSegmenter.create({ init: 'random', imageSize: 32, width: 2 });
    const films = tinyDataset('films', 2);
    const data = Uint8Array.from({ length: 32 * 32 }, (_, i) => (i % 32 < 16 ? 255 : 0));
    const half = { width: 32, height: 32, channels: 1, data } as const;
    const mask = { kind: 'pixels', name: 'mask', pixels: () => half } as const;
    const pairs = { images: films, masks: [mask, mask] };
    const learn = () => segmenter.fit({ train: pairs, validation: pairs, maxEpochs: 1 });
    using model = await create();
    const fit = () => model.fit(options({ lambda: 0.5, boxes: undefined, segmenter } as object));
    const run = fit();
    t.throws(learn, { code: 'ERR_BUSY', message: /boxes are not being taken/ });
    for await (const { type } of run) if (type === 'start') break;
    const learning = learn();
    t.throws(fit, { code: 'ERR_BUSY', message: /a segmenter whose weights are not changing/ });
    await model.fit(options({ lambda: 0.5 })).result;
    await learning.result;
    const lost = tinyDataset('train', 6, {
      replace: (sample) => ({ ...sample, image: { kind: 'file', path: '/no/such/film.png' } }),
    });
    const failed = model.fit(options({ lambda: 0.5, boxes: undefined, segmenter, train: lost } as object));
    await t.rejects(failed.result, { code: 'ERR_DATASET' });
    await learn().result;
  },
);

t.test(
  'films without a mask are left out: of the class weights, and of what a run goes on with',
  async (t) => {
    const folder = temporaryFolder(t);
    const masks = path.join(folder, 'masks');
    mkdirSync(masks);
    const lungs = Uint8Array.from({ length: 32 * 32 }, (_, i) => (i % 32 > 4 && i % 32 < 28 ? 255 : 0));
    const mask = await pngOf({ width: 32, height: 32, channels: 1, data: lungs });
    const add = (name: string) => writeFileSync(path.join(masks, `${name}.png`), mask);
    for (let i = 1; i < 6; i++) add(`train-${i}`);
    for (let i = 0; i < 3; i++) add(`validation-${i}`);

    const told: DataWarning[] = [];
    const skipping = {
      ...{ lambda: 0.5, weighting: 'balanced', boxes: undefined, masks, onError: 'skip' },
      onLeftOut: (warning: DataWarning) => told.push(warning),
    } as unknown as Partial<LocAttentionFitOptions>;
    const rowsFrom = async (own: Partial<LocAttentionFitOptions>) => {
      using model = await create();
      return rowsOf(await eventsOf(model, own));
    };
    const listed = t.capture(MaskFolder, 'open', MaskFolder.open);
    const left = await rowsFrom(skipping);
    t.equal(listed().length, 1, 'the folder is listed once');
    t.match(told, [
      { message: /1 of 6 masks of train/, details: { ids: ['train-0.png'] } },
      { message: /1 of 4 masks of validation/, details: { ids: ['validation-3.png'] } },
    ]);
    const train = subsetOf(tinyDataset('train', 6), [1, 2, 3, 4, 5]);
    const validation = subsetOf(tinyDataset('validation', 4), [0, 1, 2]);
    t.strictSame(await rowsFrom({ ...skipping, onError: 'throw', train, validation }), left);

    // With cross-entropy alone, too, where that is asked for.
    const none = { attention: 'none', weighting: 'balanced' } as const;
    const { lambda: _, boxes: __, ...ofNone } = { ...skipping, ...none };
    told.length = 0;
    t.strictSame(await rowsFrom(ofNone), await rowsFrom({ ...none, train, validation }));
    t.equal(told.length, 2);
    using model = await create();
    t.throws(() => model.fit(options({ ...ofNone, onError: 'throw' })), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /nothing with options\.attention 'none'/,
    });

    const checkpoints = path.join(folder, 'run');
    await eventsOf(model, { ...skipping, checkpoints });
    add('train-0');
    await t.rejects(eventsOf(model, { ...skipping, checkpoints, resume: true }), {
      code: 'ERR_RESUME',
      message:
        /differ: filmsWithMasks: "5 of 6 to train, 3 of 4 to validate, ids \w+" -> "6 of 6 to train, 3 of 4 to validate, ids/,
    });
    rmSync(path.join(masks, 'train-2.png'));
    await t.rejects(eventsOf(model, { ...skipping, checkpoints, resume: true }), {
      code: 'ERR_RESUME',
      message: /"5 of 6 .*" -> "5 of 6 /,
    });
    rmSync(path.join(masks, 'train-5.png'));
    await t.rejects(eventsOf(model, skipping), {
      code: 'ERR_DATASET',
      message: /each class of train but found none for left: 2 of 6 masks of train are missing/,
    });
  },
);

t.test('what cannot be meant is refused at once, by name', async (t) => {
  using model = await create();
  const bad: [Partial<LocAttentionFitOptions> | Record<string, unknown>, RegExp][] = [
    [{}, /options\.lambda/],
    [{ lambda: 1.5 }, /options\.lambda/],
    [{ lambda: 0.5, attention: 'differentable' }, /nearest: 'differentiable'/],
    [{ attention: 'differentiable', lambda: 0.5, tau: 1e-9 }, /options\.tau/],
    [{ lambda: 0.5, tau: 0.2 }, /no options\.tau with options\.attention 'published'/],
    [{ attention: 'none', threshold: 0.5 }, /no options\.threshold/],
    [{ attention: 'none', regions }, /options\.regions/],
    [{ lambda: 0.5, threshold: 2 }, /options\.threshold/],
    [{ lambda: 0.5, activations: 'after_relu' }, /nothing but for VGG's.*resnet18.*options\.activations/],
    [{ lambda: 0.5, activations: 'after' }, /one of .*options\.activations/],
    [{ attention: 'none', activations: 'after_relu' }, /no options\.activations/],
    [{ lambda: 0.5, regions: { upper: 'upper', lower: 'lower' } }, /options\.regions\['left'\]/],
    [{ lambda: 0.5, regions: { upper: 'uper', lower: 'lower', left: null } }, /nearest: 'upper'/],
    [{ lambda: 0.5, regions: { upper: null, lower: null, left: null } }, /at least one class/],
    [{ lambda: 0.5, regions: 'ne' }, /3 regions, one for each of upper, lower, left/],
    [{ lambda: 0.5, regions: 'nepp' }, /nearest: 'nep'/],
    [{ lambda: 0.5, boxes: undefined }, /where the lungs of each image are/],
    [{ lambda: 0.5, boxes: { train: boxesOf(5), validation: boxesOf(4) } }, /6 boxes, one for each image/],
    [{ lambda: 0.5, boxes: { train: [{ ...box, x: -1 }], validation: [] } }, /boxes\.train\[0\]\.x/],
    [{ lambda: 0.5, masks: 'masks' }, /Expected one of options\.segmenter, options\.masks, options\.boxes/],
    [{ lambda: 0.5, boxes: undefined, segmenter: {} }, /a LungSegmenter/],
    [{ lambda: 0.5, validationAttention: false, follow: 'loss' }, /options\.validationAttention/],
    [{ lambda: 0.5, logThresholds: [0.5, 0.5] }, /logThresholds\[1\]/],
    [{ lambda: 0.5, earlyStopping: 'never' }, /earlyStopping/],
    [{ lambda: 0.5, patience: 0 }, /patience/],
    [{ lambda: 0.5, plateau: { factor: 2 } }, /plateau\.factor/],
  ];
  for (const [own, message] of bad)
    t.throws(() => model.fit(options(own as LocAttentionFitOptions)), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    });
  for (const stranger of [null, undefined, 3, 'options'])
    t.throws(() => model.fit(stranger as never), { code: 'ERR_INVALID_ARGUMENT' });
  const run = model.fit(options({ lambda: 0.5 }));
  t.throws(() => model.fit(options({ lambda: 0.5 })), { code: 'ERR_BUSY' });
  await run.result;
  const aborted = model.fit(options({ lambda: 0.5, signal: AbortSignal.abort() }));
  await t.rejects(aborted.result, { code: 'ERR_ABORTED' });
  model.dispose();
  t.throws(() => model.fit(options({ lambda: 0.5 })), { code: 'ERR_DISPOSED' });
});

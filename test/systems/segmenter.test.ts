import { cpSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { writeTensors } from '../../lib/checkpoints/write-tensors.js';
import type { Dataset } from '../../lib/data/dataset.js';
import type { MaskPairs } from '../../lib/data/mask-pairs.js';
import { normalizeImages } from '../../lib/data/normalize.js';
import type { PairReport } from '../../lib/data/pair-survey.js';
import { pngOf } from '../../lib/data/png.js';
import type { PassOptions } from '../../lib/systems/classifier/passes.js';
import { LungSegmenter, type SegmenterEvent } from '../../lib/systems/segmenter/segmenter.js';
import { lungLogits, overlaps } from '../../lib/systems/segmenter/segmenter-objective.js';
import { noGrad } from '../../lib/tensor/context.js';
import { memoryStats, tensor } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { overlap } from '../reference/segmentation.js';
import { noise } from '../support/images.js';
import { failure } from '../support/outcome.js';
import { fixture } from '../support/paths.js';
import { oneThread } from '../support/tiny.js';

await oneThread;
const before = memoryStats().liveTensors;
t.teardown(() => {
  if (memoryStats().liveTensors !== before) throw new Error('tensors are left over');
});

const side = 32;
/** A dark disc on grey is the lung; where it is depends on the index. */
function lungAt(index: number): (i: number) => boolean {
  const [cx, cy] = [8 + 4 * (index % 4), 12 + 3 * (index % 3)];
  return (i) => ((i % side) - cx) ** 2 + (Math.floor(i / side) - cy) ** 2 < 36;
}

function discs(name: string, count: number, first = 0): MaskPairs {
  const made = (index: number, inside: number, outside: number) => {
    const isLung = lungAt(first + index);
    const data = Uint8Array.from({ length: side * side }, (_, i) => (isLung(i) ? inside : outside));
    return { width: side, height: side, channels: 1 as const, data };
  };
  const images: Dataset = {
    ...{ name, classes: ['lungs'], length: count },
    sample: (index) => {
      const id = `${name}-${index}`;
      return { id, label: 0, image: { kind: 'pixels', name: id, pixels: () => made(index, 40, 190) } };
    },
  };
  const masks = Array.from({ length: count }, (_, index) => ({
    kind: 'pixels' as const,
    name: `mask ${index}`,
    pixels: () => made(index, 255, 0),
  }));
  return { images, masks, groups: Array.from({ length: count }, (_, i) => (i % 2 ? 'odd' : 'even')) };
}

const small = { init: 'random', imageSize: side, width: 4, seed: 1 } as const;
const train = discs('train', 12);
const validation = discs('validation', 4, 12);

t.test('learns where lungs are, saves, loads and finds boxes once', async (t) => {
  const folder = t.testdir();
  using segmenter = await LungSegmenter.create(small);
  const earlier = await segmenter.evaluate(validation);
  const options = { train, validation, maxEpochs: 6, batchSize: 2, learningRate: 3e-3, seed: 1 };
  const run = segmenter.fit({
    ...options,
    flipProbability: 0.5,
    maxAngle: 10,
    checkpoints: path.join(folder, 'run'),
  });
  t.throws(() => segmenter.fit(options), { code: 'ERR_BUSY' });
  const events: SegmenterEvent[] = [];
  for await (const event of run) events.push(event);
  const rows = events.flatMap((event) => (event.type === 'epoch' && event.phase === 'val' ? [event] : []));
  t.equal(rows.length, 6);
  t.ok(
    rows.every(({ dice, iou }) => dice >= iou && dice <= 1),
    'Dice is never below the intersection over union',
  );
  const evaluation = await segmenter.evaluate(validation);
  t.ok(
    evaluation.dice > 0.8 && evaluation.dice > earlier.dice + 0.1,
    `${earlier.dice} to ${evaluation.dice}`,
  );
  t.same(
    evaluation.groups.map(({ group, images }) => [group, images]),
    [
      ['even', 2],
      ['odd', 2],
    ],
  );
  const best = Math.min(...rows.map(({ loss }) => loss));
  t.equal((await run.result)?.schedule.best, best, 'the epoch with the lowest loss is the best');

  const [first] = await masksOf(segmenter);
  await segmenter.save(path.join(folder, 'saved'));
  for (const source of ['saved', 'run']) {
    using loaded = await LungSegmenter.load(path.join(folder, source));
    t.same([loaded.card.imageSize, loaded.card.width], [side, 4]);
    t.equal(await loaded.fingerprint(), await segmenter.fingerprint(), source);
    t.same((await masksOf(loaded))[0], first, 'the same mask');
    const init = { weights: path.join(folder, source) };
    using begun = await LungSegmenter.create({ ...small, init, imageSize: 64 });
    t.same([begun.card.imageSize, begun.initReport], [64, { fresh: [], leftOut: [] }]);
    t.equal(await begun.fingerprint(), await segmenter.fingerprint(), 'the weights alone are begun with');
  }
  t.match(await failure(LungSegmenter.create({ ...small, init: { weights: t.testdirName } })), {
    code: 'ERR_CHECKPOINT',
    message: /segmenter\.json/,
  });
  const own = path.join(folder, 'saved', 'model.safetensors');
  using ofFile = await LungSegmenter.load(own);
  t.same(ofFile.card, segmenter.card, 'the card beside its own file of weights counts');
  t.match(await failure(LungSegmenter.load(own, { imageSize: 64 })), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /own size, 32/,
  });
  cpSync(own, path.join(folder, 'bare.safetensors'));
  using bare = await LungSegmenter.load(path.join(folder, 'bare.safetensors'), { imageSize: side });
  t.equal(bare.card.width, 4, 'the width of a file of weights is told by it');
  cpSync(path.join(folder, 'saved'), path.join(folder, '.cut.old'), { recursive: true });
  using putBack = await LungSegmenter.load(path.join(folder, 'cut'));
  t.equal(
    await putBack.fingerprint(),
    await segmenter.fingerprint(),
    'a save that was cut between its moves',
  );
  t.match(await failure(LungSegmenter.load(path.join(folder, 'saved'), { imageSize: 64 })), {
    message: /own size, 32/,
  });

  const cacheDir = path.join(folder, 'cache');
  const boxes = await segmenter.boxes(validation.images, { size: 64, cacheDir });
  t.equal(boxes.reused, 0);
  t.equal(boxes.lungs.length, 4);
  t.ok(boxes.lungs.every(({ box, maskSize }) => box.width < 64 && maskSize[0] === side));
  t.same(
    boxes.warnings.map(({ kind }) => kind),
    ['one-lung'],
    'discs are poor lungs',
  );
  const again = await segmenter.boxes(validation.images, { size: 64, cacheDir });
  t.equal(again.reused, 4);
  t.same(again.boxes, boxes.boxes);
  const other = await segmenter.boxes(validation.images, { size: 32, cacheDir });
  t.equal(other.reused, 0, 'boxes of another size are others');
  t.equal(readdirSync(cacheDir).filter((name) => name.startsWith('lung-boxes-')).length, 2);
});

async function masksOf(segmenter: LungSegmenter, options: PassOptions = {}): Promise<Uint8Array[]> {
  const masks: Uint8Array[] = [];
  for await (const { mask, index, id } of segmenter.segment([validation.images.sample(0).image], options)) {
    if (index !== masks.length || id !== 'validation-0') throw new Error(`${index} ${id}`);
    masks.push(mask.data);
  }
  return masks;
}

t.test('steps in bfloat16: a loss near that of float32, weights that stay float32', async (t) => {
  const options = { train: discs('few', 4), validation, batchSize: 2, maxEpochs: 1 };
  const fitted = async (precision: 'float32' | 'bfloat16') => {
    using segmenter = await LungSegmenter.create(small);
    let loss = Number.NaN;
    for await (const event of segmenter.fit({ ...options, precision }))
      if (event.type === 'epoch' && event.phase === 'train') loss = event.loss;
    const first = await tidy(async () => {
      const state = await segmenter.network.stateDict();
      const types = await Promise.all([...state.values()].map(async (one) => (await one.ready()).dtype));
      t.strictSame([...new Set(types)].sort(), ['float32', 'int64'], precision);
      return (await state.get('e1.conv.conv1.weight')?.ready())?.shape;
    });
    t.strictSame(first, [4, 3, 3, 3]);
    const { dice } = await segmenter.evaluate(validation, { precision });
    return { loss, dice };
  };
  const [full, low] = [await fitted('float32'), await fitted('bfloat16')];
  t.ok(Math.abs(low.loss - full.loss) < 0.02, `${low.loss}, in float32 ${full.loss}`);
  t.not(low.loss, full.loss, 'it was computed in bfloat16');
  t.ok(Math.abs(low.dice - full.dice) < 0.05, `Dice ${low.dice}, in float32 ${full.dice}`);
});

t.test(
  'passes in float64 compute in float64, in the midst of training too, and leave the weights as they are',
  async (t) => {
    using segmenter = await LungSegmenter.create(small);
    const before = await segmenter.fingerprint();
    const precision = 'float64';
    const full = await segmenter.evaluate(validation);
    const fine = await segmenter.evaluate(validation, { precision });
    t.ok(Math.abs(fine.dice - full.dice) < 0.01, `Dice ${fine.dice}, in float32 ${full.dice}`);
    const [first] = await masksOf(segmenter);
    const [second] = await masksOf(segmenter, { precision });
    const others = first?.filter((value, i) => value !== second?.[i]).length as number;
    t.ok(others <= 2, `${others} pixels on the edge`);
    t.equal((await segmenter.boxes(validation.images, { precision })).lungs.length, 4);
    t.same([await segmenter.fingerprint(), segmenter.network.dtype], [before, 'float32']);
    for await (const { type } of segmenter.fit({
      train: discs('few', 2),
      validation,
      maxEpochs: 1,
      precision,
    }))
      if (type === 'step')
        for (const asked of ['float32', 'float64'] as const)
          t.equal((await segmenter.evaluate(validation, { precision: asked })).images, 4);
  },
);

t.test('a resumed run ends as an unbroken one', async (t) => {
  const options = { train: discs('few', 4), validation, batchSize: 2, maxEpochs: 2, maxAngle: 15 };
  const checkpoints = path.join(t.testdir(), 'run');
  using whole = await LungSegmenter.create(small);
  await whole.fit(options).result;
  using broken = await LungSegmenter.create(small);
  const stop = new AbortController();
  const run = broken.fit({ ...options, checkpoints, signal: stop.signal });
  await t.rejects(
    async () => {
      for await (const event of run) if (event.type === 'step' && event.epoch === 2) stop.abort();
      await run.result;
    },
    { code: 'ERR_ABORTED' },
  );
  using resumed = await LungSegmenter.create({ ...small, seed: 5 });
  await resumed.fit({ ...options, checkpoints, resume: true }).result;
  t.equal(await resumed.fingerprint(), await whole.fingerprint());
  t.throws(() => resumed.fit({ ...options, resume: true }), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('boxes are of one state of the weights, so none are found while they change', async (t) => {
  using segmenter = await LungSegmenter.create(small);
  const cacheDir = t.testdir();
  const fit = { train: discs('few', 2), validation, maxEpochs: 1 };
  const run = segmenter.fit(fit);
  const boxes = () => segmenter.boxes(validation.images, { cacheDir });
  t.throws(boxes, {
    code: 'ERR_BUSY',
    message: /a segmenter whose weights are not changing; its fit has not/,
  });
  t.equal((await segmenter.evaluate(validation)).images, 4, 'what is not kept is allowed');
  await run.result;
  t.same(readdirSync(cacheDir), []);
  const both = [boxes(), boxes()];
  const refusal = { code: 'ERR_BUSY', message: /whose boxes are not being taken just now/ };
  t.throws(() => segmenter.fit(fit), refusal);
  await Promise.all(both);
  await t.rejects(segmenter.boxes(validation.images, { signal: AbortSignal.abort() }), {
    code: 'ERR_ABORTED',
  });
  await segmenter.fit(fit).result;
});

t.test('masks that are empty, or of another size or shape than their image, are told', async (t) => {
  const pairs = discs('odd', 4);
  const sized = (width: number, height: number, value: number) => ({
    ...{ kind: 'pixels' as const, name: `${width} x ${height}` },
    pixels: () => ({ width, height, channels: 1 as const, data: new Uint8Array(width * height).fill(value) }),
  });
  const masks = [sized(32, 32, 0), sized(64, 64, 255), sized(16, 32, 255), sized(15, 16, 255)];
  const bytes = await pngOf({ width: side, height: side, channels: 1, data: new Uint8Array(side * side) });
  const images: Dataset = {
    ...pairs.images,
    sample: (index) => {
      const sample = pairs.images.sample(index);
      return index === 1 ? { ...sample, image: { kind: 'bytes', name: 'bytes', bytes } } : sample;
    },
  };
  using segmenter = await LungSegmenter.create(small);
  const odd = { images, masks };
  const { report } = await segmenter.evaluate(odd);
  t.match(report, { dataset: 'odd', pairs: 4, empty: 1, otherSize: 2, otherShape: 1 });
  t.strictSame(
    report.warnings.map(({ kind, details }) => [kind, details['ids']]),
    [
      ['empty-masks', ['odd-0']],
      ['mask-sizes', ['odd-1', 'odd-3']],
      ['mask-shapes', ['odd-2']],
    ],
    'a side may be rounded',
  );
  t.match(report.warnings[2]?.message, /odd: 1 of 4 masks .* 'odd-2'; the first: 16 x 32, its image 32 x 32/);
  const reports: PairReport[] = [];
  const onPairs = (one: PairReport) => reports.push(one);
  const fit = { train: odd, validation, maxEpochs: 1, batchSize: 4, onPairs, cacheDir: t.testdir() };
  for (const _ of [1, 2]) await segmenter.fit(fit).result;
  const [first, second, ...again] = reports;
  t.strictSame([first, second?.warnings], [report, []]);
  t.strictSame(again, [first, second], 'masks that were found in the cache are told too');
  t.throws(() => segmenter.fit({ ...fit, onPairs: 3 as never }), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('a bad image is left out with its mask', async (t) => {
  const [good, bad] = [discs('mixed', 3), path.join(t.testdir({ 'bad.png': 'no image' }), 'bad.png')];
  const images: Dataset = {
    ...good.images,
    sample: (index) =>
      index === 1 ? { id: 'bad', label: 0, image: { kind: 'file', path: bad } } : good.images.sample(index),
  };
  using segmenter = await LungSegmenter.create(small);
  const skipped: number[] = [];
  const onSkip = ({ index }: { readonly index: number }) => skipped.push(index);
  const options = { onError: 'skip', onSkip, cacheDir: t.testdirName } as const;
  const { lungs, warnings } = await segmenter.boxes(images, options);
  t.same([lungs.length, lungs[1]?.finding], [3, 'none']);
  const said = warnings.flatMap(({ details }) => details?.ids ?? []);
  t.notOk(said.includes('bad'), 'of a film that was not seen nothing is said of its lungs');
  t.equal((await segmenter.boxes(images, options)).reused, 2);
  t.same(skipped, [1, 1], 'an index of the data set, whatever was found in the cache');
  const fit = { train: { ...good, images }, validation, maxEpochs: 1, batchSize: 2 };
  t.match(await failure(segmenter.fit(fit).result), { code: 'ERR_IMAGE' });
  await segmenter.fit({ ...fit, onError: 'skip' }).result;

  const mixed = { ...good, images };
  t.match(await failure(segmenter.evaluate(mixed)), { code: 'ERR_IMAGE' });
  const told: number[] = [];
  const done: number[] = [];
  const evaluation = await segmenter.evaluate(mixed, {
    ...{ onError: 'skip', batchSize: 1, cacheDir: t.testdirName },
    onSkip: ({ index }) => told.push(index),
    onProgress: (progress) => done.push(progress.done),
  });
  const whole = await segmenter.evaluate(good);
  t.match(evaluation, { images: 2, report: { pairs: 2 }, skipped: [{ index: 1, id: 'bad' }] });
  t.strictSame(evaluation.each, [whole.each[0], whole.each[2]], 'each with its own mask and group');
  t.same([told, done], [[1], [2, 3]]);
});

t.test('a chunk of images that are all bad ends no evaluation that may skip them', async (t) => {
  const bad = path.join(t.testdir({ 'bad.png': 'no image' }), 'bad.png');
  const pairs = discs('late', 129);
  const images: Dataset = {
    ...pairs.images,
    sample: (index) =>
      index < 128
        ? { id: `bad ${index}`, label: 0, image: { kind: 'file', path: bad } }
        : pairs.images.sample(index),
  };
  using segmenter = await LungSegmenter.create(small);
  const evaluate = (length: number) =>
    segmenter.evaluate(
      { images: { ...images, length }, masks: pairs.masks.slice(0, length) },
      { onError: 'skip' },
    );
  const { each, skipped } = await evaluate(129);
  t.same([each.map(({ id }) => id), skipped.length], [['late-128'], 128]);
  t.match(await failure(evaluate(128)), {
    code: 'ERR_DATASET',
    message: 'late: no image of 128 can be used',
  });
});

t.test("the authors' unet_model.pt, a pickled module, gives PyTorch's logits", async (t) => {
  const expected = JSON.parse(readFileSync(fixture('checkpoints', 'unet_model.json'), 'utf8')) as {
    readonly side: number;
    readonly logits: readonly number[];
  };
  const { side: size, logits } = expected;
  using segmenter = await LungSegmenter.load(fixture('checkpoints', 'unet_model.pt'), { imageSize: size });
  t.same([segmenter.card.width, segmenter.card.imageSize], [1, size]);
  const image = noise('unet.image', size, size, 3);
  const found = await tidy(async () => {
    const batch = tensor(image.data, [1, size, size, 3], { dtype: 'uint8' });
    const images = normalizeImages(batch, segmenter.card.normalisation);
    return (await noGrad(() =>
      lungLogits(segmenter.network, images, { evaluation: true }),
    ).data()) as Float32Array;
  });
  const worst = Math.max(...logits.map((value, i) => Math.abs(value - (found[i] as number))));
  t.ok(worst < 1e-5, `within ${worst}`);
  const source = { kind: 'pixels', name: 'noise', pixels: () => image } as const;
  for await (const { mask } of segmenter.segment(source))
    t.same(
      mask.data,
      logits.map((value) => (value > 0 ? 255 : 0)),
      'the mask is where the logit is positive',
    );
});

t.test('the numbers of an overlap', async (t) => {
  const lists = [
    [0, 1, 1, 0],
    [1, 1, 0, 0],
    [0, 0, 0, 0],
  ] as const;
  for (const a of lists)
    for (const b of lists) {
      const [given] = await tidy(() =>
        overlaps(
          tensor(
            a.map((v) => v - 0.5),
            [1, 1, 2, 2],
          ),
          tensor([...b], [1, 1, 2, 2]),
        ),
      );
      t.same(given, overlap(a.map(Boolean), b.map(Boolean)));
    }
});

t.test('what does not fit is refused', async (t) => {
  const invalid = { code: 'ERR_INVALID_ARGUMENT' };
  t.throws(() => LungSegmenter.create({ init: 'random', imageSize: 40 }), {
    ...invalid,
    message: /multiple of 16/,
  });
  t.throws(() => LungSegmenter.create({ init: 'zero' as 'random' }), invalid);
  t.throws(() => LungSegmenter.create({ init: 'random', width: 0 }), invalid);
  const folder = t.testdir({ empty: {}, other: { 'segmenter.json': '{"system":"gazelt-teacher"}' } });
  t.match(await failure(LungSegmenter.load(path.join(folder, 'empty'))), { code: 'ERR_CHECKPOINT' });
  t.match(await failure(LungSegmenter.load(path.join(folder, 'other'))), {
    code: 'ERR_CHECKPOINT',
    message: /'lung-segmenter' for system but received "gazelt-teacher"/,
  });
  t.match(await failure(LungSegmenter.load(path.join(folder, 'nothing'))), { code: 'ERR_FILE' });
  const file = path.join(folder, 'other.safetensors');
  await tidy(async () => writeTensors(file, new Map([['fc.weight', tensor([1])]]), {}));
  t.match(await failure(LungSegmenter.load(file)), {
    code: 'ERR_STATE_DICT',
    message: /keys of loc-attention/,
  });
  const segmenter = await LungSegmenter.create(small);
  const short = { ...train, masks: train.masks.slice(1) };
  t.throws(() => segmenter.fit({ train: short, validation }), { ...invalid, message: /12 images/ });
  t.throws(() => segmenter.fit({ train, validation, maxAngle: 200 }), invalid);
  t.throws(() => segmenter.boxes(train.images, { size: 0 }), invalid);
  t.throws(() => segmenter.boxes(train.images, { cachedir: 'x' } as object), {
    message: /did you mean 'cacheDir'/,
  });
  t.throws(() => segmenter.segment([]), invalid);
  segmenter.dispose();
  t.throws(() => segmenter.evaluate(validation), { code: 'ERR_DISPOSED' });
});

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import type { Dataset, ImageSource, PixelsSource } from '../../lib/data/dataset.js';
import type { SkippedImage } from '../../lib/data/prepare.js';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import { Baseline } from '../../lib/systems/baseline.js';
import type { Classifier } from '../../lib/systems/classifier/classifier.js';
import type { ExplainedImage, ExplainOptions } from '../../lib/systems/classifier/explain.js';
import type { ImageInput } from '../../lib/systems/classifier/inputs.js';
import type { PredictOptions } from '../../lib/systems/classifier/predict.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { failure } from '../support/outcome.js';
import {
  temporaryFolder,
  tinyBaseline,
  tinyClasses,
  tinyDataset,
  tinyFit,
  tinyGazeLT,
  tinySize,
} from '../support/tiny.js';

const films = tinyDataset('films', 7);
const imageOf = (i: number) => films.sample(i).image as PixelsSource;
const images = Array.from({ length: films.length }, (_, i) => imageOf(i));
const float32 = { precision: 'float32' } as const;
const systems = { GazeLT: tinyGazeLT, Baseline: tinyBaseline };

async function png(i: number): Promise<Buffer> {
  const { width, height, data } = await imageOf(i).pixels();
  return sharp(data, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
}

/** The films as PNG files, in a folder with another below it. */
async function filmFolder(t: Test): Promise<{ folder: string; files: string[] }> {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'below'));
  const names = ['a.png', 'b.png', path.join('below', 'c.png')];
  const files = names.map((name) => path.join(folder, name));
  for (const [i, file] of files.entries()) writeFileSync(file, await png(i));
  writeFileSync(path.join(folder, 'notes.txt'), 'no image');
  return { folder, files };
}

const rows = (predictions: readonly { probabilities: object }[]) =>
  predictions.map(({ probabilities }) => Object.values(probabilities) as number[]);

/** To the bit only batches of one size agree: other sizes take other kernels. */
function near(t: Test, found: number[][], expected: number[][], what: string): void {
  const differences = found.flat().map((value, i) => Math.abs(value - (expected.flat()[i] as number)));
  t.ok(found.length === expected.length && Math.max(...differences) < 1e-5, what);
}

async function all(run: AsyncIterable<ExplainedImage>): Promise<ExplainedImage[]> {
  const found: ExplainedImage[] = [];
  for await (const one of run) found.push(one);
  return found;
}

for (const [name, make] of Object.entries(systems)) {
  t.test(`${name} predicts files, folders, bytes, sources and mixtures of them, in order`, async (t) => {
    const { folder, files } = await filmFolder(t);
    using model = await make();
    const expected = rows(await model.predict(images.slice(0, 3), float32));
    const [a, b, c] = expected as [number[], number[], number[]];
    for (const row of expected) t.ok(Math.abs(row.reduce((sum, p) => sum + p, 0) - 1) < 1e-5);
    const kinds: [ImageInput, string[], number[][]][] = [
      [files[0] as string, [files[0] as string], [a]],
      [folder, files, [a, b, c]],
      [await png(1), ['image-0'], [b]],
      [imageOf(2), [imageOf(2).name], [c]],
      [{ kind: 'bytes', name: 'upload', bytes: await png(0) }, ['upload'], [a]],
      [
        [imageOf(2), folder, await png(0)],
        [imageOf(2).name, ...files, 'image-2'],
        [c, a, b, c, a],
      ],
    ];
    for (const [input, ids, wanted] of kinds) {
      const found = await model.predict(input, float32);
      t.same(
        found.map(({ id }) => id),
        ids,
      );
      near(t, rows(found), wanted, ids.join(', '));
    }
    const [first] = await model.predict(images, { ...float32, batchSize: 2 });
    const best = Math.max(...a);
    t.match(first, { class: tinyClasses[a.indexOf(best)], group: null });
    t.same(Object.keys(first?.probabilities ?? {}), [...tinyClasses]);
    near(
      t,
      rows(await model.predict(images.slice(0, 3), { batchSize: 2, precision: 'float64' })),
      expected,
      'float64',
    );
    const half = rows(await model.predict(images.slice(0, 3), { precision: 'bfloat16' }));
    t.ok(
      half.flat().every((p, i) => Math.abs(p - (expected.flat()[i] as number)) < 0.05),
      'bfloat16',
    );
  });

  t.test(`${name}: a bad image ends the work by name, or is left out and told`, async (t) => {
    const { files } = await filmFolder(t);
    const bad = path.join(path.dirname(files[0] as string), 'bad.png');
    writeFileSync(bad, 'no image at all');
    const empty: ImageSource = { kind: 'bytes', name: 'nothing', bytes: new Uint8Array() };
    using model = await make();
    t.match(await failure(model.predict([imageOf(0), bad])), { code: 'ERR_IMAGE', message: /bad\.png/ });
    t.match(await failure(model.predict(empty)), { code: 'ERR_IMAGE', message: /nothing/ });
    t.match(await failure(model.predict(path.join(bad, 'x'))), { code: 'ERR_FILE', message: /bad\.png/ });
    const told: SkippedImage[] = [];
    const seen: number[] = [];
    const skip: PredictOptions = {
      ...float32,
      batchSize: 1,
      onError: 'skip',
      onSkip: (image) => told.push(image),
      onProgress: ({ done, total }) => seen.push(total - done),
    };
    const found = await model.predict([imageOf(0), bad, imageOf(1), empty], skip);
    t.same(
      found.map(({ id }) => id),
      [imageOf(0).name, imageOf(1).name],
    );
    t.match(told, [
      { index: 1, image: bad, error: { code: 'ERR_IMAGE' } },
      { index: 3, image: 'nothing', error: { code: 'ERR_IMAGE' } },
    ]);
    t.equal(seen.at(-1), 0);
    t.same(await model.predict(bad, skip), [], 'nothing is left');
    t.equal(told.length, 3);
  });
}

t.test('a folder of more images than are decoded at a time, the last part all bad', async (t) => {
  using model = await tinyGazeLT();
  const many = Array.from({ length: 256 }, (_, i) => imageOf(i % 7));
  const bad: ImageSource = { kind: 'bytes', name: 'late', bytes: Buffer.from('late') };
  const told: number[] = [];
  const found = await model.predict([...many, bad, bad], {
    batchSize: 64,
    onError: 'skip',
    onSkip: ({ index }) => told.push(index),
  });
  t.equal(found.length, 256);
  t.same(told, [256, 257]);
});

t.test('evaluation is what the metrics make of the predictions', async (t) => {
  using model = await tinyGazeLT();
  await model.fit(tinyFit({ maxEpochs: 1 })).result;
  const evaluation = await model.evaluate(films);
  near(
    t,
    [Array.from(evaluation.probabilities)],
    [rows(await model.predict(images, float32)).flat()],
    'the same probabilities',
  );
  const { probabilities, labels, classes } = evaluation;
  t.same(Array.from(labels), [0, 1, 2, 0, 1, 2, 0]);
  t.match(evaluation, {
    name: 'films',
    precision: 'float32',
    skipped: [],
    patients: null,
    classes: tinyClasses,
  });
  t.equal(evaluation.ids[6], films.sample(6).id);
  const { trainCounts, thresholds } = model.card;
  const plain = evaluatePredictions({
    probabilities,
    labels,
    classes,
    trainCounts: trainCounts ?? [],
    thresholds,
  });
  t.same(evaluation.metrics, plain);

  await t.test('with test-time augmentation', async (t) => {
    const once = await model.evaluate(films, { tta: 2, seed: 1 });
    const again = await model.evaluate(films, { tta: 2, seed: 1, batchSize: 2 });
    near(t, [Array.from(once.probabilities)], [Array.from(again.probabilities)], 'the seed decides');
    const other = await model.evaluate(films, { tta: 2, seed: 2 });
    t.notSame(once.probabilities, other.probabilities);
    t.notSame(once.probabilities, probabilities);
    t.ok(Math.abs(once.probabilities.slice(0, 3).reduce((sum, p) => sum + p, 0) - 1) < 1e-5);
  });

  await t.test('with patients, intervals and images left out', async (t) => {
    const bytes = Buffer.from('no image');
    const withPatients = tinyDataset('films', 7, {
      replace: (sample, i) => ({
        ...sample,
        patient: `p${i % 3}`,
        ...(i === 2 ? { image: { kind: 'bytes', name: 'bad film', bytes } } : {}),
      }),
    });
    t.match(await failure(model.evaluate(withPatients)), { code: 'ERR_IMAGE', message: /bad film/ });
    const few = { code: 'ERR_INVALID_ARGUMENT', message: /bootstrap\.resamples/ };
    t.throws(() => model.evaluate(withPatients, { bootstrap: { resamples: 5 } }), few, 'before any image');
    const found = await model.evaluate(withPatients, { onError: 'skip', bootstrap: { resamples: 20 } });
    t.same(found.patients, ['p0', 'p1', 'p0', 'p1', 'p2', 'p0']);
    t.equal(found.skipped.length, 1);
    t.equal(found.labels.length, 6);
    t.ok(found.metrics.intervals, 'patient-wise intervals');
  });
});

t.test('a data set of other classes is refused', async (t) => {
  using model = await tinyGazeLT();
  const other = tinyDataset('other', 3, { classes: ['upper', 'left', 'lower'] });
  t.throws(() => model.evaluate(other), { code: 'ERR_INVALID_ARGUMENT', message: /upper, lower, left/ });
  t.throws(() => model.fit(tinyFit({ train: other })), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => model.evaluate(tinyDataset('none', 0)), { code: 'ERR_INVALID_ARGUMENT' });
});

for (const [name, make] of Object.entries(systems)) {
  t.test(`${name} explains`, async (t) => {
    using model = await make();
    const found = await all(model.explain(images, { batchSize: 4 }));
    const predicted = await model.predict(images, float32);
    t.same(
      found.map(({ id, class: name, explained }) => [id, name, explained]),
      predicted.map(({ id, class: name }) => [id, name, name]),
      'the predicted class, in order',
    );
    const { map, image, overlay } = found[0] as ExplainedImage;
    t.match([map.width, map.height, map.data.length], [tinySize, tinySize, tinySize ** 2]);
    t.ok(
      found.every(({ map }) => map.data.every((value) => value >= 0 && value < 1)),
      'in [0, 1)',
    );
    t.same(Buffer.from(image.data), Buffer.from((await imageOf(0).pixels()).data));
    t.match([overlay.width, overlay.height, overlay.channels], [tinySize, tinySize, 3]);

    const others = await all(model.explain(images, { class: 'left', layer: 'layer2.1' }));
    t.ok(others.every(({ explained }) => explained === 'left'));
    t.same(
      others.map(({ class: name }) => name),
      predicted.map(({ class: name }) => name),
    );
    const differs = (i: number) =>
      others[i]?.map.data.some((value, at) => value !== found[i]?.map.data[at]) ?? false;
    t.ok(
      images.some((_, i) => differs(i)),
      'other maps',
    );
    t.throws(() => model.explain(imageOf(0), { class: 'right' }), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /'upper', 'lower', 'left'.*right/,
    });
    t.throws(() => model.explain(imageOf(0), { class: 'uper' }), { message: /nearest: 'upper'/ });
    const wrong = await failure(all(model.explain(imageOf(0), { layer: 'layer3' })));
    t.match(wrong, { code: 'ERR_INVALID_ARGUMENT', message: /nearest.*'layer3.0'/ });
  });
}

t.test('explains by every method, several layers, and measures what lies within the lungs', async (t) => {
  using model = await tinyGazeLT();
  const [plain] = (await all(model.explain(imageOf(0)))) as [ExplainedImage];
  t.match([plain.lungs, plain.insideLungs], [null, null]);
  const layer = ['layer2.1', 'layer3.1'];
  for (const method of ['gradcam++', 'hirescam', 'layercam'] as const) {
    const [other] = (await all(model.explain(imageOf(0), { method, layer }))) as [ExplainedImage];
    t.ok(
      other.map.data.some((value, at) => value !== plain.map.data[at]),
      method,
    );
  }
  const scored = { method: 'scorecam', layer: 'layer1.0', topChannels: 2, class: 'left' } as const;
  const asked: string[] = [];
  const lungs = { x: 4, y: 6, width: 20, height: 16 };
  const found = await all(
    model.explain(images.slice(0, 2), {
      ...scored,
      lungs: async (id) => (asked.push(id) === 1 ? lungs : null),
    }),
  );
  t.same(
    asked,
    found.map(({ id }) => id),
  );
  const [first, second] = found as [ExplainedImage, ExplainedImage];
  t.same([first.explained, first.lungs, second.lungs, second.insideLungs], ['left', lungs, null, null]);
  const { data, width } = first.map;
  let [inside, sum] = [0, 0];
  for (const [at, value] of data.entries()) {
    const [x, y] = [at % width, Math.floor(at / width)];
    sum += value;
    if (x >= 4 && x < 24 && y >= 6 && y < 22) inside += value;
  }
  t.ok(Math.abs((first.insideLungs as number) - inside / sum) < 1e-9);
  const corner = 3 * (6 * width + 4);
  t.same(Array.from(first.overlay.data.slice(corner, corner + 3)), [255, 255, 255], 'the outline');
  const code = 'ERR_INVALID_ARGUMENT';
  const refused = (options: object, message: RegExp) =>
    t.throws(() => model.explain(imageOf(0), options), { code, message });
  refused({ method: 'grad-cam' }, /nearest: 'gradcam'/);
  refused({ topChannels: 3 }, /topChannels.*scorecam|scorecam.*topChannels/);
  refused({ onChannels: () => {} }, /nothing but with method 'scorecam' for options\.onChannels/);
  refused({ method: 'scorecam', onChannels: 3 }, /options\.onChannels/);
  refused({ method: 'scorecam', layer }, /one layer/);
  refused({ layer: 3 }, /options\.layer/);
  refused({ lungs }, /options\.lungs/);
});

t.test('passes are given up between two images', async (t) => {
  using model = await tinyGazeLT();
  const passes: ((signal: AbortSignal, onProgress: () => void) => Promise<unknown>)[] = [
    (signal, onProgress) => model.predict(images, { batchSize: 1, signal, onProgress }),
    (signal, onProgress) => model.evaluate(films, { batchSize: 1, signal, onProgress }),
    (signal, onProgress) => all(model.explain(images, { batchSize: 1, signal, onProgress })),
  ];
  for (const pass of passes) {
    t.equal((await failure(pass(AbortSignal.abort(), () => {}))).code, 'ERR_ABORTED', 'before');
    const abort = new AbortController();
    const cause = new Error('enough');
    const error = await failure(pass(abort.signal, () => abort.abort(cause)));
    t.match(error, { code: 'ERR_ABORTED', cause }, 'in between');
  }
});

t.test('calls on one model, and the training of another, do not disturb each other', async (t) => {
  using model = await tinyGazeLT();
  using busy = await tinyBaseline();
  const alone = await model.predict(images, float32);
  const other = await all(model.explain(images.slice(3)));
  const training = busy.fit(tinyFit({ maxEpochs: 1 })).result;
  const [first, second, explained, reversed] = await Promise.all([
    model.predict(images, float32),
    model.predict(images, float32),
    all(model.explain(images.slice(3))),
    model.predict([...images].reverse(), float32),
    model.evaluate(films),
    training,
  ]);
  t.same(first, alone);
  t.same(second, alone);
  t.same(explained, other);
  near(t, rows([...reversed].reverse()), rows(alone), 'in the other order');
});

t.test('wrong options are refused at once, by name', async (t) => {
  using model = await tinyBaseline();
  const refused = (run: () => unknown, message: RegExp) =>
    t.throws(run, { code: 'ERR_INVALID_ARGUMENT', message }, String(message));
  const bad: [object, RegExp][] = [
    [{ batchSize: 0 }, /options\.batchSize/],
    [{ batchSize: Number.NaN }, /options\.batchSize/],
    [{ precision: 'float16' }, /options\.precision/],
    [{ onError: 'ignore' }, /options\.onError/],
    [{ onSkip: 3 }, /options\.onSkip/],
    [{ signal: {} }, /AbortSignal/],
    [{ batchsize: 3 }, /did you mean 'batchSize'/],
  ];
  const passes = [
    (options: object) => model.predict(images, options),
    (options: object) => model.evaluate(films, options),
    (options: object) => model.explain(images, options as ExplainOptions),
  ];
  for (const pass of passes) for (const [options, message] of bad) refused(() => pass(options), message);
  refused(() => model.evaluate(films, { tta: -1 }), /options\.tta/);
  refused(() => model.evaluate(films, { tta: 1, seed: 0.5 }), /options\.seed/);
  refused(() => model.evaluate(null as unknown as Dataset), /a Dataset for dataset/);
  refused(() => model.evaluate({ classes: tinyClasses, length: 3 } as unknown as Dataset), /a Dataset/);
  refused(() => model.explain(imageOf(0), { class: '' }), /options\.class/);
  const inputs: unknown[] = [
    undefined,
    null,
    3,
    {},
    '',
    [],
    [null],
    [imageOf(0), 7],
    { kind: 'file' },
    { kind: 'pixels', name: 'x' },
  ];
  for (const input of inputs) refused(() => model.predict(input as ImageInput), /input/);
});

t.test('both systems are one kind of thing', async (t) => {
  const members = (system: { prototype: Classifier }) =>
    Object.getOwnPropertyNames(Object.getPrototypeOf(system.prototype)).sort();
  t.same(members(GazeLT), members(Baseline));
  for (const name of ['create', 'load'] as const) t.type(GazeLT[name], typeof Baseline[name]);
  // With the same head and size they are the same network.
  using student = await tinyGazeLT({ head: 'linear', seed: 2 });
  using baseline = await tinyBaseline({ seed: 2 });
  t.same(await student.predict(images, float32), await baseline.predict(images, float32));
});

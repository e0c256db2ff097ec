import { cpSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { NdArray } from 'ndarray';
import t from 'tap';
import { readNpy } from '../../lib/checkpoints/npy.js';
import { drawAugmentation } from '../../lib/data/augmentation.js';
import type { Sample } from '../../lib/data/dataset.js';
import { type PreparedImages, prepareImages } from '../../lib/data/prepare.js';
import type { Reading } from '../../lib/gaze/reading.js';
import type { WindowConvention } from '../../lib/gaze/windows.js';
import { teacherSize } from '../../lib/models/teacher.js';
import type { GazeDataset } from '../../lib/systems/gazelt/gaze-dataset.js';
import { GazeTeacher, type TeacherEvent } from '../../lib/systems/gazelt/teacher.js';
import type { PredictedReading } from '../../lib/systems/gazelt/teacher-evaluate.js';
import type { SkippedFilm } from '../../lib/systems/gazelt/teacher-files.js';
import { batchTargets, type WindowTargets } from '../../lib/systems/gazelt/teacher-targets.js';
import { weightsHash } from '../../lib/systems/gazelt/teacher-vectors.js';
import { noGrad } from '../../lib/tensor/context.js';
import { memoryStats, tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { attention } from '../reference/attention.js';
import { tinyGaze, tinyReading } from '../support/gaze.js';
import { failure } from '../support/outcome.js';
import { eventsOf, rowsOf } from '../support/runs.js';
import { oneThread, temporaryFolder, tinyDataset, tinyFit, tinyGazeLT } from '../support/tiny.js';

// The teachers are large: a step of two films and passes of a few, no more.
t.setTimeout(600_000);
await oneThread;

const train = tinyGaze('train', 2);
const validation = tinyGaze('validation', 1);
const pixels = teacherSize ** 2;
const before = memoryStats().liveTensors;
t.teardown(() => {
  if (memoryStats().liveTensors !== before) throw new Error('tensors are left over');
});

/** The same readings, and between the first and the second one of a film that is not there. */
function withLostFilm(gaze: GazeDataset, file: string): GazeDataset {
  const { images, readings } = gaze;
  const [first, ...others] = readings as [Reading, ...Reading[]];
  const sample = (index: number): Sample => {
    if (index !== 1) return images.sample(index === 0 ? 0 : index - 1);
    return { id: path.basename(file), label: 0, image: { kind: 'file', path: file } };
  };
  return {
    images: { name: images.name, classes: images.classes, length: images.length + 1, sample },
    readings: [
      first,
      tinyReading('lost', [
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
      ]),
      ...others,
    ],
  };
}

async function asArray(values: Tensor): Promise<NdArray> {
  return (await values.toNdarray()) as NdArray;
}

/** The four losses of a fresh teacher in evaluation mode, by the plain twin; and which readings each window has. */
async function lossesBefore(
  teacher: GazeTeacher,
  { images: films, readings }: GazeDataset,
  windows: WindowConvention,
): Promise<{ losses: number[]; rows: number[][] }> {
  using images = await prepareImages(films, { width: teacherSize, height: teacherSize });
  const targets = await batchTargets(readings, { branch: 'focal', windows });
  const losses = await lossesOf(teacher, images, targets);
  return { losses, rows: targets.map(({ rows }) => [...rows]) };
}

async function lossesOf(
  teacher: GazeTeacher,
  images: PreparedImages,
  targets: readonly WindowTargets[],
): Promise<number[]> {
  return tidy(async () => {
    const films = Array.from({ length: 2 }, (_, i) => {
      const { source, offset } = images.locate(i);
      return (source as Uint8Array).subarray(offset, offset + pixels);
    });
    const mean = [0.485, 0.456, 0.406];
    const std = [0.229, 0.224, 0.225];
    const values = films.flatMap((film) =>
      mean.flatMap((m, c) => Array.from(film, (v) => (v / 255 - m) / (std[c] as number))),
    );
    const input = tensor(Float32Array.from(values), [2, 3, teacherSize, teacherSize]);
    const maps = noGrad(() => teacher.network.maps(input, { evaluation: true }));
    return Promise.all(
      maps.map(async (map, k) => {
        const { rows, maps: heat } = targets[k] as WindowTargets;
        const chosen = map.indexSelect(0, tensor(rows, [rows.length], { dtype: 'int64' }));
        const target = tensor(heat, [rows.length, 1, teacherSize, teacherSize]);
        return attention(await asArray(chosen), await asArray(target), 'sum');
      }),
    );
  });
}

t.test('a teacher learns from readings, and ends with its best epoch', async (t) => {
  const checkpoints = path.join(temporaryFolder(t), 'run');
  // Without stochastic depth the first loss can be computed by hand.
  using teacher = await GazeTeacher.create({ branch: 'focal', init: 'random', seed: 3, dropPath: 0 });
  const { losses: expected, rows } = await lossesBefore(teacher, train, 'half-open');
  t.same(rows, [[0, 1], [1], [0, 1], [0, 1]], 'the empty window of the first reading takes no part');
  const lost = path.join(checkpoints, 'lost.png');
  const { images, readings } = withLostFilm(train, lost);
  const options = {
    train: {
      images: { ...images, length: 4, sample: (index: number) => images.sample(index % 3) },
      readings: [...readings, { ...tinyReading('blind', []), id: 'blind' }],
    },
    validation: withLostFilm(validation, lost),
    onError: 'skip' as const,
    maxEpochs: 1,
    batchSize: 2,
    precision: 'float32' as const,
    checkpoints,
  };
  t.match(await failure(teacher.fit({ ...options, onError: 'throw' }).result), {
    code: 'ERR_DATASET',
    message: /^1 of 3 images of train, 1 of 2 images of validation are missing:/,
  });
  const events: TeacherEvent[] = [];
  const run = teacher.fit(options);
  t.equal(teacher.training, true);
  t.throws(() => teacher.fit(options), { code: 'ERR_BUSY' });
  t.throws(() => teacher.features(train.images, { folder: checkpoints }), { code: 'ERR_BUSY' });
  for await (const event of run) events.push(event);
  t.same(
    events.map(({ type }) => type),
    ['warning', 'start', 'step', 'epoch', 'epoch', 'checkpoint'],
  );
  t.match(events[0], { message: '1 of 4 readings of train look at nothing of their film and are left out' });
  const [, , step, first, second] = events as [unknown, unknown, { loss: number }, TeacherRow, TeacherRow];
  const sum = expected.reduce((a, b) => a + b, 0);
  t.ok(Math.abs(step.loss - sum) < 1e-4 * sum, `${step.loss} is the sum of the windows' ${sum}`);
  for (const [k, loss] of expected.entries()) {
    const found = first[`attentionLoss${k}` as 'attentionLoss0'] as number;
    t.ok(Math.abs(found * pixels - loss) < 1e-4 * loss, `window ${k}: ${found} unscaled`);
  }
  t.equal(first.emptyWindows, 1);
  t.equal(second.emptyWindows, 1);
  const mean = [0, 1, 2, 3].map((k) => first[`attentionLoss${k}` as 'attentionLoss0'] as number);
  t.ok(Math.abs(first.attentionLoss - mean.reduce((a, b) => a + b, 0) / 4) < 1e-12);
  t.match((await run.result)?.schedule, { bestEpoch: 1, best: second.loss });

  // Resuming a finished run brings its weights back, whatever one begins with.
  const anew = { branch: 'focal', init: 'random', seed: 3 } as const;
  using usual = await GazeTeacher.create(anew);
  t.match(await failure(usual.fit({ ...options, resume: true }).result), {
    code: 'ERR_RESUME',
    message: /dropPath: 0 -> undefined/,
  });
  using other = await GazeTeacher.create({ ...anew, dropPath: 0 });
  await other.fit({ ...options, resume: true }).result;
  t.equal(await other.fingerprint(), await teacher.fingerprint());
  const changed = await failure(other.fit({ ...options, resume: true, maxAngle: 5 }).result);
  t.match(changed, { code: 'ERR_RESUME', message: /maxAngle: 0 -> 5/ });
  const reseeded = await failure(other.fit({ ...options, resume: true, seed: 9 }).result);
  t.match(reseeded, { code: 'ERR_RESUME', message: /differ: seed: \d+ -> 9/ });
  using loaded = await GazeTeacher.load(checkpoints);
  t.equal(await loaded.fingerprint(), await teacher.fingerprint());
  t.match([loaded.card.dropPath, loaded.network.options.dropPath, usual.card.dropPath], [0, 0, 0.1]);
});

t.test('a teacher learns from the windows that it is told to', async (t) => {
  // As published windows begin at 0 and stamps on a boundary are in two: one second later it is not what half-open ones are.
  const later = ({ images, readings }: GazeDataset): GazeDataset => ({
    images,
    readings: readings.map(({ fixations, ...reading }) => ({
      ...reading,
      fixations: fixations.map(({ start, end, ...place }) => ({ ...place, start: start + 1, end: end + 1 })),
    })),
  });
  using teacher = await GazeTeacher.create({ branch: 'focal', init: 'random', seed: 3, dropPath: 0 });
  const gaze = later(train);
  const [published, halfOpen] = [
    (await lossesBefore(teacher, gaze, 'as-published')).losses,
    (await lossesBefore(teacher, gaze, 'half-open')).losses,
  ] as const;
  const options = { train: gaze, validation: later(validation), windows: 'as-published' } as const;
  const rows: TeacherRow[] = [];
  for await (const event of teacher.fit({ ...options, maxEpochs: 1, batchSize: 2, precision: 'float32' }))
    if (event.type === 'epoch') rows.push(event);
  const found = [0, 1, 2, 3].map((k) => (rows[0]?.[`attentionLoss${k}` as 'attentionLoss0'] ?? 0) * pixels);
  const apart = (losses: readonly number[]) =>
    Math.max(...found.map((loss, k) => Math.abs(loss / (losses[k] as number) - 1)));
  t.ok(apart(published) < 1e-4, `${found} is ${published}`);
  t.ok(apart(halfOpen) > 1e-2, `and not ${halfOpen}`);
});

const noFile = { kind: 'file', path: '/no/such/film.png' } as const;

type TeacherRow = Extract<TeacherEvent, { type: 'epoch' }>;

t.test(
  'a batch whose readings are all turned off their films teaches nothing and ends nothing',
  async (t) => {
    const images = tinyDataset('corner', 1);
    const corner = { images, readings: [tinyReading('corner-0', [[0.2, 0.2]])] };
    const maxAngle = 60;
    const { angle } = drawAugmentation(0, 1, 0, { flipProbability: 0, maxAngle });
    t.ok(Math.abs(angle) > 5, 'far enough');
    using teacher = await GazeTeacher.create({ branch: 'focal', init: 'random' });
    const common = { train: corner, validation, maxEpochs: 1, batchSize: 1 };
    const rows: Extract<TeacherEvent, { type: 'epoch' }>[] = [];
    for await (const event of teacher.fit({ ...common, maxAngle }))
      if (event.type === 'epoch') rows.push(event);
    const [learned, judged] = rows;
    t.match(learned, { loss: 0, emptyWindows: 4, attentionLoss0: null });
    t.ok((judged?.loss ?? 0) > 0);
  },
);

t.test('vectors: files, resumed, of one teacher only; and on the fly', async (t) => {
  const root = temporaryFolder(t);
  const folder = path.join(root, 'features');
  using teacher = await GazeTeacher.create({ branch: 'focal', init: 'random', seed: 5 });
  const films = tinyDataset('train', 3);
  const few = tinyDataset('validation', 2);
  const seen: number[] = [];
  const onProgress = ({ done }: { done: number }) => seen.push(done);
  t.same(await teacher.features([films, few], { folder, batchSize: 2, onProgress }), { written: 5, kept: 0 });
  t.equal(seen.at(-1), 5);
  t.same(readdirSync(folder).sort(), [
    ...['focal_manifest.json', 'focal_projection.safetensors'],
    ...['focal_train-0.npy', 'focal_train-1.npy', 'focal_train-2.npy'],
    ...['focal_validation-0.npy', 'focal_validation-1.npy'],
  ]);
  const file = path.join(folder, 'focal_train-1.npy');
  t.match(await readNpy(file), { dtype: 'float32', shape: [64] });
  t.match(JSON.parse(readFileSync(path.join(folder, 'focal_manifest.json'), 'utf8')), {
    ...{ format: 1, branch: 'focal', seed: 5, imageSize: 224, precision: 'float32' },
    teacher: await teacher.fingerprint(),
  });

  // What was interrupted goes on, and what is there stays.
  const { mtimeMs } = statSync(path.join(folder, 'focal_train-0.npy'));
  const whole = readFileSync(file);
  rmSync(file);
  t.same(await teacher.features(films, { folder, batchSize: 1 }), { written: 1, kept: 2 });
  t.equal(statSync(path.join(folder, 'focal_train-0.npy')).mtimeMs, mtimeMs);
  const [again, first] = [readFileSync(file), whole].map(
    (bytes) => new Float32Array(bytes.buffer.slice(bytes.byteOffset + 128, bytes.byteOffset + 128 + 256)),
  ) as [Float32Array, Float32Array];
  t.ok(
    again.every((value, i) => Math.abs(value - (first[i] as number)) < 1e-4),
    'in whatever batch',
  );

  // What is left out is told by its place in what was given, whatever was there already.
  const told: [number, number, string][] = [];
  const lostFilm = (name: string, length: number, at: number) =>
    tinyDataset(name, length, {
      replace: (sample, index) => (index === at ? { ...sample, id: 'lost.png', image: noFile } : sample),
    });
  const someLost = [films, lostFilm('train', 3, 2), lostFilm('new', 2, 1)];
  const onSkip = ({ dataset, index, id }: SkippedFilm) => told.push([dataset, index, id]);
  t.same(await teacher.features(someLost.slice(0, 2), { folder, onError: 'skip', onSkip }), {
    written: 0,
    kept: 5,
  });
  t.same(await teacher.features(someLost.slice(2), { folder, onError: 'skip', onSkip }), {
    written: 1,
    kept: 0,
  });
  t.same(told, [
    [1, 2, 'lost.png'],
    [0, 1, 'lost.png'],
  ]);

  // The authors' file has no projection: another seed, other vectors, another folder.
  const block = await teacher.saveBlock(root, { epoch: 99, attentionLoss: 0.0024850438985595247 });
  t.equal(path.basename(block), 'focal_epoch_99_attentionloss_0.0024850438985595247.safetensors');
  using same = await GazeTeacher.load(block, { seed: 5 });
  const projection = ['focal_linear.weight', 'focal_linear.bias'];
  t.same(same.initReport, { fresh: projection, leftOut: [] });
  const options = { train, validation, maxEpochs: 1, checkpoints: path.join(root, 'run') };
  const taken = same.features(films, { folder });
  t.throws(() => same.fit(options), { code: 'ERR_BUSY', message: /vectors are not being taken/ });
  t.same(await taken, { written: 0, kept: 3 });
  const fit = same.fit(options);
  t.ok(same.training, 'and afterwards it may learn');
  for await (const { type } of fit) if (type === 'start') break;
  using other = await GazeTeacher.load(block, { seed: 6 });
  t.match(await failure(other.features(films, { folder })), {
    code: 'ERR_EXISTS',
    message: /projection: .*seed: 5 -> 6/,
  });
  const kept = path.join(folder, 'focal_projection.safetensors');
  using goingOn = await GazeTeacher.load(block, { seed: 6, projection: kept });
  t.same(goingOn.initReport.fresh, [], 'all of it is filled');
  t.match(await goingOn.features(films, { folder }), { written: 0 }, 'the projection beside the vectors');
  t.match(await failure(GazeTeacher.load(block, { projection: block })), {
    code: 'ERR_STATE_DICT',
    message: /^[^:]*focal.*:/,
  });
  const wrong = await failure(GazeTeacher.create({ branch: 'global', init: { weights: block } }));
  t.match(wrong, {
    code: 'ERR_STATE_DICT',
    message: /expected the global teacher's weights but found focal's/,
  });
  rmSync(path.join(folder, 'focal_manifest.json'));
  t.match(await failure(teacher.features(films, { folder })), {
    code: 'ERR_EXISTS',
    message: /no focal_manifest\.json/,
  });

  // A saved teacher brings its projection.
  await teacher.save(path.join(root, 'saved'));
  using saved = await GazeTeacher.load(path.join(root, 'saved'));
  t.same(saved.initReport, { fresh: [], leftOut: [] });
  for (const weights of ['saved', 'saved/model.safetensors', block]) {
    const init = { weights: path.resolve(root, weights) };
    using begun = await GazeTeacher.create({ branch: 'focal', init, seed: 6 });
    t.equal(await begun.fingerprint(), await teacher.fingerprint(), weights);
    t.same([begun.card.seed, begun.initReport], [6, { fresh: projection, leftOut: [] }]);
    t.not(await weightsHash(begun.network, 'projection'), await weightsHash(saved.network, 'projection'));
  }
  const own = path.join(root, 'saved', 'model.safetensors');
  using ofFile = await GazeTeacher.load(own);
  t.same(ofFile.card, saved.card, 'the card beside the file');
  t.equal(await weightsHash(ofFile.network, 'projection'), await weightsHash(saved.network, 'projection'));
  const bare = path.join(root, 'bare.safetensors');
  cpSync(own, bare);
  t.match(await failure(GazeTeacher.load(bare)), {
    code: 'ERR_STATE_DICT',
    message: /found a whole teacher \(focal_encoder_x\.\*\): load its folder/,
  });
  cpSync(path.join(root, 'saved'), path.join(root, '.cut.old'), { recursive: true });
  using putBack = await GazeTeacher.load(path.join(root, 'cut'));
  t.equal(await putBack.fingerprint(), await teacher.fingerprint(), 'a save that was cut between its moves');
  const empty = await failure(GazeTeacher.create({ branch: 'focal', init: { weights: temporaryFolder(t) } }));
  t.match(empty, { code: 'ERR_CHECKPOINT', message: /teacher\.json/ });
  const second = path.join(root, 'second');
  await saved.features(few, { folder: second, batchSize: 2 });
  const name = 'focal_validation-1.npy';
  t.same(readFileSync(path.join(second, name)), readFileSync(path.join(folder, name)));

  // The student learns the same from the teacher at hand as from its files.
  const student = async (distillation: object) => {
    using model = await tinyGazeLT();
    const options = { train: films, validation: few, maxEpochs: 1, batchSize: 3 };
    return rowsOf(await eventsOf(model, { ...tinyFit(options), distillation } as ReturnType<typeof tinyFit>));
  };
  const weight = 5;
  const taught: string[] = [];
  const onTeach = ({ dataset, done }: { dataset: string; done: number }) => taught.push(`${dataset} ${done}`);
  const onTheFly = await student({ teachers: [teacher], teacherBatchSize: 2, onTeach, weight });
  t.ok(taught.includes('train 3') && taught.includes('validation 2'), taught.join(', '));
  const fromFiles = await student({ features: 'focal', featuresDir: folder, weight });
  const near = (a: number, b: number) => Math.abs(a - b) < 1e-4 * Math.abs(b);
  t.ok(
    onTheFly.every(({ loss }, i) => near(loss, fromFiles[i]?.loss as number)),
    JSON.stringify([onTheFly, fromFiles]),
  );
  const without = await student({ teachers: [teacher], weight: 0 });
  t.notOk(near(onTheFly[0]?.loss as number, without[0]?.loss as number), 'the term counts');
  using model = await tinyGazeLT();
  // From the moment of the fit until its vectors are there, a teacher has the weights that it had.
  const learning = model.fit({ ...tinyFit({ maxEpochs: 1 }), distillation: { teachers: [teacher] } });
  const gaze = { train, validation, maxEpochs: 1, checkpoints: path.join(root, 'other') };
  t.throws(() => teacher.fit(gaze), { code: 'ERR_BUSY', message: /vectors are not being taken/ });
  await learning.result;
  const later = teacher.fit(gaze);
  t.throws(() => model.fit({ ...tinyFit(), distillation: { teachers: [teacher] } }), { code: 'ERR_BUSY' });
  for await (const { type } of later) if (type === 'start') break;
  // What came to nothing holds nobody.
  const lost = tinyDataset('train', 12, { replace: (sample) => ({ ...sample, image: noFile }) });
  const failed = model.fit({ ...tinyFit({ train: lost }), distillation: { teachers: [teacher] } });
  t.throws(() => model.fit({ ...tinyFit(), distillation: { teachers: [teacher] } }), { code: 'ERR_BUSY' });
  t.match(await failure(failed.result), { code: 'ERR_DATASET' });
  for await (const { type } of teacher.fit({ ...gaze, checkpoints: path.join(root, 'third') }))
    if (type === 'start') break;
  const both = { teachers: [teacher], features: 'focal' };
  t.throws(() => model.fit({ ...tinyFit(), distillation: both }), {
    message: /either teachers, or features/,
  });
  const others = { train: few, validation: few };
  const misfit = { teachers: [teacher], teacherImages: others };
  t.throws(() => model.fit({ ...tinyFit(), distillation: misfit }), { message: /the 12 films of train/ });
  t.throws(() => model.fit({ ...tinyFit(), distillation: { teachers: [] } }), { message: /at least one/ });
});

t.test('passes in float64 compute in float64, and leave the weights as they are', async (t) => {
  const films = tinyDataset('films', 2);
  for (const branch of ['focal', 'global'] as const) {
    using teacher = await GazeTeacher.create({ branch, init: 'random', seed: 5 });
    const before = await teacher.fingerprint();
    const vectors = async (precision: 'float32' | 'float64') => {
      const folder = path.join(temporaryFolder(t), precision);
      t.match(await teacher.features(films, { folder, precision }), { written: 2 });
      const { data } = await readNpy(path.join(folder, `${branch}_films-1.npy`));
      return Array.from(data, Number);
    };
    const [full, fine] = [await vectors('float32'), await vectors('float64')];
    const worst = Math.max(...fine.map((value, i) => Math.abs(value - (full[i] as number))));
    t.ok(worst > 0 && worst < 1e-4, `${branch}: ${worst} apart`);
    const [double, single] = [
      await teacher.evaluate(validation, { precision: 'float64' }),
      await teacher.evaluate(validation, { precision: 'float32' }),
    ].map(({ windows }) => {
      const { mean, interval } = windows.at(-1)?.teacher.cc ?? { mean: null, interval: undefined };
      t.equal(interval, null, 'no bootstrap unless asked for, as of a classifier');
      return mean as number;
    }) as [number, number];
    t.ok(Math.abs(double - single) < 1e-4, `${branch}: CC ${double}, in float32 ${single}`);
    t.same([await teacher.fingerprint(), teacher.network.dtype], [before, 'float32']);
  }
});

t.test('gaze is predicted for each window that was looked at', async (t) => {
  using teacher = await GazeTeacher.create({ branch: 'focal', init: 'random' });
  // A reading that looks nowhere is left out, and a film that is not there with its reading.
  const lost = withLostFilm(tinyGaze('test', 2), path.join(temporaryFolder(t), 'lost.png'));
  const { images, readings: looking } = lost;
  const blind = { ...tinyReading('blind', []), id: 'blind' };
  const gaze = {
    images: { ...images, length: 4, sample: (index: number) => images.sample(Math.max(0, index - 1)) },
    readings: [blind, ...looking],
  };
  const readings: PredictedReading[] = [];
  t.match(await failure(teacher.evaluate(gaze)), { code: 'ERR_FILE' });
  const told: number[] = [];
  const evaluation = await teacher.evaluate(gaze, {
    ...{ baseline: train.readings, bootstrap: { resamples: 20 }, onError: 'skip', batchSize: 1 },
    onSkip: ({ index }) => told.push(index),
    onReading: (reading) => {
      readings.push(reading);
    },
  });
  t.match(evaluation, { name: 'test', readings: 2, left: 1, unit: 'image', units: 2 });
  t.match(evaluation.skipped, [{ index: 2, id: 'lost.png' }]);
  t.same(told, [2], 'an index of the data set that was given');
  t.same(
    readings.map(({ index }) => index),
    [1, 3],
  );
  t.same(
    evaluation.windows.map(({ window, readings: n }) => [window, n]),
    [
      [0, 2],
      [1, 1],
      [2, 2],
      [3, 2],
      [null, 2],
    ],
  );
  for (const { predicted } of readings)
    for (const map of predicted) {
      t.equal(map.length, pixels);
      t.ok(Math.abs(map.reduce((sum, value) => sum + value, 0) - 1) < 1e-3, 'a density');
    }
  t.same(
    readings.map(({ id, recorded }) => [id, recorded.map((map) => map !== null)]),
    [
      ['test-0.png', [true, false, true, true]],
      ['test-1.png', [true, true, true, true]],
    ],
  );
  const all = evaluation.windows.at(-1);
  t.ok((all?.centreBias?.cc.mean as number) > 0.2, 'readings are alike');
  t.ok(all?.teacher.cc.interval, 'asked for');
  t.equal(all?.uniform.cc.mean, 0);
  t.ok((all?.uniform.kl.mean as number) > (all?.centreBias?.kl.mean as number));
  const ofWindow = (w: number) => readings.flatMap(({ scores }) => scores[w]?.centreBias?.nss ?? []);
  t.same(
    readings.map(({ scores }) => scores.map((one) => one !== null)),
    readings.map(({ recorded }) => recorded.map((map) => map !== null)),
  );
  for (const [w, { centreBias: bias }] of evaluation.windows.slice(0, 4).entries()) {
    const of = ofWindow(w);
    const mean = of.reduce((sum, value) => sum + value, 0) / of.length;
    t.ok(Math.abs(mean - (bias?.nss.mean as number)) < 1e-9, `${mean}: the scores told are those counted`);
  }
  const { teacher: own, centreBias, difference } = all ?? {};
  t.ok(
    Math.abs((difference?.cc.mean as number) - ((own?.cc.mean as number) - (centreBias?.cc.mean as number))) <
      1e-9,
  );
});

t.test('misuse is told at once', async (t) => {
  const bad: [object, RegExp][] = [
    [{}, /options\.branch/],
    [{ branch: 'focal' }, /options\.init/],
    [{ branch: 'local', init: 'random' }, /nearest: 'focal'|one of 'global', 'focal'/],
    [{ branch: 'focal', init: 'random', dropPath: 1 }, /dropPath/],
    [{ branch: 'focal', init: 'random', depth: 3 }, /options\.depth/],
  ];
  for (const [options, message] of bad)
    t.throws(() => GazeTeacher.create(options as Parameters<typeof GazeTeacher.create>[0]), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    });
  using teacher = await GazeTeacher.create({ branch: 'focal', init: 'random' });
  const fits: [object, RegExp][] = [
    [{ train }, /options\.validation/],
    [{ train, validation, batch: 2 }, /options\.batch/],
    [{ train, validation, windows: 'open' }, /options\.windows/],
    [{ train, validation: { images: train.images, readings: [] } }, /2 readings, one for each image/],
    [{ train, validation, resume: true }, /options\.checkpoints/],
  ];
  for (const [options, message] of fits)
    t.throws(() => teacher.fit(options as Parameters<typeof teacher.fit>[0]), { message });
  const evaluations: [object, RegExp][] = [
    [{ windows: 'open' }, /options\.windows/],
    [{ onError: 'ignore' }, /options\.onError/],
    [{ baseline: [{ id: 'x' }] }, /options\.baseline\[0\]\.image/],
    [{ baseline: [] }, /options\.baseline/],
  ];
  for (const [options, message] of evaluations)
    t.throws(() => teacher.evaluate(train, options), { code: 'ERR_INVALID_ARGUMENT', message });
  t.equal((await failure(GazeTeacher.load('/nowhere'))).code, 'ERR_FILE');
  t.equal((await failure(GazeTeacher.load(temporaryFolder(t)))).code, 'ERR_CHECKPOINT');
  teacher.dispose();
  t.throws(() => teacher.fit({ train, validation }), { code: 'ERR_DISPOSED' });
});

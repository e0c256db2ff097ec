import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { writeTensors } from '../../lib/checkpoints/write-tensors.js';
import { createModel, type ModelOptions } from '../../lib/models/model.js';
import { Baseline } from '../../lib/systems/baseline.js';
import type { Classifier, ClassifierOptions } from '../../lib/systems/classifier/classifier.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { loadClassifier } from '../../lib/systems/load-classifier.js';
import { LocAttention } from '../../lib/systems/loc-attention/loc-attention.js';
import { memoryStats } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { failure } from '../support/outcome.js';
import {
  oneThread,
  temporaryFolder,
  tinyBaseline,
  tinyClasses,
  tinyDataset,
  tinyFit,
  tinyGazeLT,
  tinyLocAttention,
} from '../support/tiny.js';

await oneThread;
const films = tinyDataset('films', 3);
const images = [0, 1, 2].map((i) => films.sample(i).image);
const answersOf = async (model: Classifier) =>
  (await model.predict(images, { precision: 'float32' })).map(({ probabilities }) => probabilities);

/** Writes a model's state dict; `change` may rename, drop or replace. */
async function writeWeights(
  file: string,
  options: ModelOptions,
  change: (state: Map<string, Tensor>) => Map<string, Tensor> = (state) => state,
): Promise<string> {
  using model = createModel(options);
  await tidy(async () => {
    await writeTensors(file, change(await model.stateDict()));
  });
  return file;
}

/** A few numbers of a weight, to tell whose they are. */
async function fingerprint(model: Classifier, key: string): Promise<number[]> {
  return tidy(async () => {
    const value = (await model.network.stateDict()).get(key) as Tensor;
    return Array.from(await value.flatten().slice(0, { end: 4 }).data(), Number);
  });
}

t.test('random weights depend on the seed alone', async (t) => {
  using first = await tinyGazeLT({ seed: 4 });
  using same = await tinyGazeLT({ seed: 4 });
  using other = await tinyGazeLT({ seed: 5 });
  t.same(await answersOf(first), await answersOf(same));
  t.notSame(await answersOf(first), await answersOf(other));
  t.same(first.initReport, { fresh: [], leftOut: [] });
  t.equal(first.network.training, false);
});

t.test('the systems differ in their defaults', async (t) => {
  const options: ClassifierOptions = {
    ...{ classes: ['a', 'b'], init: 'random', architecture: 'resnet18', width: 8 },
  };
  using gazelt = await GazeLT.create(options);
  using baseline = await Baseline.create(options);
  t.equal(gazelt.card.width, 8);
  t.match(gazelt.card, { head: 'bottleneck64', imageSize: 224, classes: ['a', 'b'], trainCounts: null });
  t.match(baseline.card, { head: 'linear', imageSize: 256, thresholds: { head: 1000, tail: 100 } });
});

t.test("initial weights from a file with torchvision's keys", async (t) => {
  const folder = temporaryFolder(t);
  const file = (name: string) => path.join(folder, `${name}.safetensors`);
  const source = { architecture: 'resnet18', width: 8, classes: 1000, seed: 9 } as const;
  const weights = await writeWeights(file('torchvision'), source);
  using reference = await tinyBaseline({ seed: 9 });
  const conv = await fingerprint(reference, 'layer4.1.conv2.weight');

  await t.test('a head of another size is left fresh, and that is told', async (t) => {
    using student = await tinyGazeLT({ init: { weights } });
    t.same(await fingerprint(student, 'layer4.1.conv2.weight'), conv);
    t.same(student.initReport.fresh, ['fc.0.weight', 'fc.0.bias', 'fc.1.weight', 'fc.1.bias']);
    using baseline = await tinyBaseline({ init: { weights } });
    t.same(await fingerprint(baseline, 'layer4.1.conv2.weight'), conv);
    t.same(baseline.initReport.fresh, ['fc.weight', 'fc.bias']);
    using seeded = await tinyBaseline();
    t.same(
      await fingerprint(baseline, 'fc.weight'),
      await fingerprint(seeded, 'fc.weight'),
      'as the seed says',
    );
  });

  await t.test('a head that fits is loaded, also under the prefix of DataParallel', async (t) => {
    const fitting = { ...source, classes: 3 };
    const plain = await writeWeights(file('fitting'), fitting);
    const wrapped = await writeWeights(
      file('wrapped'),
      fitting,
      (state) => new Map([...state].map(([name, value]) => [`module.${name}`, value])),
    );
    for (const weights of [plain, wrapped]) {
      using model = await tinyBaseline({ init: { weights } });
      t.same(model.initReport.fresh, []);
      t.same(await fingerprint(model, 'fc.weight'), await fingerprint(reference, 'fc.weight'));
      t.same(await fingerprint(model, 'layer4.1.conv2.weight'), conv);
    }
  });

  await t.test('half a head is no head', async (t) => {
    const weights = await writeWeights(file('half'), { ...source, classes: 3 }, (state) => {
      state.delete('fc.bias');
      return state;
    });
    using model = await tinyBaseline({ init: { weights } });
    t.same(model.initReport.fresh, ['fc.weight', 'fc.bias']);
  });

  await t.test(
    'a backbone that does not fit is refused, naming file and keys, and frees everything',
    async (t) => {
      const before = memoryStats().liveTensors;
      const other = await writeWeights(file('other'), { architecture: 'resnet34', width: 8, classes: 3 });
      const lacking = await writeWeights(file('lacking'), source, (state) => {
        state.delete('layer1.0.conv1.weight');
        return state;
      });
      const error = await failure(tinyBaseline({ init: { weights: other } }));
      t.match(error, { code: 'ERR_STATE_DICT', message: /other\.safetensors.*unexpected layer/ });
      const missing = await failure(tinyGazeLT({ init: { weights: lacking } }));
      t.match(missing, { code: 'ERR_STATE_DICT', message: /missing layer1\.0\.conv1\.weight/ });
      t.equal((await failure(tinyGazeLT({ init: { weights: file('absent') } }))).code, 'ERR_FILE');
      writeFileSync(file('torn'), readFileSync(weights).subarray(0, 5000));
      t.equal((await failure(tinyGazeLT({ init: { weights: file('torn') } }))).code, 'ERR_CHECKPOINT');
      t.equal(memoryStats().liveTensors, before);
    },
  );
});

t.test('a saved model comes back as it was', async (t) => {
  const folder = path.join(temporaryFolder(t), 'deep', 'model');
  using model = await tinyGazeLT({ thresholds: { head: 6, tail: 5 } });
  const train = tinyDataset('train', 9, { labels: [0, 0, 0, 1, 1, 1, 1, 2, 2] });
  await model.fit(tinyFit({ train, batchSize: 3, maxEpochs: 1 })).result;
  await model.save(folder);
  t.same(readdirSync(folder).sort(), ['model.json', 'model.safetensors']);
  using loaded = await GazeLT.load(folder);
  t.same(loaded.card, model.card);
  t.equal(loaded.card.width, 8);
  t.same(loaded.card.trainCounts, [3, 4, 2]);
  t.same(await answersOf(loaded), await answersOf(model));
  t.equal((await loaded.predict(images))[0]?.group, 'tail');
  const named = path.join(temporaryFolder(t), 'named');
  cpSync(path.join(folder, 'model.safetensors'), `${named}.safetensors`);
  cpSync(path.join(folder, 'model.json'), `${named}.json`);
  using beside = await GazeLT.load(`${named}.safetensors`);
  t.same([beside.card, await answersOf(beside)], [model.card, await answersOf(model)]);
  cpSync(`${named}.safetensors`, `${named}.2.safetensors`);
  for (const alone of [`${named}.2.safetensors`, `${named}.json`])
    t.match(await failure(GazeLT.load(alone)), {
      code: 'ERR_CHECKPOINT',
      message: /a file of weights alone/,
    });

  await t.test('saving again replaces it', async (t) => {
    using next = await tinyGazeLT({ seed: 3 });
    await next.save(folder);
    using reloaded = await GazeLT.load(folder);
    t.same(await answersOf(reloaded), await answersOf(next));
    t.same(readdirSync(path.dirname(folder)), ['model'], 'nothing is left beside it');
  });

  await t.test('a save that a crash cut between its two moves leaves the old model', async (t) => {
    const crashed = path.join(path.dirname(folder), 'crashed');
    cpSync(folder, path.join(path.dirname(folder), '.crashed.old'), { recursive: true });
    t.notOk(existsSync(crashed));
    using found = await GazeLT.load(crashed);
    t.equal(found.card.head, 'bottleneck64');
  });

  await t.test('a folder that holds anything else is not touched', async (t) => {
    const precious = path.join(path.dirname(folder), 'precious');
    mkdirSync(precious);
    writeFileSync(path.join(precious, 'thesis.txt'), 'years of work');
    t.match(await failure(model.save(precious)), { code: 'ERR_EXISTS', message: /thesis\.txt/ });
    t.same(readdirSync(precious), ['thesis.txt']);
    const file = path.join(precious, 'thesis.txt');
    t.equal((await failure(model.save(file))).code, 'ERR_EXISTS');
    t.equal((await failure(model.save(path.join(file, 'below')))).code, 'ERR_FILE');
    t.equal(readFileSync(file, 'utf8'), 'years of work');
  });

  await t.test('the published width goes without saying', async (t) => {
    const published = path.join(path.dirname(folder), 'published');
    const wide: ClassifierOptions = { classes: tinyClasses, init: 'random', architecture: 'resnet18' };
    using model = await GazeLT.create(wide);
    await model.save(published);
    t.notMatch(readFileSync(path.join(published, 'model.json'), 'utf8'), /width/);
    using reloaded = await GazeLT.load(published);
    t.equal(reloaded.card.width, 64);
  });

  await t.test('a damaged one is named', async (t) => {
    const bad = path.join(path.dirname(folder), 'bad');
    const damaged = async (file: string, content: string | Buffer) => {
      cpSync(folder, bad, { recursive: true });
      writeFileSync(path.join(bad, file), content);
      const error = await failure(GazeLT.load(bad));
      t.ok(error.message.includes(path.join(bad, file)), error.message);
      return error;
    };
    const card = JSON.parse(readFileSync(path.join(folder, 'model.json'), 'utf8')) as object;
    const changed = (change: object) => damaged('model.json', JSON.stringify({ ...card, ...change }));
    t.equal((await damaged('model.json', '{"architecture":')).code, 'ERR_CHECKPOINT');
    t.match(await changed({ architecture: 'resnet19' }), { code: 'ERR_CHECKPOINT', message: /resnet18/ });
    t.match(await changed({ classes: ['a', 'a', 'b'] }), { code: 'ERR_CHECKPOINT', message: /classes\[1\]/ });
    t.match(await changed({ trainCounts: [1] }), { code: 'ERR_CHECKPOINT', message: /3 numbers/ });
    t.match(await changed({ width: 0 }), { code: 'ERR_CHECKPOINT', message: /width/ });
    t.match(await changed({ imageSize: 1e9 }), { code: 'ERR_CHECKPOINT', message: /imageSize/ });
    t.match(await changed({ colour: 'red' }), { code: 'ERR_CHECKPOINT', message: /colour/ });
    for (const system of ['lung-segmenter', 7])
      t.match(await changed({ system }), {
        code: 'ERR_CHECKPOINT',
        message: /'gazelt', 'baseline', 'loc-attention' for system but received/,
      });
    const weights = readFileSync(path.join(folder, 'model.safetensors'));
    t.equal((await damaged('model.safetensors', weights.subarray(0, 100_000))).code, 'ERR_CHECKPOINT');
    t.match(await failure(GazeLT.load(path.join(bad, 'nowhere'))), {
      code: 'ERR_CHECKPOINT',
      message: /nowhere/,
    });
  });
});

t.test('a card tells the system, and another class refuses it', async (t) => {
  const folder = temporaryFolder(t);
  const made = [
    ['gazelt', GazeLT, await tinyGazeLT()],
    ['baseline', Baseline, await tinyBaseline()],
    ['loc-attention', LocAttention, await tinyLocAttention()],
  ] as const;
  t.teardown(() => {
    for (const [, , model] of made) model.dispose();
  });
  for (const [system, System, model] of made) {
    const place = path.join(folder, system);
    await model.save(place);
    t.equal(model.card.system, system);
    t.match(JSON.parse(readFileSync(path.join(place, 'model.json'), 'utf8')), { system });
    using any = await loadClassifier(place);
    t.ok(any instanceof System);
    t.same([any.card, await answersOf(any)], [model.card, await answersOf(model)]);
    for (const [other, Other] of made) {
      if (Other === System) continue;
      const file = path.join(place, 'model.json');
      const error = await failure(Other.load(place));
      t.match(error, { code: 'ERR_CHECKPOINT', details: { file, expected: other, found: system } });
      t.ok(error.message.startsWith(`${file}: expected the card of system '${other}' but found '${system}'`));
    }
  }
  t.throws(() => loadClassifier(''), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => loadClassifier('x', { dev: 'cpu' } as never), { code: 'ERR_INVALID_ARGUMENT' });

  await t.test("initial weights may be another system's", async (t) => {
    using student = await tinyGazeLT({ init: { weights: path.join(folder, 'baseline') } });
    t.equal(student.card.system, 'gazelt');
    t.equal(student.initReport.fresh.length, 4);
  });

  await t.test('a card that tells none is refused', async (t) => {
    const file = path.join(folder, 'baseline', 'model.json');
    const { system: _, ...untold } = JSON.parse(readFileSync(file, 'utf8')) as { system: string };
    writeFileSync(file, JSON.stringify(untold));
    for (const load of [Baseline.load, loadClassifier])
      await t.rejects(load(path.dirname(file)), {
        code: 'ERR_CHECKPOINT',
        message: /model\.json: .* for system/,
      });
  });
});

t.test('a run, its checkpoints and each of them can be loaded', async (t) => {
  const run = temporaryFolder(t);
  const checkpoints = path.join(run, 'checkpoints');
  using model = await tinyBaseline();
  const abort = new AbortController();
  const options = tinyFit({ checkpoints, maxEpochs: 1 });
  const stopped = model.fit({ ...options, signal: abort.signal });
  for await (const event of stopped) if (event.type === 'step') break;
  const early = await failure(Baseline.load(run));
  t.match(early, { code: 'ERR_CHECKPOINT', message: /epoch-1-step-\d/ }, 'no epoch has ended yet');

  const result = await model.fit({ ...options, resume: true }).result;
  const best = result?.best as string;
  for (const place of [run, checkpoints, best]) {
    t.match(await failure(GazeLT.load(place)), {
      code: 'ERR_CHECKPOINT',
      message: /state\.json.*'baseline'/,
    });
    using loaded = await Baseline.load(place);
    t.same(await answersOf(loaded), await answersOf(model), path.relative(run, place));
    t.same(loaded.card.trainCounts, [4, 4, 4]);
  }
  const file = path.join(best, 'model.safetensors');
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(file, bytes);
  for (const place of [run, best])
    t.match(await failure(Baseline.load(place)), { code: 'ERR_CHECKPOINT', message: /model\.safetensors/ });
  renameSync(file, `${file}.away`);
  t.match(await failure(Baseline.load(run)), { code: 'ERR_FILE', message: /model\.safetensors/ });
});

t.test('wrong options are refused at once, by name', async (t) => {
  const good: ClassifierOptions = { classes: tinyClasses, init: 'random', architecture: 'resnet18' };
  const bad: [object, RegExp][] = [
    [{ ...good, init: undefined }, /'random' or \{ weights: FILE \}.*IMAGENET1K_V1.*options\.init/],
    [{ ...good, init: null }, /options\.init/],
    [{ ...good, init: { weights: 3 } }, /options\.init/],
    [{ ...good, classes: [] }, /at least one class/],
    [{ ...good, classes: 'abc' }, /an array for options\.classes/],
    [{ ...good, classes: ['a', 'b', 'a'] }, /options\.classes\[2\]/],
    [{ ...good, architecture: 'resnet51' }, /nearest: 'resnet50'/],
    [{ ...good, head: 'bottleneck' }, /options\.head/],
    [{ ...good, imageSize: 31 }, /at least 32.*options\.imageSize/],
    [{ ...good, imageSize: Number.NaN }, /options\.imageSize/],
    [{ ...good, thresholds: { head: 10, tail: 100 } }, /thresholds\.tail/],
    [{ ...good, seed: -1 }, /options\.seed/],
    [{ ...good, device: '' }, /options\.device/],
    [{ ...good, imagesize: 64 }, /did you mean 'imageSize'/],
  ];
  for (const [options, message] of bad) {
    for (const System of [GazeLT, Baseline])
      t.throws(() => System.create(options as ClassifierOptions), { code: 'ERR_INVALID_ARGUMENT', message });
  }
  t.throws(() => GazeLT.load(''), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => Baseline.load('x', { dev: 'cpu' } as never), { code: 'ERR_INVALID_ARGUMENT' });
  const nowhere = await failure(GazeLT.create({ ...good, device: 'mars' }));
  t.equal(nowhere.code, 'ERR_INVALID_DEVICE');
});

t.test('a disposed classifier refuses everything; `using` disposes', async (t) => {
  const before = memoryStats();
  const made = await (async () => {
    using model = await tinyGazeLT();
    return model;
  })();
  made.dispose();
  const gone = { code: 'ERR_DISPOSED' };
  t.throws(() => made.predict(images), gone);
  t.throws(() => made.evaluate(films), gone);
  t.throws(() => made.explain(images), gone);
  t.throws(() => made.fit(tinyFit()), gone);
  t.throws(() => made.save('nowhere'), gone);
  t.equal(memoryStats().liveTensors, before.liveTensors);
});

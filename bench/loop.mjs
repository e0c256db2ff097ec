/**
 * What training leaves of the JavaScript thread, and what it waits for: the event loop's delay while ResNet50 trains, the
 * share of a step spent waiting for data, and a step's time with batches made ahead against without, both from the
 * prepared cache and decoding every image anew (phantom PNGs of 512² to 224²).
 *
 *     node bench/loop.mjs [--json] [--steps 12] [--rounds 3] [--batch 16] [--architecture resnet50]
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { ImagesOnDemand } from '../dist/lib/data/image-store.js';
import { DataLoader } from '../dist/lib/data/loader.js';
import { normalizeImages } from '../dist/lib/data/normalize.js';
import { phantomClasses } from '../dist/lib/data/phantom/findings.js';
import { phantom } from '../dist/lib/data/phantom/phantom.js';
import { prepareImages } from '../dist/lib/data/prepare.js';
import { ShuffledSampler } from '../dist/lib/data/samplers.js';
import { crossEntropy } from '../dist/lib/losses/cross-entropy.js';
import { createModel } from '../dist/lib/models/model.js';
import { tensor } from '../dist/lib/tensor/create.js';
import { tidy } from '../dist/lib/tensor/tidy.js';
import { createOptimizer } from '../dist/lib/training/optimizer.js';
import { resolvePrecision, withPrecision } from '../dist/lib/training/precision.js';

const size = { width: 224, height: 224 };

/** @typedef {{ name: string, ours: number, peer: number | null, unit: string, speedup: number | null }} Measurement */

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/**
 * @param {string} folder
 * @param {number} count
 * @returns {Promise<import('../dist/lib/data/dataset.js').Dataset>}
 */
async function writeImages(folder, count) {
  const samples = [];
  for (let index = 0; index < count; index++) {
    const { id, label, pixels } = phantom({ seed: 1, index, size: 512 });
    const { data, ...raw } = pixels;
    const file = path.join(folder, `${id}.png`);
    await sharp(data, { raw }).toColourspace('b-w').png().toFile(file); // else sharp writes RGB
    samples.push({ id, label, image: /** @type {const} */ ({ kind: 'file', path: file }) });
  }
  return { name: 'bench', classes: phantomClasses, length: count, sample: (index) => samples[index] };
}

/**
 * Trains for some steps of an epoch.
 *
 * @param {{ model: import('../dist/lib/models/model.js').Model, optimizer: import('../dist/lib/training/optimizer.js').Optimizer, precision: any }} trained
 * @param {DataLoader} loader
 * @param {number} steps
 * @returns {Promise<{ step: number, waiting: number }>} median milliseconds of a step, and share of all steps waiting
 */
async function train({ model, optimizer, precision }, loader, steps) {
  const times = [];
  let waited = 0;
  const batches = loader.batches(0);
  for (let number = 0; number < steps; number++) {
    const begun = performance.now();
    const { value: batch } = await batches.next();
    waited += performance.now() - begun;
    await tidy(async () => {
      const labels = tensor(BigInt64Array.from(batch.labels, BigInt));
      const loss = withPrecision(precision, () => {
        const images = normalizeImages(batch.pixels);
        return crossEntropy(model.forward(images), labels);
      });
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      await loss.item();
    });
    batch.dispose();
    times.push(performance.now() - begun);
  }
  await batches.return();
  return { step: median(times), waiting: waited / times.reduce((sum, time) => sum + time, 0) };
}

/**
 * @param {{ steps?: number, rounds?: number, batch?: number, architecture?: string, log?: (line: string) => void }} options
 * @returns {AsyncGenerator<Measurement>}
 */
export async function* loop(options) {
  const {
    steps = 12,
    rounds = 3,
    batch: batchSize = 16,
    architecture = 'resnet50',
    log = () => {},
  } = options;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  const precision = await resolvePrecision('auto');
  const model = createModel({
    architecture: /** @type {any} */ (architecture),
    classes: phantomClasses.length,
  });
  const optimizer = createOptimizer(await model.parameters(), { kind: 'adam', learningRate: 1e-4 });
  try {
    log(`${architecture}, batch ${batchSize} at ${size.width}, ${precision}`);
    const files = path.join(folder, 'images');
    await mkdir(files);
    const dataset = await writeImages(files, batchSize * steps);
    const stores = {
      prepared: await prepareImages(dataset, { ...size, cacheDir: path.join(folder, 'cache') }),
      decoding: new ImagesOnDemand(dataset, size),
    };
    const sampler = new ShuffledSampler({ length: dataset.length, seed: 0 });
    const loaderOf = (images, prefetch) =>
      new DataLoader({ images, sampler, batchSize, prefetch, augmentation: { seed: 0 } });
    const trained = { model, optimizer, precision };
    await train(trained, loaderOf(stores.prepared, 2), 2);

    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const watched = await train(trained, loaderOf(stores.prepared, 2), steps);
    delay.disable();
    yield { name: 'loop/delay-p99', ours: delay.percentile(99) / 1e6, peer: null, unit: 'ms', speedup: null };
    yield { name: 'loop/waiting-share', ours: watched.waiting, peer: null, unit: 'of a step', speedup: null };

    for (const [name, images] of Object.entries(stores)) {
      const pairs = [];
      for (let round = 0; round < rounds; round++) {
        // Which goes first alternates, so that a drift of the machine's speed favours neither.
        const order = round % 2 === 0 ? [2, 0] : [0, 2];
        const times = new Map();
        for (const prefetch of order)
          times.set(prefetch, (await train(trained, loaderOf(images, prefetch), steps)).step);
        pairs.push({ ahead: times.get(2), without: times.get(0) });
      }
      yield {
        name: `loop/prefetch-${name}`,
        ours: median(pairs.map(({ ahead }) => ahead)),
        peer: median(pairs.map(({ without }) => without)),
        unit: 'ms a step',
        speedup: median(pairs.map(({ ahead, without }) => without / ahead)),
      };
      images.dispose();
    }
  } finally {
    optimizer.dispose();
    model.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean' },
      steps: { type: 'string' },
      rounds: { type: 'string' },
      batch: { type: 'string' },
      architecture: { type: 'string' },
    },
  });
  const numbers = ['steps', 'rounds', 'batch'].flatMap((name) =>
    values[name] ? [[name, Number(values[name])]] : [],
  );
  const architecture = values.architecture ? { architecture: values.architecture } : {};
  const log = (line) => console.error(line);
  for await (const result of loop({ ...Object.fromEntries(numbers), ...architecture, log })) {
    if (values.json) console.log(JSON.stringify(result));
    else {
      const { name, ours, peer, unit, speedup } = result;
      const beside = peer === null ? '' : `, without ${peer.toFixed(0)}: ${speedup.toFixed(2)} times`;
      console.log(`${name}: ${ours.toPrecision(3)} ${unit}${beside}`);
    }
  }
}

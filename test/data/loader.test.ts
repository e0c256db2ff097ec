import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { drawAugmentation } from '../../lib/data/augmentation.js';
import type { Batch } from '../../lib/data/batch.js';
import type { ImageSource } from '../../lib/data/dataset.js';
import { ImagesOnDemand } from '../../lib/data/image-store.js';
import { type BatchesOptions, DataLoader, type LoaderOptions } from '../../lib/data/loader.js';
import { prepareImages } from '../../lib/data/prepare.js';
import { type Sampler, SequentialSampler, ShuffledSampler } from '../../lib/data/samplers.js';
import { memoryStats, tensor } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { mirrored, rotated } from '../reference/image.js';
import { datasetOf, HeldImages, noise } from '../support/images.js';
import { failure } from '../support/outcome.js';

const held = Array.from({ length: 11 }, (_, i) => noise(`held ${i}`, 9, 8, 1));
const store = new HeldImages(held);
const augmentation = { seed: 5 };

function loaderOf(options: Partial<LoaderOptions> = {}): DataLoader {
  const sampler = new ShuffledSampler({ length: held.length, seed: 3 });
  return new DataLoader({ images: store, sampler, batchSize: 4, ...options });
}

interface Seen {
  readonly number: number;
  readonly indices: readonly number[];
  readonly labels: readonly number[];
  readonly ids: readonly string[];
  readonly shape: readonly number[];
  readonly pixels: Uint8Array;
}

async function see(batch: Batch): Promise<Seen> {
  const { number, indices, labels, ids, pixels } = batch;
  await pixels.ready();
  const seen = {
    number,
    indices: [...indices],
    labels: [...labels],
    ids,
    shape: pixels.shape,
    pixels: ((await pixels.data()) as Uint8Array).slice(),
  };
  batch.dispose();
  return seen;
}

async function epochOf(loader: DataLoader, epoch: number, options?: BatchesOptions): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const batch of loader.batches(epoch, options)) seen.push(await see(batch));
  return seen;
}

t.test('an epoch visits what the sampler says, with the plain twin’s pixels', async (t) => {
  const loader = loaderOf({ augmentation });
  t.equal(loader.length, 3);
  const batches = await epochOf(loader, 7);
  const order = [...new ShuffledSampler({ length: held.length, seed: 3 }).indices(7)];
  t.same(
    batches.map(({ shape }) => shape),
    [
      [4, 8, 9, 1],
      [4, 8, 9, 1],
      [3, 8, 9, 1],
    ],
    'the short last batch is kept',
  );
  t.same(
    batches.flatMap(({ indices }) => indices),
    order,
  );
  t.same(
    batches.flatMap(({ labels }) => labels),
    order.map((index) => index % 2),
  );
  t.same(
    batches.flatMap(({ ids }) => ids),
    order.map((index) => `sample ${index}`),
  );
  const expected = order.map((index) => {
    const { flip, angle } = drawAugmentation(5, 7, index);
    const image = held[index] as (typeof held)[0];
    return Buffer.from(rotated(flip ? mirrored(image) : image, angle).data);
  });
  t.same(Buffer.concat(batches.map(({ pixels }) => pixels)), Buffer.concat(expected));
});

t.test(
  'without augmentation images come as they are; a last batch that is not full can be left out',
  async (t) => {
    const sampler = new SequentialSampler({ length: held.length });
    const loader = loaderOf({ sampler, dropLast: true });
    t.equal(loader.length, 2);
    const batches = await epochOf(loader, 0);
    t.same(
      Buffer.concat(batches.map(({ pixels }) => pixels)),
      Buffer.concat(held.slice(0, 8).map(({ data }) => data)),
    );
  },
);

t.test(
  'neither prefetch depth, nor where one begins, nor what was read before changes a batch',
  async (t) => {
    const whole = await epochOf(loaderOf({ augmentation, prefetch: 0 }), 2);
    for (const prefetch of [1, 2, 7])
      t.same(await epochOf(loaderOf({ augmentation, prefetch }), 2), whole, `${prefetch}`);
    const loader = loaderOf({ augmentation });
    for (const start of [0, 1, 2, 3]) {
      t.same(await epochOf(loader, 2, { start }), whole.slice(start), `from batch ${start}`);
    }
    t.notSame(await epochOf(loader, 3), whole, 'another epoch is another order');
    const [a, b] = await Promise.all([epochOf(loader, 2), epochOf(loader, 2)]);
    t.same(a, whole);
    t.same(b, whole, 'two iterations at once');
    t.notSame(
      (await epochOf(loaderOf({ augmentation: { seed: 6 } }), 2)).map(({ pixels }) => pixels),
      whole.map(({ pixels }) => pixels),
      'another seed turns otherwise',
    );
  },
);

t.test('no more than the prefetch depth is made ahead', async (t) => {
  const asked: number[] = [];
  const images: ImageSource[] = held.map((image, i) => ({
    kind: 'pixels',
    name: `${i}`,
    pixels: () => {
      asked.push(i);
      return image;
    },
  }));
  const onDemand = new ImagesOnDemand(datasetOf(images), { width: 9, height: 8 });
  const sampler = new SequentialSampler({ length: held.length });
  for (const prefetch of [0, 1, 2]) {
    asked.length = 0;
    const iteration = loaderOf({ images: onDemand, sampler, batchSize: 2, prefetch }).batches(0);
    t.equal(asked.length, 0, 'nothing before the first batch is asked for');
    const first = await iteration.next();
    first.value?.dispose();
    await iteration.return();
    t.equal(asked.length, 2 * (1 + prefetch), `prefetch ${prefetch}`);
  }
  t.equal(memoryStats().liveTensors, 0);
});

t.test('ending early frees what was made ahead', async (t) => {
  for await (const batch of loaderOf({ batchSize: 1 }).batches(0)) {
    batch.dispose();
    if (batch.number === 2) break;
  }
  t.equal(memoryStats().liveTensors, 0, 'break');
  const thrown = async () => {
    for await (const batch of loaderOf({ batchSize: 1 }).batches(0)) {
      batch.dispose();
      throw new Error('of the loop');
    }
  };
  await t.rejects(thrown(), { message: 'of the loop' });
  t.equal(memoryStats().liveTensors, 0, 'throw');
  const unused = loaderOf().batches(0);
  await unused.return();
  t.equal(memoryStats().liveTensors, 0, 'never begun');
});

t.test('an aborted iteration ends with its code and frees what was made ahead', async (t) => {
  const controller = new AbortController();
  const iteration = loaderOf({ batchSize: 1 }).batches(0, { signal: controller.signal });
  const first = await iteration.next();
  first.value?.dispose();
  controller.abort(new Error('enough'));
  const error = await failure(iteration.next());
  t.equal(error.code, 'ERR_ABORTED');
  t.equal((error.cause as Error).message, 'enough');
  t.equal((await iteration.next()).done, true);
  t.equal(memoryStats().liveTensors, 0);

  let give = (): void => {};
  const slow: ImageSource = {
    kind: 'pixels',
    name: 'slow',
    pixels: () => new Promise((resolve) => (give = () => resolve(held[0] as (typeof held)[0]))),
  };
  const images = new ImagesOnDemand(datasetOf([slow]), { width: 9, height: 8 });
  const late = new AbortController();
  const sampler = new SequentialSampler({ length: 1 });
  const waiting = loaderOf({ images, sampler }).batches(0, { signal: late.signal });
  const outcome = failure(waiting.next());
  late.abort();
  setTimeout(() => give(), 20);
  t.equal((await outcome).code, 'ERR_ABORTED', 'while an image is being made');
  t.equal(memoryStats().liveTensors, 0);
});

t.test('a failure comes at its batch, and names file, sample and line', async (t) => {
  const folder = t.testdir();
  const { data, ...raw } = noise('good', 30, 20, 1);
  const good: ImageSource = { kind: 'file', path: join(folder, 'good.png') };
  await sharp(data, { raw }).png().toFile(good.path);
  const bad: ImageSource = { kind: 'file', path: join(folder, 'bad.png') };
  await writeFile(bad.path, 'no image');
  const images = new ImagesOnDemand(datasetOf([good, good, bad, good]), { width: 9, height: 8 });
  const loader = loaderOf({ images, sampler: new SequentialSampler({ length: 4 }), batchSize: 1 });
  const numbers: number[] = [];
  const run = async () => {
    for await (const batch of loader.batches(0)) {
      numbers.push(batch.number);
      batch.dispose();
    }
  };
  const error = await failure(run());
  t.same(numbers, [0, 1]);
  t.equal(error.code, 'ERR_IMAGE');
  t.match(error.message, /bad\.png.*sample 2 of made; made\.csv, line 4/);
  t.equal(memoryStats().liveTensors, 0);
});

t.test('prepared and decoded on demand are the same', async (t) => {
  const folder = t.testdir();
  const sources: ImageSource[] = [];
  for (const [i, channels] of ([1, 3, 1, 1, 1] as const).entries()) {
    const { data, ...raw } = noise(`file ${i}`, 50, 40, channels);
    const path = join(folder, `${i}.png`);
    await sharp(data, { raw }).png().toFile(path);
    sources.push({ kind: 'file', path });
  }
  const size = { width: 24, height: 20 };
  const sampler = new ShuffledSampler({ length: 5, seed: 1 });
  const dataset = datasetOf(sources);
  const options = { sampler, batchSize: 2, augmentation };
  const stores = [
    new ImagesOnDemand(dataset, size),
    await prepareImages(dataset, size),
    await prepareImages(dataset, { ...size, cacheDir: join(folder, 'cache') }),
    await prepareImages(dataset, { ...size, cacheDir: join(folder, 'cache') }),
  ];
  const epochs = await Promise.all(
    stores.map((images) => epochOf(new DataLoader({ images, ...options }), 1)),
  );
  for (const epoch of epochs.slice(1)) t.same(epoch, epochs[0]);
  t.same(
    [...new Set(epochs[0]?.map(({ shape }) => shape[3]))].sort(),
    [1, 3],
    'the colour image makes its batch three',
  );
  for (const images of stores) images.dispose();
});

t.test('a batch belongs to whoever receives it, not to a scope that is open meanwhile', async (t) => {
  const iteration = loaderOf({ batchSize: 1 }).batches(0);
  const first = await tidy(async () => {
    const { value } = await iteration.next();
    return { batch: value as Batch };
  });
  const second = await iteration.next();
  t.equal(first.batch.pixels.disposed, false);
  await second.value?.pixels.ready();
  t.equal(second.value?.size, 1);
  {
    using batch = first.batch;
    await batch.pixels.ready();
  }
  t.equal(first.batch.pixels.disposed, true);
  second.value?.dispose();
  await iteration.return();
  t.equal(memoryStats().liveTensors, 0);
});

t.test('a thousand batches leave nothing behind', async (t) => {
  const loader = loaderOf({ batchSize: 1, augmentation });
  // What is disposed is freed in the order of the lane: behind a later job all of it is.
  const drained = () => tidy(() => tensor([1]).data());
  await epochOf(loader, 0);
  await drained();
  const before = memoryStats().hostBytes;
  for (let epoch = 0; epoch < 91; epoch++) {
    for await (const batch of loader.batches(epoch)) batch.dispose();
  }
  await drained();
  t.equal(memoryStats().liveTensors, 0);
  t.ok(memoryStats().hostBytes <= before, 'host bytes are given back');
});

t.test('a sampler that does not fit the data set', async (t) => {
  const beyond: Sampler = { length: 2, indices: () => Uint32Array.of(0, 11) };
  const short: Sampler = { length: 3, indices: () => Uint32Array.of(0, 1) };
  for (const [sampler, message] of [
    [beyond, /below 11 but it gave 11/],
    [short, /3 indices but it gave 2/],
  ] as const) {
    const error = await failure(loaderOf({ sampler }).batches(0).next());
    t.equal(error.code, 'ERR_DATASET');
    t.match(error.message, message);
  }
});

t.test('wrong use', async (t) => {
  const invalid = { code: 'ERR_INVALID_ARGUMENT' };
  const wrong: Record<string, unknown>[] = [
    { batchSize: 0 },
    { batchSize: 1.5 },
    { prefetch: -1 },
    { dropLast: 1 },
    { images: held },
    { sampler: {} },
    { augmentation: { seed: 0.5 } },
    { augmentation: { seed: 0, maxAngle: 200 } },
    { augmentation: { seed: 0, angle: 3 } },
    { batchsize: 4 },
  ];
  for (const options of wrong)
    t.throws(() => loaderOf(options as Partial<LoaderOptions>), invalid, JSON.stringify(options));
  t.throws(() => loaderOf().batches(0.5), invalid);
  t.throws(() => loaderOf().batches(0, { start: 4 }), invalid);
  t.throws(() => loaderOf().batches(0, { begin: 1 } as object), invalid);
  t.throws(() => new ImagesOnDemand(store.dataset, { width: 0, height: 1 }), invalid);
});

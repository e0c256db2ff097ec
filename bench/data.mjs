import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import sharp from 'sharp';
import { decodeImage } from '../dist/lib/data/decode.js';
import { DataLoader } from '../dist/lib/data/loader.js';
import { phantom } from '../dist/lib/data/phantom/phantom.js';
import { prepareImages } from '../dist/lib/data/prepare.js';
import { dataThreads, resizeArea } from '../dist/lib/data/resize.js';
import { ShuffledSampler } from '../dist/lib/data/samplers.js';
import { comparePairs } from './support/compare.mjs';
import { Peer } from './support/peer.mjs';

/** What `--help` says. */
export const description =
  'images a second from the prepared cache and from PNG, beside OpenCV and Pillow; one thread';

const side = 224;

/** @typedef {import('./support/compare.mjs').Measurement} Measurement */

/**
 * Phantoms of 1024² as grey PNG files, as the NIH's radiographs are.
 *
 * @param {string} folder
 * @param {number} count
 * @returns {Promise<import('../dist/lib/data/dataset.js').Dataset>}
 */
async function writeImages(folder, count) {
  await mkdir(folder);
  /** @type {import('../dist/lib/data/dataset.js').Sample[]} */
  const samples = [];
  for (let index = 0; index < count; index++) {
    const { id, pixels } = phantom({ seed: 1, index, size: 1024 });
    const { data, width, height, channels } = pixels;
    const file = path.join(folder, `${id}.png`);
    await sharp(data, { raw: { width, height, channels } }).toColourspace('b-w').png().toFile(file);
    samples.push({ id, label: 0, image: { kind: 'file', path: file } });
  }
  return { name: 'bench', classes: ['any'], length: count, sample: (index) => samples[index] };
}

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<Measurement>}
 */
export async function* measure({ python, pairs, quick, wants, log }) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  const peer = await Peer.start(python, 'data.py', 'opencv-python-headless and pillow');
  const concurrencyBefore = sharp.concurrency(1);
  dataThreads(1);
  try {
    const count = quick ? 4 : 64;
    log(`${count} phantoms of 1024² as PNG to ${side}², one thread`);
    const files = path.join(folder, 'images');
    const dataset = await writeImages(files, count);
    /** @param {'augmented' | 'decoded'} what */
    const theirs = async (what) => {
      const { images, seconds } = await peer.ask({ do: what, folder: files, size: side });
      return images / seconds;
    };
    const about = { unit: 'images/s', pairs, higherIsBetter: true };
    const versions = { peer: peer.versions };
    if (wants('data/cache')) {
      const cacheDir = path.join(folder, 'cache');
      const prepared = await prepareImages(dataset, { width: side, height: side, cacheDir });
      const ours = () => cachedRate(prepared, quick ? 5 : 20);
      await ours(); // both once without counting: file cache, threads
      await theirs('augmented');
      const result = await comparePairs('data/cache', { ...about, ours, peer: () => theirs('augmented') });
      prepared.dispose();
      yield { ...result, details: { ...result.details, ...versions } };
    }
    if (wants('data/cold')) {
      const ours = () => coldRate(dataset);
      await ours();
      await theirs('decoded');
      const result = await comparePairs('data/cold', { ...about, ours, peer: () => theirs('decoded') });
      yield { ...result, details: { ...result.details, ...versions } };
    }
  } finally {
    sharp.concurrency(concurrencyBefore ?? 0);
    await peer.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Flipped and rotated batches from the cache.
 *
 * @param {import('../dist/lib/data/prepare.js').PreparedImages} images
 * @param {number} epochs
 */
async function cachedRate(images, epochs) {
  const { length } = images.dataset;
  const sampler = new ShuffledSampler({ length, seed: 0 });
  const loader = new DataLoader({ images, sampler, batchSize: 16, augmentation: { seed: 0 } });
  const begun = performance.now();
  for (let epoch = 0; epoch < epochs; epoch++) {
    for await (const batch of loader.batches(epoch)) batch.dispose();
  }
  return (1000 * epochs * length) / (performance.now() - begun);
}

/** @param {import('../dist/lib/data/dataset.js').Dataset} dataset */
async function coldRate(dataset) {
  const begun = performance.now();
  for (let index = 0; index < dataset.length; index++) {
    await resizeArea(await decodeImage(dataset.sample(index).image), side, side);
  }
  return (1000 * dataset.length) / (performance.now() - begun);
}

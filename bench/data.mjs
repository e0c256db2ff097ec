/**
 * How fast images come: from the prepared cache, and decoded for the first time, against OpenCV and Pillow in the Python
 * that CXR_GAZE_PYTHON names (it needs opencv-python and pillow). Phantom PNGs of 1024² to 224², one thread each.
 *
 *     CXR_GAZE_PYTHON=python3 node bench/data.mjs [--json] [--pairs 7] [--images 48]
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { decodeImage } from '../dist/lib/data/decode.js';
import { DataLoader } from '../dist/lib/data/loader.js';
import { phantom } from '../dist/lib/data/phantom/phantom.js';
import { prepareImages } from '../dist/lib/data/prepare.js';
import { dataThreads, resizeArea } from '../dist/lib/data/resize.js';
import { ShuffledSampler } from '../dist/lib/data/samplers.js';

const side = 224;

/** @typedef {{ name: string, ours: number, peer: number, unit: string, speedup: number, pairs: number }} Measurement */

/** The Python process; `run` gives images per second. */
class Peer {
  /** @param {string} python */
  constructor(python) {
    const script = fileURLToPath(new URL('peers/data.py', import.meta.url));
    this.child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** @returns {Promise<any>} the next line */
  async read() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the peer ended; has its Python opencv-python and pillow?');
    return JSON.parse(value);
  }

  /**
   * @param {'augmented' | 'decoded'} kind
   * @param {string} folder
   */
  async run(kind, folder) {
    this.child.stdin.write(`${kind}\t${folder}\t${side}\n`);
    const { images, seconds } = await this.read();
    return images / seconds;
  }

  close() {
    this.child.stdin.end();
  }
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/**
 * @param {string} name
 * @param {number} pairs
 * @param {() => Promise<number>} ours
 * @param {() => Promise<number>} peer
 * @returns {Promise<Measurement>}
 */
async function compare(name, pairs, ours, peer) {
  await ours(); // both once without counting: file cache, threads
  await peer();
  const rates = [];
  for (let pair = 0; pair < pairs; pair++) {
    // Who goes first alternates, so that a drift of the machine's speed favours neither.
    if (pair % 2 === 0) rates.push({ ours: await ours(), peer: await peer() });
    else rates.push({ peer: await peer(), ours: await ours() });
  }
  return {
    name,
    ours: median(rates.map((rate) => rate.ours)),
    peer: median(rates.map((rate) => rate.peer)),
    unit: 'images/s',
    speedup: median(rates.map((rate) => rate.ours / rate.peer)),
    pairs,
  };
}

/**
 * @param {string} folder
 * @param {number} count
 * @returns {Promise<import('../dist/lib/data/dataset.js').Dataset>}
 */
async function writeImages(folder, count) {
  const samples = [];
  for (let index = 0; index < count; index++) {
    const { id, label, pixels } = phantom({ seed: 1, index, size: 1024 });
    const { data, ...raw } = pixels;
    const file = path.join(folder, `${id}.png`);
    await sharp(data, { raw }).toColourspace('b-w').png().toFile(file); // else sharp writes RGB
    samples.push({ id, label, image: /** @type {const} */ ({ kind: 'file', path: file }) });
  }
  return {
    name: 'bench',
    classes: ['any'],
    length: count,
    sample: (index) => ({ ...samples[index], label: 0 }),
  };
}

/**
 * @param {{ python: string, pairs?: number, images?: number, log?: (line: string) => void }} options
 * @returns {AsyncGenerator<Measurement>}
 */
export async function* data({ python, pairs = 7, images: count = 48, log = () => {} }) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  const peer = new Peer(python);
  const concurrencyBefore = sharp.concurrency();
  try {
    log(
      `peer: ${JSON.stringify(await peer.read())}; sharp ${sharp.versions.sharp}, ${count} phantoms of 1024²`,
    );
    const files = path.join(folder, 'images');
    await mkdir(files);
    const dataset = await writeImages(files, count);
    sharp.concurrency(1);
    dataThreads(1);

    const prepared = await prepareImages(dataset, {
      width: side,
      height: side,
      cacheDir: path.join(folder, 'cache'),
    });
    const sampler = new ShuffledSampler({ length: count, seed: 0 });
    const loader = new DataLoader({ images: prepared, sampler, batchSize: 16, augmentation: { seed: 0 } });
    const epochs = 20;
    const cached = async () => {
      const begun = performance.now();
      for (let epoch = 0; epoch < epochs; epoch++)
        for await (const batch of loader.batches(epoch)) batch.dispose();
      return (1000 * epochs * count) / (performance.now() - begun);
    };
    yield await compare('data/cache', pairs, cached, () => peer.run('augmented', files));
    prepared.dispose();

    const cold = async () => {
      const begun = performance.now();
      for (let index = 0; index < count; index++) {
        await resizeArea(await decodeImage(dataset.sample(index).image), side, side);
      }
      return (1000 * count) / (performance.now() - begun);
    };
    yield await compare('data/cold', pairs, cold, () => peer.run('decoded', files));
  } finally {
    sharp.concurrency(concurrencyBefore);
    peer.close();
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, pairs: { type: 'string' }, images: { type: 'string' } },
  });
  const python = process.env.CXR_GAZE_PYTHON;
  if (!python) throw new Error('CXR_GAZE_PYTHON must name a Python that has opencv-python and pillow');
  const numbers = {
    ...(values.pairs ? { pairs: Number(values.pairs) } : {}),
    ...(values.images ? { images: Number(values.images) } : {}),
  };
  for await (const result of data({ python, ...numbers, log: (line) => console.error(line) })) {
    if (values.json) console.log(JSON.stringify(result));
    else {
      const { name, ours, peer, unit, speedup } = result;
      console.log(
        `${name}: ${ours.toFixed(0)} ${unit}, peer ${peer.toFixed(0)}: ${speedup.toFixed(2)} times`,
      );
    }
  }
}

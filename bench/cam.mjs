import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Explainer, writeTask } from './support/cam.mjs';
import { comparePairs } from './support/compare.mjs';
import { Peer } from './support/peer.mjs';

/** What `--help` says. */
export const description =
  'Grad-CAM maps of a batch of 16 at 224 px (float32) beside batched Grad-CAM in PyTorch';

const needs = 'torch of the same version as LibTorch, torchvision, timm and numpy';

/** How far apart the maps, which lie in [0, 1], may be; more means that the two sides do not explain the same. */
const tolerance = 1e-5;

const networks = /** @type {const} */ (['resnet50', 'vgg16', 'pvt_v2_b2_li']);

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure(context) {
  const { quick, threads, wants } = context;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  try {
    for (const network of networks) {
      const name = `cam/float32/${network}`;
      if (!wants(name)) continue;
      const task = { network, batch: quick ? 2 : 16, size: quick ? 64 : 224, threads };
      const file = path.join(folder, `${network}.safetensors`);
      await writeTask(file, task);
      yield await compareMaps(name, task, file, context);
      await rm(file);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} name
 * @param {import('./support/cam.mjs').Task} task
 * @param {string} file
 * @param {import('./support/compare.mjs').Context} context
 */
async function compareMaps(name, task, file, { python, pairs }) {
  const peer = await Peer.start(python, 'cam.py', needs);
  const explainer = new Explainer(task);
  try {
    await explainer.prepare();
    await peer.ask({ do: 'prepare', task, file });
    const difference = await worstDifference(name, await explainer.maps(), peer, `${file}.maps`);
    await explainer.batches(1);
    await peer.ask({ do: 'batches', count: 1 });
    const count = 2;
    const processor = { ours: 0, peer: 0 };
    const result = await comparePairs(name, {
      pairs,
      unit: 'ms/batch',
      ours: async () => {
        await explainer.batches(1); // memory that was given back while the other side ran
        const measured = await explainer.batches(count);
        processor.ours += measured.processor / pairs;
        return measured.wall;
      },
      peer: async () => {
        await peer.ask({ do: 'batches', count: 1 });
        const measured = await peer.ask({ do: 'batches', count });
        processor.peer += measured.processor / pairs;
        return measured.wall;
      },
    });
    const { batch, size } = task;
    return {
      ...result,
      details: {
        ...result.details,
        ...{ precision: 'float32', batch, size, processorMs: processor },
        worstDifference: difference,
        peer: peer.versions,
      },
    };
  } finally {
    explainer.dispose();
    await peer.close();
  }
}

/**
 * @param {string} name
 * @param {ArrayLike<number>} ours
 * @param {Peer} peer
 * @param {string} file where the peer writes its maps
 */
async function worstDifference(name, ours, peer, file) {
  await peer.ask({ do: 'maps', file });
  const bytes = await readFile(file);
  const theirs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  let worst = ours.length === theirs.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < theirs.length && Number.isFinite(worst); i++) {
    const difference = Math.abs(ours[i] - theirs[i]);
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  if (worst <= tolerance) return worst;
  throw new Error(`${name}: the maps differ by up to ${worst}`);
}

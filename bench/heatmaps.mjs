import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { readNpy, writeNpy } from '../dist/lib/checkpoints/npy.js';
import { rng } from '../dist/lib/data/random.js';
import { dataThreads } from '../dist/lib/data/resize.js';
import { renderHeatmaps } from '../dist/lib/gaze/heatmap.js';
import { comparePairs } from './support/compare.mjs';
import { Peer } from './support/peer.mjs';

/** What `--help` says. */
export const description = 'a gaze heat map of 2048², sigma 64, beside NumPy and SciPy; one thread';

/** Largest difference from SciPy that is put up with, relative to its value. */
const tolerance = 1e-6;

/**
 * Places anywhere on the film: the fewest in one row, which is the hardest for us.
 *
 * @param {number} count
 * @param {number} size
 */
function scatter(count, size) {
  const random = rng(0, 'bench', 'heatmaps');
  const draw = () => Float32Array.from({ length: count }, () => random.uniform(0, size));
  return { width: size, height: size, x: draw(), y: draw(), weight: new Float64Array(count).fill(1) };
}

/**
 * @param {ArrayLike<number>} ours
 * @param {ArrayLike<number>} theirs
 */
function largestDifference(ours, theirs) {
  let largest = 0;
  for (let i = 0; i < theirs.length; i++) {
    largest = Math.max(largest, Math.abs(ours[i] - theirs[i]) / (Math.abs(theirs[i]) + 1e-12));
  }
  return largest;
}

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure({ python, pairs, quick, wants, log }) {
  const size = quick ? 128 : 2048;
  const sigma = quick ? 4 : 64;
  const wanted = [200, 3000].filter((count) => wants(`heatmaps/${count}-points`));
  if (wanted.length === 0) return;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  const peer = await Peer.start(python, 'heatmaps.py', 'numpy and scipy');
  dataThreads(1);
  try {
    for (const count of wanted) {
      log(`${count} points, ${size}², sigma ${sigma}, one thread`);
      const points = scatter(count, size);
      const files = { x: path.join(folder, 'x.npy'), y: path.join(folder, 'y.npy') };
      await writeNpy(files.x, points.x, [count]);
      await writeNpy(files.y, points.y, [count]);
      const render = () =>
        renderHeatmaps([points], { height: size, width: size, sigma, sigmaUnit: 'pixel', normalise: 'none' });
      const out = path.join(folder, 'heatmap.npy');
      await peer.ask({ ...files, size, sigma, out });
      const [map] = await render();
      const difference = largestDifference(map, (await readNpy(out)).data);
      if (!(difference <= tolerance)) {
        throw new Error(`heatmaps/${count}-points: the maps differ by ${difference}, more than ${tolerance}`);
      }
      const result = await comparePairs(`heatmaps/${count}-points`, {
        pairs,
        unit: 's',
        ours: async () => {
          const begun = performance.now();
          await render();
          return (performance.now() - begun) / 1000;
        },
        peer: async () => (await peer.ask({ ...files, size, sigma, out: null })).seconds,
      });
      const details = { ...result.details, count, size, sigma, difference, peer: peer.versions };
      yield { ...result, details };
    }
  } finally {
    await peer.close();
    await rm(folder, { recursive: true, force: true });
  }
}

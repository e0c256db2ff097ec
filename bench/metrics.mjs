import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { writeNpy } from '../dist/lib/checkpoints/npy.js';
import { rng } from '../dist/lib/data/random.js';
import { evaluatePredictions } from '../dist/lib/metrics/evaluate.js';
import { comparePairs } from './support/compare.mjs';
import { Peer } from './support/peer.mjs';

/** What `--help` says. */
export const description =
  'all metrics of 20 classes with bootstrap intervals beside AUROC alone in scikit-learn';

const classes = Array.from({ length: 20 }, (_, k) => `class ${k}`);
const resamples = 100;

/** @param {number} images */
function predictions(images) {
  const random = rng(0, 'bench', 'metrics');
  const labels = Int32Array.from({ length: images }, (_, i) => i % classes.length);
  const probabilities = new Float32Array(images * classes.length);
  for (let i = 0; i < images; i++) {
    const row = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
    for (let k = 0; k < classes.length; k++) row[k] = Math.exp(random.normal() + (k === labels[i] ? 1 : 0));
    const sum = row.reduce((total, value) => total + value, 0);
    for (let k = 0; k < classes.length; k++) row[k] /= sum;
  }
  return { probabilities, labels };
}

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure({ python, pairs, quick, wants, log }) {
  if (!wants('metrics/auroc')) return;
  const images = quick ? 400 : 4000;
  const { probabilities, labels } = predictions(images);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  const peer = await Peer.start(python, 'metrics.py', 'numpy and scikit-learn');
  try {
    log(`${images} images, ${classes.length} classes, ${resamples} resamples`);
    const files = { probabilities: path.join(folder, 'p.npy'), labels: path.join(folder, 'y.npy') };
    await writeNpy(files.probabilities, probabilities, [images, classes.length]);
    await writeNpy(files.labels, Float32Array.from(labels), [images]);
    /** @type {Record<string, number | null>} */
    const auroc = {};
    const result = await comparePairs('metrics/auroc', {
      pairs,
      unit: 's',
      ours: async () => {
        const begun = performance.now();
        const metrics = evaluatePredictions({ probabilities, labels, classes, bootstrap: { resamples } });
        auroc.ours = metrics.auroc;
        return (performance.now() - begun) / 1000;
      },
      peer: async () => {
        const answer = await peer.ask({ ...files, resamples });
        auroc.peer = answer.auroc;
        return answer.seconds;
      },
    });
    if (!(Math.abs(Number(auroc.ours) - Number(auroc.peer)) < 1e-9)) {
      throw new Error(`metrics/auroc: the mean AUROC is ${auroc.ours} here, ${auroc.peer} there`);
    }
    yield { ...result, details: { ...result.details, images, resamples, auroc, peer: peer.versions } };
  } finally {
    await peer.close();
    await rm(folder, { recursive: true, force: true });
  }
}

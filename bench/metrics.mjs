import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { writeNpy } from '../dist/lib/checkpoints/npy.js';
import { rng } from '../dist/lib/data/random.js';
import { meanDefined, rankAllClasses, rankedAuroc } from '../dist/lib/metrics/auroc.js';
import { evaluatePredictions } from '../dist/lib/metrics/evaluate.js';
import { resampleWeights, resamplingUnits } from '../dist/lib/metrics/resample.js';
import { comparePairs } from './support/compare.mjs';
import { Peer } from './support/peer.mjs';

/** What `--help` says. */
export const description =
  'AUROC of 20 classes with 100 bootstrap resamples of 20,000 patients beside scikit-learn';

const classes = Array.from({ length: 20 }, (_, k) => `class ${k}`);
const settings = { resamples: 100, seed: 0, level: 0.95 };

/** @param {number} images one a patient */
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
 * Mean AUROC of all classes, once and for each resample: what `evaluatePredictions` does for this number, draws included.
 *
 * @param {ReturnType<typeof predictions>} given
 * @param {import('../dist/lib/metrics/resample.js').ResamplingUnits} units
 */
function aurocs({ probabilities, labels }, units) {
  const ranked = rankAllClasses(probabilities, labels, classes.length);
  /** @param {Uint32Array} weights */
  const mean = (weights) => meanDefined(ranked.map((one) => rankedAuroc(one, weights)));
  const values = [mean(new Uint32Array(labels.length).fill(1))];
  for (const weights of resampleWeights(units, settings)) values.push(mean(weights));
  return values;
}

/**
 * The draws as indices of images, for the peer: below 2^24, so whole in float32.
 *
 * @param {import('../dist/lib/metrics/resample.js').ResamplingUnits} units
 */
function drawnIndices(units) {
  const { length } = units.unitOf;
  const indices = new Float32Array(settings.resamples * length);
  let at = 0;
  for (const weights of resampleWeights(units, settings))
    weights.forEach((times, image) => {
      for (let n = 0; n < times; n++) indices[at++] = image;
    });
  return indices;
}

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure({ python, pairs, quick, wants, log }) {
  if (!wants('metrics/auroc')) return;
  const patients = quick ? 400 : 20_000;
  const given = predictions(patients);
  const { probabilities, labels } = given;
  const units = resamplingUnits(
    patients,
    Array.from({ length: patients }, (_, i) => i),
  );
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  const peer = await Peer.start(python, 'metrics.py', 'numpy and scikit-learn');
  try {
    log(`${patients} patients, ${classes.length} classes, ${settings.resamples} resamples`);
    const file = (/** @type {string} */ name) => path.join(folder, `${name}.npy`);
    const files = { probabilities: file('p'), labels: file('y'), indices: file('i') };
    await writeNpy(files.probabilities, probabilities, [patients, classes.length]);
    await writeNpy(files.labels, Float32Array.from(labels), [patients]);
    await writeNpy(files.indices, drawnIndices(units), [settings.resamples, patients]);
    /** @type {{ ours: number[], peer: number[] }} */
    const values = { ours: [], peer: [] };
    const result = await comparePairs('metrics/auroc', {
      pairs,
      unit: 's',
      ours: async () => {
        const begun = performance.now();
        values.ours = aurocs(given, units);
        return (performance.now() - begun) / 1000;
      },
      peer: async () => {
        const answer = await peer.ask(files);
        values.peer = answer.aurocs;
        return answer.seconds;
      },
    });
    const worst = Math.max(...values.ours.map((value, i) => Math.abs(value - Number(values.peer[i]))));
    if (values.peer.length !== values.ours.length || !(worst < 1e-9)) {
      throw new Error(`metrics/auroc: the AUROCs of ${values.ours.length} draws differ by up to ${worst}`);
    }
    const begun = performance.now();
    evaluatePredictions({ probabilities, labels, classes, bootstrap: { resamples: settings.resamples } });
    const allMetrics = (performance.now() - begun) / 1000;
    const more = { patients, ...settings, auroc: values.ours[0], worst, allMetrics, peer: peer.versions };
    yield { ...result, details: { ...result.details, ...more } };
  } finally {
    await peer.close();
    await rm(folder, { recursive: true, force: true });
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { phantomSplits } from '../dist/lib/data/phantom/splits.js';
import { GazeLT } from '../dist/lib/systems/gazelt/gazelt.js';
import { ask } from '../dist/lib/tensor/run.js';
import { resolvePrecision } from '../dist/lib/training/precision.js';
import { comparePairs, median } from './support/compare.mjs';

/** What `--help` says. */
export const description = "the event loop's delay, waiting for data and prefetch while the student trains";

/** How often the event loop is asked whether it still answers. */
const resolutionMs = 2;

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure({ pairs, quick, threads, wants, log }) {
  const setting = quick
    ? { architecture: /** @type {const} */ ('resnet18'), imageSize: 64, batchSize: 4, steps: 4 }
    : { architecture: /** @type {const} */ ('resnet50'), imageSize: 224, batchSize: 16, steps: 10 };
  const { architecture, imageSize, batchSize, steps } = setting;
  await ask('threads', [], { threads });
  const cacheDir = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  const splits = phantomSplits({ seed: 0, size: imageSize, train: batchSize * steps, valPerClass: 1 });
  log(`${architecture}, batch ${batchSize}, ${imageSize} px, ${steps} steps a run, ${threads} threads`);
  const run = (/** @type {number} */ prefetch) => train({ ...setting, splits, cacheDir, prefetch });
  try {
    await run(2); // prepares the images
    const usual = await run(2);
    const none = { peer: null, speedup: null };
    const details = {
      architecture,
      batchSize,
      imageSize,
      prefetch: 2,
      precision: await resolvePrecision('auto'),
    };
    if (wants('loop/delay'))
      yield {
        name: 'loop/delay',
        ours: usual.delayP99,
        unit: 'ms (p99)',
        ...none,
        details: { ...details, max: usual.delayMax },
      };
    if (wants('loop/waiting'))
      yield { name: 'loop/waiting', ours: usual.waited, unit: '% of a step', ...none, details };
    if (wants('loop/prefetch')) {
      const result = await comparePairs('loop/prefetch', {
        pairs,
        unit: 'ms/step',
        ours: async () => (await run(2)).step,
        peer: async () => (await run(0)).step,
      });
      yield { ...result, details: { ...details, ...result.details, peerIs: 'the same with prefetch 0' } };
    }
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
}

/**
 * One epoch; the first step, in which memory is had from the system, does not count.
 *
 * @param {{ architecture: 'resnet18' | 'resnet50', imageSize: number, batchSize: number, prefetch: number, cacheDir: string, splits: import('../dist/lib/data/phantom/splits.js').PhantomSplits }} options
 */
async function train({ architecture, imageSize, batchSize, prefetch, cacheDir, splits }) {
  const system = await GazeLT.create({
    classes: splits.train.classes,
    init: 'random',
    architecture,
    imageSize,
    seed: 0,
    thresholds: { head: 8, tail: 2 },
  });
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  const fit = system.fit({
    train: splits.train,
    validation: splits['balanced-val'],
    loss: 'ldam',
    maxEpochs: 1,
    ...{ batchSize, prefetch, cacheDir },
  });
  const steps = [];
  for await (const event of fit) {
    if (event.type !== 'step') {
      if (event.type === 'epoch') delay.disable();
      continue;
    }
    if (event.step > 1) steps.push(event);
    else delay.enable();
  }
  system.dispose();
  const total = (/** @type {'milliseconds' | 'waited'} */ key) =>
    steps.reduce((sum, step) => sum + step[key], 0);
  // The monitor counts from one timer to the next: what lies above its own period is delay.
  const beyond = (/** @type {number} */ nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  return {
    step: median(steps.map(({ milliseconds }) => milliseconds)),
    waited: (100 * total('waited')) / total('milliseconds'),
    delayP99: beyond(delay.percentile(99)),
    delayMax: beyond(delay.max),
  };
}

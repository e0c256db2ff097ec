import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { resolvePrecision } from '../dist/lib/training/precision.js';
import { comparePairs } from './support/compare.mjs';
import { LocAttentionStep, published, writeTask } from './support/loc-attention.mjs';
import { Peer } from './support/peer.mjs';

/** What `--help` says. */
export const description =
  "loc-attention's training step (published loss, boxes cached) beside the original's way in PyTorch";

const needs = 'torch of the same version as LibTorch, torchvision, timm, opencv and numpy';

/** Hot pixels by which the two sides may differ: a value within rounding of the threshold falls on either side. */
const mostPixels = 4;

/**
 * A step of the peer takes minutes, and its U-Net the most of it: fewer pairs than elsewhere do.
 *
 * @param {number} pairs asked for
 */
const fewer = (pairs) => Math.max(1, Math.floor(pairs / 3));

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure(context) {
  const { quick, threads, log, wants } = context;
  const automatic = await resolvePrecision('auto');
  const common = quick
    ? { batch: 3, size: 64, segmentedSize: 64, threads }
    : { batch: 32, size: 224, segmentedSize: 512, threads };
  const architectures = quick ? ['resnet18', 'pvt_v2_b0'] : ['resnet50', 'pvt_v2_b2_li', 'vgg16'];
  log(`batch ${common.batch}, ${common.size} px, U-Net at ${common.segmentedSize} px, ${threads} threads`);
  for (const architecture of architectures) {
    const name = architecture.startsWith('pvt') && !quick ? 'pvt' : architecture;
    for (const [kind, precision] of [
      ['float32', 'float32'],
      ['default', automatic],
    ]) {
      const full = `loc-attention/${kind}/${name}`;
      if (wants(full)) yield* compareSteps(full, { ...common, architecture, precision }, context);
    }
  }
}

/**
 * @param {string} name
 * @param {import('./support/loc-attention.mjs').Task} task ours
 * @param {import('./support/compare.mjs').Context} context
 */
async function* compareSteps(name, task, { python, pairs, quick }) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  const peer = await Peer.start(python, 'loc_attention.py', needs);
  const file = path.join(folder, 'task.safetensors');
  const step = new LocAttentionStep(task);
  try {
    await writeTask(file, { ...task, precision: 'float32' });
    await peer.ask({ do: 'prepare', task: { ...task, ...published }, file });
    const boxMs = await step.prepare();
    const differ = await comparedAttention(name, step, await peer.ask({ do: 'attention' }));
    // A step of each that is not counted.
    await step.steps(1);
    await peer.ask({ do: 'steps', count: 1 });
    const result = await comparePairs(name, {
      pairs: fewer(pairs),
      unit: 'ms/step',
      ours: async () => (await step.steps(quick ? 1 : 3)).wall,
      peer: async () => (await peer.ask({ do: 'steps', count: 1 })).wall,
    });
    const details = { ...result.details, precision: task.precision, boxMs, mostPixelsApart: differ };
    yield { ...result, details: { ...details, peer: peer.versions } };
    // Ten epochs meet each image ten times; its box is computed once here, each time there.
    const { ours, peer: theirs } = result;
    yield {
      name: name.replace('loc-attention/', 'loc-attention/ten-epochs/'),
      ours: (10 * ours + boxMs) / 10,
      peer: theirs,
      unit: 'ms/step, boxes shared out',
      speedup: (10 * theirs) / (10 * ours + boxMs),
      pairs: result.pairs,
      details: { precision: task.precision, boxMs },
    };
  } finally {
    step.dispose();
    await peer.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Fails where boxes or attention of the two sides are not the same.
 *
 * @param {string} name
 * @param {LocAttentionStep} step
 * @param {{ attention: number[], predictions: number[], boxes: number[][] }} theirs
 * @returns {Promise<number>} the most hot pixels by which an image differs
 */
async function comparedAttention(name, step, theirs) {
  const refuse = (what) => {
    throw new Error(`${name}: the two sides do not compute the same: ${what}`);
  };
  const boxes = Array.from(step.boxes);
  // A logit within rounding of 0 falls on either side, too.
  if (theirs.boxes.flat().some((value, i) => Math.abs(value - boxes[i]) > 1))
    refuse(`boxes are ${boxes} here, ${theirs.boxes.flat()} there`);
  const ours = await step.attention(Int32Array.from(theirs.boxes.flat()));
  if (ours.predictions.join() !== theirs.predictions.join())
    refuse(`predictions are ${ours.predictions} here, ${theirs.predictions} there`);
  let most = 0;
  for (const [i, value] of ours.attention.entries()) {
    const [, , width, height] = theirs.boxes[i];
    const pixels = Math.abs(value - theirs.attention[i]) * width * (height / 2);
    if (pixels > mostPixels + 0.5)
      refuse(`attention of image ${i} is ${value} here, ${theirs.attention[i]} there`);
    most = Math.max(most, Math.round(pixels));
  }
  return most;
}

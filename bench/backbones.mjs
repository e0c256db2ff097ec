import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { resolvePrecision } from '../dist/lib/training/precision.js';
import { Training, writeTask } from './support/backbones.mjs';
import { comparePairs } from './support/compare.mjs';
import { Peer } from './support/peer.mjs';

/** What `--help` says. */
export const description = "training steps of VGG16, PVT v2 B2 Li and the U-Net (Adam) beside PyTorch's";

const needs = 'torch of the same version as LibTorch, torchvision, timm and numpy';

/** Relative difference of the first loss that rounding explains; more means that the two sides train different things. */
const tolerance = { float32: 1e-4, bfloat16: 2e-2 };

const networks = /** @type {const} */ ([
  { network: 'vgg16', batch: 8, size: 224 },
  { network: 'pvt_v2_b2_li', batch: 8, size: 224 },
  { network: 'unet', batch: 4, size: 256 },
]);

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure(context) {
  const { quick, threads, wants, log } = context;
  // Where the processor is not made for bfloat16 a step takes minutes: measured only where it is asked for by name.
  const fast = (await resolvePrecision('auto')) === 'bfloat16';
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  try {
    for (const { network, batch, size } of networks) {
      const common = { network, batch: quick ? 1 : batch, size: quick ? 64 : size, threads };
      const file = path.join(folder, `${network}.safetensors`);
      const precisions = /** @type {const} */ (['float32', 'bfloat16']).filter((precision) => {
        const name = `backbones/${precision}/${network}`;
        if (!wants(name)) return false;
        const unasked = precision === 'bfloat16' && !fast && wants('backbones/');
        if (unasked)
          log(`${name}: left out, the processor is not made for bfloat16; --only ${name} measures it`);
        return !unasked;
      });
      if (precisions.length > 0) await writeTask(file, { ...common, precision: 'float32' });
      for (const precision of precisions) yield await compareSteps({ ...common, precision }, file, context);
      await rm(file, { force: true }); // VGG16's has half a gigabyte
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {import('./support/backbones.mjs').Task} task
 * @param {string} file
 * @param {import('./support/compare.mjs').Context} context
 */
async function compareSteps(task, file, { python, pairs }) {
  const name = `backbones/${task.precision}/${task.network}`;
  const peer = await Peer.start(python, 'backbones.py', needs);
  const training = new Training(task);
  try {
    await training.prepare();
    await peer.ask({ do: 'prepare', task, file });
    const warm = { ours: await training.steps(2), peer: await peer.ask({ do: 'steps', count: 2 }) };
    const [ours, theirs] = [warm.ours.losses[0], warm.peer.losses[0]];
    if (!(Math.abs(ours - theirs) <= tolerance[task.precision] * Math.abs(theirs))) {
      throw new Error(
        `${name}: the two sides do not train the same: the first loss is ${ours} here, ${theirs} there`,
      );
    }
    const count = 1; // a step takes seconds
    const processor = { ours: 0, peer: 0 };
    const result = await comparePairs(name, {
      pairs,
      unit: 'ms/step',
      ours: async () => {
        await training.steps(1); // memory that was given back while the other side ran
        const measured = await training.steps(count);
        processor.ours += measured.processor / pairs;
        return measured.wall;
      },
      peer: async () => {
        await peer.ask({ do: 'steps', count: 1 });
        const measured = await peer.ask({ do: 'steps', count });
        processor.peer += measured.processor / pairs;
        return measured.wall;
      },
    });
    return {
      ...result,
      details: {
        ...result.details,
        ...{ precision: task.precision, batch: task.batch, size: task.size },
        processorMs: processor,
        firstLoss: { ours, peer: theirs },
        peer: peer.versions,
      },
    };
  } finally {
    training.dispose();
    await peer.close();
  }
}

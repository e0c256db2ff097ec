import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Training, writeTask } from './support/backbones.mjs';
import { compareSteps, precisionsOf } from './support/steps.mjs';

/** What `--help` says. */
export const description = "training steps of VGG16, PVT v2 B2 Li and the U-Net (Adam) beside PyTorch's";

const needs = 'torch of the same version as LibTorch, torchvision, timm and numpy';

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
  const { quick, threads } = context;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  try {
    for (const { network, batch, size } of networks) {
      const common = { network, batch: quick ? 1 : batch, size: quick ? 64 : size, threads };
      const file = path.join(folder, `${network}.safetensors`);
      const nameOf = (precision) => `backbones/${precision}/${network}`;
      const precisions = await precisionsOf('backbones', nameOf, context);
      if (precisions.length > 0) await writeTask(file, { ...common, precision: 'float32' });
      for (const precision of precisions) {
        const task = { ...common, precision };
        const training = new Training(task);
        yield await compareSteps(
          nameOf(precision),
          { training, task, file, program: 'backbones.py', needs },
          context,
        );
      }
      await rm(file, { force: true }); // VGG16's has half a gigabyte
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

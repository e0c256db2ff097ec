import { rng } from '../../dist/lib/data/random.js';
import { crossEntropy } from '../../dist/lib/losses/cross-entropy.js';
import { createModel } from '../../dist/lib/models/model.js';
import { createSegmentationNetwork } from '../../dist/lib/models/segmentation.js';
import { tensor } from '../../dist/lib/tensor/create.js';
import { tidy } from '../../dist/lib/tensor/tidy.js';
import { TimedTraining, writeNetwork } from './training.mjs';

const learningRate = 1e-5;
const classes = 2;

/**
 * @typedef {object} Task both sides train the same network on the same batch
 * @property {'vgg16' | 'pvt_v2_b2_li' | 'unet'} network
 * @property {number} batch
 * @property {number} size
 * @property {number} threads
 * @property {'float32' | 'bfloat16'} precision bfloat16: autocast, channels-last
 */

/** @param {Task} task */
function dataOf({ network, batch, size }) {
  const random = rng(0, 'bench', 'backbones');
  const images = Float32Array.from({ length: batch * 3 * size * size }, () => random.uniform(-1, 1));
  if (network !== 'unet')
    return { images, labels: Int32Array.from({ length: batch }, (_, i) => i % classes) };
  return { images, mask: Float32Array.from({ length: batch * size * size }, () => random.integer(2)) };
}

/** Dropout is off: the two sides would draw different numbers. @param {Task} task */
function makeNetwork({ network }) {
  if (network === 'unet') return createSegmentationNetwork({ seed: 0 });
  return createModel({ architecture: network, classes, seed: 0, dropout: 0 });
}

/**
 * Writes weights and batch for the peer.
 *
 * @param {string} file
 * @param {Task} task
 */
export async function writeTask(file, task) {
  const { batch, size } = task;
  const { images, labels, mask } = dataOf(task);
  await writeNetwork(file, makeNetwork(task), [
    { name: 'images', dtype: 'float32', shape: [batch, 3, size, size], values: images },
    ...(labels
      ? [{ name: 'labels', dtype: /** @type {const} */ ('int32'), shape: [batch], values: labels }]
      : []),
    ...(mask
      ? [
          {
            name: 'mask',
            dtype: /** @type {const} */ ('float32'),
            shape: [batch, 1, size, size],
            values: mask,
          },
        ]
      : []),
  ]);
}

/** The training step of a backbone. */
export class Training extends TimedTraining {
  /** @param {Task} task */
  constructor(task) {
    super(task, makeNetwork(task));
  }

  /** Weights, optimizer and batch: to be called once, before {@link Training.steps}. */
  async prepare() {
    const { precision, batch, size } = this.task;
    await this.begin(learningRate);
    const { images, labels, mask } = dataOf(this.task);
    this.images = tidy(() => {
      const plain = tensor(images, [batch, 3, size, size]);
      return precision === 'bfloat16' ? plain.to({ memoryFormat: 'channelsLast' }) : plain;
    });
    if (labels) this.labels = tensor(labels, [batch], { dtype: 'int64' });
    if (mask) this.mask = tensor(mask, [batch, 1, size, size]);
    await this.images.ready();
  }

  objective() {
    const logits = this.network.forward(this.images);
    if (this.labels) return crossEntropy(logits, this.labels);
    return logits.to({ dtype: 'float32' }).sigmoid().sub(this.mask).square().mean();
  }

  batch() {
    return [this.images, this.labels, this.mask];
  }
}

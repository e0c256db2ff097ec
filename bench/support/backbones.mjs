import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { writeSafetensors } from '../../dist/lib/checkpoints/safetensors-write.js';
import { rng } from '../../dist/lib/data/random.js';
import { crossEntropy } from '../../dist/lib/losses/cross-entropy.js';
import { createModel } from '../../dist/lib/models/model.js';
import { createSegmentationNetwork } from '../../dist/lib/models/segmentation.js';
import { tensor } from '../../dist/lib/tensor/create.js';
import { ask } from '../../dist/lib/tensor/run.js';
import { tidy } from '../../dist/lib/tensor/tidy.js';
import { createOptimizer } from '../../dist/lib/training/optimizer.js';
import { withPrecision } from '../../dist/lib/training/precision.js';

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

/** @param {ArrayBufferView} values */
const bytesOf = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/**
 * Writes weights and batch for the peer.
 *
 * @param {string} file
 * @param {Task} task
 */
export async function writeTask(file, task) {
  const network = makeNetwork(task);
  const { batch, size } = task;
  const { images, labels, mask } = dataOf(task);
  await tidy(async () => {
    /** @type {import('../../dist/lib/checkpoints/safetensors-write.js').SafetensorsEntry[]} */
    const entries = [];
    for (const { name, tensor: value } of await network.state()) {
      await value.ready();
      const values = await value.data();
      entries.push({ name, dtype: value.dtype, shape: value.shape, bytes: async () => bytesOf(values) });
    }
    const add = (name, dtype, values, shape) =>
      entries.push({ name: `bench.${name}`, dtype, shape, bytes: async () => bytesOf(values) });
    add('images', 'float32', images, [batch, 3, size, size]);
    if (labels) add('labels', 'int32', labels, [batch]);
    if (mask) add('mask', 'float32', mask, [batch, 1, size, size]);
    await writeSafetensors(file, entries);
  });
  network.dispose();
}

/** The training step as a user of the library writes it. */
export class Training {
  /** @param {Task} task */
  constructor(task) {
    this.task = task;
    this.network = makeNetwork(task);
  }

  /** Weights, optimizer and batch: to be called once, before {@link Training.steps}. */
  async prepare() {
    const { precision, batch, size, threads } = this.task;
    await ask('threads', [], { threads });
    this.network.train();
    if (precision === 'bfloat16') this.network.to({ channelsLast: true });
    this.optimizer = createOptimizer(await this.network.parameters(), { kind: 'adam', learningRate });
    const { images, labels, mask } = dataOf(this.task);
    this.images = tidy(() => {
      const plain = tensor(images, [batch, 3, size, size]);
      return precision === 'bfloat16' ? plain.to({ memoryFormat: 'channelsLast' }) : plain;
    });
    if (labels) this.labels = tensor(labels, [batch], { dtype: 'int64' });
    if (mask) this.mask = tensor(mask, [batch, 1, size, size]);
    await this.images.ready();
  }

  #objective() {
    const logits = this.network.forward(this.images);
    if (this.labels) return crossEntropy(logits, this.labels);
    return logits.to({ dtype: 'float32' }).sigmoid().sub(this.mask).square().mean();
  }

  #step() {
    return tidy(async () => {
      this.optimizer.zeroGrad();
      const loss = withPrecision(this.task.precision, () => this.#objective());
      loss.backward();
      this.optimizer.step();
      return loss.item();
    });
  }

  /**
   * @param {number} count
   * @returns wall and processor milliseconds a step, and the losses
   */
  async steps(count) {
    const losses = [];
    const cpu = process.cpuUsage();
    const begun = performance.now();
    for (let step = 0; step < count; step++) losses.push(await this.#step());
    const wall = performance.now() - begun;
    const { user, system } = process.cpuUsage(cpu);
    return { wall: wall / count, processor: (user + system) / 1000 / count, losses };
  }

  dispose() {
    for (const part of [this.optimizer, this.images, this.labels, this.mask, this.network]) part?.dispose();
  }
}

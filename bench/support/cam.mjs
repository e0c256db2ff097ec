import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { attentionMap } from '../../dist/lib/cam/attention-map.js';
import { writeSafetensors } from '../../dist/lib/checkpoints/safetensors-write.js';
import { rng } from '../../dist/lib/data/random.js';
import { createModel } from '../../dist/lib/models/model.js';
import { tensor } from '../../dist/lib/tensor/create.js';
import { ask } from '../../dist/lib/tensor/run.js';
import { tidy } from '../../dist/lib/tensor/tidy.js';

const classes = 2;

/**
 * @typedef {object} Task both sides explain the same batch of the same network
 * @property {import('../../dist/lib/models/model.js').Architecture} network
 * @property {number} batch
 * @property {number} size
 * @property {number} threads
 */

/** @param {Task} task */
function imagesOf({ batch, size }) {
  const random = rng(0, 'bench', 'cam');
  return Float32Array.from({ length: batch * 3 * size * size }, () => random.uniform(-1, 1));
}

/** @param {ArrayBufferView} values */
const bytesOf = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/**
 * Writes weights and images for the peer.
 *
 * @param {string} file
 * @param {Task} task
 */
export async function writeTask(file, task) {
  const model = createModel({ architecture: task.network, classes, seed: 0 });
  const images = imagesOf(task);
  const { batch, size } = task;
  await tidy(async () => {
    /** @type {import('../../dist/lib/checkpoints/safetensors-write.js').SafetensorsEntry[]} */
    const entries = [];
    for (const { name, tensor: value } of await model.state()) {
      await value.ready();
      const values = await value.data();
      entries.push({ name, dtype: value.dtype, shape: value.shape, bytes: async () => bytesOf(values) });
    }
    entries.push({
      ...{ name: 'bench.images', dtype: 'float32', shape: [batch, 3, size, size] },
      bytes: async () => bytesOf(images),
    });
    await writeSafetensors(file, entries);
  });
  model.dispose();
}

/** Explains a batch as a user of the library does. */
export class Explainer {
  /** @param {Task} task */
  constructor(task) {
    this.task = task;
    this.model = createModel({ architecture: task.network, classes, seed: 0 }).eval();
  }

  async prepare() {
    const { batch, size, threads } = this.task;
    await ask('threads', [], { threads });
    this.images = tensor(imagesOf(this.task), [batch, 3, size, size]);
    await this.images.ready();
  }

  /** The maps of the batch, as plain numbers. */
  maps() {
    return tidy(() => attentionMap(this.model, this.images).maps.data());
  }

  /**
   * @param {number} count
   * @returns wall and processor milliseconds a batch
   */
  async batches(count) {
    const cpu = process.cpuUsage();
    const begun = performance.now();
    for (let i = 0; i < count; i++) await this.maps();
    const wall = performance.now() - begun;
    const { user, system } = process.cpuUsage(cpu);
    return { wall: wall / count, processor: (user + system) / 1000 / count };
  }

  dispose() {
    this.images?.dispose();
    this.model.dispose();
  }
}

import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { writeSafetensors } from '../../dist/lib/checkpoints/safetensors-write.js';
import { rng } from '../../dist/lib/data/random.js';
import { attentionLoss } from '../../dist/lib/losses/attention.js';
import { createTeacher } from '../../dist/lib/models/teacher.js';
import { tensor } from '../../dist/lib/tensor/create.js';
import { ask } from '../../dist/lib/tensor/run.js';
import { tidy } from '../../dist/lib/tensor/tidy.js';
import { createOptimizer } from '../../dist/lib/training/optimizer.js';
import { withPrecision } from '../../dist/lib/training/precision.js';

const learningRate = 1e-4;
const size = 224;

/**
 * @typedef {object} Task both sides train the same teacher on the same batch
 * @property {'global' | 'focal'} branch
 * @property {number} batch
 * @property {number} threads
 * @property {'float32' | 'bfloat16'} precision bfloat16: autocast, channels-last
 */

/** @param {Task} task */
function dataOf({ batch }) {
  const random = rng(0, 'bench', 'teacher');
  const numbers = (/** @type {number} */ count, /** @type {number} */ low) =>
    Float32Array.from({ length: count }, () => random.uniform(low, 1));
  return {
    images: numbers(batch * 3 * size * size, -1),
    targets: [0, 1, 2, 3].map(() => numbers(batch * size * size, 0)),
  };
}

/** Stochastic depth is off: the two sides would draw different samples. @param {Task} task */
const makeTeacher = ({ branch }) => createTeacher({ branch, seed: 0, dropPath: 0 });

/** @param {ArrayBufferView} values */
const bytesOf = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/**
 * Writes weights and batch for the peer.
 *
 * @param {string} file
 * @param {Task} task
 */
export async function writeTask(file, task) {
  const teacher = makeTeacher(task);
  const { images, targets } = dataOf(task);
  const { batch } = task;
  await tidy(async () => {
    /** @type {import('../../dist/lib/checkpoints/safetensors-write.js').SafetensorsEntry[]} */
    const entries = [];
    for (const { name, tensor: value } of await teacher.state()) {
      await value.ready();
      const values = await value.data();
      entries.push({ name, dtype: value.dtype, shape: value.shape, bytes: async () => bytesOf(values) });
    }
    const float = (name, values, shape) =>
      entries.push({ name, dtype: 'float32', shape, bytes: async () => bytesOf(values) });
    float('bench.images', images, [batch, 3, size, size]);
    targets.forEach((values, k) => {
      float(`bench.target${k}`, values, [batch, 1, size, size]);
    });
    await writeSafetensors(file, entries);
  });
  teacher.dispose();
}

/** The training step as a user of the library writes it. */
export class Teacher {
  /** @param {Task} task */
  constructor(task) {
    this.task = task;
    this.network = makeTeacher(task);
  }

  /** Weights, optimizer and batch: to be called once, before {@link Teacher.steps}. */
  async prepare() {
    const { precision, batch, threads } = this.task;
    await ask('threads', [], { threads });
    this.network.train();
    if (precision === 'bfloat16') this.network.to({ channelsLast: true });
    this.optimizer = createOptimizer(await this.network.parameters(), { kind: 'adam', learningRate });
    const { images, targets } = dataOf(this.task);
    this.images = tensor(images, [batch, 3, size, size]);
    this.targets = targets.map((values) => tensor(values, [batch, 1, size, size]));
    await this.images.ready();
  }

  #objective() {
    return this.network
      .maps(this.images)
      .map((map, k) => attentionLoss(map, this.targets[k], { reduction: 'sum' }))
      .reduce((sum, loss) => sum.add(loss));
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
    for (const part of [this.optimizer, this.images, ...(this.targets ?? []), this.network]) part?.dispose();
  }
}

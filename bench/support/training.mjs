import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { writeSafetensors } from '../../dist/lib/checkpoints/safetensors-write.js';
import { ask } from '../../dist/lib/tensor/run.js';
import { tidy } from '../../dist/lib/tensor/tidy.js';
import { createOptimizer } from '../../dist/lib/training/optimizer.js';
import { withPrecision } from '../../dist/lib/training/precision.js';

/** @param {ArrayBufferView} values */
const bytesOf = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/**
 * Writes the states of networks and a batch for the peer; the networks are disposed.
 *
 * @param {string} file
 * @param {Readonly<Record<string, import('../../dist/lib/models/network.js').Network>>} networks by what stands before their keys
 * @param {readonly { name: string, dtype: 'float32' | 'int32' | 'uint8', shape: readonly number[], values: ArrayBufferView }[]} arrays
 *   written as `bench.NAME`
 */
export async function writeNetworks(file, networks, arrays) {
  await tidy(async () => {
    /** @type {import('../../dist/lib/checkpoints/safetensors-write.js').SafetensorsEntry[]} */
    const entries = [];
    for (const [prefix, network] of Object.entries(networks)) {
      for (const { name, tensor: value } of await network.state()) {
        await value.ready();
        const values = await value.data();
        const { dtype, shape } = value;
        entries.push({ name: `${prefix}${name}`, dtype, shape, bytes: async () => bytesOf(values) });
      }
    }
    for (const { name, dtype, shape, values } of arrays)
      entries.push({ name: `bench.${name}`, dtype, shape, bytes: async () => bytesOf(values) });
    await writeSafetensors(file, entries);
  });
  for (const network of Object.values(networks)) network.dispose();
}

/** {@link writeNetworks} of one network, under its own keys. */
export const writeNetwork = (file, network, arrays) => writeNetworks(file, { '': network }, arrays);

/** Training steps as a user of the library writes them, timed. A benchmark adds the batch and its objective. */
export class TimedTraining {
  /**
   * @param {{ threads: number, precision: 'float32' | 'bfloat16' }} task bfloat16: autocast, channels-last
   * @param {import('../../dist/lib/models/network.js').Network} network
   */
  constructor(task, network) {
    this.task = task;
    this.network = network;
  }

  /** Threads, mode and optimizer. @param {number} learningRate Adam's */
  async begin(learningRate) {
    const { precision, threads } = this.task;
    await ask('threads', [], { threads });
    this.network.train();
    if (precision === 'bfloat16') this.network.to({ channelsLast: true });
    this.optimizer = createOptimizer(await this.network.parameters(), { kind: 'adam', learningRate });
  }

  /**
   * The loss of the batch.
   *
   * @returns {import('../../dist/lib/tensor/tensor.js').Tensor}
   */
  objective() {
    throw new Error('a benchmark has an objective of its own');
  }

  #step() {
    return tidy(async () => {
      this.optimizer.zeroGrad();
      const loss = withPrecision(this.task.precision, () => this.objective());
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

  /** The tensors of the batch. @returns {readonly (Disposable | undefined)[]} */
  batch() {
    return [];
  }

  dispose() {
    for (const part of [this.optimizer, ...this.batch(), this.network]) part?.[Symbol.dispose]();
  }
}

import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { normalizeImages } from '../../dist/lib/data/normalize.js';
import { rng } from '../../dist/lib/data/random.js';
import { balancedClassWeights, ldamMargins } from '../../dist/lib/losses/class-weights.js';
import { distillationLoss } from '../../dist/lib/losses/distillation.js';
import { ldamLoss } from '../../dist/lib/losses/ldam.js';
import { createModel } from '../../dist/lib/models/model.js';
import { tensor } from '../../dist/lib/tensor/create.js';
import { ask } from '../../dist/lib/tensor/run.js';
import { tidy } from '../../dist/lib/tensor/tidy.js';
import { residentPeak } from './resident.mjs';
import { TimedTraining, writeNetwork } from './training.mjs';

/** Training counts of NIH-CXR-LT, in class order. */
const counts = [
  45439, 6941, 3135, 2875, 2036, 1665, 1485, 868, 811, 800, 519, 435, 339, 229, 213, 121, 59, 49, 32, 7,
];
const learningRate = 1e-4;
const distillationWeight = 0.01;

/**
 * @typedef {object} Task both sides train the same network on the same batch
 * @property {'resnet50' | 'resnet18'} architecture
 * @property {number} batch
 * @property {number} size
 * @property {number} threads
 * @property {'float32' | 'bfloat16'} precision bfloat16: autocast, channels-last
 * @property {boolean} distillation adds GazeLT's distillation term
 */

/** @param {Task} task */
function dataOf({ batch, size }) {
  const random = rng(0, 'bench', 'student');
  const pixels = new Uint8Array(batch * size * size);
  for (let i = 0; i < pixels.length; i++) pixels[i] = random.integer(256);
  const labels = Int32Array.from({ length: batch }, (_, i) => i % counts.length);
  const teachers = ['focal', 'global'].map(() =>
    Float32Array.from({ length: batch * 64 }, () => random.uniform(-1, 1)),
  );
  return { pixels, labels, teachers };
}

/**
 * Writes weights, batch, margins and class weights for the peer.
 *
 * @param {string} file
 * @param {Task} task
 */
export async function writeTask(file, task) {
  const { pixels, labels, teachers } = dataOf(task);
  const { batch, size } = task;
  const float = (name, values, shape) => ({ name, dtype: /** @type {const} */ ('float32'), shape, values });
  await writeNetwork(file, makeModel(task), [
    { name: 'pixels', dtype: 'uint8', shape: [batch, size, size, 1], values: pixels },
    { name: 'labels', dtype: 'int32', shape: [batch], values: labels },
    ...teachers.map((values, i) => float(`teacher${i}`, values, [batch, 64])),
    float('margins', ldamMargins({ counts }), [counts.length]),
    float('weights', balancedClassWeights(counts), [counts.length]),
  ]);
}

/** @param {Task} task */
function makeModel({ architecture }) {
  return createModel({ architecture, classes: counts.length, head: 'bottleneck64', seed: 0 });
}

/** The training step of a student. */
export class Student extends TimedTraining {
  /** @param {Task} task */
  constructor(task) {
    super(task, makeModel(task));
  }

  /** Weights, optimizer and batch: to be called once, before {@link Student.steps}. */
  async prepare() {
    const { precision, batch, size } = this.task;
    await this.begin(learningRate);
    const { pixels, labels, teachers } = dataOf(this.task);
    this.images = tidy(() => {
      const normal = normalizeImages(tensor(pixels, [batch, size, size, 1])); // channels-last
      return precision === 'bfloat16' ? normal : normal.contiguous();
    });
    this.labels = tensor(labels, [batch], { dtype: 'int64' });
    this.teachers = teachers.map((values) => tensor(values, [batch, 64]));
    this.loss = { margins: ldamMargins({ counts }), weights: balancedClassWeights(counts) };
    await this.images.ready();
  }

  objective() {
    const { distillation } = this.task;
    if (!distillation) return ldamLoss(this.network.forward(this.images), this.labels, this.loss);
    const { logits, taps } = this.network.forwardWithTaps(this.images, ['fc.0']);
    const drawn = distillationLoss(taps['fc.0'], this.teachers);
    return ldamLoss(logits, this.labels, this.loss).add(drawn.mul(distillationWeight));
  }

  batch() {
    return [this.images, this.labels, ...(this.teachers ?? [])];
  }
}

// As a process of its own: the peak resident size of a training run above the loaded library.
if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { task, steps } = JSON.parse(process.argv[2]);
  await ask('threads', [], { threads: task.threads });
  const peak = residentPeak();
  const student = new Student(task);
  await student.prepare();
  await student.steps(1);
  const before = process.resourceUsage();
  const { wall, processor } = await student.steps(steps - 1);
  const after = process.resourceUsage();
  const system = (after.systemCPUTime - before.systemCPUTime) / 1000 / (steps - 1);
  const faults = (after.minorPageFault - before.minorPageFault) / (steps - 1);
  process.stdout.write(`${JSON.stringify({ mebibytes: peak(), wall, processor, system, faults })}\n`);
}

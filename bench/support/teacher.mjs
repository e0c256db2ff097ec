import { rng } from '../../dist/lib/data/random.js';
import { attentionLoss } from '../../dist/lib/losses/attention.js';
import { createTeacher } from '../../dist/lib/models/teacher.js';
import { tensor } from '../../dist/lib/tensor/create.js';
import { TimedTraining, writeNetwork } from './training.mjs';

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

/**
 * Writes weights and batch for the peer.
 *
 * @param {string} file
 * @param {Task} task
 */
export async function writeTask(file, task) {
  const { images, targets } = dataOf(task);
  const { batch } = task;
  const float = (name, values, shape) => ({ name, dtype: /** @type {const} */ ('float32'), shape, values });
  await writeNetwork(file, makeTeacher(task), [
    float('images', images, [batch, 3, size, size]),
    ...targets.map((values, k) => float(`target${k}`, values, [batch, 1, size, size])),
  ]);
}

/** The training step of a teacher. */
export class Teacher extends TimedTraining {
  /** @param {Task} task */
  constructor(task) {
    super(task, makeTeacher(task));
  }

  /** Weights, optimizer and batch: to be called once, before {@link Teacher.steps}. */
  async prepare() {
    const { batch } = this.task;
    await this.begin(learningRate);
    const { images, targets } = dataOf(this.task);
    this.images = tensor(images, [batch, 3, size, size]);
    this.targets = targets.map((values) => tensor(values, [batch, 1, size, size]));
    await this.images.ready();
  }

  objective() {
    return this.network
      .maps(this.images)
      .map((map, k) => attentionLoss(map, this.targets[k], { reduction: 'sum' }))
      .reduce((sum, loss) => sum.add(loss));
  }

  batch() {
    return [this.images, ...(this.targets ?? [])];
  }
}

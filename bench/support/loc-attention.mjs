import { performance } from 'node:perf_hooks';
import { attentionMap } from '../../dist/lib/cam/attention-map.js';
import { lungBox } from '../../dist/lib/data/lung-box.js';
import { phantom, phantomClasses } from '../../dist/lib/index.js';
import { classificationLoss } from '../../dist/lib/losses/criterion.js';
import { publishedAttention } from '../../dist/lib/losses/localisation.js';
import { regionTable } from '../../dist/lib/losses/regions.js';
import { createModel } from '../../dist/lib/models/model.js';
import { createSegmentationNetwork } from '../../dist/lib/models/segmentation.js';
import { locAttentionObjective } from '../../dist/lib/systems/loc-attention/objective.js';
import { attentionSettings } from '../../dist/lib/systems/loc-attention/settings.js';
import { noGrad } from '../../dist/lib/tensor/context.js';
import { tensor } from '../../dist/lib/tensor/create.js';
import { ask } from '../../dist/lib/tensor/run.js';
import { tidy } from '../../dist/lib/tensor/tidy.js';
import { TimedTraining, writeNetworks } from './training.mjs';

/** The settings of the published runs; t is that of their sample log. */
export const published = { lambda: 0.5, threshold: 0.1, learningRate: 1e-5 };

const classes = ['No Finding', 'Effusion', 'Pneumothorax'];
const regions = regionTable('nep');

/**
 * @typedef {object} Task both sides train the same network on the same batch
 * @property {string} architecture
 * @property {number} batch
 * @property {number} size side of the classifier's input
 * @property {number} segmentedSize side of the U-Net's input
 * @property {number} threads
 * @property {'float32' | 'bfloat16'} precision ours; the original has float32 alone
 */

/**
 * Phantoms of the three classes in turn.
 *
 * @param {Task} task
 */
function dataOf({ batch, size, segmentedSize }) {
  const labels = Int32Array.from({ length: batch }, (_, i) => i % classes.length);
  const planes = (side, value) => {
    const out = new Float32Array(batch * 3 * side * side);
    for (let i = 0; i < batch; i++) {
      const label = phantomClasses.indexOf(classes[labels[i]]);
      const { data } = phantom({ index: 8 * i, label, size: side }).pixels;
      for (let c = 0; c < 3; c++) out.set(Float32Array.from(data, value), (3 * i + c) * side * side);
    }
    return out;
  };
  return {
    labels,
    images: planes(size, (v) => v / 127.5 - 1),
    segmented: planes(segmentedSize, (v) => v / 255),
  };
}

function makeModel({ architecture }) {
  return createModel({ architecture, classes: classes.length, head: 'linear', seed: 0 });
}

/**
 * The U-Net as both sides have it: random weights, and a threshold between its logits on the first film, so that there is
 * something on both sides of it.
 *
 * @param {Task} task
 * @param {Float32Array} segmented
 */
async function makeUnet({ segmentedSize }, segmented) {
  const unet = createSegmentationNetwork({ seed: 0 });
  unet.eval();
  await tidy(async () => {
    const side = 3 * segmentedSize ** 2;
    const film = tensor(segmented.slice(0, side), [1, 3, segmentedSize, segmentedSize]);
    const logits = await noGrad(() => unet.forward(film)).data();
    const sorted = Float32Array.from(logits).sort();
    const state = await unet.stateDict();
    const bias = await state.get('outputs.bias').data();
    state.set(
      'outputs.bias',
      tensor(Float32Array.of(bias[0] - sorted[Math.floor(0.7 * sorted.length)]), [1]),
    );
    await unet.loadStateDict(state);
  });
  return unet;
}

/**
 * Writes weights and batch for the peer.
 *
 * @param {string} file
 * @param {Task} task
 */
export async function writeTask(file, task) {
  const { labels, images, segmented } = dataOf(task);
  const { batch, size, segmentedSize } = task;
  const networks = { 'model.': makeModel(task), 'unet.': await makeUnet(task, segmented) };
  await writeNetworks(file, networks, [
    { name: 'images', dtype: 'float32', values: images, shape: [batch, 3, size, size] },
    {
      name: 'segmented',
      dtype: 'float32',
      values: segmented,
      shape: [batch, 3, segmentedSize, segmentedSize],
    },
    { name: 'labels', dtype: 'int32', values: labels, shape: [batch] },
  ]);
}

/** A training step with the published loss, by the system's own objective; boxes are computed once. */
export class LocAttentionStep extends TimedTraining {
  /** @param {Task} task */
  constructor(task) {
    super(task, makeModel(task));
  }

  /** Weights, optimizer, batch and boxes: to be called once, before anything else. @returns milliseconds of the boxes */
  async prepare() {
    const { precision, batch, size } = this.task;
    await ask('threads', [], { threads: this.task.threads });
    const { labels, images, segmented } = dataOf(this.task);
    const boxMs = await this.#findBoxes(segmented);
    await this.begin(published.learningRate);
    this.labelList = labels;
    this.labels = tensor(labels, [batch], { dtype: 'int64' });
    this.images = await tidy(async () => {
      const plain = tensor(images, [batch, 3, size, size]);
      const ordered = precision === 'bfloat16' ? plain.to({ memoryFormat: 'channelsLast' }) : plain;
      await ordered.ready();
      return ordered;
    });
    const { lambda, threshold } = published;
    this.loss = locAttentionObjective(attentionSettings({ attention: 'published', lambda, threshold }), {
      criterion: classificationLoss({ loss: 'ce' }),
      regions,
      boxes: () => this.boxes,
    });
    return boxMs;
  }

  /** The boxes of the batch, as training computes them of a whole data set before its first step. */
  async #findBoxes(segmented) {
    const { batch, size, segmentedSize } = this.task;
    const unet = await makeUnet(this.task, segmented);
    const begun = performance.now();
    const boxes = [];
    const side = segmentedSize ** 2;
    for (let from = 0; from < batch; from += 4) {
      const count = Math.min(4, batch - from);
      const part = segmented.subarray(3 * side * from, 3 * side * (from + count));
      const logits = await tidy(async () => {
        const films = tensor(part, [count, 3, segmentedSize, segmentedSize]);
        return noGrad(() => unet.forward(films)).data();
      });
      for (let i = 0; i < count; i++) {
        const data = Uint8Array.from(logits.subarray(side * i, side * (i + 1)), (v) => (v > 0 ? 1 : 0));
        const { box } = await lungBox({ width: segmentedSize, height: segmentedSize, data }, size);
        boxes.push(box.x, box.y, box.width, box.height);
      }
    }
    this.boxes = Int32Array.from(boxes);
    unet.dispose();
    return performance.now() - begun;
  }

  /**
   * The attention term of each image by the weights as they are, in float32.
   *
   * @param {Int32Array} boxes
   */
  attention(boxes) {
    return tidy(async () => {
      const { maps, classes: predicted } = noGrad(() => attentionMap(this.network, this.images));
      const { threshold } = published;
      const { attention } = publishedAttention(maps, boxes, this.labels, { regions, threshold });
      return {
        attention: Array.from(await attention.data()),
        predictions: Array.from(await predicted.data(), Number),
      };
    });
  }

  objective() {
    const batch = {
      images: this.images,
      labels: this.labels,
      labelList: this.labelList,
      epoch: 1,
      step: 0,
    };
    const phase = { phase: /** @type {const} */ ('train'), reweighted: false };
    return this.loss(this.network, batch, phase).loss;
  }

  batch() {
    return [this.images, this.labels];
  }
}

/** The images of `train loc-attention`: a folder of class folders, or the embedded sample as one of the published tasks. */
import path from 'node:path';
import { scaleBox } from '../data/box.js';
import { type PhantomTask, phantomTask, phantomTasks } from '../data/phantom/tasks.js';
import type { LocAttentionFitOptions } from '../systems/loc-attention/fit.js';
import { masksAtHand, neededMasks } from '../systems/loc-attention/masked-films.js';
import type { AttentionFlags } from './attention-flags.js';
import type { DataFlags } from './data-options.js';
import { choose, type OpenedData, openData } from './datasets.js';
import { usageError } from './options.js';

/** What is learned from. */
export interface AttentionData extends OpenedData {
  /** Boxes that are known without a segmenter: those of the sample. */
  readonly boxes?: LocAttentionFitOptions['boxes'];
}

/**
 * Opens the data that the flags name.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, and what a folder throws
 */
export async function openAttentionData(flags: AttentionFlags): Promise<AttentionData> {
  if (flags.path === undefined) return openSample(flags);
  // As the original: labels are the positions of the sorted names.
  const folder = {
    ...({ dataset: 'folder', data_dir: path.resolve(flags.path), class_order: 'name' } as const),
    ...(flags.patients === undefined ? {} : { patients: flags.patients }),
  };
  const skipMissing = flags.on_error === 'skip';
  const needs = neededMasks({
    onError: flags.on_error,
    masks: flags.masks === undefined ? undefined : masksAtHand(flags.masks),
  });
  return openData(folder, { imageSize: flags.image_size, purpose: 'training', skipMissing, needs });
}

function openSample(flags: AttentionFlags): AttentionData {
  const { train, validation, data } = openPhantomTask(flags);
  const { unet, masks, attention, image_size: size } = flags;
  if (unet !== undefined || masks !== undefined || attention === 'none') return data;
  return { ...data, boxes: { train: lungsOf(train, size), validation: lungsOf(validation, size) } };
}

/** What tells one of the sample's tasks from another. */
export interface PhantomTaskFlags
  extends Pick<AttentionFlags, 'task' | 'sample_seed' | 'sample_per_class' | 'image_size'>,
    Pick<DataFlags, 'test_split'> {}

/**
 * Opens the embedded sample as one of the published tasks.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for a task whose findings it has not, or a split that it has not
 */
export function openPhantomTask(flags: PhantomTaskFlags): {
  readonly train: PhantomTask;
  readonly validation: PhantomTask;
  readonly data: OpenedData;
} {
  const task = phantomTasks.find((one) => one === flags.task);
  if (task === undefined)
    throw usageError(
      `Expected --task ${phantomTasks.join(', ')} with --dataset sample: it has no other findings`,
    );
  const { sample_seed, sample_per_class, image_size, test_split } = flags;
  const { train, validation, test } = phantomTask({
    task,
    size: Math.min(1024, Math.max(64, image_size)),
    ...(sample_seed === undefined ? {} : { seed: sample_seed }),
    ...(sample_per_class === undefined ? {} : { trainPerClass: sample_per_class }),
  });
  const splits = new Map([
    ['train', train],
    ['val', validation],
    ['test', test],
  ]);
  const chosen = choose(splits, test_split === undefined ? {} : { test_split });
  const said = { remarks: [], warnings: [] };
  const data = { name: 'sample', isPhantom: true, classes: train.classes, ...chosen, ...said };
  return { train, validation, data };
}

/** The true boxes of a split, in pixels of the network's input. */
function lungsOf(films: PhantomTask, size: number) {
  const from = { width: films.size, height: films.size };
  return Array.from({ length: films.length }, (_, i) => {
    const { x, y, width, height } = scaleBox(films.boxes(i).lungs, from, { width: size, height: size });
    const [left, top] = [Math.round(x), Math.round(y)];
    return { x: left, y: top, width: Math.round(x + width) - left, height: Math.round(y + height) - top };
  });
}

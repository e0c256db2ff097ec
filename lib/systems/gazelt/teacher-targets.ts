import { type Augmentation, type AugmentationOptions, drawAugmentation } from '../../data/augmentation.js';
import { subsetOf } from '../../data/dataset.js';
import { isOnFilm, type Reading } from '../../gaze/reading.js';
import { teacherPoints, teacherTargets } from '../../gaze/teacher-targets.js';
import type { WindowConvention } from '../../gaze/windows.js';
import { type TeacherBranch, teacherSize } from '../../models/teacher.js';
import type { GazeDataset } from './gaze-dataset.js';
import { teacherWindows } from './teacher-card.js';

/** What a teacher shall learn of some readings in one time window. */
export interface WindowTargets {
  /** Which of the readings have a fixation in the window. */
  readonly rows: Int32Array;
  /** Their heat maps, `[rows, 224, 224]`, each with maximum 1. */
  readonly maps: Float32Array;
}

/** How readings become targets. */
export interface TargetOptions {
  /** Whose targets: of `focal` each window alone, of `global` all windows up to it. */
  readonly branch: TeacherBranch;
  /** How a reading is cut. */
  readonly windows: WindowConvention;
}

const pixels = teacherSize * teacherSize;

/**
 * Renders the targets of a batch on the data lane: for each window those of the readings that have one, for an empty
 * window has no loss.
 */
export async function batchTargets(
  readings: readonly Reading[],
  { branch, windows }: TargetOptions,
): Promise<WindowTargets[]> {
  const rendered = await Promise.all(
    readings.map((reading) => teacherTargets(reading, { branch, size: teacherSize, convention: windows })),
  );
  return Array.from({ length: teacherWindows }, (_, k) => {
    const rows = Int32Array.from(rendered.keys()).filter((i) => rendered[i]?.present[k]);
    const maps = new Float32Array(rows.length * pixels);
    for (const [i, row] of rows.entries()) {
      const { maps: own } = rendered[row] as (typeof rendered)[number];
      maps.set(own.subarray(k * pixels, (k + 1) * pixels), i * pixels);
    }
    return { rows, maps };
  });
}

/**
 * The reading of a film that was varied: its fixations go where their places on the film have gone, first by the flip,
 * then by the rotation about the centre of the square that the film has been stretched to. The chest box is left out, for
 * it would no longer be upright.
 */
export function moved(reading: Reading, { flip, angle }: Augmentation): Reading {
  const { width, height, chestBox: _, fixations, ...rest } = reading;
  const turn = (angle * Math.PI) / 180;
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  // Counter-clockwise where rows grow downwards. A film that was not turned keeps its numbers to the last bit.
  const place = (x: number, y: number): readonly [number, number] => {
    const column = flip ? width - x : x;
    if (angle === 0) return [column, y];
    const [u, v] = [column / width - 0.5, y / height - 0.5];
    return [(u * cos + v * sin + 0.5) * width, (v * cos - u * sin + 0.5) * height];
  };
  const varied = fixations.map((fixation) => {
    const [x, y] = place(fixation.x, fixation.y);
    return { ...fixation, x, y };
  });
  return { ...rest, width, height, fixations: varied };
}

/** How training films are varied. */
export interface Variation extends Required<AugmentationOptions> {
  /** Seed of the loader's augmentation. */
  readonly seed: number;
}

/**
 * The readings of a batch, varied as the loader has varied their films: both follow from seed, epoch and index.
 *
 * @param batch which readings, in which epoch
 * @param readings of the data set
 * @param variation the loader's augmentation; `null` where it has none
 */
export function readingsOf(
  { indices, epoch }: { readonly indices: ArrayLike<number>; readonly epoch: number },
  readings: readonly Reading[],
  variation: Variation | null,
): Reading[] {
  return Array.from(indices, (index) => {
    const reading = readings[index] as Reading;
    if (variation === null) return reading;
    const { seed, ...strength } = variation;
    return moved(reading, drawAugmentation(seed, epoch, index, strength));
  });
}

/** Readings that have something to look at. */
export interface ReadableGaze {
  /** The readings with their films. */
  readonly gaze: GazeDataset;
  /** Index of each in the data set that they are of. */
  readonly kept: readonly number[];
  /** How many were left out. */
  readonly empty: number;
}

/** Leaves out readings of which no window has anything to look at: no fixation with a duration on the film. */
export function readableGaze(
  { images, readings }: GazeDataset,
  { branch, windows }: TargetOptions,
): ReadableGaze {
  const kept = readings.flatMap((reading, index) => {
    const points = teacherPoints(reading, branch, teacherWindows, windows);
    return points.some(isSeen) ? [index] : [];
  });
  const empty = readings.length - kept.length;
  if (empty === 0) return { gaze: { images, readings }, kept, empty };
  const gaze = {
    images: subsetOf(images, kept),
    readings: kept.map((index) => readings[index] as Reading),
  };
  return { gaze, kept, empty };
}

function isSeen(points: ReturnType<typeof teacherPoints>[number]): boolean {
  const { x, y, weight } = points;
  for (let i = 0; i < x.length; i++)
    if ((weight[i] as number) > 0 && isOnFilm(points, x[i] as number, y[i] as number)) return true;
  return false;
}

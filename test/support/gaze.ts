import type { Reading } from '../../lib/gaze/reading.js';
import type { GazeDataset } from '../../lib/systems/gazelt/gaze-dataset.js';
import { tinyDataset } from './tiny.js';

/** A reading of a 32 by 32 film: one fixation of a second in each window that `places` names, at that place. */
export function tinyReading(image: string, places: readonly (readonly [number, number] | null)[]): Reading {
  const fixations = places.flatMap((place, k) =>
    place ? [{ x: place[0], y: place[1], start: k, end: k + 1 }] : [],
  );
  return { id: `reading of ${image}`, image, width: 32, height: 32, fixations };
}

/** Tiny films that were read; the first reading looks nowhere in its second window. */
export function tinyGaze(name: string, length: number): GazeDataset {
  const images = tinyDataset(name, length);
  const readings = Array.from({ length }, (_, i) =>
    tinyReading(`${name}-${i}`, [[4 + i, 8], i === 0 ? null : [20, 10], [28, 24 - i], [10, 28]]),
  );
  return { images, readings };
}

import type { Fixation } from '../../gaze/reading.js';
import type { Box } from '../box.js';
import { type Side, sides } from './anatomy.js';
import type { Draw } from './draw.js';
import type { Geometry } from './geometry.js';
import { clamp } from './raster.js';

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where a reader who searches systematically looks, from above down, on one side. */
function lungStations(geometry: Geometry, side: Side): Point[] {
  const { top } = geometry;
  const height = geometry.anatomy.dome[side] - top;
  const width = geometry.anatomy.lungWidth[side];
  const stations = [
    [0.5, 0.14],
    [0.58, 0.32],
    [0.32, 0.5],
    [0.62, 0.6],
    [0.5, 0.84],
    [0.86, 1.02],
  ] as const;
  return stations.map(([across, down]) =>
    geometry.toPixel(geometry.place(side, across * width, top + down * height)),
  );
}

function centralStations(geometry: Geometry): Point[] {
  const { top, hilum, heart } = geometry;
  const at = (side: Side, across: number, v: number) => geometry.toPixel(geometry.place(side, across, v));
  return [
    at('right', 0, top + 0.06),
    at('left', geometry.anatomy.pedicle, hilum - 0.14),
    at('right', 0.09, hilum),
    at('left', 0.09, hilum),
    at('left', heart.x, heart.v),
  ];
}

/** Stations in the order of one reader: lung by lung or to and fro between the sides, the middle before or after. */
function searchOrder(geometry: Geometry, draw: Draw): Point[] {
  const [first, second] = draw.shuffle(sides).map((side) => lungStations(geometry, side)) as [
    Point[],
    Point[],
  ];
  const toAndFro = draw.chance(0.6);
  const lungs = toAndFro ? first.flatMap((p, i) => [p, second[i] as Point]) : [...first, ...second.reverse()];
  const centre = centralStations(geometry);
  const order = draw.chance(0.5) ? [...centre, ...lungs] : [...lungs, ...centre];
  // Nobody looks everywhere every time.
  return order.filter(() => draw.chance(0.8));
}

/** Fixation durations, seconds: log-normal around a quarter of a second. */
function duration(draw: Draw, median: number): number {
  return clamp(median * Math.exp(draw.normal(0, 0.42)), 0.08, 1.6);
}

/** A place within the finding, more often in its middle: of three random pixels of the mask, their mean or one. */
function lesionPoint(mask: Uint8Array, box: Box, size: number, draw: Draw): Point {
  const centre = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  for (let tries = 0; tries < 24; tries++) {
    const x = clamp(draw.normal(centre.x, box.width * 0.27), box.x, box.x + box.width - 0.01);
    const y = clamp(draw.normal(centre.y, box.height * 0.27), box.y, box.y + box.height - 0.01);
    if ((mask[Math.floor(y) * size + Math.floor(x)] as number) > 0) return { x, y };
  }
  return centre;
}

/**
 * A plausible reader's scanpath: a first look at the middle of the film, a quick survey, then a systematic search of
 * both lungs, hila, mediastinum and heart, drawn back to the finding again and again. Number of fixations, lengths of
 * saccades and the wide spread of the time spent on the lesion follow the published recordings of radiologists
 * reading for pneumothorax (Saab et al., MICCAI 2021); durations are those usual in reading (about 250 ms).
 *
 * @param mask where the finding is
 * @param box around it; `null` if there is none
 */
export function scanpath(geometry: Geometry, mask: Uint8Array, box: Box | null, draw: Draw): Fixation[] {
  const { size } = geometry;
  const fixations: Fixation[] = [];
  let clock = draw.uniform(0.12, 0.35);
  const look = (target: Point, scatter: number, median: number) => {
    const x = clamp(draw.normal(target.x, scatter * size), 0, size - 0.01);
    const y = clamp(draw.normal(target.y, scatter * size), 0, size - 0.01);
    const start = clock;
    const end = start + duration(draw, median);
    // The eye's flight takes longer the farther it goes: about 20 to 80 ms on a film.
    clock = end + 0.02 + draw.uniform(0, 0.06);
    fixations.push({ x, y, start: round(start), end: round(end) });
  };
  // One reader in twelve passes over the finding; the rest differ in how long it holds them.
  const drawn = box === null || draw.chance(1 / 12) ? 0 : draw.uniform(0.08, 0.3);
  const thorough = draw.integer(2, 5);
  const dwell = (most: number) => {
    if (box === null) return;
    for (let n = draw.integer(1, most); n > 0; n--) look(lesionPoint(mask, box, size, draw), 0.012, 0.3);
  };
  look(geometry.toPixel({ u: 0.5, v: 0.42 }), 0.06, 0.24);
  if (drawn > 0 && draw.chance(0.6)) dwell(3);
  for (const station of searchOrder(geometry, draw)) {
    const stay = draw.integer(1, thorough);
    for (let n = 0; n < stay; n++) look(station, n === 0 ? 0.035 : 0.05, 0.23);
    if (draw.chance(drawn)) dwell(3);
  }
  // Most readers come back to what they found before they decide.
  if (drawn > 0 && draw.chance(0.75)) dwell(4);
  for (let n = draw.integer(0, 4); n > 0; n--) {
    look(geometry.toPixel({ u: draw.normal(0.5, 0.17), v: draw.normal(0.45, 0.17) }), 0.02, 0.24);
  }
  return fixations;
}

/** To a tenth of a millisecond: finer is beyond any eye tracker, and the text of a table would carry noise. */
function round(seconds: number): number {
  return Math.round(seconds * 1e4) / 1e4;
}

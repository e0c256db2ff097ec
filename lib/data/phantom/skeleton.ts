import { type Side, sides } from './anatomy.js';
import type { Geometry } from './geometry.js';
import { clamp, overEllipse, type StrokePoint, smooth, stroke } from './raster.js';
import { cleanScratch, overPlaces, type Scene } from './scene.js';

/** Posterior ribs drawn on each side; the eleventh and twelfth are lost in the abdomen. */
const ribs = 10;
/** Ribs whose front part is drawn: below, they are cartilage. */
const frontRibs = 7;
const ribSteps = 18;

/**
 * Half a rib as seen from the front. It leaves the spine level, falls outwards, turns at the side of the chest
 * (angle π/2) and comes back towards the breastbone lower down: a helix seen from the side.
 */
function ribPath(geometry: Geometry, side: Side, rib: number, front: boolean): StrokePoint[] {
  const { anatomy } = geometry;
  const { ribDrop, boneDensity, lungWidth } = anatomy;
  const start = geometry.top - 0.035 + rib * anatomy.ribStep;
  // The first ribs are short and steep hoops around the apex.
  const drop = ribDrop * (0.55 + 0.08 * Math.min(rib, 7));
  const fall = front ? ribDrop * (0.95 + 0.06 * rib) : drop;
  const outer = Math.max(0.12, geometry.outer(side, start + drop)) + 0.006;
  const reach = Math.min(outer, lungWidth[side] + 0.01);
  const from = front ? Math.PI / 2 : 0.08;
  const to = front ? 2.45 + 0.03 * rib : Math.PI / 2;
  const points: StrokePoint[] = [];
  for (let i = 0; i <= ribSteps; i++) {
    const angle = from + ((to - from) * i) / ribSteps;
    const across = 0.03 + (reach - 0.03) * Math.sin(angle);
    const v = start + drop - fall * Math.cos(angle) - 0.014 * Math.sin(2 * Math.min(angle, Math.PI / 2));
    const { x, y } = geometry.toPixel(geometry.place(side, across, v));
    const nearEnd = front ? 1 - smooth((i / ribSteps - 0.75) * 4) * 0.85 : 1;
    const half = geometry.pixels(front ? 0.0145 : 0.0125);
    // A rib seen along its length at the side of the chest is crossed by more of the beam.
    const edgeOn = 1 + 0.5 * Math.sin(angle) ** 8;
    points.push({ x, y, half, peak: (front ? 0.062 : 0.088) * boneDensity * edgeOn * nearEnd });
  }
  return points;
}

function clavicle(geometry: Geometry, side: Side): StrokePoint[] {
  const points: StrokePoint[] = [];
  const inner = geometry.top + 0.068;
  for (let i = 0; i <= 12; i++) {
    const t = i / 12;
    const across = 0.035 + 0.33 * t;
    const v = inner - 0.085 * t + 0.018 * Math.sin(2 * Math.PI * t);
    const { x, y } = geometry.toPixel(geometry.place(side, across, v));
    const half = geometry.pixels(0.0125 + 0.006 * (1 - t) ** 3);
    points.push({ x, y, half, peak: 0.14 * geometry.anatomy.boneDensity });
  }
  return points;
}

/** The inner border of the shoulder blade and its spine, as faint lines beside and over the outer lung. */
function scapula(geometry: Geometry, side: Side): StrokePoint[][] {
  const { boneDensity, lungWidth } = geometry.anatomy;
  const width = lungWidth[side];
  const line = (points: readonly (readonly [number, number])[], half: number, peak: number) =>
    points.map(([across, v]) => ({
      ...geometry.toPixel(geometry.place(side, across, v)),
      half: geometry.pixels(half),
      peak: peak * boneDensity,
    }));
  const top = geometry.top + 0.05;
  return [
    line(
      [
        [width * 0.9, top + 0.03],
        [width * 0.98, top + 0.16],
        [width * 1.09, top + 0.33],
      ],
      0.008,
      0.05,
    ),
    line(
      [
        [width * 1.09, top + 0.33],
        [width * 1.2, top + 0.2],
        [width * 1.28, top + 0.08],
      ],
      0.013,
      0.05,
    ),
    line(
      [
        [width * 0.95, top + 0.07],
        [width * 1.15, top + 0.03],
        [width * 1.33, top - 0.04],
      ],
      0.02,
      0.045,
    ),
  ];
}

function spine({ geometry, density }: Scene): void {
  const { anatomy } = geometry;
  const period = 0.052;
  overPlaces(
    geometry,
    (pixel, u, v) => {
      const x = Math.abs(u - geometry.midline(v));
      const column = smooth((0.046 - x) / 0.012);
      if (column === 0) return;
      const phase = (v / period) % 1;
      const disc = smooth(1 - Math.abs(phase - 0.5) * 6);
      const pedicle = smooth(1 - Math.hypot((x - 0.026) / 0.01, (phase - 0.1) * 4));
      const value = 0.04 - 0.022 * disc + 0.02 * pedicle;
      density[pixel] = (density[pixel] as number) + value * column * anatomy.boneDensity;
    },
    { u: [0.4, 0.6], v: [-0.2, 1.2] },
  );
}

/** The heads of the upper arm bones, at the upper corners of the film. */
function humeri({ size, geometry, density }: Scene): void {
  for (const side of sides) {
    const across = geometry.anatomy.lungWidth[side] * 1.36;
    const { x, y } = geometry.toPixel(geometry.place(side, across, geometry.top + 0.08));
    const radius = geometry.pixels(0.055);
    overEllipse(size, { x, y, rx: radius, ry: radius, angle: 0 }, (pixel, d2) => {
      density[pixel] = (density[pixel] as number) + 0.1 * geometry.anatomy.boneDensity * smooth((1 - d2) * 3);
    });
  }
}

/**
 * Adds the bones to the film.
 */
export function skeleton(scene: Scene): void {
  const { size, geometry, density } = scene;
  const [back, front] = cleanScratch(scene);
  for (const side of sides) {
    for (let rib = 0; rib < ribs; rib++) stroke(back, size, ribPath(geometry, side, rib, false), 'bone');
    for (let rib = 1; rib < frontRibs; rib++) stroke(front, size, ribPath(geometry, side, rib, true), 'bone');
    for (const line of scapula(geometry, side)) stroke(front, size, line, 'bone');
    stroke(front, size, clavicle(geometry, side), 'bone');
  }
  for (let i = 0; i < density.length; i++) {
    const bone = (back[i] as number) + (front[i] as number);
    const under = density[i] as number;
    // Beyond the body there is nothing to draw on; where the beam is nearly spent, scatter hides the bones.
    if (bone > 0 && under > 0)
      density[i] = under + bone * clamp(under * 5, 0, 1) * clamp(1.75 - 1.5 * under, 0.25, 1);
  }
  spine(scene);
  humeri(scene);
}

import { type Side, sides } from './anatomy.js';
import type { Draw } from './draw.js';
import type { Geometry } from './geometry.js';
import { overEllipse, type StrokePoint, smooth, stroke, valueNoise } from './raster.js';
import { cleanScratch, type Scene } from './scene.js';

/** A branch's course: where it starts, where it heads, how long and thick it is. */
interface Branch {
  readonly across: number;
  readonly v: number;
  /** 0 is straight outwards, positive downwards, radians. */
  readonly heading: number;
  readonly length: number;
  readonly half: number;
}

/** Draws a branch and, thinner and shorter, what leaves it. */
function grow(
  geometry: Geometry,
  side: Side,
  branch: Branch,
  order: number,
  draw: Draw,
  plane: Float32Array,
): void {
  const steps = 7;
  const points: StrokePoint[] = [];
  let { across, v, heading } = branch;
  const bend = draw.uniform(-0.1, 0.13);
  const step = branch.length / steps;
  for (let i = 0; i <= steps; i++) {
    const taper = 1 - 0.78 * (i / steps);
    const { x, y } = geometry.toPixel(geometry.place(side, across, v));
    const half = branch.half * taper;
    const peak = Math.min(0.16, 0.024 + 11 * half) * geometry.anatomy.vascularity;
    points.push({ x, y, half: geometry.pixels(half), peak });
    if (order < 2 && i > 0 && i < steps && draw.chance(0.62)) {
      const turn = draw.uniform(0.35, 0.8) * (draw.chance(0.5) ? 1 : -1);
      const length = branch.length * draw.uniform(0.3, 0.55);
      grow(
        geometry,
        side,
        { across, v, heading: heading + turn, length, half: half * 0.7 },
        order + 1,
        draw,
        plane,
      );
    }
    across += step * Math.cos(heading);
    v += step * Math.sin(heading);
    heading += bend + draw.uniform(-0.1, 0.1);
  }
  stroke(plane, geometry.size, points, 'tube');
}

/** Hilar shadows: the roots of the vessels, blurred into each other. */
function hilum(scene: Scene, side: Side, draw: Draw): void {
  const { size, geometry, density, markings, silhouette } = scene;
  const v = geometry.hilum - (side === 'left' ? 0.015 : 0);
  for (let i = 0; i < 3; i++) {
    const { x, y } = geometry.toPixel(geometry.place(side, draw.uniform(0.07, 0.1), v + (i - 0.7) * 0.035));
    const rx = geometry.pixels(draw.uniform(0.022, 0.034));
    const ry = geometry.pixels(draw.uniform(0.03, 0.045));
    const peak = draw.uniform(0.06, 0.09) * geometry.anatomy.vascularity;
    overEllipse(size, { x, y, rx, ry, angle: draw.uniform(-0.6, 0.6) }, (pixel, d2) => {
      const seen = (markings[pixel] as number) * (1 - 0.85 * (silhouette[pixel] as number));
      density[pixel] = (density[pixel] as number) + peak * smooth((1 - d2) * 1.4) * seen;
    });
  }
}

/**
 * Adds hila, lung vessels and the fine mottle of the lungs, where the scene's markings allow.
 *
 * @param draw the patient's own stream: the vessels are the same on all films of a patient
 */
export function vessels(scene: Scene, draw: Draw): void {
  const { size, geometry, density, lung, silhouette, markings } = scene;
  const [plane] = cleanScratch(scene);
  for (const side of sides) {
    hilum(scene, side, draw);
    const count = 11;
    for (let i = 0; i < count; i++) {
      const heading = -1.35 + (2.75 * (i + draw.uniform(0, 1))) / count;
      const down = Math.max(0, heading);
      grow(
        geometry,
        side,
        {
          across: draw.uniform(0.05, 0.1),
          v: geometry.hilum + 0.06 * Math.sin(heading) + draw.uniform(-0.02, 0.02),
          heading,
          length: draw.uniform(0.21, 0.28) * (1 + 0.18 * down),
          half: draw.uniform(0.0055, 0.0085) * (1 + 0.25 * down),
        },
        0,
        draw,
        plane,
      );
    }
  }
  const mottle = valueNoise(size, draw.key(), 56);
  for (let i = 0; i < density.length; i++) {
    const air = (lung[i] as number) * (markings[i] as number) * (1 - 0.75 * (silhouette[i] as number));
    if (air > 0)
      density[i] = (density[i] as number) + air * ((plane[i] as number) + 0.012 * (mottle[i] as number));
  }
}

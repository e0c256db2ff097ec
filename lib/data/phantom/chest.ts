import type { Draw } from './draw.js';
import { type Geometry, Table } from './geometry.js';
import { clamp, overEllipse, smooth } from './raster.js';
import { overPlaces, type Scene } from './scene.js';

/**
 * How much of the body the beam crosses: torso, neck and shoulders, arms; 0 beside the body.
 */
function bodyThickness(geometry: Geometry): (a: number, v: number) => number {
  const { anatomy, size } = geometry;
  const neck = 0.1 + 0.015 * anatomy.habitus;
  const armpit = 0.36;
  // From the neck the shoulders fall outwards; above that line there is nothing.
  const line = new Table(size, (a) => {
    const slope = clamp((a - neck) / 0.3, 0, 1);
    const fall = (anatomy.shoulder + 0.03) * slope ** 0.8 + 1.2 * Math.max(0, a - 0.4) ** 2;
    return a < neck ? -0.03 - 12 * (neck - a) : fall - 0.03;
  });
  const chest = new Table(size, (v) => anatomy.torso + 0.05 * smooth((v - 0.6) / 0.4));
  const shoulders = new Table(size, (v) => 0.5 * (1 - smooth((v - 0.22) / (armpit - 0.2))));
  return (a, v) => {
    const down = v - line.at(a);
    if (down <= 0) return 0;
    const edge = smooth(down / 0.05);
    const half = chest.at(v);
    const part = a / (half + shoulders.at(v));
    const torso = 1 - part * part;
    const trunk = torso > 0 ? (1.07 * torso) / (torso + 0.07) : 0;
    if (v < armpit - 0.1) return edge * trunk;
    const gap = half + 0.012 + 0.3 * Math.max(0, v - armpit);
    const arm = a > gap ? smooth((a - gap) / 0.05) * 0.75 : 0;
    return edge * Math.max(trunk, arm);
  };
}

/**
 * Lays down what is soft: body, lungs, heart and mediastinum, the organs under the diaphragm.
 *
 * @param scene empty; its density, lung and silhouette planes are filled
 * @param draw for the gas under the left dome
 */
export function softTissue(scene: Scene, draw: Draw): void {
  const { geometry, density, lung, silhouette } = scene;
  const { anatomy, heart } = geometry;
  const thickness = bodyThickness(geometry);
  // Edges blur over a fixed part of the film, but never less than a pixel, or they would show steps.
  const sharp = Math.max(0.009, 1.2 / scene.size);
  const soft = Math.max(0.016, 1.5 / scene.size);
  const bodyGain = 0.58 + 0.05 * anatomy.habitus;
  const lungGain = 0.4 - 0.035 * anatomy.habitus;
  overPlaces(geometry, (pixel, u, v) => {
    const x = u - geometry.midline(v);
    const a = Math.abs(x);
    const side = x < 0 ? 'right' : 'left';
    const body = thickness(a, v);
    if (body === 0) return;
    const outward = geometry.outer(side, v) - a;
    const floor = geometry.floor(side, a);
    const rim = geometry.silhouette(side, v);
    const air =
      outward <= 0 || floor <= v
        ? 0
        : smooth(outward / sharp) *
          smooth((a - geometry.inner(side, v)) / soft) *
          smooth((floor - v) / sharp);
    const shadow = smooth((rim - a) / soft + 0.5) * smooth((floor + 0.04 - v) / 0.05);
    lung[pixel] = air;
    silhouette[pixel] = shadow;
    // The lung is thickest well inside its border, so its outer zone is less dark; towards the middle the great
    // vessels and the rounding of the heart take away from it.
    const depth =
      0.52 + 0.28 * smooth(outward / 0.15) + 0.2 * smooth((a - rim + 0.01) / 0.09) + 0.06 * (0.45 - v);
    const below = smooth((v - floor) / 0.014) * smooth((0.12 + outward) / 0.2);
    const spread = smooth((v - 0.62) / 0.3) * 0.05;
    const centre = clamp(1 - ((x - heart.x) / 0.34) ** 2, 0, 1);
    density[pixel] =
      bodyGain * body -
      lungGain * air * depth * (1 - 0.88 * shadow) +
      shadow * (0.14 + 0.05 * centre) +
      below * (0.2 + 0.07 * clamp(1 - (a / 0.4) ** 2, 0, 1)) +
      spread;
  });
  airways(scene);
  if (anatomy.breasts) breasts(scene);
  if (anatomy.stomach > 0) stomachBubble(scene, draw);
}

/** The trachea and the two main bronchi: a darker band in the upper mediastinum. */
function airways({ geometry, density }: Scene): void {
  const carina = geometry.hilum - 0.075;
  overPlaces(
    geometry,
    (pixel, u, v) => {
      const x = u - geometry.midline(v) + 0.006;
      const fork = Math.max(0, v - carina);
      const distance = Math.abs(Math.abs(x) - fork * 1.1);
      const half = 0.02 - 0.05 * fork;
      const value = smooth((half - distance) / 0.012) * smooth((carina + 0.09 - v) / 0.08);
      if (value > 0) density[pixel] = (density[pixel] as number) - 0.1 * value;
    },
    { u: [0.36, 0.64], v: [-0.1, carina + 0.1] },
  );
}

/** Breast shadows: a haze over the lower lungs with a lower border that is sharper than the upper one. */
function breasts({ size, geometry, density }: Scene): void {
  for (const side of ['right', 'left'] as const) {
    const { x, y } = geometry.toPixel(geometry.place(side, 0.235, geometry.anatomy.dome[side] - 0.03));
    const rx = geometry.pixels(0.15 + 0.015 * geometry.anatomy.habitus);
    const ry = geometry.pixels(0.15);
    overEllipse(size, { x, y, rx, ry, angle: 0 }, (pixel, d2) => {
      const low = clamp((Math.floor(pixel / size) - y) / ry + 0.9, 0, 1);
      density[pixel] = (density[pixel] as number) + 0.055 * smooth((1 - d2) * 3) * low;
    });
  }
}

/** Gas in the stomach under the left dome, with a flat fluid level below it. */
function stomachBubble({ size, geometry, density }: Scene, draw: Draw): void {
  const radius = geometry.anatomy.stomach;
  const across = draw.uniform(0.13, 0.21);
  const v = geometry.floor('left', across) + 0.03 + radius * 0.75;
  const { x, y } = geometry.toPixel(geometry.place('left', across, v));
  const rx = geometry.pixels(radius * draw.uniform(1.1, 1.6));
  const ry = geometry.pixels(radius * 0.75);
  const level = draw.uniform(-0.1, 0.7);
  overEllipse(size, { x, y, rx, ry, angle: 0 }, (pixel, d2) => {
    const row = (Math.floor(pixel / size) - y) / ry;
    const gas = smooth((1 - d2) * 2.5) * smooth((level - row) * 5 + 0.5);
    density[pixel] = (density[pixel] as number) - 0.16 * gas;
  });
}

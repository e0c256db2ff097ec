import type { Draw } from './draw.js';
import type { Finding } from './finding.js';
import { overEllipse, smooth } from './raster.js';

/**
 * Cardiomegaly: a heart of more than half the chest's width; its apex moves outwards and down.
 */
export function cardiomegaly(draw: Draw): Finding {
  const ratio = draw.uniform(0.6, 0.7);
  const tilt = draw.uniform(0.08, 0.2);
  return {
    anatomy: (usual) => ({ ...usual, cardiothoracicRatio: ratio, heartTilt: usual.heartTilt + tilt }),
    apply({ size, geometry, silhouette, finding }) {
      const { heart } = geometry;
      const { x, y } = geometry.toPixel(geometry.place('left', heart.x, heart.v));
      const ellipse = { x, y, rx: geometry.pixels(heart.rx * 1.12), ry: geometry.pixels(heart.ry * 1.06) };
      overEllipse(size, { ...ellipse, angle: -geometry.anatomy.heartTilt + geometry.view.tilt }, (pixel) => {
        finding[pixel] = silhouette[pixel] as number;
      });
    },
  };
}

/**
 * Hiatal hernia: part of the stomach above the diaphragm, seen through the heart as a round shadow with a wall, gas
 * above and a flat fluid level.
 */
export function hernia(draw: Draw): Finding {
  const across = draw.uniform(-0.01, 0.07);
  const rx = draw.uniform(0.078, 0.105);
  const ry = rx * draw.uniform(0.8, 0.95);
  const level = draw.uniform(-0.05, 0.3);
  const dark = draw.uniform(0.28, 0.36);
  return {
    apply({ size, geometry, density, finding, markings }) {
      const v = geometry.anatomy.dome.left + geometry.view.inspiration + 0.01 - ry;
      const { x, y } = geometry.toPixel(geometry.place('left', across, v));
      const ellipse = { x, y, rx: geometry.pixels(rx), ry: geometry.pixels(ry), angle: 0 };
      overEllipse(size, ellipse, (pixel, d2) => {
        const row = (Math.floor(pixel / size) - y) / ellipse.ry;
        const wall = smooth((1 - d2) * 8);
        const hollow = smooth((0.8 - d2) * 6);
        const gas = hollow * smooth((level - row) * 8 + 0.5);
        const here = density[pixel] as number;
        const solid = here + (Math.max(here, 0.82) - here) * wall;
        density[pixel] = solid - dark * gas;
        markings[pixel] = 1 - wall;
        finding[pixel] = wall;
      });
    },
  };
}

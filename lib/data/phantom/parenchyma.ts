import { sides } from './anatomy.js';
import type { Draw } from './draw.js';
import type { Finding } from './finding.js';
import { clamp, overEllipse, type StrokePoint, smooth, stroke, valueNoise } from './raster.js';
import { overPlaces } from './scene.js';

/**
 * Infiltration: ill-defined patches that run together, mostly in the middle and lower lung, with streaks along the
 * bronchi.
 */
export function infiltration(draw: Draw): Finding {
  const side = draw.pick(sides);
  const strength = draw.uniform(0.2, 0.28);
  const patches = Array.from({ length: draw.integer(9, 14) }, () => ({
    across: draw.uniform(0.09, 0.29),
    down: draw.uniform(0.38, 0.92),
    radius: draw.uniform(0.045, 0.085),
    peak: draw.uniform(0.6, 1),
  }));
  const noise = draw.key();
  return {
    apply({ size, geometry, density, lung, silhouette, markings, finding }) {
      const plane = new Float32Array(size * size);
      const height = geometry.anatomy.dome[side] - geometry.top;
      for (const { across, down, radius, peak } of patches) {
        const { x, y } = geometry.toPixel(geometry.place(side, across, geometry.top + down * height));
        const r = geometry.pixels(radius);
        overEllipse(size, { x, y, rx: r, ry: r * 0.85, angle: 0.4 }, (pixel, d2) => {
          plane[pixel] = Math.min(1.25, (plane[pixel] as number) + peak * (1 - d2) ** 1.5);
        });
      }
      const coarse = valueNoise(size, noise, 26);
      const fine = valueNoise(size, noise ^ 0x5bd1e995, 52);
      for (let i = 0; i < plane.length; i++) {
        const air = (lung[i] as number) * (1 - 0.7 * (silhouette[i] as number));
        const patch = (plane[i] as number) * air;
        if (patch === 0) continue;
        const mottle = 0.78 + 0.42 * (coarse[i] as number) + 0.36 * (fine[i] as number);
        density[i] = (density[i] as number) + strength * patch * Math.max(0.05, mottle);
        markings[i] = 1 + 0.6 * Math.min(1, patch);
        finding[i] = patch > 0.4 ? 1 : 0;
      }
    },
  };
}

/** The parts of a lung that a consolidation fills; heights as parts of the lung's height. */
const lobes = [
  // Upper lobe, right: flat lower border, the horizontal fissure.
  { side: 'right', from: -0.1, to: 0.5, fissure: 'lower' },
  // Middle lobe: between the horizontal fissure and the heart's right border.
  { side: 'right', from: 0.5, to: 0.88, fissure: 'upper' },
  // Left upper lobe and lingula: no horizontal fissure, so the border fades.
  { side: 'left', from: -0.1, to: 0.55, fissure: 'none' },
  // Lower lobes, above the costophrenic angle.
  { side: 'left', from: 0.55, to: 0.95, fissure: 'none' },
] as const;

/**
 * Consolidation of a lobe: even, dense, with a straight border where a fissure ends it, and the air-filled bronchi
 * dark within (air bronchogram).
 */
export function consolidation(draw: Draw): Finding {
  const lobe = draw.pick(lobes);
  const { side } = lobe;
  const strength = draw.uniform(0.3, 0.38);
  const slope = draw.uniform(-0.12, 0.12);
  const key = draw.key();
  const bronchi = Array.from({ length: 4 }, () => draw.uniform(-0.8, 0.8));
  return {
    apply({ size, geometry, density, lung, silhouette, markings, finding }) {
      const height = geometry.anatomy.dome[side] - geometry.top;
      const sharp = 0.018;
      const plane = new Float32Array(size * size);
      const middle = geometry.top + height * clamp((lobe.from + lobe.to) / 2, 0.25, 0.75);
      for (const heading of bronchi) {
        const points: StrokePoint[] = [];
        for (let i = 0; i <= 6; i++) {
          const across = 0.07 + 0.03 * i * Math.cos(heading);
          const v = geometry.hilum + (middle - geometry.hilum) * (i / 6) + 0.03 * i * Math.sin(heading);
          const half = geometry.pixels(0.0065 - 0.0006 * i);
          points.push({ ...geometry.toPixel(geometry.place(side, across, v)), half, peak: 0.08 });
        }
        stroke(plane, size, points, 'tube');
      }
      const cloud = valueNoise(size, key, 9);
      overPlaces(geometry, (pixel, u, v) => {
        const air = (lung[pixel] as number) * (1 - (silhouette[pixel] as number));
        if (air === 0 || u < geometry.midline(v) === (side === 'left')) return;
        const across = Math.abs(u - geometry.midline(v));
        const t = (v - geometry.top) / height + slope * (across - 0.18);
        const wave = 0.05 * (cloud[pixel] as number);
        const above = smooth(
          (lobe.to + (lobe.fissure === 'lower' ? 0 : wave) - t) / (lobe.fissure === 'lower' ? sharp : 0.14),
        );
        const below = smooth(
          (t - lobe.from + (lobe.fissure === 'upper' ? 0 : wave)) / (lobe.fissure === 'upper' ? sharp : 0.14),
        );
        const fill = above * below * air;
        if (fill === 0) return;
        const value = strength * (0.92 + 0.14 * (cloud[pixel] as number)) - (plane[pixel] as number);
        density[pixel] = (density[pixel] as number) + fill * value;
        markings[pixel] = 1 - 0.85 * fill;
        finding[pixel] = fill;
      });
    },
  };
}

/**
 * Mass: a single round, slightly lobed opacity of soft-tissue density within a lung.
 */
export function mass(draw: Draw): Finding {
  const side = draw.pick(sides);
  const across = draw.uniform(0.15, 0.26);
  const down = draw.uniform(0.2, 0.78);
  const radius = draw.uniform(0.05, 0.085);
  const strength = draw.uniform(0.3, 0.39);
  const lobed = [2, 3].map((n) => ({ n, size: draw.uniform(0, 0.05), phase: draw.uniform(0, 2 * Math.PI) }));
  return {
    apply({ size, geometry, density, lung, finding }) {
      const v = geometry.top + down * (geometry.anatomy.dome[side] - geometry.top);
      // Within the lung at that height, however narrow it is there.
      const inside = Math.min(across, geometry.outer(side, v) - radius * 0.8);
      const { x, y } = geometry.toPixel(geometry.place(side, inside, v));
      const r = geometry.pixels(radius * 1.15);
      overEllipse(size, { x, y, rx: r, ry: r, angle: 0 }, (pixel, d2) => {
        const angle = Math.atan2(Math.floor(pixel / size) - y, (pixel % size) - x);
        let border = 0.84;
        for (const lobe of lobed) border += lobe.size * Math.cos(lobe.n * angle + lobe.phase);
        const d = Math.sqrt(d2) / Math.min(border, 1);
        const ball = smooth((1 - d) / 0.24) * (0.72 + 0.28 * Math.sqrt(Math.max(0, 1 - d * d)));
        const value = ball * (0.25 + 0.75 * (lung[pixel] as number));
        density[pixel] = (density[pixel] as number) + strength * value;
        if (ball > 0.3) finding[pixel] = 1;
      });
    },
  };
}

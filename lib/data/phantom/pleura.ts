import { type Side, sides } from './anatomy.js';
import type { Draw } from './draw.js';
import type { Finding } from './finding.js';
import { clamp, type StrokePoint, smooth, stroke } from './raster.js';
import { overPlaces } from './scene.js';

/**
 * Pleural effusion of a patient who stands: fluid gathers in the costophrenic angle, hides the outer part of the
 * dome, and its upper border climbs along the chest wall (the meniscus).
 */
export function effusion(draw: Draw): Finding {
  const side = draw.pick(sides);
  const height = draw.uniform(0.06, 0.2);
  const climb = draw.uniform(0.07, 0.12);
  const amount = draw.uniform(0.85, 1);
  return {
    apply({ geometry, density, lung, silhouette, markings, finding }) {
      const level = geometry.anatomy.dome[side] + geometry.view.inspiration + 0.06 - height;
      overPlaces(
        geometry,
        (pixel, u, v) => {
          const across = (u - geometry.midline(v)) * (side === 'left' ? 1 : -1);
          const outer = geometry.outer(side, v);
          if (across < 0.03 || across > outer + 0.012) return;
          const surface = level + 0.045 - climb * (across / Math.max(outer, 0.1)) ** 2.4;
          const above = smooth((geometry.floor(side, across) + 0.06 - v) / 0.06);
          const wall = smooth((outer + 0.012 - across) / 0.012);
          const fluid = smooth((v - surface) / 0.035) * amount * wall * above;
          if (fluid === 0) return;
          const here = density[pixel] as number;
          const target = 0.87 + 0.05 * geometry.anatomy.habitus;
          if (here < target) density[pixel] = here + (target - here) * fluid * 0.94;
          markings[pixel] = 1 - fluid;
          finding[pixel] = fluid * (lung[pixel] as number) * (1 - (silhouette[pixel] as number));
        },
        { u: [0, 1], v: [level - 0.15, 1.1] },
      );
    },
  };
}

/** The border of the lung that has come away from the chest wall: how far inwards, at a height. */
function retreat(side: Side, depth: number, whole: number, top: number, bottom: number) {
  return (v: number) => ({ side, gap: whole + depth * clamp(1 - (v - top) / (bottom - top), 0, 1) ** 1.4 });
}

/**
 * Pneumothorax: air outside the lung, at the apex and along the chest wall. No vessels are seen there, the film is
 * darker, and the lung's own border shows as a thin line.
 */
export function pneumothorax(draw: Draw): Finding {
  const side = draw.pick(sides);
  const depth = draw.uniform(0.07, 0.13);
  const whole = draw.uniform(0.015, 0.05);
  const drop = draw.uniform(0.07, 0.14);
  const dark = draw.uniform(0.12, 0.16);
  return {
    apply({ size, geometry, density, lung, silhouette, markings, finding }) {
      const { top } = geometry;
      const bottom = geometry.bottom[side];
      const border = retreat(side, depth, whole, top, bottom);
      const soft = Math.max(0.006, 1 / size);
      // The collapsed lung keeps its shape, smaller: its apex comes down by `drop`.
      const edge = (v: number) => {
        const t = (v - drop - top) / (bottom - drop - top);
        return t < 0 ? -1 : geometry.outer(side, top + t * (bottom - top)) - border(v).gap;
      };
      overPlaces(geometry, (pixel, u, v) => {
        const air = lung[pixel] as number;
        if (air === 0) return;
        const across = (u - geometry.midline(v)) * (side === 'left' ? 1 : -1);
        if (across < 0) return;
        const free = smooth((across - edge(v)) / soft + 0.5) * air * (1 - (silhouette[pixel] as number));
        // What is left of the lung holds less air than before.
        density[pixel] = (density[pixel] as number) - dark * free + 0.035 * (air - free);
        markings[pixel] = 1 - free;
        finding[pixel] = free;
      });
      const line: StrokePoint[] = [];
      for (let i = 0; i <= 48; i++) {
        const v = top + drop + 0.002 + ((bottom - top - drop - 0.09) * i) / 48;
        const across = edge(v);
        if (across <= geometry.silhouette(side, v)) continue;
        line.push({
          ...geometry.toPixel(geometry.place(side, across, v)),
          half: geometry.pixels(0.0055),
          peak: 0.17,
        });
      }
      const plane = new Float32Array(size * size);
      stroke(plane, size, line, 'line');
      for (let i = 0; i < plane.length; i++) density[i] = (density[i] as number) + (plane[i] as number);
    },
  };
}

/**
 * Pneumoperitoneum: free air rises to under the domes and parts the diaphragm, seen as a thin line, from the liver.
 */
export function pneumoperitoneum(draw: Draw): Finding {
  const thick = draw.uniform(0.03, 0.05);
  const half = draw.uniform(0.13, 0.18);
  const both = draw.chance(0.35);
  const dark = draw.uniform(0.4, 0.5);
  return {
    apply({ size, geometry, density, finding }) {
      for (const side of both ? sides : (['right'] as const)) {
        const crest = 0.54 * geometry.anatomy.lungWidth[side];
        const thickness = side === 'right' ? thick : thick * 0.7;
        const soft = Math.max(0.006, 1 / size);
        const skin = Math.max(0.011, 1.1 / size);
        overPlaces(
          geometry,
          (pixel, u, v) => {
            const across = (u - geometry.midline(v)) * (side === 'left' ? 1 : -1);
            const q = (across - crest) / half;
            if (across < 0 || q * q >= 1) return;
            const upper = geometry.floor(side, across) + skin;
            // Flat underneath where the air lies on the liver: a crescent.
            const lower = upper + thickness * (1 - q * q);
            const air = smooth((v - upper) / soft) * smooth((lower - v) / soft);
            if (air === 0) return;
            density[pixel] = (density[pixel] as number) - dark * air;
            finding[pixel] = air;
          },
          { u: [0, 1], v: [geometry.anatomy.dome[side] - 0.08, geometry.anatomy.dome[side] + 0.25] },
        );
      }
    },
  };
}

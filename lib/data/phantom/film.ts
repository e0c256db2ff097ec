import type { Draw } from './draw.js';
import { hash2, stroke, valueNoise } from './raster.js';
import { cleanScratch, type Scene } from './scene.js';

/** The letter that marks the patient's left side, in lead on the cassette: white on the film. */
function marker(scene: Scene, draw: Draw): void {
  const { size, geometry, density } = scene;
  const [plane] = cleanScratch(scene);
  const left = draw.uniform(0.9, 0.93);
  const top = draw.uniform(0.03, 0.07);
  const point = (u: number, v: number) => ({ x: u * size, y: v * size, half: 0.006 * size, peak: 1 });
  stroke(plane, size, [point(left, top), point(left, top + 0.05), point(left + 0.03, top + 0.05)], 'bone');
  const bright = geometry.view.contrast * 0.9;
  for (let i = 0; i < plane.length; i++) {
    if ((plane[i] as number) > 0)
      density[i] = Math.max(density[i] as number, bright * Math.min(1, 1.6 * (plane[i] as number)));
  }
}

/** The film's curve: straight up to `knee`, then ever flatter towards white. */
function tone(x: number): number {
  const knee = 0.76;
  if (x <= knee) return x;
  const over = (x - knee) / (1 - knee);
  return knee + ((1 - knee) * over) / (1 + over);
}

/**
 * Exposes and digitises the film.
 *
 * @param draw the film's own stream
 * @returns `size * size` grey values, 0 black (air) to 255 white
 */
export function expose(scene: Scene, draw: Draw): Uint8Array {
  const { size, density, geometry } = scene;
  const { contrast, brightness, noise } = geometry.view;
  marker(scene, draw);
  const key = draw.key();
  const clouds = valueNoise(size, draw.key(), 5);
  // The sum of four bytes of a hash has a standard deviation of 148: near enough to normal, and quick.
  const grain = noise / 148;
  const pixels = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const i = y * size + x;
      const under = density[i] as number;
      const h = hash2(key, x, y);
      const sum = (h & 255) + ((h >>> 8) & 255) + ((h >>> 16) & 255) + (h >>> 24) - 510;
      // Scatter and fog keep the air beyond the body from being quite black.
      const lit =
        0.035 + (under > 0 ? (under - 0.5) * contrast + 0.5 + brightness + 0.018 * (clouds[i] as number) : 0);
      const value = 255 * tone(lit + sum * grain * (under > 0 ? 1 : 0.4));
      pixels[i] = value <= 0 ? 0 : value >= 255 ? 255 : value + 0.5;
    }
  }
  return pixels;
}

import type { Geometry } from './geometry.js';

/**
 * The planes that a film is built on, each of `size * size` values, row by row. Densities add up as attenuations do;
 * 0 is the black of the film beyond the body, 1 about white.
 */
export interface Scene {
  /** Side of the film in pixels. */
  readonly size: number;
  /** Where everything lies. */
  readonly geometry: Geometry;
  /** The film so far. */
  readonly density: Float32Array;
  /** 1 within the lungs, including the parts that lie behind the heart. */
  readonly lung: Float32Array;
  /** 1 within the silhouette of heart and mediastinum. */
  readonly silhouette: Float32Array;
  /** How much of the vessels' markings is seen: 1 as usual, 0 where there is no lung or it is airless. */
  readonly markings: Float32Array;
  /** How strongly a pixel belongs to the finding; from 0.5 on it counts as part of it. */
  readonly finding: Float32Array;
  /** Two planes for passing use; whoever draws on them clears them first. */
  readonly scratch: readonly [Float32Array, Float32Array];
}

/** Both scratch planes of a scene, cleared. */
export function cleanScratch({ scratch }: Scene): readonly [Float32Array, Float32Array] {
  scratch[0].fill(0);
  scratch[1].fill(0);
  return scratch;
}

/** @returns the planes for one film, empty but for the markings */
export function emptyScene(geometry: Geometry): Scene {
  const { size } = geometry;
  const plane = () => new Float32Array(size * size);
  return {
    size,
    geometry,
    density: plane(),
    lung: plane(),
    silhouette: plane(),
    markings: plane().fill(1),
    finding: plane(),
    scratch: [plane(), plane()],
  };
}

/**
 * Calls `visit(pixel, u, v)` for each pixel of the rows and columns that hold the given box of places.
 *
 * @param box in film widths; the whole film by default
 */
export function overPlaces(
  geometry: Geometry,
  visit: (pixel: number, u: number, v: number) => void,
  box: { u: readonly [number, number]; v: readonly [number, number] } = { u: [-1, 2], v: [-1, 2] },
): void {
  const { size } = geometry;
  const corners = box.u.flatMap((u) => box.v.map((v) => geometry.toPixel({ u, v })));
  const bound = (value: number) => Math.max(0, Math.min(size, value));
  const left = bound(Math.floor(Math.min(...corners.map((c) => c.x))));
  const right = bound(Math.ceil(Math.max(...corners.map((c) => c.x))));
  const top = bound(Math.floor(Math.min(...corners.map((c) => c.y))));
  const bottom = bound(Math.ceil(Math.max(...corners.map((c) => c.y))));
  const { u0, ux, uy, v0, vx, vy } = geometry.fromPixel();
  for (let y = top; y < bottom; y++) {
    const rowU = u0 + uy * (y + 0.5);
    const rowV = v0 + vy * (y + 0.5);
    for (let x = left; x < right; x++) visit(y * size + x, rowU + ux * (x + 0.5), rowV + vx * (x + 0.5));
  }
}

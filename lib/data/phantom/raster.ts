/**
 * Drawing on square planes of floats. Speed matters here: a phantom is made of a few full passes and many small
 * strokes, and every shape touches only the pixels of its own bounding box.
 */

/**
 * The cubic step: 0 below 0, 1 above 1, smooth between.
 */
export function smooth(x: number): number {
  return x <= 0 ? 0 : x >= 1 ? 1 : x * x * (3 - 2 * x);
}

/** A number kept within bounds. */
export function clamp(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high);
}

/** One point of a stroke, in pixels. */
export interface StrokePoint {
  /** Column, from the left edge. */
  readonly x: number;
  /** Row, from the upper edge. */
  readonly y: number;
  /** Half the width of the stroke here. */
  readonly half: number;
  /** Value at the middle of the stroke here. */
  readonly peak: number;
}

/**
 * Cross-section of a stroke: `bone` is flat with brighter borders as the cortex of a rib, `tube` a filled cylinder
 * as a vessel, `line` a soft thin line as a pleura seen edge on.
 */
export type StrokeShape = 'bone' | 'tube' | 'line';

function crossSection(shape: StrokeShape, d2: number): number {
  if (shape === 'tube') return Math.sqrt(1 - d2);
  if (shape === 'line') return (1 - d2) * (1 - d2);
  const edge = 1 - d2;
  return (edge > 0.3 ? 1 : edge / 0.3) * (0.62 + 0.38 * d2);
}

/**
 * Draws a polyline of varying width. Where strokes meet the larger value stays, so the joints of one polyline and
 * the crossings of several do not add up.
 *
 * @param plane `size * size` values, changed in place
 */
export function stroke(
  plane: Float32Array,
  size: number,
  points: readonly StrokePoint[],
  shape: StrokeShape,
): void {
  for (let i = 1; i < points.length; i++) {
    segment(plane, size, points[i - 1] as StrokePoint, points[i] as StrokePoint, shape);
  }
}

/** Thinner strokes are drawn this wide and paler instead: half a pixel would fall between the pixel centres. */
const thinnest = 0.75;

function segment(
  plane: Float32Array,
  size: number,
  a: StrokePoint,
  b: StrokePoint,
  shape: StrokeShape,
): void {
  const widest = Math.max(a.half, b.half, thinnest);
  const widest2 = widest * widest;
  const left = Math.max(0, Math.floor(Math.min(a.x, b.x) - widest));
  const right = Math.min(size - 1, Math.ceil(Math.max(a.x, b.x) + widest));
  const top = Math.max(0, Math.floor(Math.min(a.y, b.y) - widest));
  const bottom = Math.min(size - 1, Math.ceil(Math.max(a.y, b.y) + widest));
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length2 = dx * dx + dy * dy;
  const inverse = length2 > 0 ? 1 / length2 : 0;
  for (let y = top; y <= bottom; y++) {
    const py = y + 0.5 - a.y;
    for (let x = left; x <= right; x++) {
      const px = x + 0.5 - a.x;
      const t = clamp((px * dx + py * dy) * inverse, 0, 1);
      const ex = px - t * dx;
      const ey = py - t * dy;
      const e2 = ex * ex + ey * ey;
      if (e2 >= widest2) continue;
      let half = a.half + t * (b.half - a.half);
      let peak = a.peak + t * (b.peak - a.peak);
      if (half < thinnest) {
        peak *= half / thinnest;
        half = thinnest;
      }
      const d2 = e2 / (half * half);
      if (d2 >= 1) continue;
      const value = peak * crossSection(shape, d2);
      const at = y * size + x;
      if (value > (plane[at] as number)) plane[at] = value;
    }
  }
}

/** A rotated ellipse in pixels. */
export interface Ellipse {
  /** Column of the centre. */
  readonly x: number;
  /** Row of the centre. */
  readonly y: number;
  /** Half axis along `angle`. */
  readonly rx: number;
  /** Half axis across it. */
  readonly ry: number;
  /** Clockwise turn of the first axis, in radians. */
  readonly angle: number;
}

/**
 * Calls `paint(pixel, d2)` for every pixel within the ellipse; d2 is 0 at the centre and 1 at the border.
 */
export function overEllipse(size: number, e: Ellipse, paint: (pixel: number, d2: number) => void): void {
  const reach = Math.max(e.rx, e.ry);
  const cos = Math.cos(e.angle);
  const sin = Math.sin(e.angle);
  const left = Math.max(0, Math.floor(e.x - reach));
  const right = Math.min(size - 1, Math.ceil(e.x + reach));
  const top = Math.max(0, Math.floor(e.y - reach));
  const bottom = Math.min(size - 1, Math.ceil(e.y + reach));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const px = x + 0.5 - e.x;
      const py = y + 0.5 - e.y;
      const along = (px * cos + py * sin) / e.rx;
      const across = (py * cos - px * sin) / e.ry;
      const d2 = along * along + across * across;
      if (d2 < 1) paint(y * size + x, d2);
    }
  }
}

/** A well-mixed 32-bit hash of two integers and a key, for noise without a generator's state. */
export function hash2(key: number, x: number, y: number): number {
  let h = key ^ Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * Smooth noise: random values at the corners of a lattice, bilinear between (with cubic steps).
 *
 * @param key whatever tells this noise from another
 * @param cells lattice cells across the plane
 * @returns `size * size` values in -1 to 1
 */
export function valueNoise(size: number, key: number, cells: number): Float32Array {
  const lattice = new Float32Array((cells + 2) * (cells + 2));
  for (let j = 0; j < cells + 2; j++) {
    for (let i = 0; i < cells + 2; i++) lattice[j * (cells + 2) + i] = hash2(key, i, j) / 0x80000000;
  }
  const column = new Int32Array(size);
  const weight = new Float32Array(size);
  for (let x = 0; x < size; x++) {
    const u = ((x + 0.5) / size) * cells;
    column[x] = Math.floor(u);
    weight[x] = smooth(u - Math.floor(u));
  }
  const plane = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    const row = (column[y] as number) * (cells + 2);
    const wy = weight[y] as number;
    for (let x = 0; x < size; x++) {
      const at = row + (column[x] as number);
      const wx = weight[x] as number;
      const a = lattice[at] as number;
      const c = lattice[at + cells + 2] as number;
      const upper = a + wx * ((lattice[at + 1] as number) - a);
      const lower = c + wx * ((lattice[at + cells + 3] as number) - c);
      plane[y * size + x] = upper + wy * (lower - upper);
    }
  }
  return plane;
}

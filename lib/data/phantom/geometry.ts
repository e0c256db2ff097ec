import type { Anatomy, Side, View } from './anatomy.js';
import { clamp } from './raster.js';

/** A place on the film in film widths, before the film's shift, tilt and zoom. */
export interface Place {
  /** From the left edge of the film. */
  readonly u: number;
  /** From its upper edge. */
  readonly v: number;
}

/**
 * A function of one variable over -0.25 to 1.25, tabulated: pixels look values up instead of computing powers.
 */
export class Table {
  readonly #values: Float32Array;
  readonly #scale: number;

  /** @param size side of the film: the table is finer than half its pixels, or borders would show steps */
  constructor(size: number, f: (x: number) => number) {
    const steps = Math.max(384, 3 * size);
    this.#values = new Float32Array(steps + 1);
    this.#scale = steps / 1.5;
    for (let i = 0; i <= steps; i++) this.#values[i] = f(i / this.#scale - 0.25);
  }

  /** The function's value, to the nearest step; beyond the ends that at the end. */
  at(x: number): number {
    const i = ((x + 0.25) * this.#scale + 0.5) | 0;
    return this.#values[i < 0 ? 0 : i >= this.#values.length ? this.#values.length - 1 : i] as number;
  }
}

/** Where the apex of a lung lies, as a part of the lung's width. */
const apexAt = 0.45;
/** Part of the lung's height over which its inner border rounds from the apex to the mediastinum. */
const apexRound = 0.2;

function outerBorder(width: number, top: number, bottom: number): (v: number) => number {
  const apex = apexAt * width;
  return (v) => {
    const t = clamp((v - top) / (bottom - top), 0, 1);
    return v < top ? -1 : apex + (width - apex) * (1 - (1 - t) ** 3) ** 0.6;
  };
}

function innerBorder(width: number, top: number, bottom: number): (v: number) => number {
  const apex = apexAt * width;
  const inner = 0.035;
  return (v) => {
    const t = clamp((v - top) / (bottom - top) / apexRound, 0, 1);
    return inner + (apex - inner) * (1 - Math.sqrt(t * (2 - t)));
  };
}

function diaphragm(width: number, top: number, middle: number, recess: number): (a: number) => number {
  const crest = 0.45 * width;
  return (a) => {
    if (a < crest) return middle + (top - middle) * (1 - ((crest - a) / crest) ** 2);
    const q = Math.min((a - crest) / (width - crest), 1.1);
    return top + recess * (0.55 * q ** 2 + 0.45 * q ** 5);
  };
}

/**
 * The horizontal extent of a tilted ellipse at each height: its border is where
 * `p x² + 2 q x y + r y² = 1`, a quadratic in x.
 */
function ellipseExtent(
  rx: number,
  ry: number,
  tilt: number,
): (y: number) => readonly [number, number] | undefined {
  const cos = Math.cos(tilt);
  const sin = Math.sin(tilt);
  const p = (cos / rx) ** 2 + (sin / ry) ** 2;
  const q = cos * sin * (1 / rx ** 2 - 1 / ry ** 2);
  const r = (sin / rx) ** 2 + (cos / ry) ** 2;
  return (y) => {
    const root = (q * q - p * r) * y * y + p;
    if (root <= 0) return undefined;
    return [(-q * y - Math.sqrt(root)) / p, (-q * y + Math.sqrt(root)) / p];
  };
}

/** The mean of a function around each place, weighted towards the middle. */
function blurred(f: (v: number) => number): (v: number) => number {
  const reach = 0.016;
  return (v) => (f(v - 2 * reach) + 2 * f(v - reach) + 3 * f(v) + 2 * f(v + reach) + f(v + 2 * reach)) / 9;
}

/**
 * Where everything lies on one film: the borders of lungs, heart and diaphragm as functions, and the way between
 * pixels and places.
 */
export class Geometry {
  /** Side of the film in pixels. */
  readonly size: number;
  /** The patient's build, as changed by the finding. */
  readonly anatomy: Anatomy;
  /** Position and exposure of the film. */
  readonly view: View;
  /** Height of the lung apices. */
  readonly top: number;
  /** Lowest point of the lungs (the deeper costophrenic angle), by side. */
  readonly bottom: Readonly<Record<Side, number>>;
  /** Centre of the heart, as a signed distance from the midline (positive to the patient's left) and a height. */
  readonly heart: Readonly<{ x: number; v: number; rx: number; ry: number }>;
  /** Height of the hila. */
  readonly hilum: number;
  readonly #outer: Readonly<Record<Side, Table>>;
  readonly #inner: Readonly<Record<Side, Table>>;
  readonly #floor: Readonly<Record<Side, Table>>;
  readonly #silhouette: Readonly<Record<Side, Table>>;
  readonly #midline: Table;
  readonly #cos: number;
  readonly #sin: number;

  /** @param size side of the film in pixels */
  constructor(anatomy: Anatomy, view: View, size: number) {
    this.size = size;
    this.anatomy = anatomy;
    this.view = view;
    this.#cos = Math.cos(view.tilt);
    this.#sin = Math.sin(view.tilt);
    const table = (f: (x: number) => number) => new Table(size, f);
    const bySide = <T>(make: (side: Side) => T): Record<Side, T> => ({
      right: make('right'),
      left: make('left'),
    });
    const width = bySide(
      (side) => anatomy.lungWidth[side] + (side === 'right' ? view.rotation : -view.rotation),
    );
    const dome = bySide((side) => anatomy.dome[side] + view.inspiration);
    // Both domes meet at one height in the midline, under the heart.
    const middle = Math.max(dome.right, dome.left) + 0.024;
    this.top = anatomy.apex;
    this.bottom = bySide((side) => dome[side] + anatomy.recess);
    this.#midline = table((v) => 0.5 + anatomy.scoliosis * Math.sin(Math.PI * clamp(v, 0, 1)));
    this.#outer = bySide((side) => table(outerBorder(width[side], this.top, this.bottom[side])));
    this.#inner = bySide((side) => table(innerBorder(width[side], this.top, this.bottom[side])));
    this.#floor = bySide((side) => table(diaphragm(width[side], dome[side], middle, anatomy.recess)));
    this.hilum = this.top + 0.47 * (dome.right - this.top);
    this.heart = this.#placeHeart(width, dome);
    this.#silhouette = this.#outlineMediastinum(table);
  }

  #placeHeart(width: Record<Side, number>, dome: Record<Side, number>) {
    const half = 0.5 * this.anatomy.cardiothoracicRatio * (width.right + width.left);
    // The extent of the tilted ellipse across is `half`; its axes follow from the usual shape of a heart.
    const tilt = this.anatomy.heartTilt;
    const shape = 0.7;
    const ry = half / Math.sqrt((shape * Math.cos(tilt)) ** 2 + Math.sin(tilt) ** 2);
    const rise = Math.sqrt((shape * ry * Math.sin(tilt)) ** 2 + (ry * Math.cos(tilt)) ** 2);
    return { x: 0.46 * half - this.view.rotation, v: dome.left + 0.03 - 0.7 * rise, rx: shape * ry, ry };
  }

  #outlineMediastinum(table: (f: (x: number) => number) => Table): Record<Side, Table> {
    const { anatomy, heart, view } = this;
    const extent = ellipseExtent(heart.rx, heart.ry, -anatomy.heartTilt);
    const knobAt = this.hilum - 0.14;
    const bump = (v: number, centre: number, radius: number) =>
      Math.sqrt(Math.max(0, radius ** 2 - (v - centre) ** 2));
    const flare = (v: number) =>
      0.02 * clamp((0.16 - v) / 0.12, 0, 1) + 0.012 * clamp((v - this.hilum) / 0.1, 0, 1);
    const left = (v: number) => {
      const column = anatomy.pedicle - 0.012 + flare(v) - view.rotation;
      const knob = anatomy.pedicle - 0.014 + bump(v, knobAt, anatomy.knob * 1.15) * 0.8 - view.rotation;
      const trunk = anatomy.pedicle - 0.006 + bump(v, this.hilum - 0.03, 0.075) * 0.34 - view.rotation;
      const heartEdge = extent(v - heart.v)?.[1];
      return Math.max(column, knob, trunk, heartEdge === undefined ? 0 : heart.x + heartEdge);
    };
    const right = (v: number) => {
      const column = anatomy.pedicle - 0.006 + flare(v) + view.rotation;
      // The right atrium: a flat bulge on the right of the heart's lower half, growing with the heart.
      const atrium =
        0.46 * heart.ry * Math.max(0, 1 - ((v - heart.v - 0.03) / (0.95 * heart.ry)) ** 2) ** 0.6;
      const heartEdge = extent(v - heart.v)?.[0];
      const edge = heartEdge === undefined ? 0 : -(heart.x + heartEdge);
      return Math.max(column, 0.02 + atrium + view.rotation, edge);
    };
    // Vessels and chambers run into each other: the joined outline has no corners.
    return { left: table(blurred(left)), right: table(blurred(right)) };
  }

  /** Distance of a lung's outer border from the midline at a height; -1 above the apex. */
  outer(side: Side, v: number): number {
    return this.#outer[side].at(v);
  }

  /** Distance of a lung's inner border from the midline at a height, under the mediastinum. */
  inner(side: Side, v: number): number {
    return this.#inner[side].at(v);
  }

  /** Height of the diaphragm at a distance from the midline. */
  floor(side: Side, across: number): number {
    return this.#floor[side].at(across);
  }

  /** Distance of the border of heart and mediastinum from the midline at a height. */
  silhouette(side: Side, v: number): number {
    return this.#silhouette[side].at(v);
  }

  /** Where the midline (the spine) lies at a height. */
  midline(v: number): number {
    return this.#midline.at(v);
  }

  /** The place at a distance from the midline on one side. */
  place(side: Side, across: number, v: number): Place {
    return { u: this.midline(v) + (side === 'left' ? across : -across), v };
  }

  /** Pixel coordinates of a place. */
  toPixel({ u, v }: Place): { x: number; y: number } {
    const { zoom, shiftX, shiftY } = this.view;
    const du = (u - 0.5) * zoom;
    const dv = (v - 0.5) * zoom;
    return {
      x: (0.5 + shiftX + this.#cos * du - this.#sin * dv) * this.size,
      y: (0.5 + shiftY + this.#sin * du + this.#cos * dv) * this.size,
    };
  }

  /**
   * The inverse of {@link toPixel} as an affine map: `u = u0 + ux x + uy y`, `v = v0 + vx x + vy y`.
   */
  fromPixel(): { u0: number; ux: number; uy: number; v0: number; vx: number; vy: number } {
    const { zoom, shiftX, shiftY } = this.view;
    const cos = this.#cos / zoom;
    const sin = this.#sin / zoom;
    const cx = 0.5 + shiftX;
    const cy = 0.5 + shiftY;
    return {
      u0: 0.5 - cos * cx - sin * cy,
      ux: cos / this.size,
      uy: sin / this.size,
      v0: 0.5 + sin * cx - cos * cy,
      vx: -sin / this.size,
      vy: cos / this.size,
    };
  }

  /** A length in film widths as pixels. */
  pixels(length: number): number {
    return length * this.view.zoom * this.size;
  }
}

import ndarray, { type NdArray } from 'ndarray';
import { type Doubles, doubles, flat } from './array.js';

/** Plain twins of the tensor operations: loops over row-major doubles, with PyTorch's broadcasting and axes. */

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** The index of element `k` in row-major order. */
function indexOf(k: number, shape: readonly number[]): number[] {
  const index = shape.map(() => 0);
  for (let axis = shape.length - 1, rest = k; axis >= 0; axis--) {
    const length = shape[axis] as number;
    index[axis] = rest % length;
    rest = Math.floor(rest / length);
  }
  return index;
}

function build(shape: readonly number[], value: (index: number[]) => number): Doubles {
  return doubles(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, k) => value(indexOf(k, shape))),
  );
}

function at(array: NdArray, index: readonly number[]): number {
  return Number(array.get(...index));
}

/** Each element by itself. */
export function map(a: NdArray, f: (x: number) => number): Doubles {
  return doubles(a.shape, flat(a).map(f));
}

/** Elements of several arrays together; axes of length 1, and missing leading axes, are repeated. */
export function broadcast(f: (...x: number[]) => number, ...arrays: NdArray[]): Doubles {
  const dimension = Math.max(...arrays.map((a) => a.dimension));
  const padded = arrays.map((a) => [...new Array<number>(dimension - a.dimension).fill(1), ...a.shape]);
  const shape = Array.from({ length: dimension }, (_, axis) => {
    const lengths = padded.map((p) => p[axis] as number);
    return lengths.includes(0) ? 0 : Math.max(...lengths);
  });
  return build(shape, (index) =>
    f(
      ...arrays.map((a) => {
        const own = index.slice(dimension - a.dimension);
        return at(
          a,
          own.map((i, axis) => (a.shape[axis] === 1 ? 0 : i)),
        );
      }),
    ),
  );
}

function axesOf(a: NdArray, dims: readonly number[] | undefined): number[] {
  return (dims ?? a.shape.map((_, axis) => axis)).map((dim) => (dim < 0 ? dim + a.dimension : dim));
}

/** One number from all elements along some axes (all of them by default), in row-major order. */
export function reduce(
  a: NdArray,
  f: (values: number[]) => number,
  dims?: readonly number[],
  keepdim = false,
): Doubles {
  const axes = axesOf(a, dims);
  const kept = a.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const groups = new Map<string, number[]>();
  for (let k = 0; k < a.size; k++) {
    const index = indexOf(k, a.shape);
    const key = index.map((i, axis) => (axes.includes(axis) ? 0 : i)).join();
    groups.set(key, [...(groups.get(key) ?? []), at(a, index)]);
  }
  const result = build(kept, (index) => f(groups.get(index.join()) ?? []));
  return keepdim
    ? result
    : doubles(
        kept.filter((_, axis) => !axes.includes(axis)),
        flat(result),
      );
}

/** Each line along one axis replaced by another line. */
export function along(a: NdArray, dim: number, f: (line: number[]) => number[]): Doubles {
  const axis = dim < 0 ? dim + a.dimension : dim;
  const lineOf = (index: readonly number[]): number[] =>
    Array.from({ length: a.shape[axis] as number }, (_, i) => at(a, index.with(axis, i)));
  const length = f(lineOf(a.shape.map(() => 0))).length;
  const shape = a.shape.with(axis, length);
  return build(shape, (index) => f(lineOf(index.with(axis, 0)))[index[axis] as number] as number);
}

/** Elements chosen by their index in the result. */
export function pick(
  a: NdArray,
  shape: readonly number[],
  from: (index: number[]) => readonly number[],
): Doubles {
  return build(shape, (index) => at(a, from(index)));
}

/** [.., n, k] x [.., k, m] -> [.., n, m], with the leading axes broadcast; or [k] on either side. */
export function matmul(a: NdArray, b: NdArray): Doubles {
  const left = a.dimension === 1 ? doubles([1, ...a.shape], flat(a)) : a;
  const right = b.dimension === 1 ? doubles([...b.shape, 1], flat(b)) : b;
  const [n, inner] = left.shape.slice(-2) as [number, number];
  const m = right.shape.at(-1) as number;
  const leading = broadcast(
    () => 0,
    ndarray(new Float64Array(sizeOf(left.shape.slice(0, -2))), left.shape.slice(0, -2)),
    ndarray(new Float64Array(sizeOf(right.shape.slice(0, -2))), right.shape.slice(0, -2)),
  ).shape;
  const own = (array: NdArray, batch: readonly number[]): number[] =>
    batch.slice(leading.length - (array.dimension - 2)).map((i, axis) => (array.shape[axis] === 1 ? 0 : i));
  const full = build([...leading, n, m], (index) => {
    const batch = index.slice(0, -2);
    const [row, column] = index.slice(-2) as [number, number];
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += at(left, [...own(left, batch), row, k]) * at(right, [...own(right, batch), k, column]);
    }
    return sum;
  });
  const shape = [...leading, ...(a.dimension === 1 ? [] : [n]), ...(b.dimension === 1 ? [] : [m])];
  return doubles(shape, flat(full));
}

/** The error function by its Taylor series: exact to double precision for |x| up to 3. */
export function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** Bilinear resize of [B, C, h, w]: half-pixel centres, clamped at the border, or corners on corners. */
export function bilinear(a: NdArray, height: number, width: number, alignCorners: boolean): Doubles {
  const [batch, channels, h, w] = a.shape as [number, number, number, number];
  const place = (i: number, from: number, to: number): [number, number, number] => {
    const raw = alignCorners
      ? (i * (from - 1)) / Math.max(to - 1, 1)
      : Math.max(((i + 0.5) * from) / to - 0.5, 0);
    const low = Math.min(Math.floor(raw), from - 1);
    return [low, Math.min(low + 1, from - 1), raw - low];
  };
  return build([batch, channels, height, width], ([b, c, y, x]) => {
    const [top, bottom, v] = place(y as number, h, height);
    const [left, right, u] = place(x as number, w, width);
    const value = (row: number, column: number): number => at(a, [b as number, c as number, row, column]);
    const upper = value(top, left) * (1 - u) + value(top, right) * u;
    const lower = value(bottom, left) * (1 - u) + value(bottom, right) * u;
    return upper * (1 - v) + lower * v;
  });
}

/** The twin of the generator that inputs and weights of the golden cases come from; bit for bit the same numbers. */

/** FNV-1a, 32 bits, of the UTF-8 bytes of a name. */
export function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** `n` numbers uniform in [-1, 1), in double precision. */
export function uniform(name: string, n: number): Float64Array {
  return drawInto(new Float64Array(n), name, 0, 1);
}

/** Fills with offset + scale u, made in double precision and rounded once. */
function drawInto<T extends Float32Array | Float64Array>(
  values: T,
  name: string,
  offset: number,
  scale: number,
): T {
  const seed = fnv1a(name);
  for (let i = 0; i < values.length; i++) {
    // murmur3's 32-bit finaliser
    let x = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x = (x ^ (x >>> 16)) >>> 0;
    values[i] = offset + scale * (x / 2147483648 - 1);
  }
  return values;
}

/** Number of elements of a shape. */
export function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** {@link uniform} rounded to float32, row-major. */
export function fill(name: string, shape: readonly number[]): Float32Array {
  return Float32Array.from(uniform(name, size(shape)));
}

/** A plausible weight for a state dict's key: made in double precision, rounded once to float32. */
export function fillState(key: string, shape: readonly number[]): Float32Array {
  const n = size(shape);
  if (key.endsWith('num_batches_tracked')) return new Float32Array(n);
  return drawInto(new Float32Array(n), key, ...affineOf(key, shape));
}

function affineOf(key: string, shape: readonly number[]): [offset: number, scale: number] {
  if (key.endsWith('running_var')) return [1, 0.5];
  if (key.endsWith('running_mean')) return [0, 0.1];
  if (shape.length === 1 && key.endsWith('weight')) return [1, 0.1];
  if (shape.length <= 1) return [0, 0.1];
  return [0, Math.sqrt(3 / size(shape.slice(1)))];
}

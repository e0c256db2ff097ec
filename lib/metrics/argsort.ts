/** 11 bits a pass: three passes cover 32 bits, and the counters stay inside the first-level cache. */
const bits = 11;
const buckets = 1 << bits;
const mask = buckets - 1;

/**
 * The order that sorts `values` ascending, stable. A radix sort over the bits of the floats: AUROC sorts every class's
 * column, and a comparison function called from `sort` is several times slower.
 *
 * @param values finite numbers `[N]`
 * @returns indices `[N]` such that `values[order[0]] <= values[order[1]] <= ...`
 */
export function argsort(values: Float32Array | Float64Array): Uint32Array {
  const n = values.length;
  let order: Uint32Array = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  let spare: Uint32Array = new Uint32Array(n);
  for (const keys of sortableWords(values)) {
    for (let shift = 0; shift < 32; shift += bits) {
      if (scatter(keys, shift, order, spare)) [order, spare] = [spare, order];
    }
  }
  return order;
}

/** One pass over `bits` bits; false, with nothing moved, where all keys agree in them. */
function scatter(keys: Uint32Array, shift: number, from: Uint32Array, to: Uint32Array): boolean {
  const starts = new Uint32Array(buckets + 1);
  for (let i = 0; i < keys.length; i++) {
    const bucket = (((keys[i] as number) >>> shift) & mask) + 1;
    starts[bucket] = (starts[bucket] as number) + 1;
  }
  for (let b = 0; b < buckets; b++) {
    if (starts[b + 1] === keys.length) return false;
    starts[b + 1] = (starts[b + 1] as number) + (starts[b] as number);
  }
  for (let i = 0; i < from.length; i++) {
    const index = from[i] as number;
    const bucket = ((keys[index] as number) >>> shift) & mask;
    const at = starts[bucket] as number;
    starts[bucket] = at + 1;
    to[at] = index;
  }
  return true;
}

/**
 * The floats as unsigned words that sort like them, least significant word first: a negative float has all its bits
 * flipped, any other its sign bit. Adding 0 turns -0 into 0, so that equal values stay together.
 */
function sortableWords(values: Float32Array | Float64Array): Uint32Array[] {
  const copy = values.map((value) => value + 0);
  const words = new Uint32Array(copy.buffer);
  if (copy instanceof Float32Array) {
    for (let i = 0; i < words.length; i++) words[i] = ordered(words[i] as number);
    return [words];
  }
  const low = new Uint32Array(copy.length);
  const high = new Uint32Array(copy.length);
  const first = littleEndian ? 0 : 1;
  for (let i = 0; i < copy.length; i++) {
    const top = words[2 * i + 1 - first] as number;
    low[i] = top >>> 31 === 1 ? ~(words[2 * i + first] as number) : (words[2 * i + first] as number);
    high[i] = ordered(top);
  }
  return [low, high];
}

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function ordered(word: number): number {
  return word >>> 31 === 1 ? ~word >>> 0 : (word | 0x80000000) >>> 0;
}

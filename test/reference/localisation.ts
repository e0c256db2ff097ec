/** Twins of the localisation terms: loops over the pixels of one map, by the rules as the specification words them. */

export type PlainRegion = 'upper' | 'lower' | 'inside' | 'outside' | 'complement' | 'whole' | null;

/** x, y, w, h */
export type PlainBox = readonly [number, number, number, number];

/** Rounded half to even. */
export function roundEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** Whether a pixel belongs to a region. */
export function belongs(region: PlainRegion, [x, y, w, h]: PlainBox, row: number, column: number): boolean {
  const middle = roundEven(y + h / 2);
  const inColumns = column >= x && column < x + w;
  const inBox = inColumns && row >= y && row < y + h;
  switch (region) {
    case 'upper':
      return inColumns && row >= y && row < middle;
    case 'lower':
      return inColumns && row >= middle && row < y + h;
    case 'inside':
      return inBox;
    case 'outside':
      return !(inColumns && row >= y);
    case 'complement':
      return !inBox;
    case 'whole':
      return true;
    default:
      return false;
  }
}

/** A box in pixels of another size. */
export function scaledBox(box: PlainBox, from: readonly number[], to: readonly number[]): PlainBox {
  const [height, width] = from as [number, number];
  const [rows, columns] = to as [number, number];
  const across = (edge: number): number => roundEven((edge * columns) / width);
  const down = (edge: number): number => roundEven((edge * rows) / height);
  const [x, y, w, h] = box;
  return [across(x), down(y), across(x + w) - across(x), down(y + h) - down(y)];
}

/** Mean of `heat` over the region and over all other pixels; NaN where there are none. */
export function means(
  map: ArrayLike<number>,
  width: number,
  region: PlainRegion,
  box: PlainBox,
  heat: (value: number) => number,
): { inside: number; others: number } {
  let [sum, count, other, others] = [0, 0, 0, 0];
  for (let p = 0; p < map.length; p++) {
    const value = heat(map[p] as number);
    if (belongs(region, box, Math.floor(p / width), p % width)) [sum, count] = [sum + value, count + 1];
    else [other, others] = [other + value, others + 1];
  }
  return { inside: sum / count, others: other / others };
}

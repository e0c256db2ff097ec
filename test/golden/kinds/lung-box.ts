import { type LungBox, lungBox } from '../../../lib/data/lung-box.js';
import { number, numbers, record, string } from '../case.js';
import { uniform } from '../fill.js';
import type { Kind } from '../kind.js';

const maskKeys = ['name', 'rects', 'ellipses', 'pixels', 'fill', 'above'];

/** A drawn mask: 1 in the lungs. */
function drawn(entry: unknown, size: number): Uint8Array {
  const item = record('mask', entry);
  const unknown = Object.keys(item).find((key) => !maskKeys.includes(key));
  if (unknown !== undefined) throw new Error(`unknown key '${unknown}' of a mask`);
  const mask = new Uint8Array(size * size);
  const lists = (name: string): number[][] => {
    const value = item[name] ?? [];
    if (!Array.isArray(value)) throw new Error(`${name} is not a list`);
    return value.map((one) => numbers(name, one));
  };
  for (const [x0, y0, x1, y1] of lists('rects') as [number, number, number, number][])
    for (let y = y0; y < y1; y++) mask.fill(1, y * size + x0, y * size + x1);
  for (const [cx, cy, rx, ry] of lists('ellipses') as [number, number, number, number][])
    for (let i = 0; i < mask.length; i++) {
      const [x, y] = [i % size, Math.floor(i / size)];
      if (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1) mask[i] = 1;
    }
  for (const [x, y] of lists('pixels') as [number, number][]) mask[y * size + x] = 1;
  if (item.fill !== undefined) {
    const above = number('above', item.above);
    uniform(string('fill', item.fill), size * size).forEach((u, i) => {
      if (u > above) mask[i] = 1;
    });
  }
  return mask;
}

/** Half to even. */
function round(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

/** From a mask of the network's size to the box of the classifier's. */
export const lungBoxKind: Kind = {
  config: ['mask_size', 'box_size', 'probability_threshold'],
  inputs: ['masks', 'drawing'],
  run: async ({ config, inputs }) => {
    const size = number('mask_size', config.mask_size);
    const side = number('box_size', config.box_size);
    if (config.probability_threshold !== 0.5) throw new Error('the threshold of a mask is 0.5');
    if (!Array.isArray(inputs.masks)) throw new Error('inputs.masks is not a list');
    const found: LungBox[] = [];
    for (const entry of inputs.masks)
      found.push(await lungBox({ width: size, height: size, data: drawn(entry, size) }, side));
    const rows = (of: (box: { x: number; y: number; width: number; height: number }) => number[]) => ({
      shape: [found.length, 4],
      data: found.flatMap(({ box }) => of(box)),
    });
    const middle = (y: number, height: number): number => round(y + height / 2);
    return {
      boxes: rows(({ x, y, width, height }) => [x, y, width, height]),
      upper: rows(({ x, y, width, height }) => [x, y, width, middle(y, height) - y]),
      lower: rows(({ x, y, width, height }) => {
        const m = middle(y, height);
        return [x, m, width, y + height - m];
      }),
      foreground: { shape: [found.length], data: found.map(({ foreground }) => foreground) },
    };
  },
};

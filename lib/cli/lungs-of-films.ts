/** Where the lungs of explained films are: `--lungs`, `--masks` or `--unet`. */
import { type Box, scaleBox } from '../data/box.js';
import type { DataWarning } from '../data/data-warning.js';
import { type LungBox, type LungMask, lungBox } from '../data/lung-box.js';
import { lungBoxes } from '../data/lung-boxes.js';
import { MaskFolder } from '../data/mask-folder.js';
import { readMask } from '../data/read-mask.js';
import { holdsPixel } from '../metrics/localisation.js';
import { checkInput, inputDataset } from '../systems/classifier/inputs.js';
import { LungSegmenter } from '../systems/segmenter/segmenter.js';
import { usageError } from './options.js';

/** The flags that say where lungs are. */
export interface LungFlags {
  readonly lungs?: readonly number[];
  readonly masks?: string;
  readonly unet?: string;
}

/** What tells the box of a film, and is to be freed after the last one. */
export interface LungsOfFilms extends Disposable {
  /** In pixels of a square of `side`; `null` where no lung was found. Absent where no flag asks for boxes. */
  readonly lungs?: (id: string) => Promise<Box | null>;
  /** What was found in each film so far, in their order; nothing of a box that was given. */
  readonly found: ReadonlyMap<string, LungBox>;
}

/**
 * Films with no lung, one lung or an implausible box, as warnings.
 *
 * @param found what was found in each film, by path
 * @param side of the square that the boxes are for, in pixels
 * @param withoutLung what becomes of a film without a lung
 */
export function lungWarnings(
  found: ReadonlyMap<string, LungBox>,
  side: number,
  withoutLung?: string,
): readonly DataWarning[] {
  const ids = [...found.keys()];
  const images = {
    ...{ name: 'the images', classes: ['image'], length: ids.length },
    sample: (index: number) => {
      const id = ids[index] as string;
      return { id, label: 0, image: { kind: 'file', path: id } as const };
    },
  };
  const more = { reused: 0, ...(withoutLung === undefined ? {} : { withoutLung }) };
  return lungBoxes(images, side, [...found.values()], more).warnings;
}

/**
 * Opens what the flags name; masks that are missing are told before the first film.
 *
 * @param films paths of films and folders
 * @param flags at most one of them may be given
 * @param side of the network's input
 * @param device of the segmenter
 */
export async function lungsOfFilms(
  films: readonly string[],
  { lungs, masks, unet }: LungFlags,
  side: number,
  device: string,
): Promise<LungsOfFilms> {
  const given = Object.entries({ lungs, masks, unet }).filter(([, value]) => value !== undefined);
  if (given.length > 1)
    throw usageError(`${given.map(([name]) => `--${name}`).join(' and ')} exclude each other`);
  const found = new Map<string, LungBox>();
  const nothing = { found, [Symbol.dispose]: () => {} };
  const boxOfMask = async (id: string, mask: LungMask): Promise<Box | null> => {
    const lungs = await lungBox(mask, side);
    found.set(id, lungs);
    return lungs.finding === 'none' ? null : lungs.box;
  };
  if (lungs !== undefined) {
    const box = boxOf(lungs, side);
    return { ...nothing, lungs: async () => box };
  }
  if (masks !== undefined) return { ...nothing, lungs: await fromMasks(films, masks, boxOfMask) };
  if (unet === undefined) return nothing;
  const segmenter = await LungSegmenter.load(unet, { device });
  return {
    found,
    async lungs(id) {
      for await (const { mask } of segmenter.segment(id)) return boxOfMask(id, mask);
      return null;
    },
    [Symbol.dispose]: () => segmenter.dispose(),
  };
}

/** A box of fractions in pixels of the network's input. */
function boxOf(fractions: readonly number[], side: number): Box {
  const [x, y, width, height] = fractions as [number, number, number, number];
  if (!(x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= 1 && y + height <= 1))
    throw usageError(`Expected a box within 0 to 1 for --lungs but received ${fractions.join(',')}`);
  const map = { width: side, height: side };
  const box = scaleBox({ x, y, width, height }, { width: 1, height: 1 }, map);
  if (holdsPixel('--lungs', box, map)) return box;
  throw usageError(
    `Expected a box with a pixel of the network's ${side} x ${side} for --lungs but received ${fractions.join(',')}`,
  );
}

async function fromMasks(
  films: readonly string[],
  folder: string,
  boxOfMask: (id: string, mask: LungMask) => Promise<Box | null>,
): Promise<(id: string) => Promise<Box | null>> {
  const dataset = await inputDataset(checkInput(films), []);
  const { masks } = (await MaskFolder.open(folder)).masksOf(dataset);
  const ofFilm = new Map(masks.map((mask, i) => [dataset.sample(i).id, mask]));
  return async (id) => {
    const mask = ofFilm.get(id);
    return mask === undefined ? null : boxOfMask(id, await readMask(mask));
  };
}

import sharp from 'sharp';
import type { ImageSource } from './dataset.js';
import { decodeSamples, greyIfEqual, imageName, type Samples } from './decode.js';
import { imageError } from './decode-limits.js';
import type { LungMask } from './lung-box.js';

/**
 * Decodes a mask. One of two values, 0 and another, has lungs where the other is, whatever it is: 1, 255, 65535. One of
 * more, as lossy or smoothed masks have, has them from half of white on, if nearly all of it is black or white.
 *
 * @param source an image file of one channel, 8 or 16 bits wide
 * @returns 255 in the lungs, 0 elsewhere
 * @throws CxrGazeError `ERR_FILE`; `ERR_IMAGE` for what cannot be decoded, has colours, keeps its shape in the transparency,
 *   or has several values, such as a map of labels
 */
export async function readMask(source: ImageSource): Promise<LungMask> {
  const name = imageName(source);
  const { width, height, channels, data, transparent } = greyIfEqual(await decodeSamples(source));
  if (channels !== 1) throw imageError(name, 'expected a grey mask but it has colours');
  const counts = countsOf(data);
  if (counts.size === 1 && transparent && (await alphaVaries(transparent)))
    throw imageError(name, 'its shape is in its transparency; expected a mask of black and white');
  const white = data instanceof Uint16Array ? 65535 : 255;
  const least = leastOfLungs(name, counts, white, data.length);
  return { width, height, data: Uint8Array.from(data, (value) => (value >= least ? 255 : 0)) };
}

function countsOf(data: Samples['data']): ReadonlyMap<number, number> {
  const counts = new Uint32Array(65536);
  for (const value of data) counts[value] = (counts[value] as number) + 1;
  const found = new Map<number, number>();
  for (const [value, count] of counts.entries()) if (count > 0) found.set(value, count);
  return found;
}

/** Most pixels of a mask that may be neither nearly black nor nearly white: edges that were smoothed. */
const mostBetween = 0.1;
/** The same of a single value, where a mask has so few that it was not smoothed: a label. */
const [fewValues, mostOfLabel] = [16, 0.01];

/** The least value that is lung. */
function leastOfLungs(
  name: string,
  counts: ReadonlyMap<number, number>,
  white: number,
  pixels: number,
): number {
  const values = [...counts.keys()];
  const greatest = values.at(-1) as number;
  const rest = values.filter((value) => value > 0);
  const isWhite = greatest === 1 || greatest === 255 || greatest > white / 2;
  if (rest.length <= 1 && (values.length === 2 || greatest === 0 || isWhite)) return Math.max(1, greatest);
  const shareOf = (some: readonly number[]): number =>
    some.reduce((sum, value) => sum + (counts.get(value) as number), 0) / pixels;
  const [black, bright] = [white / 8, white - white / 8];
  const share = shareOf(values.filter((value) => value > black && value < bright));
  const inner = rest.filter((value) => value < white - 2);
  const hasLabels = values.length <= fewValues && inner.some((value) => shareOf([value]) > mostOfLabel);
  if (greatest >= bright && share <= mostBetween && !hasLabels) return (white + 1) / 2;
  const commonest = values
    .sort((a, b) => (counts.get(b) as number) - (counts.get(a) as number))
    .slice(0, 5)
    .sort((a, b) => a - b);
  const more = values.length > commonest.length ? ` and ${values.length - commonest.length} more` : '';
  throw imageError(
    name,
    `expected a mask of black and white but found the values ${commonest.join(', ')}${more}`,
    { values: values.length },
  );
}

async function alphaVaries(bytes: Uint8Array): Promise<boolean> {
  const alpha = await sharp(bytes).extractChannel('alpha').raw().toBuffer();
  return alpha.some((value) => value !== alpha[0]);
}

import sharp from 'sharp';
import { jet } from '../cam/jet.js';
import { type Pixels, requirePixels } from '../data/dataset.js';
import { flag, knownKeys, number } from '../validate.js';
import { type Fixation, fixationsOnFilm, type Reading, requireReading } from './reading.js';

/** Options of {@link drawScanpath}. */
export interface ScanpathPictureOptions {
  /** Whether the fixations are numbered in their order. Default: if there are at most 100. */
  readonly numbers?: boolean;
  /** Whether lines join each fixation with the next. Default `true`. */
  readonly lines?: boolean;
  /**
   * Radius of the circle of a fixation of a quarter of a second, as a share of the picture's long side; areas grow with
   * the duration. Default 0.02.
   */
  readonly radius?: number;
}

/** Duration that the option `radius` is about, seconds. */
const usualDuration = 0.25;
/** Radii as shares of the long side: none vanishes, none covers the film. */
const radiusRange = [0.004, 0.06] as const;
const mostNumbers = 100;
/** A tracker gives thousands of samples a reading: so many circles can still be told apart, and drawn in a second. */
const mostMarks = 1000;

/**
 * Draws a reading over its film: circles with the area of the time spent, coloured from blue (first) to red (last), joined
 * by lines and numbered. Fixations off the film are left out; of more than 1000, neighbours in time are drawn as one.
 *
 * @param image the film, of any size
 * @param reading over that film
 * @param options what is drawn
 * @returns RGB of the image's size
 */
export async function drawScanpath(
  image: Pixels,
  reading: Reading,
  options: ScanpathPictureOptions = {},
): Promise<Pixels> {
  knownKeys('options', options, ['numbers', 'lines', 'radius']);
  const { width, height, channels, data } = requirePixels('image', image);
  const seen = fixationsOnFilm(requireReading('reading', reading));
  const numbers = flag('options.numbers', options.numbers ?? seen.length <= mostNumbers);
  const radius = number('options.radius', options.radius ?? 0.02, { above: 0, max: 1 });
  const shown = gathered(seen);
  const marks = shown.map((fixation, i) =>
    place(fixation, i / Math.max(1, shown.length - 1), reading, image, radius),
  );
  const drawing = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">`,
    flag('options.lines', options.lines ?? true) ? joined(marks, image) : '',
    ...marks.map((mark, i) => circle(mark, numbers ? String(i + 1) : '')),
    '</svg>',
  ].join('');
  const drawn = await sharp(data, { raw: { width, height, channels } })
    .toColourspace('srgb')
    .composite([{ input: Buffer.from(drawing) }])
    .removeAlpha()
    .raw()
    .toBuffer();
  return { width, height, channels: 3, data: new Uint8Array(drawn) };
}

/** Groups of successive fixations as one each: their mean place, by time, and all their time. */
function gathered(fixations: readonly Fixation[]): readonly Fixation[] {
  const size = Math.ceil(fixations.length / mostMarks);
  if (size <= 1) return fixations;
  return Array.from({ length: Math.ceil(fixations.length / size) }, (_, group) => {
    const part = fixations.slice(group * size, (group + 1) * size);
    const time = part.reduce((sum, { start, end }) => sum + end - start, 0);
    const mean = (of: (one: Fixation) => number): number =>
      part.reduce(
        (sum, one) => sum + of(one) * (time > 0 ? (one.end - one.start) / time : 1 / part.length),
        0,
      );
    const { start } = part[0] as Fixation;
    return { x: mean(({ x }) => x), y: mean(({ y }) => y), start, end: start + time };
  });
}

interface Mark {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly colour: string;
}

function place(
  { x, y, start, end }: Fixation,
  moment: number,
  film: Reading,
  { width, height }: Pixels,
  share: number,
): Mark {
  const [least, most] = radiusRange;
  const wanted = share * Math.sqrt((end - start) / usualDuration);
  return {
    x: (x * width) / film.width,
    y: (y * height) / film.height,
    radius: Math.min(most, Math.max(least, wanted)) * Math.max(width, height),
    // Without the dark ends of the scale, which vanish on a radiograph.
    colour: `rgb(${jet(40 + 175 * moment).join()})`,
  };
}

const short = (value: number): string => value.toFixed(2);

function joined(marks: readonly Mark[], { width, height }: Pixels): string {
  const points = marks.map(({ x, y }) => `${short(x)},${short(y)}`).join(' ');
  const stroke = short(Math.max(0.75, Math.max(width, height) / 400));
  return `<polyline points="${points}" fill="none" stroke="#fff" stroke-opacity="0.6" stroke-width="${stroke}"/>`;
}

function circle({ x, y, radius, colour }: Mark, label: string): string {
  const ring = short(Math.max(0.75, radius / 8));
  const shape = `<circle cx="${short(x)}" cy="${short(y)}" r="${short(radius)}" fill="${colour}" fill-opacity="0.35" stroke="${colour}" stroke-width="${ring}"/>`;
  return label === '' ? shape : shape + digits(label, x, y, Math.max(radius, 5));
}

// Digits as strokes: a machine without fonts shows them too.

/** Ends of the seven segments on a grid of 4 x 6, by their usual letters. */
const segments: Readonly<Record<string, string>> = {
  ...{ a: 'M0 0H4', b: 'M4 0V3', c: 'M4 3V6', d: 'M0 6H4', e: 'M0 3V6', f: 'M0 0V3', g: 'M0 3H4' },
};
const lit = ['abcdef', 'bc', 'abged', 'abgcd', 'fgbc', 'afgcd', 'afgedc', 'abc', 'abcdefg', 'abcdfg'];

/** A number around (x, y), as high as a circle's radius. */
function digits(label: string, x: number, y: number, height: number): string {
  const scale = height / 8;
  const width = 6 * label.length - 2;
  const strokes = [...label].map((digit, i) => {
    const shape = [...(lit[Number(digit)] as string)].map((letter) => segments[letter]).join('');
    return `<path transform="translate(${6 * i})" d="${shape}"/>`;
  });
  const at = `translate(${short(x - (width * scale) / 2)} ${short(y - 3 * scale)}) scale(${scale.toFixed(3)})`;
  const drawn = (colour: string, stroke: number): string =>
    `<g transform="${at}" fill="none" stroke="${colour}" stroke-width="${stroke}" stroke-linecap="round">${strokes.join('')}</g>`;
  // A dark edge keeps them legible on bright bone.
  return drawn('#000', 2.4) + drawn('#fff', 1);
}

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { overlay } from '../cam/overlay.js';
import { refuseExistingFolder, writeFolderAtomic } from '../checkpoints/atomic.js';
import { writeNpy } from '../checkpoints/npy.js';
import { forEachBounded, throwIfAborted } from '../data/bounded.js';
import type { Pixels } from '../data/dataset.js';
import { pngOf } from '../data/png.js';
import { resizeArea } from '../data/resize.js';
import { type TeacherBranch, teacherBranches } from '../models/teacher.js';
import { flag, integer, invalidArgument, knownKeys, number, oneOf, text } from '../validate.js';
import { focalCluster } from './focal-cluster.js';
import { fitsMap, readingPoints, renderHeatmaps, type WeightedPoints } from './heatmap.js';
import { checkedName } from './names.js';
import type { Reading } from './reading.js';
import { drawScanpath } from './scanpath-picture.js';
import { branchSigma, teacherPoints } from './teacher-targets.js';
import { maxWindows, publishedWindows, type WindowConvention, windowConventions } from './windows.js';

/** Options of {@link writeHeatmaps}. */
export interface WriteHeatmapsOptions {
  /** Side of the square maps, or `'film'` for the size of each film. Default 224. */
  readonly size?: number | 'film';
  /** σ of the maps so far (global) and of single windows (focal), pixels of a film 2048 long. Default 64 and 128. */
  readonly sigma?: Readonly<Partial<Record<TeacherBranch, number>>>;
  /** Number of time windows, at most 64. Default 4. */
  readonly windows?: number;
  /** How windows are cut. Default `'half-open'`. */
  readonly convention?: WindowConvention;
  /**
   * Whether maps of whole readings are written too: `global` of all fixations, `focal` of their larger cluster
   * ({@link focalCluster}). Default `false`.
   */
  readonly whole?: boolean;
  /** Whether the maps are also written as float32 arrays. Default `false`. */
  readonly arrays?: boolean;
  /**
   * Finds a film by its name, for pictures of the gaze and of the maps over it; `undefined` where it is not there.
   * Without it no such pictures are drawn.
   */
  readonly film?: (image: string) => Promise<Pixels | undefined>;
  /** Whether heat maps that are there already are replaced; other folders never are. Default `false`. */
  readonly overwrite?: boolean;
  /** What `heatmaps.json` says of where the gaze is from. */
  readonly source?: Readonly<Record<string, unknown>>;
  /** Gives the work up when it fires; what was there before stays. */
  readonly signal?: AbortSignal;
  /** Called after each reading. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What {@link writeHeatmaps} wrote. */
export interface WrittenHeatmaps {
  /** The folder, absolute. */
  readonly folder: string;
  /** Readings rendered. */
  readonly readings: number;
  /** Maps written as PNG. */
  readonly maps: number;
  /** Windows in which nobody looked at the film: they have no map. */
  readonly empty: Readonly<Record<TeacherBranch, number>>;
  /** Names of the films that were asked for and not found. */
  readonly withoutFilm: readonly string[];
}

/** Only folders with this file are ever replaced. */
const kind = { marker: 'heatmaps.json', name: 'a folder of heat maps' };
/** Least and largest long side of the pictures over films: numbers can be read, files stay small. */
const pictureSides = [512, 1024] as const;
/** Above so many pixels a map, one reading at a time: its maps alone take hundreds of megabytes. */
const largeMap = 1 << 20;

const optionNames = [
  ...(['size', 'sigma', 'windows', 'convention', 'whole', 'arrays', 'film', 'overwrite'] as const),
  ...(['source', 'signal', 'onProgress'] as const),
] as const;

interface Plan {
  readonly size: number | 'film';
  readonly sigma: Readonly<Record<TeacherBranch, number>>;
  readonly windows: number;
  readonly convention: WindowConvention;
  readonly whole: boolean;
  readonly arrays: boolean;
}

function resolve(options: WriteHeatmapsOptions): Plan {
  knownKeys('options', options, optionNames);
  const sigma = { ...branchSigma, ...options.sigma };
  knownKeys('options.sigma', sigma, teacherBranches);
  for (const branch of teacherBranches) number(`options.sigma.${branch}`, sigma[branch], { above: 0 });
  const size = options.size ?? 224;
  return {
    size: size === 'film' ? size : integer('options.size', size, { min: 1, max: 8192 }),
    sigma,
    windows: integer('options.windows', options.windows ?? publishedWindows, { min: 1, max: maxWindows }),
    convention: oneOf('options.convention', options.convention ?? 'half-open', windowConventions),
    whole: flag('options.whole', options.whole ?? false),
    arrays: flag('options.arrays', options.arrays ?? false),
  };
}

/**
 * Renders the heat maps of a whole gaze data set into a folder, reading by reading: for each time window k (from 0)
 * `timewindowed_K/focal_NAME.png`, the window alone, and `timewindowed_K/global_NAME.png`, the windows 0 to k together,
 * 8-bit grey with maximum 255. On request `whole/global_NAME.png` and `whole/focal_NAME.png` of the reading as a whole,
 * `arrays/focal_NAME.npy`, `arrays/global_NAME.npy`, float32 `[windows, height, width]` with maximum 1 (an empty window is
 * zeros), and pictures over the films: `overlays/gaze_NAME.png` and one for each map. `heatmaps.json` lists everything.
 * NAME is the film's name, with the reading's behind it where a film has several.
 *
 * The folder appears when it is whole: it is written under a temporary name beside and moved in.
 *
 * @param readings what to render
 * @param folder made with its parents; must not exist unless `overwrite` is given
 * @param options sizes, windows, what to write
 * @throws `ERR_EXISTS` if the folder is there (with `overwrite`: if it holds no heat maps), `ERR_PATH_ESCAPE` for names
 *   that are paths, `ERR_FILE`, `ERR_ABORTED`, `ERR_INVALID_ARGUMENT`
 */
export async function writeHeatmaps(
  readings: readonly Reading[],
  folder: string,
  options: WriteHeatmapsOptions = {},
): Promise<WrittenHeatmaps> {
  const plan = resolve(options);
  const target = path.resolve(text('folder', folder));
  const names = fileNames(readings);
  const size = plan.size;
  const unsized = size === 'film' ? readings.find(({ width, height }) => width < 2 || height < 2) : undefined;
  if (unsized)
    throw invalidArgument('options.size', `a number where films have no size (${unsized.id})`, size);
  const large = readings.find((reading) => {
    const { width, height } = mapSize(reading, plan);
    return !fitsMap(width, height);
  });
  if (large)
    throw invalidArgument(
      'options.size',
      `a number where films are as large as that of ${large.id} (${large.width} x ${large.height})`,
      size,
    );
  await refuseExistingFolder(target, flag('options.overwrite', options.overwrite ?? false), kind);
  const written = await writeFolderAtomic(target, async (temporary) => {
    await makeFolders(temporary, plan, options.film !== undefined);
    return renderAll(temporary, readings, names, plan, options);
  });
  return { folder: target, ...written };
}

/** Film names, made unique by the reading's id where several readings are of one film. */
function fileNames(readings: readonly Reading[]): string[] {
  const times = new Map<string, number>();
  for (const { image } of readings) times.set(image, (times.get(image) ?? 0) + 1);
  const taken = new Set<string>();
  return readings.map(({ id, image }) => {
    const name = checkedName(
      times.get(image) === 1 ? image : `${image}_${id}`,
      `reading ${JSON.stringify(id)}`,
    );
    // File systems that ignore case would put two maps into one file.
    const folded = name.normalize('NFC').toLowerCase();
    if (taken.has(folded)) throw invalidArgument('readings', 'different ids', id);
    taken.add(folded);
    return name;
  });
}

async function makeFolders(root: string, { windows, whole, arrays }: Plan, overlays: boolean): Promise<void> {
  const parts = Array.from({ length: windows }, (_, k) => `timewindowed_${k}`);
  if (whole) parts.push('whole');
  const pictures = overlays ? ['overlays', ...parts.map((part) => path.join('overlays', part))] : [];
  for (const part of [...parts, ...(arrays ? ['arrays'] : []), ...pictures])
    await mkdir(path.join(root, part), { recursive: true });
}

async function renderAll(
  root: string,
  readings: readonly Reading[],
  names: readonly string[],
  plan: Plan,
  options: WriteHeatmapsOptions,
): Promise<Omit<WrittenHeatmaps, 'folder'>> {
  const { signal, onProgress, film, source = {} } = options;
  const empty: Record<TeacherBranch, number> = { global: 0, focal: 0 };
  const withoutFilm = new Set<string>();
  const entries = new Array<object>(readings.length);
  let maps = 0;
  let done = 0;
  const area = readings.reduce((most, reading) => {
    const { width, height } = mapSize(reading, plan);
    return Math.max(most, width * height);
  }, 1);
  await forEachBounded(readings.length, area > largeMap ? 1 : 4, async (index) => {
    throwIfAborted(signal, 'Rendering heat maps');
    const reading = readings[index] as Reading;
    const pixels = film ? await film(reading.image) : undefined;
    if (film && !pixels) withoutFilm.add(reading.image);
    const picture = pixels ? await pictureOf(pixels) : undefined;
    const present = await renderReading(root, reading, names[index] as string, plan, picture);
    for (const branch of teacherBranches) {
      const shown = present[branch].filter(Boolean).length;
      maps += shown;
      empty[branch] += plan.windows - shown;
    }
    entries[index] = { id: reading.id, image: reading.image, name: names[index], present };
    onProgress?.(++done, readings.length);
  });
  const summary = { readings: readings.length, maps, empty, withoutFilm: [...withoutFilm].sort() };
  const listed = { format: 1, ...plan, source, ...summary, entries };
  await writeFile(path.join(root, kind.marker), `${JSON.stringify(listed, undefined, 1)}\n`);
  return summary;
}

function mapSize(reading: Reading, { size }: Plan): { width: number; height: number } {
  return size === 'film'
    ? { width: Math.round(reading.width), height: Math.round(reading.height) }
    : { width: size, height: size };
}

/** Which windows of each branch were looked at. */
async function renderReading(
  root: string,
  reading: Reading,
  name: string,
  plan: Plan,
  picture: Pixels | undefined,
): Promise<Record<TeacherBranch, boolean[]>> {
  const { width, height } = mapSize(reading, plan);
  const present: Record<TeacherBranch, boolean[]> = { global: [], focal: [] };
  if (picture) {
    const drawn = await drawScanpath(picture, reading);
    await writeFile(path.join(root, 'overlays', `gaze_${name}.png`), await pngOf(drawn));
  }
  const write = async (part: string, branch: TeacherBranch, map: Float32Array): Promise<boolean> => {
    if (!map.some((value) => value > 0)) return false;
    const file = path.join(part, `${branch}_${name}.png`);
    await writeFile(path.join(root, file), await pngOf(greyOf(map, width, height)));
    if (picture) {
      const over = overlay(picture, { width, height, data: map });
      await writeFile(path.join(root, 'overlays', file), await pngOf(over));
    }
    return true;
  };
  for (const branch of teacherBranches) {
    const points = teacherPoints(reading, branch, plan.windows, plan.convention);
    const size = { width, height, sigma: plan.sigma[branch] };
    const maps = await renderHeatmaps(points, size);
    for (const [k, map] of maps.entries())
      present[branch].push(await write(`timewindowed_${k}`, branch, map));
    if (plan.whole) {
      const [map] = await renderHeatmaps([wholePoints(reading, branch, plan)], size);
      await write('whole', branch, map as Float32Array);
    }
    if (plan.arrays) {
      const all = new Float32Array(plan.windows * width * height);
      for (const [k, map] of maps.entries()) all.set(map, k * width * height);
      await writeNpy(path.join(root, 'arrays', `${branch}_${name}.npy`), all, [plan.windows, height, width]);
    }
  }
  return present;
}

/** As the windows weigh: by time, or as published each point the same. */
function wholePoints(reading: Reading, branch: TeacherBranch, { convention }: Plan): WeightedPoints {
  const part = branch === 'focal' ? focalCluster(reading) : reading;
  if (convention === 'half-open') return readingPoints(part);
  return readingPoints(
    part,
    part.fixations.map((_, index) => ({ index, weight: 1 })),
  );
}

/** A map with maximum 1 as 8-bit grey. */
function greyOf(map: Float32Array, width: number, height: number): Pixels {
  return { width, height, channels: 1, data: Uint8Array.from(map, (value) => Math.round(255 * value)) };
}

/** The film at a size that one likes to look at. */
async function pictureOf(image: Pixels): Promise<Pixels> {
  const long = Math.max(image.width, image.height);
  const [least, most] = pictureSides;
  const scale = Math.min(most, Math.max(least, long)) / long;
  if (scale === 1) return image;
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  return resizeArea(image, side(image.width), side(image.height));
}

/** The flags that say where gaze comes from, and reading it. */
import type { Command } from 'commander';
import { someOf } from '../data/listed.js';
import type { GazeReadOptions } from '../gaze/builder.js';
import { readEgd } from '../gaze/egd.js';
import { hasMasterSheet } from '../gaze/egd-screen.js';
import type { FilmLookup, FilmSizes } from '../gaze/film-sizes.js';
import { readGazeCsv } from '../gaze/gaze-csv.js';
import { joinGaze } from '../gaze/join.js';
import { type GazeTable, withinChestBoxes } from '../gaze/reading.js';
import { readReflacx } from '../gaze/reflacx.js';
import { readSiim } from '../gaze/siim.js';
import { asChoice, asNumber, asNumbers, asText, option, usageError } from './options.js';
import type { Output, Session } from './session.js';

/** The flags that say where gaze comes from. */
export interface GazeFlags {
  readonly egd?: string;
  readonly egd_table: 'eye_gaze' | 'fixations';
  readonly reflacx?: string;
  readonly siim?: string;
  readonly gaze?: string;
  readonly normalised?: boolean;
  readonly film_size?: readonly number[];
  readonly data_dir?: string;
  readonly chest_box?: boolean;
  readonly max_faults: number;
}

const source = 'Gaze (one of, or --egd with --reflacx):';
const films = 'Films:';

/** Adds the flags that say where gaze comes from. */
export function addGazeOptions(command: Command): Command {
  return command
    .addOption(option(source, '--egd <folder>', 'EGD: eye_gaze.csv, fixations.csv, master_sheet.csv', asText))
    .addOption(
      option(
        source,
        '--egd_table <name>',
        'which of its tables: eye_gaze (samples) or fixations',
        asChoice(['eye_gaze', 'fixations'] as const),
        'eye_gaze' as const,
      ),
    )
    .addOption(option(source, '--reflacx <folder>', 'REFLACX: the folder that holds main_data', asText))
    .addOption(option(source, '--siim <file>', 'scanpaths over SIIM-ACR films: .json or .pkl', asText))
    .addOption(
      option(source, '--gaze <file>', 'a table id,x,y,start,end: pixels from the top left, seconds', asText),
    )
    .addOption(option(source, '--normalised', 'x and y of --gaze are fractions of the film'))
    .addOption(option(source, '--chest_box', 'of the gaze of REFLACX only what is within its chest boxes'))
    .addOption(
      option(
        source,
        '--max_faults <share>',
        'largest share of rows with a fault that is put up with',
        asNumber({ min: 0, max: 1 }),
        0.05,
      ),
    )
    .addOption(
      option(
        films,
        '--film_size <width,height>',
        'pixels of every film: for --gaze, and for --egd without master_sheet.csv',
        asNumbers(2, 2),
      ),
    );
}

/** Adds `--data_dir`, for a command that has no other use of it. */
export function addFilmOption(command: Command): Command {
  return command.addOption(
    option(
      films,
      '--data_dir <folder>',
      'folder of the films: their sizes, and what --overlay draws on',
      asText,
    ),
  );
}

/** What gaze is read of. */
const sources = ['egd', 'reflacx', 'siim', 'gaze'] as const;

/** One of the sources. */
export type GazeSource = (typeof sources)[number];

/** Which sources the flags name, in this order. */
export function namedSources(flags: Pick<GazeFlags, GazeSource>): GazeSource[] {
  return sources.filter((name) => flags[name] !== undefined);
}

/**
 * Reads what the flags name: one source, or EGD and REFLACX, which both are of MIMIC-CXR's films, with their readings in one
 * table.
 *
 * @param lookup finds the films' sizes, if there are films; asked only for those that the source names
 * @param finish is given the table of each source before they are joined
 */
export async function openGaze(
  flags: GazeFlags,
  lookup: FilmLookup | undefined,
  session: Session,
  finish: (table: GazeTable, source: GazeSource) => GazeTable | Promise<GazeTable> = (table) => table,
): Promise<GazeTable> {
  const [first, second] = checkGazeFlags(flags);
  const read = async (kind: GazeSource) => finish(await readSource(kind, flags, lookup, session), kind);
  if (second === undefined) return joinGaze([await read(first)]);
  // REFLACX is read in a moment, EGD in minutes: what is wrong with the former shall not wait for the latter.
  const ofSecond = await read(second);
  return joinGaze([await read(first), ofSecond]);
}

/**
 * Refuses gaze flags that do not go together; everything that needs no file.
 *
 * @returns the sources that they name
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function checkGazeFlags(flags: GazeFlags): readonly [GazeSource, GazeSource?] {
  const given = namedSources(flags);
  const [first, second] = given;
  if (first === undefined || (given.length > 1 && given.join() !== 'egd,reflacx'))
    throw usageError(
      `Expected one of --egd FOLDER, --reflacx FOLDER, --siim FILE, --gaze FILE, or --egd and --reflacx, but received ${first === undefined ? 'none' : given.map((name) => `--${name}`).join(' and ')}`,
    );
  refuseIdle(flags, given);
  if (flags.film_size?.some((side) => side <= 0))
    throw usageError('Expected numbers above 0 for --film_size');
  return second === undefined ? [first] : [first, second];
}

async function readSource(
  kind: GazeSource,
  flags: GazeFlags,
  lookup: FilmLookup | undefined,
  session: Session,
): Promise<GazeTable> {
  const bar = session.progress('reading', 100, '%');
  const common: GazeReadOptions = {
    maxFaultShare: flags.max_faults,
    signal: session.signal,
    onProgress: (share) => bar.update(Math.floor(100 * share)),
  };
  try {
    if (kind === 'reflacx') {
      const table = await readReflacx(flags.reflacx as string, common);
      return flags.chest_box ? withinChestBoxes(table) : table;
    }
    if (kind === 'siim') return await readSiim(flags.siim as string, common);
    const sizes = await sizesOf(flags, lookup);
    const known = sizes ? { films: sizes } : {};
    if (kind === 'egd')
      return await readEgd(flags.egd as string, { ...common, ...known, table: flags.egd_table });
    const normalised = flags.normalised ?? false;
    if (!normalised && !sizes)
      throw usageError(
        'Expected --film_size WIDTH,HEIGHT or --data_dir FOLDER with --gaze in pixels: what is off the film depends on it; or --normalised for fractions',
      );
    return await readGazeCsv(flags.gaze as string, { ...common, ...known, normalised });
  } finally {
    bar.end();
  }
}

/** A flag that belongs to another source would be without effect. */
function refuseIdle(flags: GazeFlags, given: readonly GazeSource[]): void {
  const owners = [
    ['normalised', flags.normalised !== undefined, ['gaze']],
    ['chest_box', flags.chest_box !== undefined, ['reflacx']],
    ['film_size', flags.film_size !== undefined, ['gaze', 'egd']],
  ] as const;
  for (const [name, isGiven, kinds] of owners) {
    if (isGiven && !given.some((kind) => (kinds as readonly string[]).includes(kind)))
      throw usageError(`--${name} does not belong to --${given.join(' and --')}; it would be without effect`);
  }
  if (flags.film_size !== undefined && flags.data_dir !== undefined && given.includes('gaze'))
    throw usageError('Expected --film_size or --data_dir, which tells the size of each film, not both');
}

async function sizesOf(flags: GazeFlags, lookup: FilmLookup | undefined): Promise<FilmSizes | undefined> {
  if (flags.film_size) {
    const [width, height] = flags.film_size as [number, number];
    return { width, height };
  }
  // EGD's own pixels are those of the original films. Its master sheet fits films of any resolution.
  return flags.egd !== undefined && (await hasMasterSheet(flags.egd)) ? undefined : lookup;
}

/** Readings, rows, and what was left out. */
export function sayFiltered(table: GazeTable, output: Output): void {
  const { name, readings, rows, filtered, unknownFilms = [] } = table;
  output.say(`${readings.length} readings, ${rows} rows in ${name}`);
  const names: Readonly<Record<string, string>> = {
    notFinite: 'without a number where one is needed',
    endBeforeStart: 'that end before they start',
    offFilm: 'off the film',
    unsorted: 'out of order, sorted by time',
    calibration: 'over calibration pictures',
    outsideChestBox: 'outside of the chest box',
    discarded: 'readings whose gaze was discarded by the makers',
    withoutChestBox: 'readings without a chest box, kept whole',
    unknownFilm: `of films whose size is not known: ${someOf(unknownFilms)}`,
  };
  const ofReadings = ['discarded', 'withoutChestBox'];
  for (const [kind, count] of Object.entries(filtered)) {
    if (count === 0) continue;
    const what = names[kind] ?? kind;
    output.warn(
      'gaze-filtered',
      `${count} ${ofReadings.includes(kind) ? '' : count === 1 ? 'row ' : 'rows '}${what}`,
      { reason: kind, count, ...(kind === 'unknownFilm' ? { images: unknownFilms } : {}) },
    );
  }
}

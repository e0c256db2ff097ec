/** `cxr-gaze heatmaps`: from eye-tracking files to heat maps. */
import { Command } from 'commander';
import { dataThreads } from '../data/resize.js';
import type { FilmSizes, GazeReadOptions } from '../gaze/builder.js';
import { readEgd } from '../gaze/egd.js';
import { FilmFiles } from '../gaze/film-files.js';
import { readGazeCsv } from '../gaze/gaze-csv.js';
import { type GazeTable, withinChestBox } from '../gaze/reading.js';
import { readReflacx } from '../gaze/reflacx.js';
import { writeHeatmaps } from '../gaze/render-set.js';
import { readSiim } from '../gaze/siim.js';
import { asChoice, asInteger, asNumber, asNumbers, asText, option, usageError } from './options.js';
import { Output, type Session } from './session.js';

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

interface HeatmapFlags extends GazeFlags {
  readonly size: number | 'film';
  readonly sigma: readonly number[];
  readonly windows: number;
  readonly as_published?: boolean;
  readonly arrays?: boolean;
  readonly overlay?: boolean;
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly workers?: number;
  readonly json?: boolean;
}

const help = `
For each time window k of a reading two maps are written: timewindowed_k/focal_FILM.png, the window alone, and
timewindowed_k/global_FILM.png, all windows up to it. They are what GazeLT's teachers learn to predict. heatmaps.json
lists what was written and what was left out.

Rows that are no numbers, end before they start or lie off the film are left out and counted; more than --max_faults of
them are an error. An id that is a path is always one.

Examples:
  cxr-gaze heatmaps --egd eye-gaze-data-for-chest-x-rays/1.0.0 --out_dir heatmaps/egd
  cxr-gaze heatmaps --reflacx reflacx/1.0.0 --size film --arrays --out_dir heatmaps/reflacx
  cxr-gaze heatmaps --gaze fixations.csv --data_dir films/ --overlay --out_dir heatmaps/own`;

const source = 'Gaze (one of):';
const films = 'Films:';
const rendering = 'Heat maps:';
const outputs = 'Output:';

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
    .addOption(option(source, '--chest_box', 'only gaze within the chest boxes of REFLACX'))
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
    )
    .addOption(
      option(
        films,
        '--data_dir <folder>',
        'folder of the films: their sizes, and what --overlay draws on',
        asText,
      ),
    );
}

/** The command. */
export function heatmapsCommand(session: Session): Command {
  const command = new Command('heatmaps').description(
    'render the heat maps of a gaze data set, one for each time window and cumulative',
  );
  return addGazeOptions(command)
    .addOption(
      option(
        rendering,
        '--size <pixels>',
        "side of the square maps, or film for each film's own size",
        asSize,
        224,
      ),
    )
    .addOption(
      option(
        rendering,
        '--sigma <pixels>',
        'blur in pixels of a film 2048 long: one number, or global,focal',
        asNumbers(1, 2),
        [64, 128],
      ),
    )
    .addOption(option(rendering, '--windows <n>', 'time windows', asInteger({ min: 1, max: 64 }), 4))
    .addOption(
      option(
        rendering,
        '--as_published',
        "GazeLT's own windows: closed, from 0, every point of weight 1 (default: half-open, weighted by time)",
      ),
    )
    .addOption(option(outputs, '--out_dir <folder>', 'where the maps go', asText, 'results/heatmaps'))
    .addOption(option(outputs, '--arrays', 'also write float32 arrays (.npy)'))
    .addOption(option(outputs, '--overlay', 'also draw gaze and maps over the films of --data_dir'))
    .addOption(option(outputs, '--overwrite', 'replace heat maps that are there; other folders never are'))
    .addOption(option(outputs, '--json', 'for programs: one JSON object a line on standard output'))
    .addOption(option('Machine:', '--workers <n>', 'threads that render', asInteger({ min: 1, max: 16 })))
    .addHelpText('after', help)
    .action((flags: HeatmapFlags) => heatmaps(flags, session));
}

function asSize(text: string): number | 'film' {
  return text === 'film' ? text : asInteger({ min: 1, max: 8192 })(text);
}

async function heatmaps(flags: HeatmapFlags, session: Session): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  if (flags.overlay && flags.data_dir === undefined)
    throw usageError('Expected --data_dir FOLDER, the folder of the films, with --overlay');
  if (flags.sigma.some((sigma) => sigma <= 0)) throw usageError('Expected numbers above 0 for --sigma');
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const folder = flags.data_dir === undefined ? undefined : await FilmFiles.open(flags.data_dir);
  const table = await openGaze(flags, folder, session);
  sayFiltered(table, output);
  const [global = 64, focal = global] = flags.sigma;
  let bar: ReturnType<Session['progress']> | undefined;
  const written = await writeHeatmaps(
    flags.chest_box ? table.readings.map(withinChestBox) : table.readings,
    flags.out_dir,
    {
      ...{ size: flags.size, sigma: { global, focal }, windows: flags.windows },
      convention: flags.as_published ? 'as-published' : 'half-open',
      ...{ arrays: flags.arrays ?? false, overwrite: flags.overwrite ?? false },
      ...(flags.overlay && folder ? { film: (image: string) => folder.pixels(image) } : {}),
      source: {
        table: table.name,
        rows: table.rows,
        filtered: table.filtered,
        chestBox: flags.chest_box ?? false,
      },
      signal: session.signal,
      onProgress: (done, total) => {
        bar ??= session.progress('rendering', total, 'readings');
        bar.update(done);
      },
    },
  );
  bar?.end();
  const { empty, withoutFilm } = written;
  if (withoutFilm.length > 0) {
    const examples = withoutFilm.slice(0, 3).join(', ');
    const message = `${withoutFilm.length} of the films are not in ${flags.data_dir}, so nothing is drawn over them: ${examples}${withoutFilm.length > 3 ? ', ...' : ''}`;
    output.warn('film-missing', message, { images: withoutFilm });
  }
  output.say(`${written.maps} heat maps of ${written.readings} readings in ${written.folder}`);
  if (empty.focal + empty.global > 0)
    output.say(
      `Nobody looked in ${empty.focal} single and ${empty.global} cumulative windows: they have no map`,
    );
  output.event({ type: 'heatmaps', ...written });
}

/** Reads the one source that the flags name. */
export async function openGaze(
  flags: GazeFlags,
  folder: FilmFiles | undefined,
  session: Session,
): Promise<GazeTable> {
  const given = (['egd', 'reflacx', 'siim', 'gaze'] as const).filter((name) => flags[name] !== undefined);
  if (given.length !== 1)
    throw usageError(
      `Expected one of --egd FOLDER, --reflacx FOLDER, --siim FILE, --gaze FILE but received ${given.length === 0 ? 'none' : given.map((name) => `--${name}`).join(' and ')}`,
    );
  const [kind] = given as [(typeof given)[number]];
  refuseIdle(flags, kind);
  const bar = session.progress('reading', 100, '%');
  const common: GazeReadOptions = {
    maxFaultShare: flags.max_faults,
    signal: session.signal,
    onProgress: (share) => bar.update(Math.floor(100 * share)),
  };
  try {
    if (flags.reflacx !== undefined) return await readReflacx(flags.reflacx, common);
    if (flags.siim !== undefined) return await readSiim(flags.siim, common);
    const sizes = await sizesOf(flags, folder);
    const known = sizes ? { films: sizes } : {};
    if (flags.egd !== undefined)
      return await readEgd(flags.egd, { ...common, ...known, table: flags.egd_table });
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
function refuseIdle(flags: GazeFlags, kind: 'egd' | 'reflacx' | 'siim' | 'gaze'): void {
  const owners = [
    ['normalised', flags.normalised !== undefined, ['gaze']],
    ['chest_box', flags.chest_box !== undefined, ['reflacx']],
    ['film_size', flags.film_size !== undefined, ['gaze', 'egd']],
  ] as const;
  for (const [name, isGiven, kinds] of owners) {
    if (isGiven && !(kinds as readonly string[]).includes(kind))
      throw usageError(`--${name} does not belong to --${kind}; it would be without effect`);
  }
  if (flags.film_size !== undefined && flags.data_dir !== undefined && kind === 'gaze')
    throw usageError('Expected --film_size or --data_dir, which tells the size of each film, not both');
}

async function sizesOf(flags: GazeFlags, folder: FilmFiles | undefined): Promise<FilmSizes | undefined> {
  if (flags.film_size) {
    const [width, height] = flags.film_size as [number, number];
    if (width <= 0 || height <= 0) throw usageError('Expected numbers above 0 for --film_size');
    return { width, height };
  }
  // EGD's master sheet tells what it needs; films then are for the pictures only.
  return folder && flags.egd === undefined ? folder.sizes() : undefined;
}

function sayFiltered({ name, readings, rows, filtered }: GazeTable, output: Output): void {
  output.say(`${readings.length} readings, ${rows} rows in ${name}`);
  const names: Readonly<Record<string, string>> = {
    notFinite: 'without a number where one is needed',
    endBeforeStart: 'that end before they start',
    offFilm: 'off the film',
    unsorted: 'out of order, sorted by time',
    calibration: 'over calibration pictures',
    discarded: 'readings whose gaze was discarded by the makers',
  };
  for (const [kind, count] of Object.entries(filtered)) {
    if (count === 0) continue;
    const what = names[kind] ?? kind;
    output.warn(
      'gaze-filtered',
      `${count} ${kind === 'discarded' ? '' : count === 1 ? 'row ' : 'rows '}${what}`,
      {
        reason: kind,
        count,
      },
    );
  }
}

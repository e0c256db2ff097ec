/** `cxr-gaze heatmaps`: from eye-tracking files to heat maps. */
import { Command } from 'commander';
import { dataThreads } from '../data/resize.js';
import { hasMasterSheet } from '../gaze/egd-screen.js';
import { FilmFiles } from '../gaze/film-files.js';
import type { GazeTable } from '../gaze/reading.js';
import { writeHeatmaps } from '../gaze/render-set.js';
import { rescaleToFilms, withoutUnsized } from '../gaze/rescale.js';
import { maxWindows, publishedWindows } from '../gaze/windows.js';
import {
  addFilmOption,
  addGazeOptions,
  checkGazeFlags,
  type GazeFlags,
  type GazeSource,
  openGaze,
  sayFiltered,
} from './gaze-options.js';
import { asInteger, asNumbers, asText, headings, option, usageError } from './options.js';
import { Output, type Session } from './session.js';

interface HeatmapFlags extends GazeFlags {
  readonly size: number | 'film';
  readonly sigma: readonly number[];
  readonly windows: number;
  readonly as_published?: boolean;
  readonly whole?: boolean;
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

const rendering = 'Heat maps:';

/** The command. */
export function heatmapsCommand(session: Session): Command {
  const command = new Command('heatmaps').description(
    'render the heat maps of a gaze data set, one for each time window and cumulative',
  );
  addRendering(addFilmOption(addGazeOptions(command)));
  addWritten(command);
  return command
    .addOption(
      option(headings.machine, '--workers <n>', 'threads that render', asInteger({ min: 1, max: 16 })),
    )
    .addHelpText('after', help)
    .action((flags: HeatmapFlags) => heatmaps(flags, session));
}

function addRendering(command: Command): void {
  command
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
    .addOption(
      option(
        rendering,
        '--windows <n>',
        'time windows',
        asInteger({ min: 1, max: maxWindows }),
        publishedWindows,
      ),
    )
    .addOption(
      option(
        rendering,
        '--as_published',
        "GazeLT's own windows: closed, from 0, every point of weight 1 (default: half-open, weighted by time)",
      ),
    );
}

function addWritten(command: Command): void {
  command
    .addOption(option(headings.output, '--out_dir <folder>', 'where the maps go', asText, 'results/heatmaps'))
    .addOption(
      option(
        headings.output,
        '--whole',
        'also maps of whole readings: of all gaze, and of its larger cluster',
      ),
    )
    .addOption(option(headings.output, '--arrays', 'also write float32 arrays (.npy)'))
    .addOption(option(headings.output, '--overlay', 'also draw gaze and maps over the films of --data_dir'))
    .addOption(
      option(headings.output, '--overwrite', 'replace heat maps that are there; other folders never are'),
    )
    .addOption(option(headings.output, '--json', 'for programs: one JSON object a line on standard output'));
}

function asSize(text: string): number | 'film' {
  return text === 'film' ? text : asInteger({ min: 1, max: 8192 })(text);
}

/** The readings, in pixels of the films of `--data_dir` where the source itself does not know their sizes. */
async function tableOf(
  flags: HeatmapFlags,
  folder: FilmFiles | undefined,
  session: Session,
): Promise<GazeTable> {
  const lookup = folder && ((image: string) => folder.size(image));
  return openGaze(flags, lookup, session, async (table, source) => {
    if (!lookup || !(await isOtherwiseSized(source, flags))) return table;
    const bar = session.progress('measuring films', 100, '%');
    try {
      const inPixels = await rescaleToFilms(table, lookup, {
        signal: session.signal,
        onProgress: (share) => bar.update(Math.floor(100 * share)),
      });
      return flags.size === 'film' ? withoutUnsized(inPixels) : inPixels;
    } finally {
      bar.end();
    }
  });
}

/** Whether places are fractions, or pixels of the screen that the films were shown on. */
async function isOtherwiseSized(source: GazeSource, { egd, film_size }: HeatmapFlags): Promise<boolean> {
  if (source === 'siim') return true;
  return source === 'egd' && film_size === undefined && hasMasterSheet(egd as string);
}

async function heatmaps(flags: HeatmapFlags, session: Session): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  if (flags.overlay && flags.data_dir === undefined)
    throw usageError('Expected --data_dir FOLDER, the folder of the films, with --overlay');
  if (flags.sigma.some((sigma) => sigma <= 0)) throw usageError('Expected numbers above 0 for --sigma');
  checkGazeFlags(flags);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const folder = flags.data_dir === undefined ? undefined : await FilmFiles.open(flags.data_dir);
  const table = await tableOf(flags, folder, session);
  sayFiltered(table, output);
  const [global = 64, focal = global] = flags.sigma;
  let bar: ReturnType<Session['progress']> | undefined;
  const written = await writeHeatmaps(table.readings, flags.out_dir, {
    ...{ size: flags.size, sigma: { global, focal }, windows: flags.windows },
    convention: flags.as_published ? 'as-published' : 'half-open',
    ...{ whole: flags.whole ?? false, arrays: flags.arrays ?? false, overwrite: flags.overwrite ?? false },
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
  });
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

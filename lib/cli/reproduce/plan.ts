/** What `reproduce` is about to do: for each row the system, its flags, and what stands in its way. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import type { PublishedRow } from '../../systems/gazelt/published.js';
import { featurePrefixes } from '../../systems/gazelt/teacher-features.js';
import { asPublished } from '../as-published.js';
import { addDataOptions } from '../data-options.js';
import { explicitFlags, usageError } from '../options.js';
import { checkTrainFlags, type SystemName, type TrainFlags } from '../train-flags.js';
import { addTrainOptions } from '../train-options.js';
import { type Conditions, equalFlags, methodFlags, type TableRow, tableRows } from './rows.js';

/** What the rows are trained with besides their own flags. */
export interface PlanOptions {
  readonly conditions: Conditions;
  /** Flags as the user gave them, such as `--image_size 64`; a row takes those that it has a use for. */
  readonly common: readonly string[];
  /** Folder of the table. */
  readonly folder: string;
  /** Folder of teacher vectors. */
  readonly featuresDir?: string | undefined;
  /** Trained teachers that give GazeLT's row its vectors; for no other row. */
  readonly teachers?: readonly string[] | undefined;
  /** The row that cRT and τ-norm begin with. */
  readonly base: PublishedRow;
}

/** A row that is to be trained. */
export interface PlannedRow {
  readonly name: PublishedRow;
  readonly row: TableRow;
  readonly system: SystemName;
  /** As `train` takes them: the command that makes this row alone. */
  readonly argv: readonly string[];
  readonly flags: TrainFlags;
  /** What of `--as_published` the user's flags set aside. */
  readonly deviations: readonly string[];
  /** Folder of its run. */
  readonly target: string;
}

/** Flags that begin a network; decoupled rows begin with another row's weights. */
const initial = ['--weights', '--weights_key', '--rand_init'];

/** Works out one row. @throws CxrGazeError `ERR_INVALID_ARGUMENT` where its flags do not go together */
export function planRow(name: PublishedRow, options: PlanOptions): PlannedRow {
  const row = tableRows.get(name) as TableRow;
  const { conditions, folder, base } = options;
  const system: SystemName = conditions === 'equal' || row.features ? 'gazelt' : 'baseline';
  const own = conditions === 'equal' ? equalFlags : ['--as_published'];
  const idle = [...methodFlags].filter(([, isOf]) => !isOf(row)).map(([flag]) => `--${flag}`);
  const given = without(options.common, row.fromBase ? [...initial, ...idle] : idle);
  const argv = [
    ...row.flags,
    ...own,
    ...(system === 'gazelt' ? featureFlags(row, options) : []),
    ...(row.fromBase ? ['--decoupling_weights', path.join(folder, base)] : []),
    ...given,
  ];
  const parsed = parseTrain(system, argv);
  const { flags, deviations } = asPublished(system, parsed.flags, parsed.explicit);
  checkTrainFlags(flags, system);
  return { name, row, system, argv, flags, deviations, target: path.join(folder, name) };
}

// τ-norm trains nothing, so it takes no features.
function featureFlags({ features }: TableRow, { featuresDir, teachers }: PlanOptions): string[] {
  if (features === 'gazelt' && teachers !== undefined) return ['--teachers', teachers.join(',')];
  if (features === undefined || featuresDir === undefined) return ['--features', 'none'];
  return ['--features', features, '--features_dir', featuresDir];
}

/** Leaves flags out of a command line, with their values. */
function without(argv: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] as string;
    if (!names.includes(token)) kept.push(token);
    else if (i + 1 < argv.length && !argv[i + 1]?.startsWith('--')) i++;
  }
  return kept;
}

/** Reads a command line of `train` as the command itself does. */
export function parseTrain(
  system: SystemName,
  argv: readonly string[],
): { flags: TrainFlags; explicit: Set<string> } {
  const command = addTrainOptions(addDataOptions(new Command(system)), system).exitOverride();
  command.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  try {
    command.parse([...argv], { from: 'user' });
  } catch (cause) {
    throw usageError((cause as Error).message);
  }
  return { flags: command.opts<TrainFlags>(), explicit: explicitFlags(command) };
}

/**
 * Why a row cannot have its features; `undefined` where it needs none, or finds at least one file of each kind. Single
 * missing files are no matter of this: they are an error of the row.
 */
export async function featuresLacking({
  row: { features },
  flags: { features_dir: featuresDir, teachers },
}: PlannedRow): Promise<string | undefined> {
  if (features === undefined || teachers !== undefined) return undefined;
  const prefixes = featurePrefixes(features);
  const wanted = prefixes.map((prefix) => `${prefix}_NAME.npy`).join(' and ');
  if (featuresDir === undefined)
    return `needs features: ${wanted}, in a folder given by --features_dir${features === 'gazelt' ? ', or --teachers' : ''}`;
  const names = await readdir(featuresDir).catch((cause: Error) => {
    throw usageError(`--features_dir ${featuresDir}: ${cause.message}`);
  });
  const lacking = prefixes.filter(
    (prefix) => !names.some((name) => name.startsWith(`${prefix}_`) && name.endsWith('.npy')),
  );
  if (lacking.length === 0) return undefined;
  return `needs features: ${featuresDir} has no ${lacking.map((prefix) => `${prefix}_NAME.npy`).join(' and no ')}`;
}

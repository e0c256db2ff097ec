/** `cxr-gaze reproduce gazelt`: trains the rows of the long-tailed table and writes the table. */
import path from 'node:path';
import { Command } from 'commander';
import type { Dataset } from '../../data/dataset.js';
import { LONG_TAILED_DATASETS, type LongTailedName } from '../../data/long-tailed.js';
import type { NeededFiles } from '../../data/needed-files.js';
import { dataThreads } from '../../data/resize.js';
import { type PublishedRow, publishedRows } from '../../systems/gazelt/published.js';
import { absoluteDataFlags, addDataOptions, type DataFlags, pickDataFlags } from '../data-options.js';
import { type OpenedData, openData, trainingSplits } from '../datasets.js';
import { asChoice, asText, explicitFlags, option, usageError } from '../options.js';
import { sayData } from '../say-data.js';
import { Output, type Session } from '../session.js';
import { featuresNeeded } from '../train-flags.js';
import { addTrainOptions } from '../train-options.js';
import { locAttentionCommand } from './attention.js';
import { InputRecord } from './input-record.js';
import { type TableFacts, tableSplits } from './outcome.js';
import { featuresLacking, type PlannedRow, planRow } from './plan.js';
import { type Conditions, methodFlags, tableRows } from './rows.js';
import { refuseFailed, trainRows, type Work } from './run-rows.js';

interface ReproduceFlags extends DataFlags {
  readonly conditions: Conditions;
  readonly rows?: readonly PublishedRow[];
  readonly base_row: PublishedRow;
  readonly features_dir?: string;
  readonly teachers?: readonly string[];
  readonly published?: LongTailedName | 'none';
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly workers?: number;
  readonly group_thresholds?: readonly number[];
}

/** Flags of `train` that go as they are given to every row, or to those whose method has a use for them. */
const handedDown = [
  ...[
    'model_name',
    'width',
    'image_size',
    'weights',
    'weights_key',
    'rand_init',
    'max_epochs',
    'patience',
    'batch_size',
    'lr',
    'lr_decay',
    'seed',
  ],
  ...[...methodFlags.keys(), 'legacy_batchnorm', 'group_thresholds', 'bootstrap', 'tta'],
  ...['with_ids', 'save_every', 'keep', 'device', 'precision', 'cache_dir', 'on_error', 'workers'],
];

const help = `
Rows: ${publishedRows.join(', ')}.
Each row has a folder of its own, as train leaves it. The same command again goes on: finished rows are left alone, an
interrupted one continues. A row that fails does not keep the others from being trained.

Conditions:
  equal      all rows with GazeLT's head, 224 pixels, 100 epochs and the same initial weights
  published  each row as its authors ran it (train ... --as_published)
  Both: --image_size, --max_epochs, --tta and other flags of training given here hold for every row; those of a method
  (--cb_beta, --fl_gamma, --drw_epoch, --mixup_alpha, --tau, --kd_weight and the like) for the rows that have it. What of the
  published settings they set aside is told in warnings.

Examples:
  The table of NIH-CXR-LT, teacher vectors at hand:
    cxr-gaze reproduce gazelt --dataset nih-cxr-lt --data_dir images/ --label_dir labels/ --conditions published \\
      --weights resnet50-11ad3fa6.pth --features_dir features/
  Three rows on the embedded sample:
    cxr-gaze reproduce gazelt --dataset sample --conditions equal --rows softmax,rw-ldam-drw,crt --rand_init \\
      --model_name resnet18 --image_size 128 --max_epochs 8 --batch_size 16 --lr 1e-3`;

const heading = 'Table:';

/** The command. */
export function reproduceCommand(session: Session): Command {
  const command = new Command('reproduce').description(
    'train the rows of a published table and write it anew',
  );
  const sub = command.command('gazelt').description('the long-tailed table of GazeLT: 18 methods');
  addTable(addDataOptions(sub));
  addHandedDown(sub);
  sub
    .addHelpText('after', help)
    .action((flags: ReproduceFlags, made: Command) => reproduce(flags, commonFlags(made), session));
  command.addCommand(locAttentionCommand(session));
  return command;
}

function addTable(command: Command): void {
  command
    .addOption(
      option(
        heading,
        '--conditions <which>',
        'equal or published: see below',
        asChoice(['equal', 'published'] as const),
      ),
    )
    .addOption(option(heading, '--rows <names>', 'rows with commas between (default: all)', asRows))
    .addOption(
      option(
        heading,
        '--base_row <name>',
        'the row that crt and tau-norm begin with',
        asChoice(publishedRows),
        'softmax' as const,
      ),
    )
    .addOption(
      option(
        heading,
        '--features_dir <folder>',
        'teacher vectors: focal_NAME.npy, global_NAME.npy, gazeradar_NAME.npy, radiotransformer_NAME.npy',
        asText,
      ),
    )
    .addOption(
      option(
        heading,
        '--published <dataset>',
        "whose published figures stand beside ours (default: the data set's own, else none)",
        asChoice([...LONG_TAILED_DATASETS, 'none'] as const),
      ),
    )
    .addOption(
      option(heading, '--out_dir <folder>', 'the table gets a folder in it', asText, 'results/reproduce'),
    )
    .addOption(option(heading, '--overwrite', 'train the chosen rows again, also those that are finished'))
    .addOption(option(heading, '--json', 'for programs: one JSON object a line on standard output'));
}

function addHandedDown(command: Command): void {
  for (const made of addTrainOptions(new Command(), 'gazelt').options) {
    if (made.attributeName() === 'teachers') command.addOption(made);
    // The default is each row's own.
    if (handedDown.includes(made.attributeName())) command.addOption(made.default(undefined));
  }
}

function asRows(text: string): PublishedRow[] {
  const read = asChoice(publishedRows);
  return [...new Set(text.split(',').map((name) => read(name.trim())))];
}

/** The flags of training that were given, as tokens. */
function commonFlags(command: Command): string[] {
  const explicit = explicitFlags(command);
  return handedDown.flatMap((name) => {
    if (!explicit.has(name)) return [];
    const value: unknown = command.getOptionValue(name);
    if (value === true) return [`--${name}`];
    return [`--${name}`, Array.isArray(value) ? value.join(',') : String(value)];
  });
}

async function reproduce(flags: ReproduceFlags, given: readonly string[], session: Session): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  if (flags.conditions === undefined)
    throw usageError('Expected --conditions equal or published: --help tells what they are');
  if (tableRows.get(flags.base_row)?.fromBase || tableRows.get(flags.base_row)?.features)
    throw usageError(
      `Expected a --base_row that is trained from initial weights but received ${flags.base_row}`,
    );
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const dataFlags = absoluteDataFlags(pickDataFlags(flags));
  const work = await prepare(flags, dataFlags, given, session, output);
  const outcomes = await trainRows(work);
  const failed = outcomes.filter(({ status }) => status === 'failed');
  output.event({ type: 'done', folder: work.folder, failed: failed.map(({ name }) => name) });
  refuseFailed(outcomes);
}

/** Everything that can be judged before the first epoch of the first row. */
async function prepare(
  flags: ReproduceFlags,
  dataFlags: DataFlags,
  given: readonly string[],
  session: Session,
  output: Output,
): Promise<Work> {
  const chosen = chosenRows(flags);
  const { conditions, base_row: base, features_dir: features } = flags;
  const featuresDir = features === undefined ? undefined : path.resolve(features);
  const teachers = flags.teachers?.map((one) => path.resolve(one));
  const own = { conditions, featuresDir, teachers, base };
  // The folder's name needs the data's name, and phantoms are drawn at the network's size: a first plan tells the size.
  const draft = chosen.map((name) => planRow(name, { ...own, common: given, folder: '.' }));
  const opened = await openSizes(draft, dataFlags);
  const data = [...opened.values()][0] as OpenedData;
  const folder = path.resolve(flags.out_dir, `${data.name}_${flags.conditions}`);
  const options = { ...own, folder, common: [...given, ...ownDefaults(flags, data, folder, given)] };
  const plans = chosen.map((name) => planRow(name, options));
  warnOfFlags(given, plans, output);
  const [{ flags: ofFirst }] = plans as [PlannedRow];
  sayData(data, trainingSplits(data).train, ofFirst, output);
  const facts: TableFacts = {
    ...{ data, conditions, splits: tableSplits(data), seed: ofFirst.seed },
    published: publishedFor(flags),
    chosen: new Set(chosen),
    options: { command: 'reproduce gazelt', ...flags, ...dataFlags } as unknown as TableFacts['options'],
  };
  return {
    ...{ facts, dataFlags, folder, plans, base, session, output },
    others: publishedRows
      .filter((name) => !chosen.includes(name))
      .flatMap((name) => planQuietly(name, options)),
    // A base that was added for others' sake is not trained again because these are.
    again: new Set(flags.overwrite ? (flags.rows ?? chosen) : []),
    dataOf: (plan) => opened.get(sizeOf(plan, dataFlags)) ?? data,
    inputs: await InputRecord.open(folder),
  };
}

/** The data by the size that they are drawn at; of all rows that can be trained, of the first one where none can. */
async function openSizes(
  draft: readonly PlannedRow[],
  dataFlags: DataFlags,
): Promise<ReadonlyMap<number, OpenedData>> {
  const opened = new Map<number, OpenedData>();
  const trainable = draft.filter(
    ({ row, flags: own }) => !row.features || own.features_dir !== undefined || own.teachers !== undefined,
  );
  for (const plan of trainable.length > 0 ? trainable : draft.slice(0, 1)) {
    const key = sizeOf(plan, dataFlags);
    if (opened.has(key)) continue;
    const needs = await needsOf(trainable.filter((one) => sizeOf(one, dataFlags) === key));
    const { image_size: imageSize, on_error } = plan.flags;
    const skipMissing = on_error === 'skip';
    opened.set(key, await openData(dataFlags, { imageSize, purpose: 'training', needs, skipMissing }));
  }
  return opened;
}

/** Flags that no row has a use for, and what the others set aside of published settings. */
function warnOfFlags(given: readonly string[], plans: readonly PlannedRow[], output: Output): void {
  const rows = plans.map(({ name }) => name).join(', ');
  for (const name of idleFlags(given, plans))
    output.warn('without-effect', `--${name} is without effect: none of the rows ${rows} has a use for it`);
  for (const deviation of new Set(plans.flatMap(({ deviations }) => deviations)))
    output.warn('not-as-published', deviation);
}

// A command may be one of several that each train some of the rows with the same flags: a warning, not an error.
function idleFlags(given: readonly string[], plans: readonly PlannedRow[]): string[] {
  const isUsed = (name: string) => plans.some(({ argv }) => argv.includes(`--${name}`));
  return [...methodFlags.keys()].filter((name) => given.includes(`--${name}`) && !isUsed(name));
}

// A row that nobody asked for may have flags that do not go with those given.
function planQuietly(...[name, options]: Parameters<typeof planRow>): PlannedRow[] {
  try {
    return [planRow(name, options)];
  } catch {
    return [];
  }
}

function publishedFor({ published, dataset }: ReproduceFlags): LongTailedName | null {
  if (published !== undefined) return published === 'none' ? null : published;
  return LONG_TAILED_DATASETS.find((name) => name === dataset) ?? null;
}

// Files are resized to any size; phantoms are drawn at it.
function sizeOf({ flags }: PlannedRow, { dataset }: DataFlags): number {
  return dataset === 'sample' ? flags.image_size : 0;
}

/** Rows in the order of the table, with the base that decoupled ones need. */
function chosenRows({ rows = publishedRows, base_row }: ReproduceFlags): PublishedRow[] {
  const needsBase = rows.some((name) => tableRows.get(name)?.fromBase);
  return publishedRows.filter((name) => rows.includes(name) || (needsBase && name === base_row));
}

/** What the data decide unless the user does. */
function ownDefaults(
  flags: ReproduceFlags,
  data: OpenedData,
  folder: string,
  given: readonly string[],
): string[] {
  const added: string[] = [];
  if (flags.dataset !== 'sample' && !given.includes('--cache_dir'))
    added.push('--cache_dir', path.join(folder, 'cache'));
  // The cuts of the published tables would leave the small sample without a head.
  if (flags.dataset === 'sample' && !given.includes('--group_thresholds')) {
    const images = data.train?.length ?? 0;
    added.push('--group_thresholds', `${Math.floor(images / 8)},${Math.ceil(images / 32)}`);
  }
  return added;
}

type Needs = (dataset: Dataset) => Promise<readonly NeededFiles[]>;

/** What several rows need of an image. */
async function needsOf(plans: readonly PlannedRow[]): Promise<Needs | undefined> {
  const needs: Needs[] = [];
  for (const plan of plans) {
    if (plan.system !== 'gazelt' || (await featuresLacking(plan)) !== undefined) continue;
    const own = featuresNeeded(plan.flags);
    if (own) needs.push(own);
  }
  if (needs.length === 0) return undefined;
  return async (dataset) => (await Promise.all(needs.map((need) => need(dataset)))).flat();
}

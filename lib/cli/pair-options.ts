/** The flags that say which images and masks a segmenter is trained on, and what they mean. */
import path from 'node:path';
import type { Command } from 'commander';
import type { DataWarning } from '../data/data-warning.js';
import {
  type FoundPairs,
  type MaskPairs,
  openPairTable,
  pairFolders,
  phantomPairs,
  splitPairs,
} from '../data/mask-pairs.js';
import { phantomSplits } from '../data/phantom/splits.js';
import type { WhereClause } from '../data/table-dataset.js';
import { asClause } from './data-options.js';
import { validationNames } from './datasets.js';
import { asInteger, asNumber, asText, collect, option, usageError } from './options.js';

/** The flags as commander gives them. */
export interface PairFlags {
  readonly images?: string;
  readonly masks?: string;
  readonly val_share: number;
  readonly test_share: number;
  readonly csv?: string;
  readonly data_dir?: string;
  readonly image_column?: string;
  readonly mask_column?: string;
  readonly split_column?: string;
  readonly patient_column?: string;
  readonly group_column?: string;
  readonly where?: readonly WhereClause[];
  readonly train_where?: readonly WhereClause[];
  readonly phantoms?: number;
  readonly test_phantoms: number;
  readonly seed: number;
}

const heading = 'Images and masks:';
const tables = 'Tables (--csv):';
const sample = 'Phantoms (--phantoms):';

/** Adds them to a command. */
export function addPairOptions(command: Command): Command {
  addFolders(command);
  addTable(command);
  return addPhantoms(command);
}

function addFolders(command: Command): void {
  command
    .addOption(option(heading, '--images <folder>', 'images, paired with --masks by file name', asText))
    .addOption(
      option(heading, '--masks <folder>', 'masks: NAME.png or NAME_mask.png for the image NAME', asText),
    )
    .addOption(
      option(
        heading,
        '--val_share <share>',
        'of the pairs of two folders, for validation',
        asNumber({ above: 0, max: 0.9 }),
        0.1,
      ),
    )
    .addOption(
      option(
        heading,
        '--test_share <share>',
        'of the pairs of two folders, for testing',
        asNumber({ min: 0, max: 0.9 }),
        0.1,
      ),
    );
}

function addTable(command: Command): void {
  command
    .addOption(option(tables, '--csv <file>', 'a table of images and masks', asText))
    .addOption(
      option(
        tables,
        '--data_dir <folder>',
        "what its paths are relative to (default: the table's folder)",
        asText,
      ),
    )
    .addOption(option(tables, '--image_column <name>', 'column of the image path (default: image)', asText))
    .addOption(option(tables, '--mask_column <name>', 'column of the mask path (default: mask)', asText))
    .addOption(
      option(
        tables,
        '--split_column <name>',
        'column that tells train, val (or valid, validation, dev) and test apart (default: drawn)',
        asText,
      ),
    )
    .addOption(option(tables, '--patient_column <name>', 'column of the patient', asText))
    .addOption(
      option(tables, '--group_column <name>', 'column of what is scored apart, such as the source', asText),
    )
    .addOption(
      option(
        tables,
        '--where <column=value>',
        'only rows that hold this value; repeatable',
        collect(asClause),
      ),
    )
    .addOption(
      option(
        tables,
        '--train_where <column=value>',
        'as --where, for training and validation only; the test split keeps all rows',
        collect(asClause),
      ),
    );
}

function addPhantoms(command: Command): Command {
  return command
    .addOption(
      option(
        sample,
        '--phantoms <n>',
        'train on so many films of the embedded sample',
        asInteger({ min: 9 }),
      ),
    )
    .addOption(option(sample, '--test_phantoms <n>', 'and test on so many', asInteger({ min: 9 }), 50));
}

/** Pairs to train on, to validate on and to test on. */
export interface OpenedPairs {
  readonly name: string;
  readonly train: MaskPairs;
  readonly validation: MaskPairs;
  readonly test: MaskPairs | undefined;
  readonly warnings: readonly DataWarning[];
}

const ofFolders = ['val_share', 'test_share'] as const;
const ofTables = [
  ...(['data_dir', 'image_column', 'mask_column', 'split_column', 'patient_column', 'group_column'] as const),
  ...(['where', 'train_where'] as const),
];
const ofPhantoms = ['test_phantoms'] as const;

/** Refuses a flag that nobody reads: whoever gives it believes in what it would do. */
function refuseIdle({ csv, phantoms, split_column }: PairFlags, given: ReadonlySet<string>): void {
  const refuse = (names: readonly (keyof PairFlags)[], beside: string) => {
    const idle = names.find((name) => given.has(name));
    if (idle !== undefined) throw usageError(`--${idle} is without effect with ${beside}`);
  };
  if (phantoms !== undefined) refuse([...ofTables, ...ofFolders], '--phantoms');
  else if (csv === undefined) refuse([...ofTables, ...ofPhantoms], '--images and --masks');
  else refuse(ofPhantoms, '--csv');
  // A table that tells its splits apart is not drawn from.
  if (split_column !== undefined) refuse(ofFolders, '--split_column');
}

/**
 * Opens what the flags name.
 *
 * @param imageSize side of the network's input, in which phantoms are drawn
 * @param given names of the flags that are not at their defaults
 */
export async function openPairs(
  flags: PairFlags,
  imageSize: number,
  given: ReadonlySet<string>,
): Promise<OpenedPairs> {
  const { images, masks, csv, phantoms } = flags;
  const ways = [images ?? masks, csv, phantoms].filter((way) => way !== undefined);
  if (ways.length !== 1)
    throw usageError('Expected one of --images FOLDER with --masks FOLDER, --csv FILE and --phantoms N');
  refuseIdle(flags, given);
  if (csv !== undefined) return fromTable(csv, flags);
  if (phantoms !== undefined) return fromPhantoms(phantoms, flags, imageSize);
  if (images === undefined || masks === undefined)
    throw usageError('Expected --images FOLDER and --masks FOLDER together');
  const { pairs, warnings } = await pairFolders(images, masks);
  return { name: pairs.images.name, ...drawn(pairs, flags), warnings };
}

function drawn(pairs: MaskPairs, { val_share: validation, test_share: test, seed }: PairFlags) {
  const parts = splitPairs(pairs, { validation, test, seed });
  return { ...parts, test: parts.test.masks.length > 0 ? parts.test : undefined };
}

async function fromTable(csv: string, flags: PairFlags): Promise<OpenedPairs> {
  const file = path.resolve(csv);
  const { split_column: splitColumn, where = [], train_where: trainWhere } = flags;
  const name = path.basename(file, path.extname(file));
  if (splitColumn === undefined) {
    if (trainWhere) throw usageError('--train_where needs --split_column: a test split of its own');
    const { pairs, warnings } = await openTable(file, flags, where);
    return { name, ...drawn(pairs.get('all') as MaskPairs, flags), warnings };
  }
  const { pairs, warnings } = await openTable(file, flags, where);
  const chosen = trainWhere ? (await openTable(file, flags, [...where, ...trainWhere])).pairs : pairs;
  const validationName = validationNames.find((one) => pairs.has(one)) ?? 'val';
  const [train, validation] = [chosen.get('train'), chosen.get(validationName)];
  if (train && validation) return { name, train, validation, test: pairs.get('test'), warnings };
  throw usageError(
    `${file}: expected the splits train and val (or ${validationNames.slice(1).join(', ')}) in column '${splitColumn}' but found ${[...chosen.keys()].join(', ')}`,
  );
}

function openTable(
  csv: string,
  flags: PairFlags,
  where: readonly WhereClause[],
): Promise<FoundPairs<Map<string, MaskPairs>>> {
  const { data_dir: root = path.dirname(csv), split_column: splitColumn } = flags;
  const column = (name: 'image' | 'mask' | 'patient' | 'group') => {
    const given = flags[`${name}_column`];
    return given === undefined ? {} : { [`${name}Column`]: given };
  };
  return openPairTable({
    ...{ csv, root: path.resolve(root), where },
    ...{ ...column('image'), ...column('mask'), ...column('patient'), ...column('group') },
    ...(splitColumn === undefined ? {} : { splitColumn }),
  });
}

function fromPhantoms(
  train: number,
  { test_phantoms: test, seed }: PairFlags,
  imageSize: number,
): OpenedPairs {
  const size = Math.min(1024, Math.max(64, imageSize));
  const splits = phantomSplits({ seed: seed + 1, size, train, valPerClass: 3, testPerClass: 0, test });
  return {
    name: 'phantoms',
    train: phantomPairs(splits.train),
    validation: phantomPairs(splits['balanced-val']),
    test: phantomPairs(splits.test),
    warnings: [],
  };
}

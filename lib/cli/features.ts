/** `cxr-gaze features`: the teachers' vectors of all films, as the files that training reads. */
import path from 'node:path';
import { Command } from 'commander';
import type { Dataset } from '../data/dataset.js';
import { dataThreads } from '../data/resize.js';
import { CxrGazeError } from '../errors.js';
import { type TeacherBranch, teacherBranches, teacherSize } from '../models/teacher.js';
import { GazeTeacher } from '../systems/gazelt/teacher.js';
import { absoluteDataFlags, addTableOptions, type DataFlags, pickDataFlags } from './data-options.js';
import { type OpenedData, openData } from './datasets.js';
import { asChoice, asDevice, asInteger, asText, headings, option, usageError } from './options.js';
import { sayRemarks } from './say-data.js';
import { Output, type Session } from './session.js';
import { addImages } from './shared-options.js';
import { notClinical } from './train-run.js';

interface FeatureFlags extends Omit<DataFlags, 'dataset' | 'data_dir' | 'label_dir'> {
  readonly global?: boolean;
  readonly focal?: boolean;
  readonly nih?: boolean;
  readonly mimic?: boolean;
  readonly dataset?: 'csv' | 'sample';
  readonly model_path?: string;
  readonly data_path?: string;
  readonly labels_path?: string;
  readonly save_features_path?: string;
  readonly mode: string;
  readonly projection_seed: number;
  readonly projection?: string;
  readonly batch_size: number;
  readonly on_error: 'throw' | 'skip';
  readonly device: string;
  readonly precision: 'auto' | 'float32' | 'bfloat16';
  readonly workers?: number;
  readonly json?: boolean;
}

const help = `
Writes BRANCH_NAME.npy, 64 float32 each, for every film of every split, with the projection to 64 numbers and a manifest
beside. All splits must come from one teacher and one projection: a folder of another one is refused. What is there
already is kept, so an interrupted extraction goes on with the same command. A table of films needs no column of labels.

The flags of the original (gaze_models.py) mean the same here; as there, where several branches or data sets are named the
first of --global --nih, --focal --nih, --global --mimic, --focal --mimic counts.

Examples:
  cxr-gaze features --global --nih --model_path global_epoch_99_attentionloss_0.0023.pt \\
    --data_path images/ --labels_path labels/ --save_features_path features/
  cxr-gaze features --focal --csv films.csv --split_column split --model_path results/train/teacher-focal \\
    --save_features_path features/
  cxr-gaze features --focal --dataset sample --model_path results/train/teacher-focal --save_features_path features/`;

const teacher = 'Teacher:';

/** The command. */
export function featuresCommand(session: Session): Command {
  const command = new Command('features').description("write a gaze teacher's vectors of all films");
  addTeacher(command);
  addFilms(command);
  command
    .addOption(option(headings.output, '--save_features_path <folder>', 'gets the vectors', asText))
    .addOption(option(headings.output, '--json', 'for programs: one JSON object a line on standard output'));
  addTableOptions(command);
  addMachine(command);
  addImages(command, false).addHelpText('after', help);
  return command.action((flags: FeatureFlags) => features(flags, session));
}

function addTeacher(command: Command): void {
  command
    .addOption(option(teacher, '--global', 'the global teacher (GC ViT)'))
    .addOption(option(teacher, '--focal', 'the focal teacher (FocalNet)'))
    .addOption(
      option(
        teacher,
        '--model_path <path>',
        "a teacher's run or saved folder, or a file of the authors",
        asText,
      ),
    )
    .addOption(
      option(
        teacher,
        '--projection_seed <n>',
        "of the projection to 64 numbers, for the authors' files, which have none",
        asInteger({ min: 0, max: 2 ** 32 - 1 }),
        0,
      ),
    )
    .addOption(
      option(
        teacher,
        '--projection <file>',
        'instead of a seed: BRANCH_projection.safetensors beside vectors that were written before',
        asText,
      ),
    );
}

function addFilms(command: Command): void {
  command
    .addOption(option(headings.data, '--nih', 'NIH-CXR-LT'))
    .addOption(option(headings.data, '--mimic', 'MIMIC-CXR-LT'))
    .addOption(
      option(
        headings.data,
        '--dataset <name>',
        'csv (with --csv) or sample, instead of --nih or --mimic',
        asChoice(['csv', 'sample'] as const),
      ),
    )
    .addOption(option(headings.data, '--data_path <folder>', 'folder of the images', asText))
    .addOption(
      option(headings.data, '--labels_path <folder>', 'folder of {dataset}_single-label_{split}.csv', asText),
    )
    .addOption(
      option(
        headings.data,
        '--mode <mode>',
        'bal: only balanced-test; anything else: all splits',
        asText,
        'all',
      ),
    );
}

function addMachine(command: Command): void {
  command
    .addOption(option(headings.machine, '--batch_size <n>', 'films at a time', asInteger({ min: 1 }), 16))
    .addOption(option(headings.machine, '--device <name>', 'cpu, cuda or cuda:N', asDevice, 'cpu'))
    .addOption(
      option(
        headings.machine,
        '--precision <name>',
        'arithmetic: auto, float32, bfloat16',
        asChoice(['auto', 'float32', 'bfloat16'] as const),
        'float32' as const,
      ),
    );
}

interface Choice {
  readonly branch: TeacherBranch;
  readonly kind: 'nih-cxr-lt' | 'mimic-cxr-lt' | 'csv' | 'sample';
}

/** What the flags name, with the original's precedence; `undefined` where they name nothing. */
export function choiceOf(flags: {
  readonly global?: boolean;
  readonly focal?: boolean;
  readonly nih?: boolean;
  readonly mimic?: boolean;
  readonly dataset?: 'csv' | 'sample';
  readonly csv?: string;
}): Choice | undefined {
  const { nih, mimic, csv } = flags;
  const branch = teacherBranches.find((name) => flags[name]);
  const own = flags.dataset ?? (csv === undefined ? undefined : 'csv');
  if (own !== undefined && (nih || mimic))
    throw usageError(`--dataset ${own} and ${nih ? '--nih' : '--mimic'} exclude each other`);
  const kind = own ?? (nih ? 'nih-cxr-lt' : mimic ? 'mimic-cxr-lt' : undefined);
  return branch === undefined || kind === undefined ? undefined : { branch, kind };
}

async function features(flags: FeatureFlags, session: Session): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  const choice = choiceOf(flags);
  if (choice === undefined) {
    // As the original: a message, and nothing amiss.
    output.say(
      'Nothing to do: name a teacher (--global or --focal) and a data set (--nih, --mimic or --dataset)',
    );
    output.event({ type: 'nothing' });
    return;
  }
  const { model_path: source, save_features_path: folder } = flags;
  if (source === undefined) throw usageError("Expected --model_path PATH, the teacher's weights");
  if (folder === undefined) throw usageError('Expected --save_features_path FOLDER, which gets the vectors');
  if (flags.workers !== undefined) dataThreads(flags.workers);
  if (flags.global && flags.focal)
    output.warn(
      'branch-ignored',
      'Both --global and --focal are named: as in the original the first counts, --global',
    );
  const splits = await openFilms(flags, choice, output);
  const { projection, projection_seed: seed, device } = flags;
  using model = await GazeTeacher.load(source, {
    ...{ seed, device },
    ...(projection === undefined ? {} : { projection }),
  });
  refuseOtherBranch(model, choice, source);
  await writeVectors(model, splits, folder, flags, { session, output });
}

async function openFilms(flags: FeatureFlags, { kind }: Choice, output: Output): Promise<Dataset[]> {
  // Of a published set only those files are opened that are asked for.
  const purpose = flags.mode === 'bal' ? 'evaluation' : 'training';
  const skipMissing = flags.on_error === 'skip';
  const asked = { imageSize: teacherSize, purpose, unlabelled: true, skipMissing } as const;
  const opened = await openData(dataFlagsOf(flags, kind), asked);
  sayRemarks(opened, output);
  return splitsOf(opened, flags, kind);
}

function refuseOtherBranch({ card }: GazeTeacher, { branch }: Choice, source: string): void {
  if (card.branch === branch) return;
  throw new CxrGazeError(
    'ERR_STATE_DICT',
    `${source}: expected a ${branch} teacher but found a ${card.branch} one`,
  );
}

async function writeVectors(
  model: GazeTeacher,
  splits: readonly Dataset[],
  folder: string,
  flags: FeatureFlags,
  { session, output }: { readonly session: Session; readonly output: Output },
): Promise<void> {
  const { branch } = model.card;
  const target = path.resolve(folder);
  const total = splits.reduce((sum, { length }) => sum + length, 0);
  const bar = session.progress(`${branch} vectors`, total);
  try {
    const report = await model.features(splits, {
      ...{ folder, batchSize: flags.batch_size, precision: flags.precision, onError: flags.on_error },
      signal: session.signal,
      onSkip: ({ error }) => output.warn('image-skipped', error.message),
      onProgress: ({ done }) => bar.update(done),
    });
    bar.end();
    output.say(
      `${report.written} vectors of the ${branch} teacher written to ${target}, ${report.kept} were there already.  ${notClinical}`,
    );
    output.event({ type: 'features', branch, folder: target, ...report });
  } finally {
    bar.end();
  }
}

function dataFlagsOf(flags: FeatureFlags, kind: Choice['kind']): DataFlags {
  const { data_path, labels_path } = flags;
  const { dataset: _, ...tables } = pickDataFlags(flags);
  const published = kind === 'nih-cxr-lt' || kind === 'mimic-cxr-lt';
  if (published && (data_path === undefined || labels_path === undefined))
    throw usageError('Expected --data_path FOLDER and --labels_path FOLDER with --nih or --mimic');
  if (!published && labels_path !== undefined)
    throw usageError(`--labels_path does not belong to --dataset ${kind}; it would be without effect`);
  return absoluteDataFlags({
    ...tables,
    dataset: kind,
    ...(data_path === undefined ? {} : { data_dir: data_path }),
    ...(labels_path === undefined ? {} : { label_dir: labels_path }),
    ...(published ? { test_split: [flags.mode === 'bal' ? 'balanced-test' : 'test'] } : {}),
  });
}

/** In the original's order: test, train, balanced-val; balanced-test is inside test there, and a split of its own else. */
function splitsOf({ splits, name }: OpenedData, { mode }: FeatureFlags, kind: Choice['kind']): Dataset[] {
  const published = kind === 'nih-cxr-lt' || kind === 'mimic-cxr-lt';
  const of = (split: string): Dataset => {
    const found = splits.get(split);
    if (found && found.length > 0) return found;
    throw usageError(
      `There is no split '${split}' in ${name}; the splits are ${[...splits.keys()].join(', ')}`,
    );
  };
  if (mode === 'bal') return [of('balanced-test')];
  if (published) return [of('test'), of('train'), of('balanced-val')];
  return [...splits.values()].filter(({ length }) => length > 0);
}

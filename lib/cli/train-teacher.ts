/** `cxr-gaze train teacher`: trains a gaze teacher, tells how well it predicts gaze, leaves a run's folder. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import type { Dataset } from '../data/dataset.js';
import { featureName } from '../data/image-table.js';
import { PhantomDataset } from '../data/phantom/splits.js';
import { dataThreads } from '../data/resize.js';
import { FilmFiles } from '../gaze/film-files.js';
import { type Reading, withinChestBox } from '../gaze/reading.js';
import { gazeBranches } from '../gaze/teacher-targets.js';
import { type TeacherBranch, teacherSize } from '../models/teacher.js';
import type { HistoryColumn } from '../report/history.js';
import type { OptionValue } from '../report/report-data.js';
import { type GazePicture, writeTeacherReport } from '../report/teacher-report.js';
import { type GazeDataset, matchReadings, phantomGaze } from '../systems/gazelt/gaze-dataset.js';
import { GazeTeacher } from '../systems/gazelt/teacher.js';
import type { PredictedReading, TeacherEvaluation } from '../systems/gazelt/teacher-evaluate.js';
import type { TeacherScores } from '../systems/gazelt/teacher-objective.js';
import type { EpochHalf } from '../training/checkpoint.js';
import { trainingEnvironment } from '../training/environment.js';
import { type PrecisionChoice, resolvePrecision } from '../training/precision.js';
import type { TrainResult } from '../training/trainer.js';
import { addDataOptions, type DataFlags, pickDataFlags } from './data-options.js';
import { type OpenedData, openData, splitFileName, trainingSplits } from './datasets.js';
import { throwIfStopped } from './evaluation.js';
import { addGazeOptions, type GazeFlags, openGaze, sayFiltered } from './gaze-options.js';
import { asInteger, asNumber, asText, option, usageError } from './options.js';
import { slug } from './png.js';
import { duration } from './progress.js';
import { followRunOf, RunFolder } from './run-folder.js';
import { Output, type Session } from './session.js';
import { gazePictures } from './teacher-pictures.js';
import { absoluteDataFlags, existing, sayRemarks } from './train.js';
import { bootstrapOf } from './train-flags.js';
import { addCache, addOutput, addPrecision, addWorkers } from './train-options.js';
import { notClinical, preparation, resumable } from './train-run.js';

interface TeacherFlags extends DataFlags, Omit<GazeFlags, 'data_dir'> {
  readonly global?: boolean;
  readonly focal?: boolean;
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly save_every?: number;
  readonly keep: 'recent' | 'all';
  readonly weights?: string;
  readonly rand_init?: boolean;
  readonly as_published?: boolean;
  readonly flip?: boolean;
  readonly max_epochs: number;
  readonly patience?: number;
  readonly batch_size: number;
  readonly lr: number;
  readonly seed: number;
  readonly bootstrap: number;
  readonly cache_dir?: string;
  readonly workers?: number;
  readonly device: string;
  readonly precision: PrecisionChoice;
}

const help = `
The films are the images of the data set; the gaze is read from --egd, --reflacx, --siim or --gaze and belongs to a film by
its file name without extension. The embedded sample brings simulated readings.

How the published teachers were trained is not known but for their loss and 100 epochs; the rest is this program's choice.

Examples:
  The focal teacher on films and fixations of your own:
    cxr-gaze train teacher --focal --csv films.csv --split_column split --gaze fixations.csv --rand_init
  Both on the embedded sample (minutes an epoch on two cores):
    cxr-gaze train teacher --global --dataset sample --sample_train 600 --rand_init --max_epochs 12
    cxr-gaze train teacher --focal --dataset sample --sample_train 600 --rand_init --max_epochs 12
  Interrupted? The same command with --resume goes on. Then: cxr-gaze features --help`;

const network = 'Teacher:';
const training = 'Training:';

/** The command, below `train`. */
export function addTeacherCommand(train: Command, session: Session): void {
  const command = train
    .command('teacher')
    .description('a gaze teacher of GazeLT: predicts where a film is looked at in four time windows');
  command
    .addOption(option(network, '--global', 'GC ViT, attention integrated over the windows (TW-I)'))
    .addOption(option(network, '--focal', 'FocalNet, window by window (TW-D)'))
    .addOption(
      option(network, '--weights <file>', "initial weights: a teacher's file of the authors", asText),
    )
    .addOption(option(network, '--rand_init', 'begin with random weights'));
  addOutput(command, 'train');
  addGazeOptions(addDataOptions(command));
  addTraining(command);
  // No --on_error: a film whose reading is there is not left out.
  addWorkers(addCache(addPrecision(command, 'auto'))).addHelpText('after', help);
  command.action((flags: TeacherFlags) => trainTeacher(flags, session));
}

function addTraining(command: Command): void {
  command
    .addOption(
      option(training, '--as_published', "windows as GazeLT's program cuts them: closed, from 0, weight 1"),
    )
    .addOption(option(training, '--flip', 'mirror half of the films with their readings'))
    .addOption(option(training, '--max_epochs <n>', 'most epochs', asInteger({ min: 1 }), 100))
    .addOption(
      option(
        training,
        '--patience <n>',
        'ends after n + 1 epochs without a lower validation loss (default: never)',
        asInteger({ min: 0 }),
      ),
    )
    .addOption(option(training, '--batch_size <n>', 'readings a step', asInteger({ min: 1 }), 8))
    .addOption(option(training, '--lr <rate>', "Adam's learning rate", asNumber({ above: 0 }), 1e-4))
    .addOption(
      option(
        training,
        '--seed <n>',
        'of weights, projection, sampling, drop path',
        asInteger({ min: 0, max: 2 ** 32 - 1 }),
        0,
      ),
    )
    .addOption(
      option(
        'Evaluation:',
        '--bootstrap <n>',
        'resamples for paired intervals, 0 for none',
        asInteger({ min: 0, max: 1_000_000 }),
        1000,
      ),
    );
}

/** The one branch that flags name. */
export function branchOf(flags: { readonly global?: boolean; readonly focal?: boolean }): TeacherBranch {
  const named = gazeBranches.filter((branch) => flags[branch]);
  const [branch] = named;
  if (branch !== undefined && named.length === 1) return branch;
  throw usageError('Expected one of --global (GC ViT, TW-I) and --focal (FocalNet, TW-D)');
}

type TeacherRow = EpochHalf & TeacherScores;

/** The columns of a teacher's `history.csv`. */
const columns: readonly HistoryColumn<TeacherRow>[] = [
  { key: 'loss', name: 'loss' },
  { key: 'attentionLoss', name: 'attention_loss' },
  { key: 'attentionLoss0', name: 'attention_loss_0', nullable: true },
  { key: 'attentionLoss1', name: 'attention_loss_1', nullable: true },
  { key: 'attentionLoss2', name: 'attention_loss_2', nullable: true },
  { key: 'attentionLoss3', name: 'attention_loss_3', nullable: true },
  { key: 'emptyWindows', name: 'empty_windows', whole: true },
];

const shownNumbers = [
  { label: 'loss', of: (row: TeacherRow) => row.loss, text: (value: number) => value.toFixed(4) },
  {
    label: 'attention loss of a map',
    of: (row: TeacherRow) => row.attentionLoss,
    text: (value: number) => value.toExponential(3),
  },
];

async function trainTeacher(flags: TeacherFlags, session: Session): Promise<void> {
  const begun = performance.now();
  const output = new Output(session, flags.json ?? false);
  const branch = branchOf(flags);
  const init = initOf(flags);
  if (flags.overwrite && flags.resume) throw usageError('--overwrite and --resume exclude each other');
  const bootstrap = bootstrapOf(flags.bootstrap);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const dataFlags = absoluteDataFlags(pickDataFlags(flags));
  const data = await openData(dataFlags, { imageSize: teacherSize, purpose: 'training' });
  sayRemarks(data, output);
  const gaze = await openSplits(data, flags, session, output);
  const options = recordOf(flags, dataFlags);
  const name = `teacher-${branch}_${data.name}${flags.rand_init ? '_rand' : ''}_lr-${flags.lr}_bs-${flags.batch_size}`;
  const folder = await RunFolder.openFor(path.join(flags.out_dir, name), existing(flags), columns);
  const speakers = { session, output };
  try {
    using teacher = await GazeTeacher.create({ branch, init, seed: flags.seed, device: flags.device });
    await folder.writeJson('options.json', options);
    if (flags.resume && !folder.resumes)
      output.warn('nothing-to-resume', `${folder.path} holds no checkpoint yet: it begins from the start`);
    const preparing = preparation(session, output);
    const run = teacher.fit({
      ...{ train: gaze.train, validation: gaze.validation, ...preparing.callbacks },
      ...fitFlags(flags),
      ...{ checkpoints: folder.checkpoints, resume: folder.resumes, signal: session.signal },
    });
    const follower = { ...speakers, maxEpochs: flags.max_epochs, numbers: shownNumbers };
    const result = await followRunOf(folder, run, follower);
    preparing.end();
    await finish({
      ...speakers,
      flags,
      branch,
      data,
      gaze,
      folder,
      teacher,
      result,
      options,
      bootstrap,
      begun,
    });
  } catch (error) {
    await folder.giveUp();
    throw resumable(error, folder);
  }
}

function initOf({ weights, rand_init }: TeacherFlags): 'random' | { readonly weights: string } {
  if (weights !== undefined && rand_init) throw usageError('--weights and --rand_init exclude each other');
  if (weights !== undefined) return { weights };
  if (rand_init) return 'random';
  throw usageError(
    "Expected --weights FILE or --rand_init: initial weights are never assumed. FILE is one of the authors' teachers; ImageNet weights of the encoders are not published with them",
  );
}

function fitFlags(flags: TeacherFlags) {
  return {
    windows: flags.as_published ? ('as-published' as const) : ('half-open' as const),
    ...{ flip: flags.flip ?? false, maxEpochs: flags.max_epochs, batchSize: flags.batch_size },
    ...{ learningRate: flags.lr, seed: flags.seed, precision: flags.precision, keep: flags.keep },
    ...(flags.patience === undefined ? {} : { patience: flags.patience }),
    ...(flags.save_every === undefined ? {} : { saveEvery: flags.save_every }),
    ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
  };
}

/** How the command shall be repeated: kept in options.json and shown in the report. */
function recordOf(flags: TeacherFlags, data: DataFlags): Readonly<Record<string, OptionValue>> {
  const { overwrite: _, resume: __, json: ___, ...kept } = flags;
  const sources = (['egd', 'reflacx', 'siim', 'gaze', 'weights'] as const).flatMap((name) => {
    const value = flags[name];
    return value === undefined ? [] : [[name, path.resolve(value)] as const];
  });
  const record = { command: 'train teacher', ...kept, ...data, ...Object.fromEntries(sources) };
  return record as unknown as Record<string, OptionValue>;
}

/** The readings of the splits that a teacher is trained, validated and tested on. */
interface GazeSplits {
  readonly train: GazeDataset;
  readonly validation: GazeDataset;
  readonly tests: readonly (readonly [name: string, gaze: GazeDataset])[];
}

async function openSplits(
  data: OpenedData,
  flags: TeacherFlags,
  session: Session,
  output: Output,
): Promise<GazeSplits> {
  const { train, validation } = trainingSplits(data);
  const readingsOf = await gazeOf(data, flags, session, output);
  const one = async (name: string, dataset: Dataset): Promise<GazeDataset> => {
    const gaze = await readingsOf(dataset);
    output.say(`${name}: ${gaze.readings.length} readings of ${dataset.length} films`);
    output.event({ type: 'gaze', split: name, films: dataset.length, readings: gaze.readings.length });
    return gaze;
  };
  const splits = { train: await one('training', train), validation: await one('validation', validation) };
  const tests: [string, GazeDataset][] = [];
  for (const [name, dataset] of data.tests) {
    if (dataset.length === 0) continue;
    const gaze = await one(name, dataset).catch((error: unknown) => {
      // A test split may well be without gaze; training and validation may not.
      output.warn('split-without-gaze', `${name} is not evaluated: ${(error as Error).message}`);
    });
    if (gaze) tests.push([name, gaze]);
  }
  return { ...splits, tests };
}

type ReadingsOf = (dataset: Dataset) => Promise<GazeDataset>;

async function gazeOf(
  data: OpenedData,
  flags: TeacherFlags,
  session: Session,
  output: Output,
): Promise<ReadingsOf> {
  const named = (['egd', 'reflacx', 'siim', 'gaze'] as const).filter((name) => flags[name] !== undefined);
  if (data.name === 'sample') {
    if (named.length > 0)
      throw usageError(`--${named[0]} does not belong to --dataset sample, which brings readings of its own`);
    return (dataset) => samplesGaze(dataset, session);
  }
  // The films are the data set's, whatever its folder is called.
  const { data_dir: _, ...source } = flags;
  const films = flags.film_size ? undefined : FilmFiles.of(data.name, data.splits.values());
  const table = await openGaze(source, films, session);
  sayFiltered(table, output);
  const readings: readonly Reading[] = flags.chest_box ? table.readings.map(withinChestBox) : table.readings;
  return async (dataset) => {
    const matched = matchReadings(dataset, readings);
    if (matched.unread > 0)
      output.say(`  ${matched.unread} of ${dataset.length} films of ${dataset.name} have no reading`);
    return matched;
  };
}

async function samplesGaze(dataset: Dataset, session: Session): Promise<GazeDataset> {
  if (!(dataset instanceof PhantomDataset)) throw usageError('Expected phantoms for --dataset sample');
  const bar = session.progress(`reading ${dataset.name}`, dataset.length);
  try {
    return await phantomGaze(dataset, (done) => bar.update(done));
  } finally {
    bar.end();
  }
}

interface Finished {
  readonly session: Session;
  readonly output: Output;
  readonly flags: TeacherFlags;
  readonly branch: TeacherBranch;
  readonly data: OpenedData;
  readonly gaze: GazeSplits;
  readonly folder: RunFolder<TeacherRow>;
  readonly teacher: GazeTeacher;
  readonly result: TrainResult;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly bootstrap: { readonly resamples: number } | false;
  readonly begun: number;
}

/** Readings drawn in the report. */
const mostPictures = 6;

async function finish(run: Finished): Promise<void> {
  const { folder, teacher, result, output, session, data, gaze } = run;
  throwIfStopped(session);
  const { bestEpoch, epochsDone } = result.schedule;
  const best = folder.history.find(
    ({ epoch, phase }) => epoch === bestEpoch && phase === 'val',
  ) as TeacherRow;
  const { attentionLoss } = best;
  output.say(
    `Trained ${epochsDone} epochs; best epoch ${bestEpoch}, attention loss of a map ${attentionLoss.toExponential(3)} on validation`,
  );
  // The authors count epochs from 0.
  const block = await teacher.saveBlock(folder.path, { epoch: bestEpoch - 1, attentionLoss });
  const evaluations: { split: string; evaluation: TeacherEvaluation }[] = [];
  let pictures: GazePicture[] = [];
  for (const [split, test] of gaze.tests) {
    const shown: PredictedReading[] = [];
    const evaluation = await evaluateSplit(run, split, test, shown);
    // The pictures are of the first readings of the first split, chosen before anything is known of them.
    if (evaluations.length === 0) pictures = await gazePictures(test.images, shown);
    evaluations.push({ split, evaluation });
    for (const line of headline(split, evaluation)) output.say(line);
  }
  if (evaluations.length === 0) output.warn('no-test-split', `${data.name} has no test split with gaze`);
  throwIfStopped(session);
  await writePictures(folder.path, pictures);
  await writeResults(run, evaluations, pictures);
  output.say(`Weights of the teacher alone: ${block}`);
  output.say(`Report: ${path.join(folder.path, 'report.html')}  ${notClinical}`);
  output.event({ type: 'done', folder: folder.path, epochs: epochsDone, bestEpoch, attentionLoss, block });
}

async function evaluateSplit(
  { teacher, gaze, flags, bootstrap, session }: Finished,
  split: string,
  test: GazeDataset,
  shown: PredictedReading[],
): Promise<TeacherEvaluation> {
  const bar = session.progress(`evaluating ${split}`, test.readings.length, 'readings');
  try {
    return await teacher.evaluate(test, {
      windows: fitFlags(flags).windows,
      baseline: gaze.train.readings,
      bootstrap,
      signal: session.signal,
      onProgress: ({ done }) => bar.update(done),
      onReading: (reading) => {
        if (shown.length < mostPictures) shown.push(reading);
      },
    });
  } finally {
    bar.end();
  }
}

/** The mean over the windows, and whether the centre bias is beaten. */
function headline(split: string, { readings, windows }: TeacherEvaluation): string[] {
  const all = windows.at(-1) as TeacherEvaluation['windows'][number];
  const three = (value: number | null | undefined) => value?.toFixed(3) ?? '-';
  const row = (name: string, of: typeof all.teacher | null) =>
    of
      ? [`  ${name.padEnd(12)} CC ${three(of.cc.mean)}  KL ${three(of.kl.mean)}  NSS ${three(of.nss.mean)}`]
      : [];
  const { cc } = all.difference ?? {};
  const interval = cc?.interval ? ` (95 %: ${three(cc.interval.low)} to ${three(cc.interval.high)})` : '';
  return [
    `${split}, ${readings} readings, mean over the windows:`,
    ...row('teacher', all.teacher),
    ...row('centre bias', all.centreBias),
    ...row('uniform', all.uniform),
    ...(cc ? [`  CC above the centre bias by ${three(cc.mean)}${interval}`] : []),
  ];
}

async function writePictures(folder: string, pictures: readonly GazePicture[]): Promise<void> {
  const target = path.join(folder, 'gaze');
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  for (const { id, image } of pictures)
    await writeFileAtomic(path.join(target, `${slug(featureName(id))}.png`), image);
}

async function writeResults(
  run: Finished,
  evaluations: readonly { readonly split: string; readonly evaluation: TeacherEvaluation }[],
  pictures: readonly GazePicture[],
): Promise<void> {
  const { flags, branch, data, folder, options, teacher, result, begun } = run;
  const title = `${branch === 'global' ? 'Global' : 'Focal'} gaze teacher on ${data.name}`;
  const environment = await trainingEnvironment();
  const trainingPrecision = await resolvePrecision(flags.precision, flags.device);
  const date = new Date().toISOString();
  const seconds = (performance.now() - begun) / 1000;
  const { bestEpoch } = result.schedule;
  await folder.writeJson('metrics.json', {
    run: {
      ...{ title, date, options, environment, device: flags.device, trainingPrecision, bestEpoch },
      ...{ seconds: Math.round(seconds), teacher: await teacher.fingerprint() },
    },
    splits: Object.fromEntries(
      evaluations.map(({ split, evaluation }) => [splitFileName(split), evaluation]),
    ),
  });
  await writeTeacherReport(path.join(folder.path, 'report.html'), {
    title,
    description: `${branch === 'global' ? 'GC ViT tiny' : 'FocalNet tiny'} with four decoders at ${teacherSize} pixels, ${run.gaze.train.readings.length} training readings.`,
    date: date.slice(0, 16).replace('T', ' '),
    facts: [
      { name: 'Training', value: trainingPrecision },
      { name: 'Best epoch', value: String(bestEpoch) },
      { name: 'Device', value: `${flags.device}, ${environment.threads} threads, ${environment.capability}` },
      { name: 'Duration', value: duration(seconds) },
      { name: 'Versions', value: `Node ${environment.node}, LibTorch ${environment.libtorch}` },
    ],
    ...{ options, notices: data.name === 'sample' ? [simulated] : [], bestEpoch, history: folder.history },
    ...{ evaluations, pictures },
  });
}

const simulated = {
  code: 'simulated-gaze',
  message:
    'Films and readings are simulated by a program. Nothing here says how well gaze of people is predicted.',
};

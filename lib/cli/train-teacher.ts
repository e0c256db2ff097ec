/** `cxr-gaze train teacher`: trains a gaze teacher, tells how well it predicts gaze, leaves a run's folder. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { makeFolder, writeFileAtomic } from '../checkpoints/atomic.js';
import { featureName } from '../data/image-table.js';
import { dataThreads } from '../data/resize.js';
import { type TeacherBranch, teacherSize } from '../models/teacher.js';
import type { HistoryColumn } from '../report/history.js';
import type { OptionValue } from '../report/report-data.js';
import { type GazePicture, writeTeacherReport } from '../report/teacher-report.js';
import { type GazeDataset, validationShare } from '../systems/gazelt/gaze-dataset.js';
import { GazeTeacher } from '../systems/gazelt/teacher.js';
import type { PredictedReading, TeacherEvaluation } from '../systems/gazelt/teacher-evaluate.js';
import type { TeacherScores } from '../systems/gazelt/teacher-objective.js';
import type { EpochHalf } from '../training/checkpoint.js';
import { trainingEnvironment } from '../training/environment.js';
import { resolvePrecision } from '../training/precision.js';
import type { TrainResult } from '../training/trainer.js';
import { absoluteDataFlags, addDataOptions, pickDataFlags } from './data-options.js';
import { type OpenedData, openData, splitFileName } from './datasets.js';
import { throwIfStopped } from './evaluation.js';
import { addGazeOptions } from './gaze-options.js';
import { asText, option, weightsKeyOption } from './options.js';
import { slug } from './png.js';
import { duration } from './progress.js';
import { existing, followRunOf, RunFolder } from './run-folder.js';
import { sayRemarks } from './say-data.js';
import { Output, type Session } from './session.js';
import { addImages, addOutput, addPrecision } from './shared-options.js';
import {
  addTeacherTraining,
  addValidationShare,
  branchOf,
  fitFlags,
  initOf,
  recordOf,
  type TeacherFlags,
} from './teacher-flags.js';
import { checkReadingFlags, type GazeSplits, openSplits } from './teacher-gaze.js';
import { gazePictures } from './teacher-pictures.js';
import { bootstrapOf } from './train-flags.js';
import { notClinical, preparation, resumable, sayLeftOut } from './train-run.js';

const help = `
The films are the images of the data set (a table of them needs no column of labels); the gaze is read from --egd, --reflacx,
--siim or --gaze and belongs to a film by its file name without extension. The embedded sample brings simulated readings.

Validation: the split for it, or with --val_share a share of the recorded training films; nih-cxr-lt and mimic-cxr-lt take a
share of ${validationShare} where balanced-val has no recorded film.

How the published teachers were trained is not known but for their loss and 100 epochs; the rest is this program's choice.

Examples:
  The focal teacher on films and fixations of your own:
    cxr-gaze train teacher --focal --csv films.csv --split_column split --gaze fixations.csv --rand_init
  On REFLACX, validated on a tenth of the patients of its training films:
    cxr-gaze train teacher --focal --dataset mimic-cxr-lt --data_dir MIMIC-CXR-JPG/ --label_dir labels/ \\
      --reflacx reflacx/1.0.0 --val_share 0.1 --rand_init
  Both on the embedded sample (minutes an epoch on two cores):
    cxr-gaze train teacher --global --dataset sample --sample_train 600 --rand_init --max_epochs 12
    cxr-gaze train teacher --focal --dataset sample --sample_train 600 --rand_init --max_epochs 12
  Interrupted? The same command with --resume goes on. Then: cxr-gaze features --help`;

const network = 'Teacher:';

/** The command, below `train`. */
export function addTeacherCommand(train: Command, session: Session): void {
  const command = train
    .command('teacher')
    .description('a gaze teacher of GazeLT: predicts where a film is looked at in four time windows');
  command
    .addOption(option(network, '--global', 'GC ViT, attention integrated over the windows (TW-I)'))
    .addOption(option(network, '--focal', 'FocalNet, window by window (TW-D)'))
    .addOption(
      option(
        network,
        '--weights <file>',
        "initial weights: a teacher's file of the authors, a run or a saved teacher",
        asText,
      ),
    )
    .addOption(weightsKeyOption(network))
    .addOption(option(network, '--rand_init', 'begin with random weights'));
  addOutput(command, 'train');
  addGazeOptions(addValidationShare(addDataOptions(command)));
  addTeacherTraining(command);
  addImages(addPrecision(command, 'auto')).addHelpText('after', help);
  command.action((flags: TeacherFlags) => trainTeacher(flags, session));
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
  const wanted = existing(flags);
  const bootstrap = bootstrapOf(flags.bootstrap);
  checkReadingFlags(flags);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const dataFlags = absoluteDataFlags(pickDataFlags(flags));
  const skipMissing = flags.on_error === 'skip';
  const asked = { imageSize: teacherSize, purpose: 'training', unlabelled: true, skipMissing } as const;
  const data = await openData(dataFlags, asked);
  sayRemarks(data, output);
  const gaze = await openSplits(data, flags, session, output);
  const options = recordOf(flags, dataFlags);
  const name = `teacher-${branch}_${data.name}${flags.rand_init ? '_rand' : ''}_lr-${flags.lr}_bs-${flags.batch_size}`;
  const folder = await RunFolder.openFor(path.join(flags.out_dir, name), wanted, columns);
  const speakers = { session, output };
  try {
    using teacher = await GazeTeacher.create({ branch, init, seed: flags.seed, device: flags.device });
    sayLeftOut(teacher.initReport, output);
    await folder.record(options);
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
  { teacher, gaze, flags, bootstrap, session, output }: Finished,
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
      onError: flags.on_error,
      signal: session.signal,
      onSkip: ({ error }) => output.warn('image-skipped', error.message),
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
  await makeFolder(target);
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
  const seconds = result.earlierSeconds + (performance.now() - begun) / 1000;
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
    ...{ options, notices: data.isPhantom ? [simulated] : [], bestEpoch, history: folder.history },
    ...{ evaluations, pictures },
  });
}

const simulated = {
  code: 'simulated-gaze',
  message:
    'Films and readings are simulated by a program. Nothing here says how well gaze of people is predicted.',
};

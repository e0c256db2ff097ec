/** `cxr-gaze train`: trains a system, evaluates it, leaves a run's folder. */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { readJson } from '../checkpoints/folder.js';
import type { Dataset } from '../data/dataset.js';
import type { PreparedImages } from '../data/prepare.js';
import { dataThreads } from '../data/resize.js';
import { classCounts } from '../data/samplers.js';
import { CxrGazeError } from '../errors.js';
import { groupsFromCounts } from '../metrics/groups.js';
import type { Notice } from '../metrics/types.js';
import type { OptionValue } from '../report/report-data.js';
import { runName } from '../report/run-name.js';
import { Baseline } from '../systems/baseline.js';
import type { Classifier } from '../systems/classifier/classifier.js';
import { GazeLT } from '../systems/gazelt/gazelt.js';
import { resolvePrecision } from '../training/precision.js';
import type { Run } from '../training/run.js';
import type { TrainEvent, TrainResult } from '../training/trainer.js';
import { addDataOptions, type DataFlags, pickDataFlags } from './data-options.js';
import { type OpenedData, openData, trainingSplits } from './datasets.js';
import { evaluateSplits, explainExamples, throwIfStopped, writeResults } from './evaluation.js';
import type { Progress } from './progress.js';
import { followRun, RunFolder } from './run-folder.js';
import { Output, type Session } from './session.js';
import {
  addTrainOptions,
  bootstrapOf,
  checkTrainFlags,
  classifierOptions,
  distillationOf,
  fitOptions,
  type SystemName,
  type TrainFlags,
} from './train-options.js';

/** What a run says before its numbers where no teacher took part. */
export const withoutTeachers: Notice = {
  code: 'distillation-off',
  message:
    'Distillation is off: no gaze teacher took part in this training. This is the student of GazeLT learning from labels alone, not the published method.',
};

/** What is said wherever predictions are shown. */
export const notClinical = 'Not for clinical use.';

const summaries: Readonly<Record<SystemName, string>> = {
  gazelt: "GazeLT's student: ResNet with the two-layer head, 224 pixels, optional teacher vectors",
  baseline: "the long-tail benchmark's classifier: ResNet with the one-layer head, 256 pixels",
};

const examples: Readonly<Record<SystemName, string>> = {
  gazelt: `
Examples:
  The published run, with teacher vectors:
    cxr-gaze train gazelt --dataset nih-cxr-lt --data_dir images/ --label_dir labels/ \\
      --weights resnet50-11ad3fa6.pth --features gazelt --features_dir features/ \\
      --loss ldam --rw_method sklearn --drw --max_epochs 100
  A table of your own, small and from nothing:
    cxr-gaze train gazelt --csv labels.csv --label_column finding --split_column split \\
      --rand_init --features none --model_name resnet18 --image_size 128 --batch_size 16 --lr 1e-3
  Interrupted? The same command with --resume goes on.`,
  baseline: `
Examples:
  Row "RW LDAM-DRW" of the benchmark:
    cxr-gaze train baseline --dataset nih-cxr-lt --data_dir images/ --label_dir labels/ \\
      --weights resnet50-11ad3fa6.pth --loss ldam --rw_method sklearn --drw
  On the embedded sample, a few minutes:
    cxr-gaze train baseline --dataset sample --rand_init --model_name resnet18 \\
      --image_size 128 --batch_size 16 --lr 1e-3 --max_epochs 8
  Interrupted? The same command with --resume goes on.`,
};

/** The command. */
export function trainCommand(session: Session): Command {
  const command = new Command('train').description('train a system, evaluate it and report on it');
  for (const system of ['gazelt', 'baseline'] as const) {
    const sub = command.command(system).description(summaries[system]);
    addTrainOptions(addDataOptions(sub), system);
    sub.addHelpText('after', examples[system]);
    sub.action((flags: TrainFlags) => train(system, flags, session));
  }
  return command;
}

/** Runs `train`. */
export async function train(system: SystemName, flags: TrainFlags, session: Session): Promise<void> {
  const begun = performance.now();
  const output = new Output(session, flags.json ?? false);
  checkTrainFlags(flags, system);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const dataFlags = absoluteDataFlags(pickDataFlags(flags));
  const data = await openData(dataFlags, { imageSize: flags.image_size, purpose: 'training' });
  const { train: training, validation } = trainingSplits(data);
  sayData(data, training, flags, output);
  refuseEmptyClasses(training, flags);
  const name = nameOf(data.name, flags);
  const options = recordOf(system, flags, dataFlags);
  const folder = await RunFolder.open(path.join(flags.out_dir, name), existing(flags));
  try {
    using classifier = await create(system, flags, data.classes);
    sayHead(classifier, output);
    const distillation = system === 'gazelt' ? distillationOf(flags) : undefined;
    const notices = system === 'gazelt' && !distillation ? [withoutTeachers] : [];
    for (const { message } of notices) output.say(message);
    await folder.writeJson('options.json', options);
    if (flags.resume && !folder.resumes) {
      output.warn('nothing-to-resume', `${folder.path} holds no checkpoint yet: it begins from the start`);
    }
    const preparing = preparation(session, output);
    const run = start(classifier, {
      ...fitOptions(flags),
      ...{ train: training, validation, ...preparing.callbacks },
      ...{ checkpoints: folder.checkpoints, resume: folder.resumes, signal: session.signal },
      ...(distillation ? { distillation } : {}),
    });
    const result = await followRun(folder, run, { session, output, maxEpochs: flags.max_epochs });
    preparing.end();
    await finish({
      system,
      flags,
      data,
      folder,
      classifier,
      result,
      notices,
      options,
      begun,
      output,
      session,
    });
  } catch (error) {
    await folder.giveUp();
    throw resumable(error, folder);
  }
}

function existing({ overwrite, resume }: TrainFlags): 'refuse' | 'overwrite' | 'resume' {
  if (resume) return 'resume';
  return overwrite ? 'overwrite' : 'refuse';
}

function create(system: SystemName, flags: TrainFlags, classes: readonly string[]): Promise<Classifier> {
  const options = classifierOptions(flags, classes);
  return system === 'gazelt' ? GazeLT.create(options) : Baseline.create(options);
}

type FitArguments = Parameters<GazeLT['fit']>[0];

function start(classifier: Classifier, options: FitArguments): Run<TrainEvent, TrainResult> {
  return classifier.fit(options);
}

/** Whoever stopped a run shall know how it goes on. */
function resumable(error: unknown, { history, path: folder }: RunFolder): unknown {
  if (!(error instanceof CxrGazeError) || error.code !== 'ERR_ABORTED') return error;
  const how = history.length > 0 ? ' after the last finished step' : '';
  return new CxrGazeError(
    'ERR_ABORTED',
    `Stopped. The same command with --resume goes on${how} (${folder})`,
    { cause: error },
  );
}

/** Paths that another working directory cannot mean otherwise. */
export function absoluteDataFlags(flags: DataFlags): DataFlags {
  const absolute = (value: string | undefined) => (value === undefined ? undefined : path.resolve(value));
  const needsLabels = flags.dataset === 'nih-cxr-lt' || flags.dataset === 'mimic-cxr-lt';
  const csv = absolute(flags.csv);
  const dataDir = absolute(flags.data_dir);
  const labelDir = absolute(flags.label_dir ?? (needsLabels ? 'labels' : undefined));
  return {
    ...flags,
    ...(csv === undefined ? {} : { csv }),
    ...(dataDir === undefined ? {} : { data_dir: dataDir }),
    ...(labelDir === undefined ? {} : { label_dir: labelDir }),
  };
}

function nameOf(dataset: string, flags: TrainFlags): string {
  return runName({
    ...{ dataset, modelName: flags.model_name, randInit: flags.rand_init ?? false },
    ...{ balMixup: flags.bal_mixup ?? false, mixup: flags.mixup ?? false, mixupAlpha: flags.mixup_alpha },
    ...{ rwMethod: flags.rw_method, loss: flags.loss, drw: flags.drw ?? false, cbBeta: flags.cb_beta },
    ...{ flGamma: flags.fl_gamma, lr: flags.lr, batchSize: flags.batch_size },
  });
}

/** How the command shall be repeated: kept in options.json and shown in the report. */
function recordOf(
  system: SystemName,
  flags: TrainFlags,
  data: DataFlags,
): Readonly<Record<string, OptionValue>> {
  const { overwrite: _, resume: __, json: ___, ...kept } = flags;
  return { command: `train ${system}`, ...kept, ...data } as unknown as Record<string, OptionValue>;
}

/** The data flags that a run's folder was made with; `undefined` where it says nothing of them. */
export async function recordedDataFlags(run: string): Promise<DataFlags | undefined> {
  const document = await readJson(path.join(run, 'options.json')).catch(() => undefined);
  if (document === undefined) return undefined;
  const flags = pickDataFlags(document);
  return Object.keys(flags).length > 0 ? flags : undefined;
}

/** Sizes, remarks and warnings of a data set, before anything long begins. */
function sayData(data: OpenedData, training: Dataset, flags: TrainFlags, output: Output): void {
  const counts = classCounts(training);
  const [head = 1000, tail = 100] = flags.group_thresholds;
  const groups = groupsFromCounts(counts, { head, tail });
  const sizes = [...data.splits].map(([name, { length }]) => `${name} ${length}`);
  output.say(`${data.name}: ${data.classes.length} classes; images: ${sizes.join(', ')}`);
  const width = Math.max(...data.classes.map((name) => name.length));
  data.classes.forEach((name, k) => {
    output.say(`  ${name.padEnd(width)} ${String(counts[k]).padStart(7)} training images  ${groups[k]}`);
  });
  output.event({
    ...{ type: 'data', dataset: data.name, classes: data.classes, trainCounts: counts, groups },
    splits: Object.fromEntries([...data.splits].map(([name, { length }]) => [name, length])),
    remarks: data.remarks,
  });
  sayRemarks(data, output);
}

/** What was left out, and what must not go unseen. */
export function sayRemarks(data: OpenedData, output: Output): void {
  for (const remark of data.remarks) output.say(remark);
  for (const { kind, message, details } of data.warnings) output.warn(kind, message, { details });
}

/** A margin or a weight of a class without images would be infinite. */
function refuseEmptyClasses(training: Dataset, flags: TrainFlags): void {
  const counts = classCounts(training);
  const empty = training.classes.filter((_, k) => counts[k] === 0);
  if (empty.length === 0 || (flags.loss !== 'ldam' && flags.rw_method === '' && !flags.bal_mixup)) return;
  const what =
    flags.loss === 'ldam'
      ? '--loss ldam'
      : flags.bal_mixup
        ? '--bal_mixup'
        : `--rw_method ${flags.rw_method}`;
  throw new CxrGazeError(
    'ERR_DATASET',
    `${what} needs at least one training image of every class, but these have none: ${empty.join(', ')}`,
    { details: { classes: empty } },
  );
}

function sayHead({ initReport, card }: Classifier, output: Output): void {
  if (initReport.fresh.length === 0) return;
  output.say(
    `The file's head does not fit ${card.classes.length} classes and the head '${card.head}': ${initReport.fresh.join(', ')} begin with random values`,
  );
}

/** Shows how far decoding is, and what it left out. */
function preparation(session: Session, output: Output) {
  let bar: Progress | undefined;
  let of = '';
  const callbacks = {
    onPrepare: ({ dataset, done, total }: { dataset: string; done: number; total: number }) => {
      if (dataset !== of) {
        bar?.end();
        bar = session.progress(`preparing ${dataset}`, total);
        of = dataset;
      }
      bar?.update(done);
    },
    onPrepared: ({ dataset, skipped, decoded, reused, distrust }: PreparedImages) => {
      bar?.end();
      if (distrust !== undefined) output.warn('cache-distrusted', distrust);
      for (const { error } of skipped) output.warn('image-skipped', error.message);
      const { name, length } = dataset;
      output.event({
        type: 'prepared',
        dataset: name,
        images: length,
        decoded,
        reused,
        skipped: skipped.length,
      });
    },
  };
  return { callbacks, end: () => bar?.end() };
}

interface Finished {
  readonly system: SystemName;
  readonly flags: TrainFlags;
  readonly data: OpenedData;
  readonly folder: RunFolder;
  readonly classifier: Classifier;
  readonly result: TrainResult;
  readonly notices: readonly Notice[];
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly begun: number;
  readonly output: Output;
  readonly session: Session;
}

async function finish(run: Finished): Promise<void> {
  const { system, flags, data, folder, classifier, result, output, session } = run;
  throwIfStopped(session);
  const { bestEpoch, best, epochsDone } = result.schedule;
  const kept =
    bestEpoch > 0
      ? `best epoch ${bestEpoch}, balanced accuracy ${best.toFixed(3)} on validation`
      : 'no epoch was better than 0: the last weights are evaluated';
  output.say(`Trained ${epochsDone} epochs; ${kept}`);
  // A network that was trained in float64 has weights of that kind.
  const precision = flags.precision === 'float64' ? ('float64' as const) : ('float32' as const);
  const settings = {
    precision,
    ...{ tta: flags.tta, seed: flags.seed, bootstrap: bootstrapOf(flags.bootstrap), onError: flags.on_error },
    ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
  };
  const speakers = { session, output };
  const evaluated = await evaluateSplits(classifier, data.tests, settings, speakers);
  const [first] = evaluated;
  const gallery = first
    ? await explainExamples(folder.path, classifier, first, { ...speakers, precision })
    : [];
  if (!first) output.warn('no-test-split', `${data.name} has no test split: nothing is evaluated`);
  throwIfStopped(session);
  await writeResults(
    folder.path,
    classifier,
    evaluated,
    {
      title: `${system === 'gazelt' ? 'GazeLT' : 'Baseline'} on ${data.name}`,
      description: `${flags.model_name} with the head ${flags.head} at ${flags.image_size} pixels, loss ${flags.loss}, trained on ${data.name}.`,
      ...{ options: run.options, notices: run.notices, history: folder.history },
      bestEpoch: bestEpoch > 0 ? bestEpoch : null,
      trainingPrecision: await resolvePrecision(flags.precision, flags.device),
      device: flags.device,
      seconds: (performance.now() - run.begun) / 1000,
    },
    gallery,
  );
  output.say(`Report: ${path.join(folder.path, 'report.html')}  ${notClinical}`);
  output.event({ type: 'done', folder: folder.path, epochs: epochsDone, bestEpoch, best });
}

/** One training run in a folder of its own: what `train` does once its data are open, and `reproduce` for each row. */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { someOf } from '../data/listed.js';
import type { PreparedImages } from '../data/prepare.js';
import { classCounts } from '../data/samplers.js';
import { CxrGazeError } from '../errors.js';
import type { Notice } from '../metrics/types.js';
import { backboneName } from '../models/model.js';
import type { OptionValue } from '../report/report-data.js';
import { Baseline } from '../systems/baseline.js';
import type { Classifier } from '../systems/classifier/classifier.js';
import type { InitReport } from '../systems/classifier/initial-weights.js';
import { GazeLT, type GazeLTFitOptions } from '../systems/gazelt/gazelt.js';
import { modelFolder } from '../systems/saved.js';
import { resolvePrecision } from '../training/precision.js';
import type { Run } from '../training/run.js';
import type { TrainEvent, TrainResult } from '../training/trainer.js';
import type { DataFlags } from './data-options.js';
import { type OpenedData, trainingSplits } from './datasets.js';
import { type EvaluatedSplit, evaluateSplits, throwIfStopped } from './evaluation.js';
import { explainExamples } from './gallery.js';
import type { Progress } from './progress.js';
import { writeResults } from './results.js';
import { type ExistingRun, followRun, RunFolder } from './run-folder.js';
import type { Output, Session } from './session.js';
import { openTeachers } from './teachers-at-hand.js';
import {
  bootstrapOf,
  classifierOptions,
  distillationOf,
  fitOptions,
  type SystemName,
  type TrainFlags,
} from './train-flags.js';

/** What a run says before its numbers where no teacher took part. */
export const withoutTeachers: Notice = {
  code: 'distillation-off',
  message:
    'Distillation is off: no gaze teacher took part in this training. This is the student of GazeLT learning from labels alone, not the published method.',
};

/** What is said wherever predictions are shown. */
export const notClinical = 'Not for clinical use.';

/** A run that is to be done. */
export interface TrainJob {
  readonly system: SystemName;
  /** Checked. */
  readonly flags: TrainFlags;
  /** The data flags, with absolute paths: recorded. */
  readonly dataFlags: DataFlags;
  readonly data: OpenedData;
  /** Folder of the run. */
  readonly target: string;
  readonly existing: ExistingRun;
}

interface Speakers {
  readonly session: Session;
  readonly output: Output;
}

/**
 * Trains (or, for τ-normalisation, changes weights that are there), evaluates, and leaves a run's folder.
 *
 * @returns the evaluated splits
 * @throws CxrGazeError what data, training and files throw; `ERR_ABORTED` where it was stopped
 */
export async function trainRun(job: TrainJob, speakers: Speakers): Promise<EvaluatedSplit[]> {
  const begun = performance.now();
  const { system, flags, target } = job;
  refuseEmptyClasses(job);
  const folder = await RunFolder.open(target, job.existing);
  try {
    using classifier = await createClassifier(job);
    sayHead(classifier, speakers.output);
    const notices = noticesOf(system, flags);
    for (const { message } of notices) speakers.output.say(message);
    const options = recordOf(job);
    await folder.record(options);
    const result = await (flags.decoupling_method === 'tau_norm' ? normalise : learn)(
      job,
      folder,
      classifier,
      speakers,
    );
    return await finish({ ...job, folder, classifier, result, notices, options, begun, ...speakers });
  } catch (error) {
    await folder.giveUp();
    throw resumable(error, folder);
  }
}

async function learn(
  { system, flags, data, dataFlags }: TrainJob,
  folder: RunFolder,
  classifier: Classifier,
  { session, output }: Speakers,
): Promise<TrainResult> {
  const distillation = system === 'gazelt' ? distillationOf(flags) : undefined;
  const place = { data, dataFlags, device: flags.device, session };
  using teachers = flags.teachers ? await openTeachers(flags.teachers, place) : undefined;
  const preparing = preparation(session, output);
  const run = start(classifier, {
    ...fitOptions(flags),
    ...{ ...trainingSplits(data), ...preparing.callbacks },
    ...{ checkpoints: folder.checkpoints, resume: folder.resumes, signal: session.signal },
    ...(distillation ? { distillation: { ...distillation, ...teachers?.settings } } : {}),
  });
  const result = await followRun(folder, run, { session, output, maxEpochs: flags.max_epochs });
  preparing.end();
  throwIfStopped(session);
  const { bestEpoch, best, epochsDone } = result.schedule;
  const kept =
    bestEpoch > 0
      ? `best epoch ${bestEpoch}, balanced accuracy ${best.toFixed(3)} on validation`
      : 'no epoch was better than 0: the last weights are evaluated';
  output.say(`Trained ${epochsDone} epochs; ${kept}`);
  return result;
}

/** τ-normalisation: no training, so the model is what the run leaves instead of checkpoints. */
async function normalise(
  { flags }: TrainJob,
  folder: RunFolder,
  classifier: Classifier,
  { output }: Speakers,
): Promise<undefined> {
  const { fresh } = classifier.initReport;
  if (fresh.length > 0) {
    throw new CxrGazeError(
      'ERR_STATE_DICT',
      `${flags.decoupling_weights}: expected a trained head for tau_norm but its ${fresh.join(', ')} does not fit ${classifier.card.classes.length} classes and --head ${flags.head}`,
    );
  }
  await classifier.tauNormalise({ tau: flags.tau });
  await folder.begin();
  await classifier.save(path.join(folder.path, modelFolder));
  output.say(
    `The head of ${flags.decoupling_weights} is normalised with tau ${flags.tau}; nothing is trained`,
  );
}

/** The classifier of a run with its initial weights. */
export function createClassifier({
  system,
  flags,
  data,
}: Pick<TrainJob, 'system' | 'flags' | 'data'>): Promise<Classifier> {
  const options = classifierOptions(flags, data.classes, classCounts(trainingSplits(data).train));
  return system === 'gazelt' ? GazeLT.create(options) : Baseline.create(options);
}

function start(classifier: Classifier, options: GazeLTFitOptions): Run<TrainEvent, TrainResult> {
  return classifier.fit(options);
}

function noticesOf(system: SystemName, flags: TrainFlags): Notice[] {
  const { features, teachers } = flags;
  const isTaught = teachers !== undefined || (features !== undefined && features !== 'none');
  return system === 'gazelt' && !isTaught ? [withoutTeachers] : [];
}

/** Whoever stopped a run shall know how it goes on. */
export function resumable(
  error: unknown,
  { history, path: folder }: { readonly history: readonly unknown[]; readonly path: string },
): unknown {
  if (!(error instanceof CxrGazeError) || error.code !== 'ERR_ABORTED') return error;
  const how = history.length > 0 ? ' after the last finished step' : '';
  return new CxrGazeError(
    'ERR_ABORTED',
    `Stopped. The same command with --resume goes on${how} (${folder})`,
    { cause: error },
  );
}

/** How the command shall be repeated: kept in options.json and shown in the report. */
export function recordOf({
  system,
  flags,
  dataFlags,
}: Pick<TrainJob, 'system' | 'flags' | 'dataFlags'>): Readonly<Record<string, OptionValue>> {
  const { overwrite: _, resume: __, json: ___, ...kept } = flags;
  return { command: `train ${system}`, ...kept, ...dataFlags } as unknown as Record<string, OptionValue>;
}

/** A margin or a weight of a class without images would be infinite. */
function refuseEmptyClasses({ data, flags }: TrainJob): void {
  const { train } = trainingSplits(data);
  const counts = classCounts(train);
  const empty = train.classes.filter((_, k) => counts[k] === 0);
  const what =
    flags.loss === 'ldam'
      ? '--loss ldam'
      : flags.bal_mixup
        ? '--bal_mixup'
        : flags.decoupling_method === 'cRT'
          ? '--decoupling_method cRT'
          : flags.rw_method === ''
            ? undefined
            : `--rw_method ${flags.rw_method}`;
  if (empty.length === 0 || what === undefined || flags.decoupling_method === 'tau_norm') return;
  throw new CxrGazeError(
    'ERR_DATASET',
    `${what} needs at least one training image of every class, but these have none: ${empty.join(', ')}`,
    { details: { classes: empty } },
  );
}

/** Says what of a file of initial weights was of no use. */
export function sayLeftOut({ leftOut }: InitReport, output: Output): void {
  if (leftOut.length > 0)
    output.say(
      `${leftOut.length} of the file's keys are not the network's and are left out: ${someOf(leftOut)}`,
    );
}

/** Says what of the network begins with random values though a file was given. */
export function sayHead({ initReport, card }: Classifier, output: Output): void {
  sayLeftOut(initReport, output);
  if (initReport.fresh.length === 0) return;
  output.say(
    `The file's head does not fit ${card.classes.length} classes and the head '${card.head}': ${initReport.fresh.join(', ')} begin with random values`,
  );
}

/** Shows how far decoding is, and what it left out. */
export function preparation(session: Session, output: Output) {
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

interface Finished extends TrainJob, Speakers {
  readonly folder: RunFolder;
  readonly classifier: Classifier;
  /** `undefined` where nothing was trained. */
  readonly result: TrainResult | undefined;
  readonly notices: readonly Notice[];
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly begun: number;
}

async function finish(run: Finished): Promise<EvaluatedSplit[]> {
  const { system, flags, data, folder, classifier, result, output, session } = run;
  // Who asks for float64 wants it of the probabilities, too; bfloat16 is for speed in training.
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
  const { epochsDone = 0, bestEpoch = 0, best = 0 } = result?.schedule ?? {};
  await writeResults(
    folder.path,
    classifier,
    evaluated,
    {
      title: `${system === 'gazelt' ? 'GazeLT' : 'Baseline'} on ${data.name}`,
      description: `${backboneName(flags.model_name, flags.width)} with the head ${flags.head} at ${flags.image_size} pixels, ${methodOf(flags)}, ${result ? 'trained' : 'evaluated'} on ${data.name}.`,
      ...{ options: run.options, notices: run.notices, history: folder.history },
      bestEpoch: bestEpoch > 0 ? bestEpoch : null,
      trainingPrecision: result ? await resolvePrecision(flags.precision, flags.device) : null,
      device: flags.device,
      seconds: (result?.earlierSeconds ?? 0) + (performance.now() - run.begun) / 1000,
      withIds: flags.with_ids ?? false,
    },
    gallery,
  );
  output.say(`Report: ${path.join(folder.path, 'report.html')}  ${notClinical}`);
  output.event({ type: 'done', folder: folder.path, epochs: epochsDone, bestEpoch, best });
  return evaluated;
}

function methodOf({ decoupling_method, loss, tau }: TrainFlags): string {
  if (decoupling_method === 'tau_norm') return `τ-normalised with τ = ${tau}`;
  return `loss ${loss}${decoupling_method === 'cRT' ? ', classifier re-training' : ''}`;
}

/** `cxr-gaze train loc-attention`: trains, evaluates, leaves the original's two files and a run's folder. */
import { copyFile, link, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { temporaryBeside, writeFileAtomic } from '../checkpoints/atomic.js';
import { dataThreads } from '../data/resize.js';
import { classCounts } from '../data/samplers.js';
import { column } from '../metrics/auroc.js';
import { bestThreshold, scoresAtThreshold } from '../metrics/diagnostic.js';
import type { Notice } from '../metrics/types.js';
import type { HistoryColumn } from '../report/history.js';
import { performanceLog } from '../report/loc-attention-log.js';
import type { OptionValue } from '../report/report-data.js';
import { cardToJson } from '../systems/classifier/model-card.js';
import { LocAttention } from '../systems/loc-attention/loc-attention.js';
import type { LocAttentionScores } from '../systems/loc-attention/scoring.js';
import { type EpochHalf, weightsFile } from '../training/checkpoint.js';
import { resolvePrecision } from '../training/precision.js';
import type { TrainResult } from '../training/trainer.js';
import { type AttentionData, openAttentionData } from './attention-data.js';
import {
  type AttentionFlags,
  attentionClassifier,
  attentionFit,
  attentionName,
  attentionRecord,
  attentionRegions,
  checkAttentionFlags,
} from './attention-flags.js';
import { addAttentionOptions } from './attention-options.js';
import { trainingSplits } from './datasets.js';
import { type EvaluatedSplit, evaluateSplits, throwIfStopped } from './evaluation.js';
import type { FoundLungs } from './found-lungs.js';
import { explainExamples } from './gallery.js';
import { gpuDevice } from './gpu.js';
import { localiseSplits, type NamedFrames, namedFrames } from './localised.js';
import { lungsAtHand } from './lungs-at-hand.js';
import { writeResults } from './results.js';
import { existing, followRunOf, RunFolder } from './run-folder.js';
import { sayRemarks } from './say-data.js';
import { Output, type Session } from './session.js';
import { bootstrapOf } from './train-flags.js';
import { notClinical, preparation, resumable, sayHead } from './train-run.js';

const help = `
The published attention term (--attention published) counts pixels of a map and has no gradient: whatever --lamda says, the
weights learn from cross-entropy. --attention differentiable is a soft form of it that trains.

Examples:
  A published run:
    cxr-gaze train loc-attention --dataset nih --path data/NIH/nofind_effusion --backbone pvt --task ne --lamda 0.5 \\
      --thresh 0.1 --unet lungs/ --weights pvt_v2_b2_li.safetensors --early_stopping cumulative
  One whose loss moves attention:
    cxr-gaze train loc-attention --dataset nih --path data/NIH/nofind_effusion --backbone resnet --task ne --lamda 0.5 \\
      --attention differentiable --penalise_outside 1 --unet lungs/ --weights resnet50-11ad3fa6.pth
  On the embedded sample, whose lungs are known:
    cxr-gaze train loc-attention --dataset sample --task nep --backbone resnet18 --image_size 128 --rand_init \\
      --attention differentiable --lamda 0.5 --lr 1e-3 --max_epochs 5
  Interrupted? The same command with --resume goes on.`;

/** The command, below `train`. */
export function addAttentionCommand(train: Command, session: Session): void {
  const command = train
    .command('loc-attention')
    .description('loc-attention: a classifier whose loss looks at where the network looks');
  addAttentionOptions(command).addHelpText('after', help);
  command.action(async (flags: AttentionFlags) => {
    await trainAttention(flags, 'train loc-attention', session);
  });
}

/** Said before the numbers of a run with the published term. */
const withoutGradient: Notice = {
  code: 'published-term-without-gradient',
  message:
    'The published attention term has no gradient: it changes the logged loss and through it the learning rate, and the weights learn from cross-entropy alone. Differences between weights lambda are mostly those between runs. --attention differentiable trains.',
};

/** What half an epoch tells. */
export type AttentionRow = EpochHalf & LocAttentionScores;

const thresholdPrefix = 'attention_t';

/** The t of a column of `history.csv` that logs the published term besides; `undefined` for any other column. */
export function thresholdOf(column: string): number | undefined {
  return column.startsWith(thresholdPrefix) ? Number(column.slice(thresholdPrefix.length)) : undefined;
}

/** The columns of a run's `history.csv`. */
export function attentionColumns({
  log_thresholds = [],
}: Pick<AttentionFlags, 'log_thresholds'>): readonly HistoryColumn<AttentionRow>[] {
  return [
    { key: 'loss', name: 'loss' },
    { key: 'crossEntropy', name: 'cross_entropy' },
    { key: 'attention', name: 'attention', nullable: true },
    { key: 'outside', name: 'outside', nullable: true },
    { key: 'lambda', name: 'lambda' },
    { key: 'accuracy', name: 'accuracy' },
    { key: 'balancedAccuracy', name: 'balanced_acc' },
    { key: 'mcc', name: 'mcc' },
    { key: 'auroc', name: 'auroc', nullable: true },
    { key: 'emptyRegions', name: 'empty_regions', whole: true },
    ...log_thresholds.map((t) => ({
      key: `attention@${t}` as const,
      name: `${thresholdPrefix}${t}`,
      nullable: true,
    })),
  ];
}

const shownNumbers = [
  { label: 'loss', of: (row: AttentionRow) => row.loss },
  { label: 'cross-entropy', of: (row: AttentionRow) => row.crossEntropy },
  { label: 'attention', of: (row: AttentionRow) => row.attention },
  { label: 'accuracy', of: (row: AttentionRow) => row.accuracy },
];

interface Speakers {
  readonly session: Session;
  readonly output: Output;
}

/**
 * Trains, evaluates and writes.
 *
 * @param command as options.json records it
 * @returns the evaluated splits, validation first
 */
export async function trainAttention(
  flags: AttentionFlags,
  command: string,
  session: Session,
): Promise<EvaluatedSplit[]> {
  const begun = performance.now();
  const speakers = { session, output: new Output(session, flags.json ?? false) };
  checkAttentionFlags(flags);
  const device = await gpuDevice(flags.gpu);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const data = await openAttentionData(flags);
  sayAttentionData(data, speakers.output);
  const regions = await attentionRegions(flags, data.classes);
  const frames = await namedFrames(flags.finding_boxes);
  const options = attentionRecord(flags, command);
  const name = attentionName(flags);
  const target = path.join(flags.results, name);
  const folder = await RunFolder.openFor(target, existing(flags), attentionColumns(flags));
  try {
    using model = await LocAttention.create(attentionClassifier(flags, data.classes, device));
    sayHead(model, speakers.output);
    await folder.record(options);
    const learned = await learn({ flags, data, folder, model, regions, ...speakers });
    // Of all sessions: preparing is part of each, training of those before is kept with the checkpoint.
    const seconds = () => learned.result.earlierSeconds + (performance.now() - begun) / 1000;
    const minutes = seconds() / 60;
    return await finish({
      flags,
      data,
      frames,
      folder,
      model,
      ...learned,
      options,
      name,
      minutes,
      seconds,
      ...speakers,
    });
  } catch (error) {
    await folder.giveUp();
    throw resumable(error, folder);
  }
}

function sayAttentionData(data: AttentionData, output: Output): void {
  const { train, validation } = trainingSplits(data);
  output.say(`Classes in label order: ${data.classes.join(', ')}`);
  const splits = new Map([['train', train], ['val', validation], ...data.tests] as const);
  for (const [split, dataset] of splits) {
    const counts = classCounts(dataset);
    output.say(`  ${split}: ${dataset.length} images (${counts.join(', ')})`);
    output.event({ type: 'data', split, images: dataset.length, classes: data.classes, counts });
  }
  sayRemarks(data, output);
}

/** What training leaves besides the weights. */
interface Learned {
  readonly result: TrainResult;
  readonly lungs: readonly FoundLungs[];
  readonly notices: readonly Notice[];
}

interface Learning extends Speakers {
  readonly flags: AttentionFlags;
  readonly data: AttentionData;
  readonly folder: RunFolder<AttentionRow>;
  readonly model: LocAttention;
  readonly regions: Awaited<ReturnType<typeof attentionRegions>>;
}

async function learn({ flags, data, folder, model, regions, ...speakers }: Learning): Promise<Learned> {
  const { session, output } = speakers;
  const ofTerm = flags.attention === 'published' ? [withoutGradient] : [];
  for (const { message } of ofTerm) output.say(message);
  const preparing = preparation(session, output);
  using lungs = await lungsAtHand(flags, data, model.device, speakers);
  const run = model.fit({
    ...{ ...attentionFit(flags), ...trainingSplits(data), ...preparing.callbacks, ...lungs.options },
    ...(regions === undefined ? {} : { regions }),
    ...{ checkpoints: folder.checkpoints, resume: folder.resumes, signal: session.signal },
  });
  const follower = { ...speakers, maxEpochs: flags.max_epochs, numbers: shownNumbers };
  const result = await followRunOf(folder, run, follower);
  preparing.end();
  throwIfStopped(session);
  const { bestEpoch, best, epochsDone } = result.schedule;
  const kept =
    bestEpoch > 0
      ? `best epoch ${bestEpoch}, ${flags.select} ${best.toFixed(3)} on validation`
      : 'no epoch was better than 0: the last weights are evaluated';
  output.say(`Trained ${epochsDone} epochs; ${kept}`);
  const ofFilms = lungs.leftOut.map(({ kind, message }) => ({ code: kind, message }));
  const ofRegions = emptyRegions(folder.history, data);
  for (const { code, message } of ofRegions) output.warn(code, message);
  return { result, lungs: lungs.found, notices: [...ofTerm, ...ofFilms, ...ofRegions] };
}

/** Of images whose region has no pixel, in the last epoch: whose region it is may change with what is predicted. */
function emptyRegions(history: readonly AttentionRow[], data: AttentionData): Notice[] {
  const { train, validation } = trainingSplits(data);
  const told = (
    [
      ['training', 'train', train],
      ['validation', 'val', validation],
    ] as const
  ).flatMap(([name, phase, { length }]) => {
    const empty = history.findLast((row) => row.phase === phase)?.emptyRegions ?? 0;
    return empty > 0 ? [`${empty} of ${length} ${name} images`] : [];
  });
  if (told.length === 0) return [];
  const message = `The region of ${told.join(' and ')} is empty: there the attention term is 0, whatever is looked at`;
  return [{ code: 'empty-region', message }];
}

interface Finished extends Speakers, Learned {
  readonly flags: AttentionFlags;
  readonly data: AttentionData;
  readonly frames: NamedFrames | undefined;
  readonly folder: RunFolder<AttentionRow>;
  readonly model: LocAttention;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly name: string;
  /** To the end of training, for the log. */
  readonly minutes: number;
  /** Of the whole run so far. */
  readonly seconds: () => number;
}

async function finish(run: Finished): Promise<EvaluatedSplit[]> {
  const { flags, data, folder, model, result, lungs, output, session, name } = run;
  const precision = flags.precision === 'float64' ? ('float64' as const) : ('float32' as const);
  const settings = {
    ...{ precision, bootstrap: bootstrapOf(flags.bootstrap), onError: flags.on_error },
    ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
  };
  const splits = [['val', trainingSplits(data).validation] as const, ...data.tests];
  const evaluated = await evaluateSplits(model, splits, settings, run);
  const [validation, test] = evaluated;
  if (test === undefined) output.warn('no-test-split', `${data.name} has no test split: no log is written`);
  const gallery = test ? await explainExamples(folder.path, model, test, { session, precision }) : [];
  const localised = await localiseSplits(model, evaluated.slice(1), {
    ...{ settings, session, output, frames: run.frames },
  });
  throwIfStopped(session);
  const { bestEpoch } = result.schedule;
  await writeResults(
    folder.path,
    model,
    evaluated,
    {
      title: `${flags.attention === 'none' ? 'Cross-entropy' : 'loc-attention'} on ${flags.dataset}`,
      description: descriptionOf(run),
      ...{ options: run.options, history: folder.history, notices: run.notices },
      bestEpoch: bestEpoch > 0 ? bestEpoch : null,
      trainingPrecision: await resolvePrecision(flags.precision, model.device),
      device: model.device,
      seconds: run.seconds(),
      withIds: flags.with_ids ?? false,
      ...(localised.length > 0 ? { localised } : {}),
      ...(lungs.length > 0 ? { lungs } : {}),
    },
    gallery,
  );
  const log = path.join(flags.results, `${name}.txt`);
  if (validation && test) {
    await writeLog(log, run, validation, test);
    await writeThreshold(run, validation, test);
  }
  if (result.best !== undefined) await writeCheckpoint(path.join(flags.results, name), result.best, model);
  output.say(`Report: ${path.join(folder.path, 'report.html')}  ${notClinical}`);
  output.event({ type: 'done', folder: folder.path, log, epochs: result.schedule.epochsDone, bestEpoch });
  return evaluated;
}

function descriptionOf({ flags, data }: Finished): string {
  const term =
    flags.attention === 'none'
      ? 'cross-entropy'
      : `${flags.attention} attention term, lambda ${flags.isAdaptive ? 'adaptive' : flags.lamda}`;
  return `${flags.backbone} at ${flags.image_size} pixels, ${term}, trained on ${data.name}.`;
}

async function writeLog(
  file: string,
  { flags, minutes }: Finished,
  validation: EvaluatedSplit,
  test: EvaluatedSplit,
): Promise<void> {
  const predictions = ({ evaluation: { probabilities, labels, classes } }: EvaluatedSplit) => ({
    ...{ probabilities, labels, classes },
  });
  const isBaseline = flags.attention === 'none';
  const heading = isBaseline && flags.backbone?.startsWith('pvt') ? 'Performances' : 'Metrics';
  const sets = { validation: predictions(validation), test: predictions(test) };
  await writeFileAtomic(file, performanceLog({ minutes, ...sets, heading, diagnostics: !isBaseline }));
}

/** The threshold chosen on validation, applied to test: the log's own is chosen on the very images that it is judged by. */
async function writeThreshold(
  { folder, output }: Finished,
  validation: EvaluatedSplit,
  test: EvaluatedSplit,
): Promise<void> {
  const scoresOf = ({ evaluation: { probabilities } }: EvaluatedSplit) => column(probabilities, 2, 1);
  if (validation.evaluation.classes.length !== 2) return;
  const best = bestThreshold(scoresOf(validation), validation.evaluation.labels);
  // No cut is better than calling every image negative.
  if (best === null || !Number.isFinite(best.threshold)) return;
  const scores = scoresAtThreshold(scoresOf(test), test.evaluation.labels, best.threshold);
  const { threshold } = best;
  await folder.writeJson('validation-threshold.json', { threshold, split: test.split, ...scores });
  const three = (value: number | null) => value?.toFixed(3) ?? '-';
  output.say(
    `${test.split} at validation's best threshold ${threshold.toFixed(3)}: sensitivity ${three(scores.sensitivity)}, specificity ${three(scores.specificity)}`,
  );
}

/** `NAME.safetensors` beside `NAME.json`, where the original writes `NAME.pt`. The weights share the checkpoint's disk space. */
async function writeCheckpoint(stem: string, best: string, { card }: LocAttention): Promise<void> {
  const source = path.join(best, weightsFile);
  const target = `${stem}.safetensors`;
  const temporary = temporaryBeside(target);
  try {
    await link(source, temporary).catch(() => copyFile(source, temporary));
    await rename(temporary, target);
  } finally {
    // A rename between two links to one file, as after --resume of a finished run, leaves both.
    await rm(temporary, { force: true });
  }
  await writeFileAtomic(`${stem}.json`, `${JSON.stringify(cardToJson(card), null, 2)}\n`);
}

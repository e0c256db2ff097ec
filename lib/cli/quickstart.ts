/** `cxr-gaze quickstart`: the whole way on the embedded sample; what `npm start` runs. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { Command, Option } from 'commander';
import { makeFolder, recoverFolder, sweepTemporaries, writeFolderAtomic } from '../checkpoints/atomic.js';
import { phantomSplits } from '../data/phantom/splits.js';
import { CxrGazeError } from '../errors.js';
import type { Notice } from '../metrics/types.js';
import { backboneName, publishedWidth } from '../models/model.js';
import type { GalleryItem, OptionValue } from '../report/report-data.js';
import { GazeLT } from '../systems/gazelt/gazelt.js';
import { resolvePrecision } from '../training/precision.js';
import type { TrainResult } from '../training/trainer.js';
import { type EvaluatedSplit, evaluateSplits, headline, throwIfStopped } from './evaluation.js';
import { explainExamples } from './gallery.js';
import { asInteger, asNumber, asText, headings, option } from './options.js';
import { duration } from './progress.js';
import { type ResultFacts, writeResults } from './results.js';
import { followRun, RunFolder } from './run-folder.js';
import { phantomNotice } from './say-data.js';
import { Output, type Session } from './session.js';
import { notClinical } from './train-run.js';

/** What the quickstart does; a test does less of it. */
export interface QuickstartSettings {
  /** Folder of the result. */
  readonly folder: string;
  /** Phantoms to train on. */
  readonly train: number;
  /** Side of films and network input in pixels. */
  readonly size: number;
  /** Most epochs. */
  readonly epochs: number;
  /** Last epoch without class weights. */
  readonly drwEpoch: number;
  /** Channels of the backbone's first stage. */
  readonly width: number;
  /** Adam's rate. */
  readonly learningRate: number;
}

// Chosen for the best held-out result within eight epochs from random weights.
const defaultLearningRate = 1e-3;

/** Why the quickstart is without the teachers; measured, see docs/development.md. */
const teachersTakeLonger: Notice = {
  code: 'distillation-off',
  message:
    'Distillation is off: no gaze teacher took part. Training both teachers takes about six minutes an epoch of 600 readings on two cores, and their vectors of these films about two; the quickstart has five minutes in all. This is the student of GazeLT learning from labels alone, not the published method; docs/gaze.md shows the whole way.',
};

/** The command. */
export function quickstartCommand(session: Session): Command {
  const hidden = (flags: string, fallback: number, read = asInteger({ min: 1 })) =>
    new Option(flags).argParser(read).default(fallback).hideHelp();
  return new Command('quickstart')
    .description("train GazeLT's student on the embedded sample, evaluate and explain it")
    .addOption(option(headings.output, '--out_dir <folder>', 'replaced whole', asText, 'runs/quickstart'))
    .addOption(option(headings.output, '--json', 'for programs: one JSON object a line on standard output'))
    .addOption(hidden('--train <n>', 800))
    .addOption(hidden('--size <pixels>', 128))
    .addOption(hidden('--epochs <n>', 8))
    .addOption(hidden('--drw_epoch <n>', 5))
    .addOption(hidden('--width <channels>', publishedWidth))
    .addOption(hidden('--lr <rate>', defaultLearningRate, asNumber({ above: 0 })))
    .addHelpText(
      'after',
      `
800 phantom radiographs of 128 pixels, ResNet18, LDAM with deferred re-weighting, 8 epochs: a few minutes on two
cores. It leaves report.html, metrics.json, history.csv, checkpoints and Grad-CAM overlays. ${notClinical}`,
    )
    .action(
      async (flags: {
        out_dir: string;
        json?: boolean;
        train: number;
        size: number;
        epochs: number;
        drw_epoch: number;
        width: number;
        lr: number;
      }) => {
        await quickstart(
          {
            ...{ folder: flags.out_dir, train: flags.train, size: flags.size, epochs: flags.epochs },
            ...{ drwEpoch: flags.drw_epoch, width: flags.width, learningRate: flags.lr },
          },
          session,
          new Output(session, flags.json ?? false),
        );
      },
    );
}

async function quickstart(settings: QuickstartSettings, session: Session, output: Output): Promise<void> {
  const target = path.resolve(settings.folder);
  await refuseForeign(target);
  await makeFolder(path.dirname(target));
  await sweepTemporaries(path.dirname(target));
  // Built beside and moved in: whoever looks at the old result is not met by half a new one.
  await writeFolderAtomic(target, (temporary) => build(temporary, settings, { session, output }));
  sayNext(settings.folder, output);
  output.event({ type: 'done', folder: target });
}

async function refuseForeign(target: string): Promise<void> {
  await recoverFolder(target);
  const entries = await readdir(target).catch((): string[] => []);
  if (entries.length === 0 || entries.includes('options.json')) return;
  throw new CxrGazeError(
    'ERR_EXISTS',
    `${target} is there already and holds no options.json, so it is not a quickstart and is not replaced`,
    { details: { file: target } },
  );
}

/** What the quickstart tells of itself before its numbers. */
const notices = [phantomNotice, teachersTakeLonger];

interface Speakers {
  readonly session: Session;
  readonly output: Output;
}

async function build(folder: string, settings: QuickstartSettings, speakers: Speakers): Promise<void> {
  const { session, output } = speakers;
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const { train, size, width } = settings;
  const splits = phantomSplits({ seed: 1, size, train });
  const { classes } = splits.train;
  const thresholds = { head: Math.floor(train / 8), tail: Math.ceil(train / 32) };
  const options = recordOf(settings, thresholds);
  output.say(
    `Quickstart: ${train} phantom radiographs of ${size} x ${size} pixels, ${classes.length} classes`,
  );
  for (const { message } of notices) output.say(message);
  using model = await GazeLT.create({
    ...{ classes, init: 'random', architecture: 'resnet18', width, imageSize: size, seed: 0, thresholds },
  });
  const run = await RunFolder.open(folder, 'refuse');
  await run.record(options);
  const { schedule } = await learn(model, splits, run, settings, speakers);
  throwIfStopped(session);
  const { evaluated, gallery } = await test(model, splits, folder, speakers);
  throwIfStopped(session);
  const facts: ResultFacts = {
    title: "GazeLT's student on phantom radiographs",
    description: `${backboneName('resnet18', width)} at ${size} pixels with GazeLT's two-layer head, LDAM with deferred re-weighting, ${train} training phantoms.`,
    ...{ options, notices, history: run.history },
    bestEpoch: schedule.bestEpoch > 0 ? schedule.bestEpoch : null,
    ...{ trainingPrecision: await resolvePrecision('auto'), device: 'cpu', seconds: seconds() },
    withIds: false,
  };
  await writeResults(folder, model, evaluated, facts, gallery);
  output.say('');
  output.say(`Done in ${duration(seconds())}; the weights are those of epoch ${schedule.bestEpoch}.`);
  for (const { split, evaluation } of evaluated)
    for (const line of headline(split, evaluation.metrics)) output.say(line);
}

type Splits = ReturnType<typeof phantomSplits>;

function learn(
  model: GazeLT,
  splits: Splits,
  folder: RunFolder,
  { epochs, drwEpoch, learningRate }: QuickstartSettings,
  { session, output }: Speakers,
): Promise<TrainResult> {
  const run = model.fit({
    ...{ train: splits.train, validation: splits['balanced-val'], loss: 'ldam', weighting: 'balanced' },
    ...{ deferred: { epoch: drwEpoch }, maxEpochs: epochs, batchSize: 16, learningRate },
    ...{ checkpoints: folder.checkpoints, signal: session.signal },
  });
  return followRun(folder, run, { session, output, maxEpochs: epochs });
}

/** Evaluates both test splits and explains examples of the balanced one. */
async function test(
  model: GazeLT,
  splits: Splits,
  folder: string,
  speakers: Speakers,
): Promise<{ evaluated: EvaluatedSplit[]; gallery: GalleryItem[] }> {
  const tests = [
    ['balanced-test', splits['balanced-test']],
    ['test', splits.test],
  ] as const;
  const evaluated = await evaluateSplits(model, tests, { bootstrap: { resamples: 1000 } }, speakers);
  const [first] = evaluated;
  return { evaluated, gallery: first ? await explainExamples(folder, model, first, speakers) : [] };
}

function recordOf(
  { train, size, epochs, drwEpoch, width, learningRate: lr }: QuickstartSettings,
  thresholds: { readonly head: number; readonly tail: number },
): Readonly<Record<string, OptionValue>> {
  return {
    ...{ command: 'quickstart', dataset: 'sample', sample_train: train, sample_seed: 1 },
    ...{ model_name: 'resnet18', width, head: 'bottleneck64', image_size: size },
    ...{ rand_init: true, features: 'none' },
    ...{ loss: 'ldam', rw_method: 'sklearn', drw: true, drw_epoch: drwEpoch, drw_lr_factor: 0.1 },
    ...{ max_epochs: epochs, batch_size: 16, lr, seed: 0, precision: 'auto' },
    group_thresholds: [thresholds.head, thresholds.tail],
  };
}

function sayNext(folder: string, output: Output): void {
  const lines = [
    '',
    `Made: ${folder}/report.html (open it in a browser), metrics.json, history.csv, checkpoints/, cam/*.png`,
    notClinical,
    '',
    'Try next:',
    '  npx cxr-gaze sample phantoms --test 20                        # phantom films as files',
    `  npx cxr-gaze predict ${folder} phantoms/images            # classes of images`,
    `  npx cxr-gaze explain ${folder} phantoms/images --out_dir overlays`,
    '  npx cxr-gaze train gazelt --features none --rand_init --csv phantoms/labels.csv --split_column split \\',
    '    --patient_column patient --model_name resnet18 --image_size 128 --batch_size 16 --lr 1e-3   # a table of your own',
    '  npx cxr-gaze train gazelt --help',
  ];
  for (const line of lines) output.say(line);
}

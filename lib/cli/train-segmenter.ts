/** `cxr-gaze train segmenter`: trains the U-Net that finds the lungs, tells how well it does, leaves a run's folder. */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import { csvLine } from '../data/csv-row.js';
import type { PairReport } from '../data/pair-survey.js';
import { dataThreads } from '../data/resize.js';
import { publishedWidth, widths } from '../models/model.js';
import type { HistoryColumn } from '../report/history.js';
import type { Init } from '../systems/classifier/initial-weights.js';
import { LungSegmenter } from '../systems/segmenter/segmenter.js';
import type { SegmenterEvaluation } from '../systems/segmenter/segmenter-evaluate.js';
import type { SegmenterScores } from '../systems/segmenter/segmenter-objective.js';
import type { EpochHalf } from '../training/checkpoint.js';
import { trainingEnvironment } from '../training/environment.js';
import { type PrecisionChoice, resolvePrecision } from '../training/precision.js';
import type { TrainResult } from '../training/trainer.js';
import { throwIfStopped } from './evaluation.js';
import {
  asInteger,
  asText,
  explicitFlags,
  headings,
  initialWeights,
  option,
  weightsKeyOption,
} from './options.js';
import { addPairOptions, type OpenedPairs, openPairs, type PairFlags } from './pair-options.js';
import { existing, followRunOf, RunFolder } from './run-folder.js';
import { Output, type Session } from './session.js';
import { addImages, addOutput, addPrecision, addSteps, addVariation } from './shared-options.js';
import { notClinical, preparation, resumable, sayLeftOut } from './train-run.js';

interface SegmenterFlags extends PairFlags {
  readonly size: number;
  readonly width: number;
  readonly weights?: string;
  readonly weights_key?: string;
  readonly rand_init?: boolean;
  readonly flip: number;
  readonly max_angle: number;
  readonly max_epochs: number;
  readonly patience?: number;
  readonly batch_size: number;
  readonly lr: number;
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly save_every?: number;
  readonly keep: 'recent' | 'all';
  readonly cache_dir?: string;
  readonly on_error: 'throw' | 'skip';
  readonly workers?: number;
  readonly device: string;
  readonly precision: PrecisionChoice;
}

const help = `
How the original's U-Net was trained is not published; the defaults are the recipe of the U-Net that it took over:
512 pixels, Adam at 1e-4, batches of 2, 50 epochs, the rate divided by 10 after 5 epochs without a lower validation loss.

Examples:
  Two folders, such as Kaggle's Chest X-ray Masks and Labels:
    cxr-gaze train segmenter --images CXR_png/ --masks masks/ --rand_init
  A table with patients and splits, small and quick, scored source by source:
    cxr-gaze train segmenter --csv pairs.csv --split_column split --patient_column patient --group_column source \\
      --rand_init --size 128 --max_epochs 15
  Trained on two sources, tested on all, each by itself:
    cxr-gaze train segmenter --csv pairs.csv --split_column split --patient_column patient --group_column source \\
      --train_where source=montgomery,shenzhen --rand_init --size 128 --max_epochs 15
  On phantoms:
    cxr-gaze train segmenter --phantoms 200 --rand_init --size 128 --max_epochs 5
  Interrupted? The same command with --resume goes on. Then: cxr-gaze segment --help`;

/** The command, below `train`. */
export function addSegmenterCommand(train: Command, session: Session): void {
  const command = train
    .command('segmenter')
    .description("the U-Net that finds the lungs for loc-attention's boxes, from images and masks");
  command
    .addOption(
      option(
        headings.network,
        '--size <pixels>',
        'side of the input, a multiple of 16; kept in the checkpoint',
        asInteger({ min: 16, max: 4096 }),
        512,
      ),
    )
    .addOption(
      option(
        headings.network,
        '--weights <file>',
        "initial weights: .safetensors, .pt or .pth with the original's keys, a run or a saved segmenter",
        asText,
      ),
    )
    .addOption(weightsKeyOption())
    .addOption(option(headings.network, '--rand_init', 'begin with random weights instead'))
    .addOption(
      option(
        headings.network,
        '--width <channels>',
        'of the first level; narrower is quicker (published: 64)',
        asInteger(widths),
        publishedWidth,
      ),
    );
  addOutput(command, 'train');
  addPairOptions(command);
  addVariation(command, 'an image and its mask');
  addSteps(command, {
    ...{ maxEpochs: 50, batchSize: 2, seed: 42, seeded: 'weights, sampling, augmentation, splits' },
    maxSeed: 2 ** 32 - 2,
  });
  addImages(addPrecision(command, 'auto')).addHelpText('after', help);
  command.action((flags: SegmenterFlags) => trainSegmenter(flags, explicitFlags(command), session));
}

type SegmenterRow = EpochHalf & SegmenterScores;

/** The columns of a segmenter's `history.csv`. */
const columns: readonly HistoryColumn<SegmenterRow>[] = [
  { key: 'loss', name: 'loss' },
  { key: 'dice', name: 'dice' },
  { key: 'iou', name: 'iou' },
];

const shownNumbers = [
  { label: 'loss', of: (row: SegmenterRow) => row.loss, text: (value: number) => value.toFixed(4) },
  { label: 'Dice', of: (row: SegmenterRow) => row.dice },
  { label: 'IoU', of: (row: SegmenterRow) => row.iou },
];

function initOf(flags: SegmenterFlags): Init {
  return initialWeights(flags, 'FILE may be unet_model.pt of the original');
}

async function trainSegmenter(
  flags: SegmenterFlags,
  given: ReadonlySet<string>,
  session: Session,
): Promise<void> {
  const begun = performance.now();
  const output = new Output(session, flags.json ?? false);
  const init = initOf(flags);
  const wanted = existing(flags);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const pairs = await openPairs(flags, flags.size, given);
  for (const { kind, message, details } of pairs.warnings) output.warn(kind, message, { details });
  const sizes = {
    train: pairs.train.masks.length,
    validation: pairs.validation.masks.length,
    test: pairs.test?.masks.length ?? 0,
  };
  output.say(
    `${pairs.name}: ${sizes.train} pairs to train on, ${sizes.validation} to validate on, ${sizes.test} to test on`,
  );
  output.event({ type: 'data', dataset: pairs.name, pairs: sizes });
  const width = flags.width === publishedWidth ? '' : `-w${flags.width}`;
  const name = `segmenter_${pairs.name}_${flags.size}${width}${flags.rand_init ? '_rand' : ''}_lr-${flags.lr}_bs-${flags.batch_size}`;
  const folder = await RunFolder.openFor(path.join(flags.out_dir, name), wanted, columns);
  try {
    using segmenter = await LungSegmenter.create({
      ...{ init, imageSize: flags.size, width: flags.width, seed: flags.seed, device: flags.device },
    });
    sayLeftOut(segmenter.initReport, output);
    await folder.record(recordOf(flags));
    const preparing = preparation(session, output);
    const run = segmenter.fit({
      ...{ train: pairs.train, validation: pairs.validation, ...preparing.callbacks },
      onPairs: (report) => sayPairs(report, output),
      ...fitFlags(flags),
      ...{ checkpoints: folder.checkpoints, resume: folder.resumes, signal: session.signal },
    });
    const follower = { session, output, maxEpochs: flags.max_epochs, numbers: shownNumbers };
    const result = await followRunOf(folder, run, follower);
    preparing.end();
    await finish({ session, output, flags, pairs, folder, segmenter, result, begun });
  } catch (error) {
    await folder.giveUp();
    throw resumable(error, folder);
  }
}

function fitFlags(flags: SegmenterFlags) {
  return {
    ...{ flipProbability: flags.flip, maxAngle: flags.max_angle, maxEpochs: flags.max_epochs },
    ...{ batchSize: flags.batch_size, learningRate: flags.lr, seed: flags.seed },
    ...{ precision: flags.precision, keep: flags.keep, onError: flags.on_error },
    ...(flags.patience === undefined ? {} : { patience: flags.patience }),
    ...(flags.save_every === undefined ? {} : { saveEvery: flags.save_every }),
    ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
  };
}

function recordOf(flags: SegmenterFlags): object {
  const { overwrite: _, resume: __, json: ___, ...kept } = flags;
  const paths = (['images', 'masks', 'csv', 'data_dir', 'weights'] as const).flatMap((name) => {
    const value = flags[name];
    return value === undefined ? [] : [[name, path.resolve(value)] as const];
  });
  return { command: 'train segmenter', ...kept, ...Object.fromEntries(paths) };
}

function sayPairs({ warnings, ...counts }: PairReport, output: Output): void {
  output.event({ type: 'pairs', ...counts });
  for (const { kind, message, details } of warnings) output.warn(kind, message, { details });
}

interface Finished {
  readonly session: Session;
  readonly output: Output;
  readonly flags: SegmenterFlags;
  readonly pairs: OpenedPairs;
  readonly folder: RunFolder<SegmenterRow>;
  readonly segmenter: LungSegmenter;
  readonly result: TrainResult;
  readonly begun: number;
}

async function finish(run: Finished): Promise<void> {
  const { session, output, flags, pairs, folder, segmenter, result, begun } = run;
  throwIfStopped(session);
  const { bestEpoch, epochsDone, best } = result.schedule;
  output.say(`Trained ${epochsDone} epochs; best epoch ${bestEpoch}, loss ${best.toFixed(4)} on validation`);
  const evaluation = pairs.test && (await evaluateOn(run, pairs.test));
  if (evaluation) sayPairs(evaluation.report, output);
  if (evaluation) for (const line of headline(evaluation)) output.say(line);
  else output.warn('no-test-split', `${pairs.name} has no test split: nothing is evaluated`);
  throwIfStopped(session);
  await folder.writeJson('metrics.json', {
    run: {
      ...{
        title: `Lung segmenter on ${pairs.name}`,
        date: new Date().toISOString(),
        options: recordOf(flags),
      },
      ...{ environment: await trainingEnvironment(), device: flags.device, bestEpoch },
      trainingPrecision: await resolvePrecision(flags.precision, flags.device),
      seconds: Math.round(result.earlierSeconds + (performance.now() - begun) / 1000),
      segmenter: await segmenter.fingerprint(),
    },
    test: evaluation ? scoresOf(evaluation) : null,
  });
  if (evaluation) await writeOverlaps(folder, evaluation);
  output.say(`Segmenter: ${folder.path}  ${notClinical}`);
  output.event({ type: 'done', folder: folder.path, epochs: epochsDone, bestEpoch, best });
}

/** What of an evaluation is figures: all images together, and each group. */
function scoresOf({ name, images, dice, iou, groups }: SegmenterEvaluation) {
  return { name, images, dice, iou, groups };
}

async function writeOverlaps(
  { path: folder }: Finished['folder'],
  { each }: SegmenterEvaluation,
): Promise<void> {
  const rows = each.map(({ id, group, dice, iou }) => csvLine([id, group, String(dice), String(iou)]));
  const head = csvLine(['id', 'group', 'dice', 'iou']);
  await writeFileAtomic(path.join(folder, 'test_overlap.csv'), [head, ...rows].join(''));
}

async function evaluateOn(
  { segmenter, session, output, flags }: Finished,
  test: OpenedPairs['train'],
): Promise<SegmenterEvaluation> {
  const bar = session.progress('evaluating test', test.masks.length);
  try {
    const evaluation = await segmenter.evaluate(test, {
      ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
      ...{ onError: flags.on_error, signal: session.signal },
      onSkip: ({ error }) => output.warn('image-skipped', error.message),
      onProgress: ({ done }) => bar.update(done),
    });
    output.event({ type: 'evaluation', split: 'test', ...scoresOf(evaluation) });
    return evaluation;
  } finally {
    bar.end();
  }
}

function headline({ groups, images, dice, iou }: SegmenterEvaluation): string[] {
  const row = (name: string, of: { images: number; dice: number; iou: number }) =>
    `  ${name}: Dice ${of.dice.toFixed(4)}, IoU ${of.iou.toFixed(4)} (${of.images} images)`;
  if (groups.length < 2) return ['test:', row('all', { images, dice, iou })];
  return ['test, each group by itself:', ...groups.map((one) => row(one.group, one))];
}

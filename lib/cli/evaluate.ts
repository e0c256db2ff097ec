/** `cxr-gaze evaluate`: a trained model on a data set with labels. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { recoverFolder, writeFolderAtomic } from '../checkpoints/atomic.js';
import { readJson } from '../checkpoints/folder.js';
import { dataThreads } from '../data/resize.js';
import { CxrGazeError } from '../errors.js';
import { backboneName } from '../models/model.js';
import type { OptionValue } from '../report/report-data.js';
import { GazeLT } from '../systems/gazelt/gazelt.js';
import type { PrecisionChoice } from '../training/precision.js';
import { integer } from '../validate.js';
import { openPhantomTask, type PhantomTaskFlags } from './attention-data.js';
import { recordedTask } from './attention-flags.js';
import { absoluteDataFlags, addDataOptions, type DataFlags, pickDataFlags } from './data-options.js';
import { openData } from './datasets.js';
import { evaluateSplits } from './evaluation.js';
import { explainExamples } from './gallery.js';
import { localiseSplits, type NamedFrames, namedFrames } from './localised.js';
import { asInteger, headings, option, usageError } from './options.js';
import { slug } from './png.js';
import { writeResults } from './results.js';
import { sayRemarks } from './say-data.js';
import { Output, type Session } from './session.js';
import { addFindingBoxes, addImages, addOutput, addPrecision, addTesting } from './shared-options.js';
import { bootstrapOf } from './train-flags.js';
import { notClinical } from './train-run.js';

interface EvaluateFlags extends DataFlags {
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly tta?: number;
  readonly bootstrap: number;
  readonly with_ids?: boolean;
  readonly finding_boxes?: string;
  readonly seed?: number;
  readonly batch_size: number;
  readonly cache_dir?: string;
  readonly on_error: 'throw' | 'skip';
  readonly workers?: number;
  readonly device: string;
  readonly precision: PrecisionChoice;
}

const help = `
MODEL is a run's folder (its best checkpoint is taken), a checkpoint, or a saved model.
Without data flags the test splits of the run's own data are evaluated. Where findings are framed (--finding_boxes, or the
sample's tasks), the report says how well the network's maps meet them.

Examples:
  cxr-gaze evaluate runs/quickstart
  cxr-gaze evaluate runs/quickstart --csv labels.csv --label_column finding --split_column split --test_split test`;

/** The command. */
export function evaluateCommand(session: Session): Command {
  const command = new Command('evaluate')
    .description('evaluate a trained model: tables, confusion matrices, metrics.json, report.html')
    .argument('<model>', 'folder of a run, a checkpoint or a saved model');
  addOutput(addDataOptions(command), 'evaluate');
  addFindingBoxes(addTesting(command, true));
  command
    .addOption(
      option(
        headings.evaluation,
        '--seed <n>',
        "of the augmented copies; default: the run's, else 0",
        asInteger({ min: 0 }),
      ),
    )
    .addOption(option(headings.machine, '--batch_size <n>', 'images at once', asInteger({ min: 1 }), 16));
  addImages(addPrecision(command, 'float32'));
  return command
    .addHelpText('after', help)
    .action((model: string, flags: EvaluateFlags) => evaluate(model, flags, session));
}

async function evaluate(model: string, flags: EvaluateFlags, session: Session): Promise<void> {
  const begun = performance.now();
  const output = new Output(session, flags.json ?? false);
  const bootstrap = bootstrapOf(flags.bootstrap);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  using classifier = await GazeLT.load(model, { device: flags.device });
  const { classes, imageSize } = classifier.card;
  const recorded = await recordedOptions(model);
  const source = sourceOf(model, flags, recorded);
  const copies = copiesOf(flags, recorded);
  const frames = await framesOf(flags, recorded, output);
  const skipMissing = flags.on_error === 'skip';
  const data =
    'task' in source
      ? openPhantomTask({ ...source, image_size: imageSize }).data
      : await openData(source, { imageSize, classes, purpose: 'evaluation', skipMissing });
  sayRemarks(data, output);
  if (data.tests.length === 0) {
    throw usageError(
      `${data.name} has no split but those for training and validation; name one by --test_split (there are ${[...data.splits.keys()].join(', ')})`,
    );
  }
  const target = path.resolve(
    flags.out_dir,
    `${slug(path.basename(path.resolve(model)))}_${slug(data.name)}`,
  );
  await refuseExisting(target, flags.overwrite ?? false);
  await writeFolderAtomic(target, async (temporary) => {
    const { batch_size, on_error, precision, cache_dir } = flags;
    const settings = {
      ...{ ...copies, bootstrap, batchSize: batch_size, onError: on_error, precision },
      ...(cache_dir === undefined ? {} : { cacheDir: cache_dir }),
    };
    const speakers = { session, output };
    const evaluated = await evaluateSplits(classifier, data.tests, settings, speakers);
    const [first] = evaluated;
    if (!first) throw new CxrGazeError('ERR_DATASET', `${data.name} has no image to evaluate`);
    const gallery = await explainExamples(temporary, classifier, first, { ...speakers, precision });
    const localised = await localiseSplits(classifier, evaluated, { ...speakers, settings, frames });
    const options = {
      ...{ command: 'evaluate', model: path.resolve(model), ...flags, ...copies, ...source },
      ...(frames === undefined ? {} : { finding_boxes: frames.file }),
    };
    await writeResults(
      temporary,
      classifier,
      evaluated,
      {
        title: `${path.basename(path.resolve(model))} on ${data.name}`,
        description: `${backboneName(classifier.card.architecture, classifier.card.width)} at ${imageSize} pixels, evaluated on ${data.name}.`,
        options: options as unknown as Record<string, OptionValue>,
        ...{ notices: [], history: [], bestEpoch: null, trainingPrecision: null, device: flags.device },
        seconds: (performance.now() - begun) / 1000,
        withIds: flags.with_ids ?? false,
        ...(localised.length > 0 ? { localised } : {}),
      },
      gallery,
    );
  });
  output.say(`Report: ${path.join(target, 'report.html')}  ${notClinical}`);
  output.event({ type: 'done', folder: target });
}

/** What a run's folder says of how it was made; nothing where the model is no run. */
type RecordedOptions = Readonly<Record<string, unknown>> | undefined;

function recordedOptions(run: string): Promise<RecordedOptions> {
  return readJson(path.join(run, 'options.json')).catch(() => undefined);
}

/** Augmented copies: a run is evaluated again as it was, unless flags say otherwise. */
function copiesOf(flags: EvaluateFlags, recorded: RecordedOptions): { tta: number; seed: number } {
  const of = (name: 'tta' | 'seed'): number => {
    const given = flags[name] ?? recorded?.[name] ?? 0;
    return integer(`${name} of the run's options.json`, given, { min: 0 });
  };
  return { tta: of('tta'), seed: of('seed') };
}

/** What is to be evaluated: data flags, or a task of the sample that the run has learned. */
function sourceOf(
  model: string,
  flags: EvaluateFlags,
  options: RecordedOptions,
): DataFlags | Omit<PhantomTaskFlags, 'image_size'> {
  const given = pickDataFlags(flags);
  // A split may be chosen among those of the run's own data.
  const { test_split } = given;
  if (namesData(given)) return absoluteDataFlags(given);
  const chosen = test_split === undefined ? {} : { test_split };
  const task = recordedTask(options ?? {});
  if (task !== undefined) return { ...task, ...chosen };
  const recorded = pickDataFlags(options ?? {});
  if (Object.keys(recorded).length === 0) {
    throw usageError(`${model} does not say what it was trained on: give --csv FILE or --dataset NAME`);
  }
  return { ...recorded, ...chosen };
}

function namesData({ test_split: _, ...others }: DataFlags): boolean {
  return Object.keys(others).length > 0;
}

/** Frames belong to data: a run's own are of use for no others, and where they have gone nobody asked for them. */
async function framesOf(
  flags: EvaluateFlags,
  recorded: RecordedOptions,
  output: Output,
): Promise<NamedFrames | undefined> {
  if (flags.finding_boxes !== undefined) return namedFrames(path.resolve(flags.finding_boxes));
  if (namesData(pickDataFlags(flags)) || typeof recorded?.finding_boxes !== 'string') return undefined;
  return namedFrames(recorded.finding_boxes).catch((cause: Error) => {
    output.warn('no-frames', `The run's frames of findings are left out: ${cause.message}`);
    return undefined;
  });
}

async function refuseExisting(folder: string, overwrite: boolean): Promise<void> {
  await recoverFolder(folder);
  const entries = await readdir(folder).catch(() => undefined);
  if (entries === undefined || entries.length === 0) return;
  const details = { file: folder };
  if (!overwrite) {
    const message = `${folder} is there already: replace it by --overwrite or choose another --out_dir`;
    throw new CxrGazeError('ERR_EXISTS', message, { details });
  }
  if (entries.includes('metrics.json') && !entries.includes('checkpoints')) return;
  const message = `${folder} is not a folder of evaluations and is not replaced`;
  throw new CxrGazeError('ERR_EXISTS', message, { details });
}

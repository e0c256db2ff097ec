/** `cxr-gaze evaluate`: a trained model on a data set with labels. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { recoverFolder, writeFolderAtomic } from '../checkpoints/atomic.js';
import { dataThreads } from '../data/resize.js';
import { CxrGazeError } from '../errors.js';
import { backboneName } from '../models/model.js';
import type { OptionValue } from '../report/report-data.js';
import type { Classifier } from '../systems/classifier/classifier.js';
import type { ModelCard } from '../systems/classifier/model-card.js';
import { loadClassifier } from '../systems/load-classifier.js';
import type { PrecisionChoice } from '../training/precision.js';
import { type AskedEvaluation, type AskedFlags, askedOf } from './asked-evaluation.js';
import { openPhantomTask } from './attention-data.js';
import { addDataOptions } from './data-options.js';
import { type OpenedData, openData } from './datasets.js';
import { type EvaluationSettings, evaluateSplits } from './evaluation.js';
import { explainExamples } from './gallery.js';
import { localiseSplits } from './localised.js';
import { asInteger, headings, option, usageError } from './options.js';
import { slug } from './png.js';
import { type ResultFacts, writeResults } from './results.js';
import { sayRemarks } from './say-data.js';
import { Output, type Session } from './session.js';
import { addFindingBoxes, addImages, addOutput, addPrecision, addTesting } from './shared-options.js';
import { bootstrapOf } from './train-flags.js';
import { notClinical } from './train-run.js';

interface EvaluateFlags extends AskedFlags {
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly bootstrap: number;
  readonly with_ids?: boolean;
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
  using classifier = await loadClassifier(model, { device: flags.device });
  const asked = await askedOf(model, flags, output);
  const data = await openTests(asked, classifier.card, flags);
  sayRemarks(data, output);
  refuseWithoutTests(data);
  const name = path.basename(path.resolve(model));
  const target = path.resolve(flags.out_dir, `${slug(name)}_${slug(data.name)}`);
  await refuseExisting(target, flags.overwrite ?? false);
  const job = { model, name, flags, bootstrap, classifier, asked, data, begun };
  await writeFolderAtomic(target, (temporary) => evaluateInto(temporary, job, { session, output }));
  output.say(`Report: ${path.join(target, 'report.html')}  ${notClinical}`);
  output.event({ type: 'done', folder: target });
}

async function openTests(
  { source }: AskedEvaluation,
  { classes, imageSize }: ModelCard,
  { on_error }: EvaluateFlags,
): Promise<OpenedData> {
  if ('task' in source) return openPhantomTask({ ...source, image_size: imageSize }).data;
  const skipMissing = on_error === 'skip';
  return openData(source, { imageSize, classes, purpose: 'evaluation', skipMissing });
}

function refuseWithoutTests({ name, tests, splits }: OpenedData): void {
  if (tests.length > 0) return;
  throw usageError(
    `${name} has no split but those for training and validation; name one by --test_split (there are ${[...splits.keys()].join(', ')})`,
  );
}

/** One evaluation, with all that was opened for it. */
interface EvaluationJob {
  readonly model: string;
  /** What the model's folder is called. */
  readonly name: string;
  readonly flags: EvaluateFlags;
  readonly bootstrap: EvaluationSettings['bootstrap'];
  readonly classifier: Classifier;
  readonly asked: AskedEvaluation;
  readonly data: OpenedData;
  /** When the command began, as `performance.now()` tells. */
  readonly begun: number;
}

async function evaluateInto(
  folder: string,
  job: EvaluationJob,
  speakers: { readonly session: Session; readonly output: Output },
): Promise<void> {
  const { name, flags, classifier, data } = job;
  const { copies, frames } = job.asked;
  const { batch_size, on_error, precision, cache_dir } = flags;
  const settings = {
    ...{ ...copies, bootstrap: job.bootstrap, batchSize: batch_size, onError: on_error, precision },
    ...(cache_dir === undefined ? {} : { cacheDir: cache_dir }),
  };
  const evaluated = await evaluateSplits(classifier, data.tests, settings, speakers);
  const [first] = evaluated;
  if (!first) throw new CxrGazeError('ERR_DATASET', `${data.name} has no image to evaluate`);
  const gallery = await explainExamples(folder, classifier, first, { ...speakers, precision });
  const localised = await localiseSplits(classifier, evaluated, { ...speakers, settings, frames });
  const { architecture, width, imageSize } = classifier.card;
  const facts: ResultFacts = {
    title: `${name} on ${data.name}`,
    description: `${backboneName(architecture, width)} at ${imageSize} pixels, evaluated on ${data.name}.`,
    options: recordOf(job),
    ...{ notices: [], history: [], bestEpoch: null, trainingPrecision: null, device: flags.device },
    seconds: (performance.now() - job.begun) / 1000,
    withIds: flags.with_ids ?? false,
    ...(localised.length > 0 ? { localised } : {}),
  };
  await writeResults(folder, classifier, evaluated, facts, gallery);
}

/** What the report lists as options: the flags, with what a run's own options stood in for. */
function recordOf({
  model,
  flags,
  asked: { source, copies, frames },
}: EvaluationJob): ResultFacts['options'] {
  const options = {
    ...{ command: 'evaluate', model: path.resolve(model), ...flags, ...copies, ...source },
    ...(frames === undefined ? {} : { finding_boxes: frames.file }),
  };
  return options as unknown as Record<string, OptionValue>;
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

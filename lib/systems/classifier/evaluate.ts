import { type Dataset, requireDataset } from '../../data/dataset.js';
import { DataLoader } from '../../data/loader.js';
import { type PreparedImages, prepareImages, type SkippedImage } from '../../data/prepare.js';
import { SequentialSampler } from '../../data/samplers.js';
import { evaluatePredictions } from '../../metrics/evaluate.js';
import { type BootstrapOptions, bootstrapSettings } from '../../metrics/resample.js';
import type { Metrics } from '../../metrics/types.js';
import type { Precision } from '../../training/precision.js';
import { integer, invalidArgument, text } from '../../validate.js';
import { type ClassifierPass, openPass, probabilitiesOf } from './classifier-pass.js';
import { type ClassifierLike, checkPass, type PassOptions } from './passes.js';

/** Options of `evaluate`. */
export interface EvaluateOptions extends PassOptions {
  /**
   * Test-time augmentation: the mean of the probabilities over the plain image and so many flipped and rotated copies;
   * default 0.
   */
  readonly tta?: number;
  /** Seed of the copies; default 0. */
  readonly seed?: number;
  /**
   * Bootstrap intervals by patient where all are known, else by image: `true` for 1000 resamples, or options; default none, as
   * of every evaluation.
   */
  readonly bootstrap?: BootstrapOptions | boolean;
  /** Folder of prepared images; default: decoded into memory. */
  readonly cacheDir?: string;
}

/** Probabilities and metrics of a data set. */
export interface Evaluation {
  /** Name of the data set. */
  readonly name: string;
  /** Everything computed from the predictions. */
  readonly metrics: Metrics;
  /** Probabilities `[N, C]`, row-major. */
  readonly probabilities: Float32Array;
  /** Labels `[N]`. */
  readonly labels: Int32Array;
  /** Ids of the images. */
  readonly ids: readonly string[];
  /** Patients of the images, where every one is known. */
  readonly patients: readonly string[] | null;
  /** Class names. */
  readonly classes: readonly string[];
  /** Arithmetic that was used. */
  readonly precision: Precision;
  /** Images left out under `onError: 'skip'`. */
  readonly skipped: readonly SkippedImage[];
}

/** @internal */
export function evaluateClassifier(
  classifier: ClassifierLike,
  dataset: Dataset,
  options: EvaluateOptions,
): Promise<Evaluation> {
  checkPass(options, ['tta', 'seed', 'bootstrap', 'cacheDir']);
  requireDataset('dataset', dataset, 1);
  sameClasses(dataset, classifier.card.classes);
  const copies = integer('options.tta', options.tta ?? 0, { min: 0 });
  integer('options.seed', options.seed ?? 0, { min: 0 });
  bootstrapSettings(options.bootstrap);
  if (options.cacheDir !== undefined) text('options.cacheDir', options.cacheDir);
  return evaluate(classifier, dataset, options, copies);
}

async function evaluate(
  classifier: ClassifierLike,
  dataset: Dataset,
  options: EvaluateOptions,
  copies: number,
): Promise<Evaluation> {
  const { card } = classifier;
  const { onError = 'throw', signal, cacheDir } = options;
  using images = await prepareImages(dataset, {
    ...{ width: card.imageSize, height: card.imageSize, interpolation: card.interpolation, onError },
    ...(signal ? { signal } : {}),
    ...(cacheDir === undefined ? {} : { cacheDir }),
  });
  for (const image of images.skipped) options.onSkip?.(image);
  using pass = await openPass(classifier, options.precision ?? 'float32');
  const sum = new Float64Array(images.dataset.length * card.classes.length);
  for (let copy = 0; copy <= copies; copy++) await addPass(pass, images, { ...options, copy, copies, sum });
  const mean = Float32Array.from(sum, (value) => value / (copies + 1));
  const { precision } = pass;
  return summarise(classifier, images.dataset, mean, { ...options, precision, skipped: images.skipped });
}

// Copy 0 is the plain image.
async function addPass(
  pass: ClassifierPass,
  images: PreparedImages,
  options: EvaluateOptions & {
    readonly copy: number;
    readonly copies: number;
    readonly sum: Float64Array;
  },
): Promise<void> {
  const { copy, copies, sum, batchSize = 16, seed = 0, signal } = options;
  const { length } = images.dataset;
  const sampler = new SequentialSampler({ length });
  const augmentation = copy > 0 ? { augmentation: { seed } } : {};
  const loader = new DataLoader({ images, sampler, batchSize, ...augmentation });
  let at = 0;
  let done = copy * length;
  for await (using batch of loader.batches(copy, signal ? { signal } : {})) {
    for (const value of await probabilitiesOf(pass, batch)) sum[at] = (sum[at++] as number) + value;
    done += batch.size;
    options.onProgress?.({ done, total: (copies + 1) * length });
  }
}

function summarise(
  { card }: ClassifierLike,
  dataset: Dataset,
  probabilitiesOfAll: Float32Array,
  options: EvaluateOptions & { readonly precision: Precision; readonly skipped: readonly SkippedImage[] },
): Evaluation {
  const samples = Array.from({ length: dataset.length }, (_, i) => dataset.sample(i));
  const labels = Int32Array.from(samples, ({ label }) => label);
  const patients = samples.map(({ patient }) => patient);
  const known = patients.every((patient) => patient !== undefined) ? (patients as string[]) : null;
  const metrics = evaluatePredictions({
    probabilities: probabilitiesOfAll,
    labels,
    classes: card.classes,
    ...(card.trainCounts ? { trainCounts: card.trainCounts, thresholds: card.thresholds } : {}),
    ...(known ? { patients: known } : {}),
    ...(options.bootstrap === undefined ? {} : { bootstrap: options.bootstrap }),
  });
  return {
    name: dataset.name,
    metrics,
    probabilities: probabilitiesOfAll,
    labels,
    ids: samples.map(({ id }) => id),
    patients: known,
    classes: card.classes,
    precision: options.precision,
    skipped: options.skipped,
  };
}

/** @internal */
export function sameClasses(dataset: Dataset, classes: readonly string[]): void {
  const same =
    dataset.classes.length === classes.length && classes.every((name, i) => name === dataset.classes[i]);
  if (!same)
    throw invalidArgument(
      `the classes of ${dataset.name}`,
      `[${classes.join(', ')}]`,
      dataset.classes.join(', '),
    );
}

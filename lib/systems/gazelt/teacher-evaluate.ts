import type { Batch } from '../../data/batch.js';
import type { Dataset } from '../../data/dataset.js';
import type { SkippedImage } from '../../data/prepare.js';
import { CxrGazeError } from '../../errors.js';
import { type Reading, requireReading } from '../../gaze/reading.js';
import { CentreBias, cc, klDivergence, type LookedAt, nss, saliencyOfMap } from '../../gaze/saliency.js';
import { teacherPoints, teacherTargets } from '../../gaze/teacher-targets.js';
import { type WindowConvention, windowConventions } from '../../gaze/windows.js';
import { type BootstrapOptions, bootstrapSettings, resamplingUnits } from '../../metrics/resample.js';
import { type TeacherNetwork, teacherSize } from '../../models/teacher.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { callback, invalidArgument, list, oneOf } from '../../validate.js';
import { checkPass, type PassOptions, passOver } from '../classifier/passes.js';
import type { PassNetwork } from '../pass-network.js';
import { type GazeDataset, requireGaze } from './gaze-dataset.js';
import { teacherWindows } from './teacher-card.js';
import {
  type ReadingSaliency,
  type SaliencyScores,
  SaliencyTable,
  type WindowSaliency,
} from './teacher-saliency.js';
import {
  batchTargets,
  type ReadableGaze,
  readableGaze,
  type TargetOptions,
  type WindowTargets,
} from './teacher-targets.js';
import { openTeacherPass, type TeacherLike } from './teacher-vectors.js';

/** A predicted and a recorded reading: four maps of 224 by 224 each, row-major. */
export interface PredictedReading {
  /** Index in the data set. */
  readonly index: number;
  /** Id of the film. */
  readonly id: string;
  /** Predicted density of attention, sum 1. */
  readonly predicted: readonly Float32Array[];
  /** Recorded heat map, maximum 1; `null` where the window has no fixation. */
  readonly recorded: readonly (Float32Array | null)[];
  /** Scores of each window; `null` where it has no fixation. */
  readonly scores: readonly (ReadingSaliency | null)[];
}

/** Options of `GazeTeacher.evaluate`. */
export interface TeacherEvaluateOptions extends PassOptions {
  /** How a reading is cut into its four windows; default `half-open`. */
  readonly windows?: WindowConvention;
  /**
   * Readings whose mean map is the baseline to beat (centre bias): those the teacher was trained on. Default: no
   * baseline.
   */
  readonly baseline?: readonly Reading[];
  /**
   * Bootstrap intervals by patient where all are known, else by reading: `true` for 1000 resamples, or options; default none, as
   * of every evaluation.
   */
  readonly bootstrap?: BootstrapOptions | boolean;
  /** Called with the maps of each reading, in order. */
  readonly onReading?: (reading: PredictedReading) => void | Promise<void>;
}

/** How well a teacher predicts gaze. */
export interface TeacherEvaluation {
  /** Name of the data set. */
  readonly name: string;
  /** Readings compared. */
  readonly readings: number;
  /** Readings left out, in which nothing of the film is looked at. */
  readonly left: number;
  /** Films left out under `onError: 'skip'`, with their readings. */
  readonly skipped: readonly SkippedImage[];
  /** What was drawn together in the bootstrap. */
  readonly unit: 'patient' | 'image';
  /** How many of them there are. */
  readonly units: number;
  /** The four windows, then their mean. */
  readonly windows: readonly WindowSaliency[];
}

const pixels = teacherSize * teacherSize;

const ownNames = ['windows', 'baseline', 'bootstrap', 'onReading'] as const;

/** @internal Checks at once, evaluates later. */
export function evaluateTeacher(
  teacher: TeacherLike,
  gaze: GazeDataset,
  options: TeacherEvaluateOptions,
): Promise<TeacherEvaluation> {
  checkPass(options, ownNames);
  requireGaze('gaze', gaze);
  callback('options.onReading', options.onReading);
  const windows = oneOf('options.windows', options.windows ?? 'half-open', windowConventions);
  bootstrapSettings(options.bootstrap);
  const { baseline } = options;
  if (baseline !== undefined && list('options.baseline', baseline, requireReading).length === 0)
    throw invalidArgument('options.baseline', 'at least one Reading', baseline);
  const target = { branch: teacher.card.branch, windows };
  const readable = readableGaze(gaze, target);
  if (readable.kept.length === 0)
    throw invalidArgument('gaze', 'a reading that looks at its film', gaze.readings);
  return evaluate(teacher, readable, { ...options, target });
}

interface Resolved extends TeacherEvaluateOptions {
  readonly target: TargetOptions;
}

async function evaluate(
  teacher: TeacherLike,
  { gaze: { images, readings }, kept, empty }: ReadableGaze,
  options: Resolved,
): Promise<TeacherEvaluation> {
  const { target } = options;
  const baseline = options.baseline ? await meanTargets(options.baseline, target) : undefined;
  const table = new SaliencyTable(readings.length, teacherWindows);
  const skipped: SkippedImage[] = [];
  const seen: number[] = [];
  const pass = passOptions(options, (image) => {
    skipped.push(image);
    options.onSkip?.({ ...image, index: kept[image.index] as number });
  });
  using network = await openTeacherPass(teacher, options.precision);
  for await (const batch of passOver(teacher, images, pass)) {
    const { ids, indices: places } = batch;
    const chosen = Array.from(places, (place) => readings[place] as Reading);
    const [predicted, targets] = await Promise.all([
      predictedMaps(network, batch),
      batchTargets(chosen, target),
    ]);
    for (const [i, reading] of chosen.entries()) {
      const recorded = targets.map((window) => recordedMap(window, i));
      const maps = predicted.map((window) => window[i] as Float32Array);
      const scores = scoresOf({ reading, predicted: maps, recorded, baseline, target });
      table.enter(seen.length, scores);
      seen.push(places[i] as number);
      const index = kept[places[i] as number] as number;
      await options.onReading?.({ index, id: ids[i] as string, predicted: maps, recorded, scores });
    }
  }
  if (seen.length === 0)
    throw new CxrGazeError('ERR_DATASET', `${images.name}: no film of ${readings.length} can be used`, {
      cause: skipped[0]?.error,
    });
  const units = resamplingUnits(seen.length, patientsOf(images, seen));
  const bootstrap = bootstrapSettings(options.bootstrap);
  return {
    ...{ name: images.name, readings: seen.length, left: empty, unit: units.unit, units: units.units },
    skipped: skipped.map((image) => ({ ...image, index: kept[image.index] as number })),
    windows: table.summary(baseline !== undefined, units, bootstrap),
  };
}

function passOptions(
  { batchSize, onProgress, signal, onError }: TeacherEvaluateOptions,
  onSkip: (image: SkippedImage) => void,
): PassOptions {
  return {
    onSkip,
    ...(onError === undefined ? {} : { onError }),
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
  };
}

function patientsOf(images: Dataset, indices: readonly number[]): string[] | undefined {
  const patients = indices.map((index) => images.sample(index).patient);
  return patients.every((patient) => patient !== undefined) ? patients : undefined;
}

/** The predicted density of each window and film: root of the channels' mean square, divided by its sum. */
async function predictedMaps(pass: PassNetwork<TeacherNetwork>, batch: Batch): Promise<Float32Array[][]> {
  const size = batch.size;
  return tidy(async () => {
    const ask = (network: TeacherNetwork, images: Tensor) => network.maps(images, { evaluation: true });
    const maps = pass.ask(batch, ask);
    const data = await Promise.all(maps.map((map) => map.to({ dtype: 'float32' }).data()));
    return data.map((values) => {
      const all = values as Float32Array;
      const each = all.length / size;
      return Array.from({ length: size }, (_, i) =>
        saliencyOfMap(all.subarray(i * each, (i + 1) * each), each / pixels),
      );
    });
  });
}

function recordedMap({ rows, maps }: WindowTargets, reading: number): Float32Array | null {
  const at = rows.indexOf(reading);
  return at < 0 ? null : maps.slice(at * pixels, (at + 1) * pixels);
}

interface Compared {
  readonly reading: Reading;
  readonly predicted: readonly Float32Array[];
  readonly recorded: readonly (Float32Array | null)[];
  readonly baseline: readonly Float32Array[] | undefined;
  readonly target: TargetOptions;
}

/** A map that is the same everywhere. */
const uniform = new Float32Array(pixels).fill(1 / pixels);

function scoresOf({ reading, predicted, recorded, baseline, target }: Compared): (ReadingSaliency | null)[] {
  // NSS is read at the places that the recorded map is made of.
  const points = teacherPoints(reading, target.branch, teacherWindows, target.windows);
  return recorded.map((map, window) => {
    if (map === null) return null;
    const looked = lookedAt(points[window] as (typeof points)[number]);
    const scores = (prediction: Float32Array): SaliencyScores => ({
      cc: cc(prediction, map),
      kl: klDivergence(map, prediction),
      nss: nss(prediction, { width: teacherSize, height: teacherSize }, looked),
    });
    return {
      teacher: scores(predicted[window] as Float32Array),
      centreBias: baseline ? scores(baseline[window] as Float32Array) : null,
      uniform: scores(uniform),
    };
  });
}

function lookedAt({ width, height, x, y }: ReturnType<typeof teacherPoints>[number]): LookedAt {
  return { width, height, fixations: Array.from(x, (column, i) => ({ x: column, y: y[i] as number })) };
}

/** Readings whose targets are rendered at a time. */
const AT_ONCE = 32;

/**
 * The mean heat map of each window over some readings, those without a fixation in it left out: what one would predict
 * without looking at the film (centre bias).
 *
 * @param readings such as those of the training split
 * @param options whose targets, and how readings are cut
 * @returns four maps of 224 by 224; zeros where no reading has a fixation
 */
async function meanTargets(
  readings: readonly Reading[],
  { branch, windows }: TargetOptions,
): Promise<Float32Array[]> {
  const mean = new CentreBias(teacherWindows, pixels);
  for (let start = 0; start < readings.length; start += AT_ONCE) {
    const part = readings.slice(start, start + AT_ONCE);
    const targets = await Promise.all(
      part.map((reading) => teacherTargets(reading, { branch, size: teacherSize, convention: windows })),
    );
    for (const one of targets) mean.add(one);
  }
  return mean.maps();
}

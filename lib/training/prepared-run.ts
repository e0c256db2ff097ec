import type { Json } from '../checkpoints/folder.js';
import { neededImages } from '../data/check-images.js';
import type { Dataset } from '../data/dataset.js';
import { type NeededFiles, refuseMissing } from '../data/needed-files.js';
import type { CheckpointNotes } from './checkpoint.js';
import { trainingEnvironment } from './environment.js';
import type { CommonFitOptions, CourseSettings } from './fit-options.js';
import { type Precision, resolvePrecision } from './precision.js';
import { refuseExistingRun, refuseOtherRun } from './resume.js';

/** @internal A run that is about to be made ready. */
export interface RunPlan {
  /** Options of the fit, checked. */
  readonly options: CommonFitOptions;
  /** What decides its numbers: recorded, and compared on resume. */
  readonly settings: CourseSettings;
  /** Further settings that are read from files: asked for once, when none is missing. */
  readonly furtherSettings?: (() => Promise<{ readonly [key: string]: Json }>) | undefined;
  /** What learns, as a checkpoint tells it. */
  readonly card: CheckpointNotes['card'];
  /** Where it learns. */
  readonly device: string;
  /** Whose images it needs. */
  readonly datasets: readonly Dataset[];
  /** The files besides images that it needs of a data set, so that all that is missing is listed at once. */
  readonly needs?: ((dataset: Dataset) => Promise<readonly NeededFiles[]>) | undefined;
}

/** @internal What the making of a trainer is given. */
export interface RunParts {
  /** Arithmetic. */
  readonly precision: Precision;
  /** Hands over what is to be freed with the run, at once, so that it is freed whatever happens next. */
  readonly own: <T extends Disposable>(one: T) => T;
  /** Options that every trainer takes over from its fit. */
  readonly common: {
    readonly device: string;
    readonly precision: Precision;
    readonly seed: number;
    readonly checkpoints: string | undefined;
    readonly saveEvery: number | undefined;
    readonly keep: 'recent' | 'all';
    readonly notes: CheckpointNotes;
  };
}

/** @internal A trainer that is ready; disposing of it frees what was made for the run. */
export interface PreparedRun<T> extends Disposable {
  readonly trainer: T;
}

/**
 * Makes a run ready, in the order in which a user wants to hear of faults: a run that is there already, then whatever is
 * missing of all data sets at once (which would look like another option), then a run that began otherwise; all of it before
 * a single image is read.
 *
 * @internal
 * @param plan what is to run
 * @param make reads data and makes the trainer
 * @throws CxrGazeError `ERR_EXISTS`, `ERR_RESUME`, `ERR_DATASET`, and what `make` throws
 */
export async function prepareRun<T>(
  plan: RunPlan,
  make: (parts: RunParts) => Promise<T>,
): Promise<PreparedRun<T>> {
  const { options, settings, card, device } = plan;
  const precision = await resolvePrecision(options.precision ?? 'auto', device);
  await refuseExistingRun(options);
  await refuseIncomplete(plan);
  const recorded = { ...settings, ...(await plan.furtherSettings?.()), precision, device };
  const notes = { options: recorded, card, environment: await trainingEnvironment() };
  await refuseOtherRun(options, notes);
  const owned: Disposable[] = [];
  const free = () => {
    for (const one of owned) one[Symbol.dispose]();
  };
  const own = <D extends Disposable>(one: D): D => {
    owned.push(one);
    return one;
  };
  const { checkpoints, saveEvery, keep = 'recent' } = options;
  const common = { device, precision, seed: settings.seed, checkpoints, saveEvery, keep, notes };
  try {
    return { trainer: await make({ precision, own, common }), [Symbol.dispose]: free };
  } catch (error) {
    free();
    throw error;
  }
}

async function refuseIncomplete({ options, datasets, needs }: RunPlan): Promise<void> {
  const needed: NeededFiles[] = [];
  for (const dataset of datasets) {
    if (options.onError !== 'skip') needed.push(await neededImages(dataset));
    needed.push(...((await needs?.(dataset)) ?? []));
  }
  refuseMissing(needed);
}

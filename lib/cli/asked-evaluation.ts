/** What is to be evaluated and how: as the flags say, else as the run that is evaluated was made. */
import path from 'node:path';
import { readJson } from '../checkpoints/folder.js';
import { integer } from '../validate.js';
import type { PhantomTaskFlags } from './attention-data.js';
import { recordedTask, refuseSamplePatients } from './attention-flags.js';
import { absoluteDataFlags, type DataFlags, pickDataFlags } from './data-options.js';
import { type NamedFrames, namedFrames } from './localised.js';
import { usageError } from './options.js';
import type { Output } from './session.js';

/** The flags that a run's own options stand in for. */
export interface AskedFlags extends DataFlags {
  readonly tta?: number;
  readonly seed?: number;
  readonly finding_boxes?: string;
}

/** What {@link askedOf} finds out. */
export interface AskedEvaluation {
  /** Data flags, or a task of the sample that the run has learned. */
  readonly source: DataFlags | Omit<PhantomTaskFlags, 'image_size'>;
  /** Augmented copies, and what they are drawn from. */
  readonly copies: { readonly tta: number; readonly seed: number };
  /** Findings whose place is known. */
  readonly frames: NamedFrames | undefined;
}

/**
 * @param model folder of a run, a checkpoint or a saved model
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` where neither flags nor a run name data, for patients of a run on the sample, or for
 *   options of a run that are not what `train` writes; what reading options and named frames throws
 */
export async function askedOf(model: string, flags: AskedFlags, output: Output): Promise<AskedEvaluation> {
  const recorded = await recordedOptions(model);
  const source = sourceOf(model, flags, recorded);
  const copies = copiesOf(flags, recorded);
  return { source, copies, frames: await framesOf(flags, recorded, output) };
}

/** What a run's folder says of how it was made; nothing where the model is no run. */
type RecordedOptions = Readonly<Record<string, unknown>> | undefined;

function recordedOptions(run: string): Promise<RecordedOptions> {
  return readJson(path.join(run, 'options.json')).catch((error: Error) => {
    // A model may also be a file. Options that are there and cannot be read are no absence of a run.
    const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  });
}

/** Augmented copies: a run is evaluated again as it was, unless flags say otherwise. */
function copiesOf(flags: AskedFlags, recorded: RecordedOptions): AskedEvaluation['copies'] {
  const of = (name: 'tta' | 'seed'): number => {
    const given = flags[name] ?? recorded?.[name] ?? 0;
    return integer(`${name} of the run's options.json`, given, { min: 0 });
  };
  return { tta: of('tta'), seed: of('seed') };
}

function sourceOf(model: string, flags: AskedFlags, options: RecordedOptions): AskedEvaluation['source'] {
  const given = pickDataFlags(flags);
  if (namesData(given)) return absoluteDataFlags(given);
  // Of the run's own data: which split, and whose the images are.
  const { test_split, patients } = given;
  const chosen = {
    ...(test_split === undefined ? {} : { test_split }),
    ...(patients === undefined ? {} : { patients }),
  };
  const task = recordedTask(options ?? {});
  if (task !== undefined) {
    refuseSamplePatients(patients);
    return { ...task, ...chosen };
  }
  const recorded = pickDataFlags(options ?? {});
  if (Object.keys(recorded).length === 0) {
    throw usageError(`${model} does not say what it was trained on: give --csv FILE or --dataset NAME`);
  }
  return { ...recorded, ...chosen };
}

function namesData({ test_split: _, patients: __, ...others }: DataFlags): boolean {
  return Object.keys(others).length > 0;
}

/** Frames belong to data: a run's own are of use for no others, and where they have gone nobody asked for them. */
async function framesOf(
  flags: AskedFlags,
  recorded: RecordedOptions,
  output: Output,
): Promise<AskedEvaluation['frames']> {
  if (flags.finding_boxes !== undefined) return namedFrames(path.resolve(flags.finding_boxes));
  if (namesData(pickDataFlags(flags)) || typeof recorded?.finding_boxes !== 'string') return undefined;
  return namedFrames(recorded.finding_boxes).catch((cause: Error) => {
    output.warn('no-frames', `The run's frames of findings are left out: ${cause.message}`);
    return undefined;
  });
}

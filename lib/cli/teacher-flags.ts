/** The flags of `train teacher`, and what they mean to the library. */
import path from 'node:path';
import type { Command } from 'commander';
import { type TeacherBranch, teacherBranches } from '../models/teacher.js';
import type { OptionValue } from '../report/report-data.js';
import type { Init } from '../systems/classifier/initial-weights.js';
import type { RateDecay } from '../training/epoch-schedule.js';
import type { PrecisionChoice } from '../training/precision.js';
import type { DataFlags } from './data-options.js';
import { type GazeFlags, namedSources } from './gaze-options.js';
import { asInteger, asNumber, headings, initialWeights, option, usageError } from './options.js';
import { addDecay, addSteps, addVariation } from './shared-options.js';

/** The flags as commander gives them. */
export interface TeacherFlags extends DataFlags, Omit<GazeFlags, 'data_dir'> {
  readonly global?: boolean;
  readonly focal?: boolean;
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly save_every?: number;
  readonly keep: 'recent' | 'all';
  readonly val_share?: number;
  readonly weights?: string;
  readonly weights_key?: string;
  readonly rand_init?: boolean;
  readonly as_published?: boolean;
  readonly flip: number;
  readonly max_angle: number;
  readonly max_epochs: number;
  readonly patience?: number;
  readonly batch_size: number;
  readonly lr: number;
  readonly lr_decay: RateDecay;
  readonly seed: number;
  readonly bootstrap: number;
  readonly cache_dir?: string;
  readonly on_error: 'throw' | 'skip';
  readonly workers?: number;
  readonly device: string;
  readonly precision: PrecisionChoice;
}

/** `--val_share`. */
export function addValidationShare(command: Command): Command {
  return command.addOption(
    option(
      headings.data,
      '--val_share <share>',
      'of the patients of the recorded training films: these validate, drawn by --seed, instead of a split',
      asNumber({ above: 0, max: 0.9 }),
    ),
  );
}

/** How a teacher is trained and judged. */
export function addTeacherTraining(command: Command): void {
  command.addOption(
    option(
      headings.training,
      '--as_published',
      "windows as GazeLT's program cuts them: closed, from 0, weight 1",
    ),
  );
  addVariation(command, 'a film and its reading');
  addSteps(command, {
    ...{ maxEpochs: 100, batchSize: 8, unit: 'readings' },
    ...{ seed: 0, seeded: 'weights, projection, sampling, drop path, augmentation' },
  });
  addDecay(command).addOption(
    option(
      headings.evaluation,
      '--bootstrap <n>',
      'resamples for paired intervals, 0 for none',
      asInteger({ min: 0, max: 1_000_000 }),
      1000,
    ),
  );
}

/** The one branch that flags name. */
export function branchOf(flags: { readonly global?: boolean; readonly focal?: boolean }): TeacherBranch {
  const named = teacherBranches.filter((branch) => flags[branch]);
  const [branch] = named;
  if (branch !== undefined && named.length === 1) return branch;
  throw usageError('Expected one of --global (GC ViT, TW-I) and --focal (FocalNet, TW-D)');
}

/** Initial weights, which are never assumed. */
export function initOf(flags: TeacherFlags): Init {
  return initialWeights(
    flags,
    "FILE is one of the authors' teachers; ImageNet weights of the encoders are not published with them",
  );
}

/** Options of `fit` that flags decide. */
export function fitFlags(flags: TeacherFlags) {
  return {
    windows: flags.as_published ? ('as-published' as const) : ('half-open' as const),
    ...{ flipProbability: flags.flip, maxAngle: flags.max_angle },
    ...{ maxEpochs: flags.max_epochs, batchSize: flags.batch_size },
    ...{
      learningRate: flags.lr,
      rateDecay: flags.lr_decay,
      seed: flags.seed,
      precision: flags.precision,
      keep: flags.keep,
    },
    onError: flags.on_error,
    ...(flags.patience === undefined ? {} : { patience: flags.patience }),
    ...(flags.save_every === undefined ? {} : { saveEvery: flags.save_every }),
    ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
  };
}

/** How the command shall be repeated: kept in options.json and shown in the report. */
export function recordOf(flags: TeacherFlags, data: DataFlags): Readonly<Record<string, OptionValue>> {
  const { overwrite: _, resume: __, json: ___, ...kept } = flags;
  const sources = ([...namedSources(flags), 'weights'] as const).flatMap((name) => {
    const value = flags[name];
    return value === undefined ? [] : [[name, path.resolve(value)] as const];
  });
  const record = { command: 'train teacher', ...kept, ...data, ...Object.fromEntries(sources) };
  return record as unknown as Record<string, OptionValue>;
}

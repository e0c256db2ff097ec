/** What the flags of `train loc-attention` mean to the library. */
import path from 'node:path';
import { type CamActivations, takesActivations } from '../cam/attention-map.js';
import { type LocalisationTask, type RegionTable, readRegionTable, regionTable } from '../losses/regions.js';
import { type Architecture, backboneName } from '../models/model.js';
import { attentionRunName, crossEntropyRunName } from '../report/loc-attention-name.js';
import type { OptionValue } from '../report/report-data.js';
import type { ClassifierOptions } from '../systems/classifier/classifier.js';
import type { Init } from '../systems/classifier/initial-weights.js';
import type { LocAttentionFitOptions } from '../systems/loc-attention/fit.js';
import { type AttentionTermOptions, attentionSettings } from '../systems/loc-attention/settings.js';
import { halfNormalisation, imagenetNormalisation } from '../training/inputs.js';
import type { EarlyStopping } from '../training/plateau-schedule.js';
import type { PrecisionChoice } from '../training/precision.js';
import { initialWeights, usageError } from './options.js';
import { slug } from './png.js';
import { existing } from './run-folder.js';
import { bootstrapOf, weightings } from './train-flags.js';

/** The flags of `train loc-attention` as commander gives them. */
export interface AttentionFlags {
  readonly dataset?: string;
  readonly path?: string;
  /** Absolute. */
  readonly patients?: string;
  readonly task?: LocalisationTask;
  /** What a baseline's files are called after instead of a task. */
  readonly task_name?: string;
  /** Number of classes that the data must have, where it was told. */
  readonly classes?: number;
  readonly regions?: string;
  readonly sample_per_class?: number;
  readonly sample_seed?: number;
  readonly unet?: string;
  readonly masks?: string;
  readonly finding_boxes?: string;
  readonly backbone?: Architecture;
  readonly width: number;
  readonly image_size: number;
  readonly weights?: string;
  readonly weights_key?: string;
  readonly rand_init?: boolean;
  readonly normalisation: 'half' | 'imagenet';
  readonly attention: NonNullable<AttentionTermOptions['attention']>;
  readonly lamda?: number;
  readonly isAdaptive?: boolean;
  readonly thresh?: number;
  readonly tau?: number;
  readonly penalise_outside?: number;
  readonly cam_class?: 'predicted' | 'label';
  readonly activations?: CamActivations;
  readonly log_thresholds?: readonly number[];
  readonly rw_method: '' | 'sklearn' | 'cb';
  readonly max_epochs: number;
  readonly batch: number;
  readonly lr: number;
  readonly patience: number;
  readonly early_stopping: EarlyStopping;
  readonly select: NonNullable<AttentionTermOptions['select']>;
  readonly follow?: 'loss' | 'crossEntropy';
  readonly seed: number;
  readonly results: string;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
  readonly save_every?: number;
  readonly keep: 'recent' | 'all';
  readonly json?: boolean;
  readonly bootstrap: number;
  readonly with_ids?: boolean;
  readonly gpu?: string;
  readonly precision: PrecisionChoice;
  readonly cache_dir?: string;
  readonly on_error: 'throw' | 'skip';
  readonly workers?: number;
}

/** Refuses what does not go together; everything that needs no data. */
export function checkAttentionFlags(flags: AttentionFlags): void {
  existing(flags);
  if (flags.backbone === undefined)
    throw usageError('Expected --backbone pvt, vgg, resnet or an architecture');
  attentionInit(flags);
  bootstrapOf(flags.bootstrap);
  checkTerm(flags);
  checkSource(flags);
}

function checkTerm(flags: AttentionFlags): void {
  const { attention, lamda, isAdaptive, task, regions } = flags;
  if (attention !== 'none' && lamda === undefined && !isAdaptive)
    throw usageError('Expected --lamda WEIGHT from 0 to 1, or --isAdaptive');
  if (task !== undefined && regions !== undefined)
    throw usageError('--task and --regions exclude each other');
  if (attention !== 'none' && task === undefined && regions === undefined)
    throw usageError('Expected --task NAME, or --regions FILE for classes of your own');
  for (const name of idleFlags(flags))
    if (flags[name] !== undefined)
      throw usageError(`--${name} is without effect with --attention ${attention}`);
  if (flags.activations !== undefined && !takesActivations(flags.backbone as Architecture))
    throw usageError(`--activations is without effect with --backbone ${flags.backbone}`);
  // λ that an adaptive run ignores goes into its name, as the original has it.
  attentionSettings(attentionOptions(flags));
}

const ofSoftTerm = ['tau', 'penalise_outside'] as const;
const ofTerm = [
  ...(['lamda', 'isAdaptive', 'thresh', 'cam_class', 'activations', 'log_thresholds'] as const),
  ...(['regions', 'unet'] as const),
  ...ofSoftTerm,
] as const;

/** Names of the flags that a run has no use for. */
export function idleFlags({
  attention,
  on_error,
}: Pick<AttentionFlags, 'attention' | 'on_error'>): readonly (keyof AttentionFlags)[] {
  if (attention === 'differentiable') return [];
  if (attention === 'published') return ofSoftTerm;
  // Films without a mask are left out as with a term, so that the runs compare.
  return on_error === 'skip' ? ofTerm : [...ofTerm, 'masks'];
}

function checkSource({ path: folder, dataset, unet, masks, attention, ...flags }: AttentionFlags): void {
  const isSample = folder === undefined && dataset === 'sample';
  if (folder === undefined && !isSample) throw usageError('Expected --path FOLDER with train, val and test');
  if (dataset === undefined) throw usageError('Expected --dataset NAME, which the files are called after');
  if (!/^[\w.+-]+$/.test(dataset) || dataset.startsWith('.'))
    throw usageError(
      `Expected a name of letters, digits, '_', '.', '+' and '-' for --dataset but received '${dataset}'`,
    );
  if (!isSample) {
    for (const name of ['sample_per_class', 'sample_seed'] as const)
      if (flags[name] !== undefined) throw usageError(`--${name} is without effect with --path`);
  }
  if (isSample) refuseSamplePatients(flags.patients);
  if (unet !== undefined && masks !== undefined) throw usageError('--unet and --masks exclude each other');
  if (attention !== 'none' && !isSample && unet === undefined && masks === undefined)
    throw usageError(
      'Expected --unet PATH, a trained lung segmenter (cxr-gaze train segmenter), or --masks FOLDER',
    );
}

/** @throws CxrGazeError `ERR_INVALID_ARGUMENT` for a table of patients where the films are the sample's */
export function refuseSamplePatients(patients: string | undefined): void {
  if (patients !== undefined)
    throw usageError('--patients is without effect with --dataset sample, whose patients are known');
}

/** Initial weights. */
export function attentionInit(flags: AttentionFlags): Init {
  return initialWeights(
    flags,
    "The published runs begin with ImageNet weights: torchvision's resnet50-11ad3fa6.pth and vgg16-397923af.pth (https://download.pytorch.org/models/), timm's pvt_v2_b2_li.in1k (https://huggingface.co/timm/pvt_v2_b2_li.in1k); cxr-gaze downloads none",
  );
}

/** The attention term as the library takes it. */
export function attentionOptions(flags: AttentionFlags): AttentionTermOptions {
  const { attention, lamda, isAdaptive, thresh, tau, penalise_outside, cam_class, log_thresholds } = flags;
  const { activations, select, follow } = flags;
  return {
    ...{ attention, select },
    ...(lamda === undefined ? {} : { lambda: lamda }),
    ...(isAdaptive ? { adaptive: true } : {}),
    ...(thresh === undefined ? {} : { threshold: thresh }),
    ...(tau === undefined ? {} : { tau }),
    ...(penalise_outside === undefined ? {} : { penaliseOutside: penalise_outside }),
    ...(cam_class === undefined ? {} : { camClass: cam_class }),
    ...(activations === undefined ? {} : { activations }),
    ...(log_thresholds === undefined ? {} : { logThresholds: log_thresholds }),
    ...(follow === undefined ? {} : { follow }),
  };
}

/** Options of a new classifier. */
export function attentionClassifier(
  flags: AttentionFlags,
  classes: readonly string[],
  device: string,
): ClassifierOptions {
  return {
    ...{ classes, device, seed: flags.seed, imageSize: flags.image_size, init: attentionInit(flags) },
    ...{ architecture: flags.backbone as Architecture, width: flags.width },
    normalisation: flags.normalisation === 'half' ? halfNormalisation : imagenetNormalisation,
  };
}

/** Options of the fit that flags decide; data, boxes and regions come besides. */
export function attentionFit(
  flags: AttentionFlags,
): Omit<LocAttentionFitOptions, 'train' | 'validation' | 'regions'> {
  return {
    ...attentionOptions(flags),
    weighting: weightings[flags.rw_method],
    ...{ maxEpochs: flags.max_epochs, patience: flags.patience, earlyStopping: flags.early_stopping },
    ...{ batchSize: flags.batch, learningRate: flags.lr, seed: flags.seed, precision: flags.precision },
    ...{ keep: flags.keep, onError: flags.on_error },
    ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
    ...(flags.save_every === undefined ? {} : { saveEvery: flags.save_every }),
  };
}

/**
 * The regions of a run's classes; `undefined` without an attention term.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` where the data have not the classes of the task; what a table of regions throws
 */
export async function attentionRegions(
  { attention, task, regions, classes: wanted }: AttentionFlags,
  classes: readonly string[],
): Promise<RegionTable | undefined> {
  const table = task === undefined ? undefined : regionTable(task);
  const [count, flag] = table ? [table.length, `--task ${task} has`] : [wanted, `--nclass says`];
  if (count !== undefined && count !== classes.length)
    throw usageError(`${flag} ${count} classes but the data have ${classes.length}: ${classes.join(', ')}`);
  if (attention === 'none') return undefined;
  return regions === undefined ? table : readRegionTable(regions, classes);
}

/** What a run's files are called: the original's names for its own program, `..._ce` for cross-entropy alone. */
export function attentionName(flags: AttentionFlags): string {
  const { attention, task, regions, dataset, lamda, isAdaptive, thresh, tau, penalise_outside } = flags;
  const ofRegions = regions === undefined ? undefined : slug(path.parse(regions).name);
  const common = {
    backbone: backboneName(flags.backbone as Architecture, flags.width),
    dataset: dataset as string,
    task: task ?? ofRegions ?? flags.task_name ?? 'all',
  };
  if (attention === 'none') return crossEntropyRunName(common);
  return attentionRunName({
    ...{ ...common, attention },
    ...(lamda === undefined ? {} : { lambda: lamda }),
    ...(isAdaptive ? { adaptive: true } : {}),
    ...(thresh === undefined ? {} : { threshold: thresh }),
    ...(tau === undefined ? {} : { tau }),
    ...(penalise_outside === undefined ? {} : { penaliseOutside: penalise_outside }),
  });
}

/** How the command shall be repeated: kept in options.json and shown in the report. */
export function attentionRecord(
  flags: AttentionFlags,
  command: string,
): Readonly<Record<string, OptionValue>> {
  const { overwrite: _, resume: __, json: ___, dataset, path: folder, sample_seed, ...kept } = flags;
  const absolute = (value: string | undefined) => (value === undefined ? undefined : path.resolve(value));
  // `evaluate` without data flags finds the run's own data by these: see recordedTask.
  const source =
    folder === undefined
      ? { sample: sample_seed ?? 1 }
      : { dataset: 'folder', data_dir: path.resolve(folder), class_order: 'name' };
  const paths = Object.fromEntries(
    (['unet', 'masks', 'regions', 'finding_boxes'] as const).map((name) => [name, absolute(flags[name])]),
  );
  const record = { command, name: dataset, ...kept, ...paths, ...source };
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Record<
    string,
    OptionValue
  >;
}

/** The sample's task that a run's record names; `undefined` where it names other data. */
export function recordedTask(
  record: Readonly<Record<string, unknown>>,
): Pick<AttentionFlags, 'task' | 'sample_seed' | 'sample_per_class'> | undefined {
  if (typeof record.sample !== 'number') return undefined;
  const { task, sample, sample_per_class } = record as Pick<AttentionFlags, 'task' | 'sample_per_class'> & {
    sample: number;
  };
  const size = sample_per_class === undefined ? {} : { sample_per_class };
  return { ...(task === undefined ? {} : { task }), sample_seed: sample, ...size };
}

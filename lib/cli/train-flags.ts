/** The flags of `train` and what they mean to the library. */
import path from 'node:path';
import type { Dataset } from '../data/dataset.js';
import type { NeededFiles } from '../data/needed-files.js';
import type { ClassWeighting } from '../losses/class-weights.js';
import type { ClassificationLoss } from '../losses/criterion.js';
import type { GroupThresholds } from '../metrics/types.js';
import type { Architecture, HeadKind } from '../models/model.js';
import type { ClassifierOptions } from '../systems/classifier/classifier.js';
import type { DecouplingOptions } from '../systems/classifier/decoupling.js';
import type { FitOptions } from '../systems/classifier/fit.js';
import type { Init } from '../systems/classifier/initial-weights.js';
import type { DistillationSettings } from '../systems/gazelt/distillation.js';
import { neededFeatures } from '../systems/gazelt/teacher-features.js';
import type { RateDecay } from '../training/epoch-schedule.js';
import type { PrecisionChoice } from '../training/precision.js';
import type { DataFlags } from './data-options.js';
import { initialWeights, refuseWeightsKey, usageError } from './options.js';
import { existing } from './run-folder.js';

/** Which system is trained. */
export type SystemName = 'gazelt' | 'baseline';

/** The flags of `train` as commander gives them. */
export interface TrainFlags extends DataFlags {
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly model_name: Architecture;
  readonly head: HeadKind;
  readonly width: number;
  readonly image_size: number;
  readonly weights?: string;
  readonly weights_key?: string;
  readonly rand_init?: boolean;
  readonly loss: ClassificationLoss;
  readonly rw_method: '' | 'sklearn' | 'cb';
  readonly cb_beta: number;
  readonly fl_gamma: number;
  readonly drw?: boolean;
  readonly drw_epoch: number;
  readonly drw_lr_factor: number;
  readonly bal_mixup?: boolean;
  readonly mixup?: boolean;
  readonly mixup_alpha: number;
  readonly bal_mixup_distribution: 'alpha-one' | 'symmetric';
  readonly decoupling_method: '' | 'cRT' | 'tau_norm';
  readonly decoupling_weights?: string;
  readonly crt_layers: 'head' | 'last';
  readonly tau: number;
  readonly max_epochs: number;
  readonly batch_size: number;
  readonly lr: number;
  readonly lr_decay: RateDecay;
  readonly patience: number;
  readonly seed: number;
  readonly legacy_batchnorm?: boolean;
  readonly as_published?: boolean;
  readonly features?: string;
  readonly features_dir?: string;
  readonly teachers?: readonly string[];
  readonly kd_weight: number;
  readonly kd_val_weight?: number;
  readonly kd_shares?: readonly number[];
  readonly group_thresholds: readonly number[];
  readonly tta: number;
  readonly bootstrap: number;
  readonly with_ids?: boolean;
  readonly save_every?: number;
  readonly keep: 'recent' | 'all';
  readonly cache_dir?: string;
  readonly on_error: 'throw' | 'skip';
  readonly device: string;
  readonly workers?: number;
  readonly precision: PrecisionChoice;
}

/** Refuses what does not go together; everything that needs no data. */
export function checkTrainFlags(flags: TrainFlags, system: SystemName): void {
  checkDecoupling(flags);
  initOf(flags);
  existing(flags);
  if (flags.mixup && flags.bal_mixup) throw usageError('--mixup and --bal_mixup exclude each other');
  thresholdsOf(flags.group_thresholds);
  bootstrapOf(flags.bootstrap);
  if (system === 'gazelt') distillationOf(flags);
}

function checkDecoupling({ decoupling_method, decoupling_weights, bal_mixup }: TrainFlags): void {
  if (decoupling_method === '') {
    if (decoupling_weights === undefined) return;
    throw usageError('--decoupling_weights is without effect without --decoupling_method cRT or tau_norm');
  }
  if (decoupling_weights === undefined)
    throw usageError(
      `Expected --decoupling_weights with --decoupling_method ${decoupling_method}: the run, checkpoint or file that it begins from`,
    );
  if (decoupling_method === 'cRT' && bal_mixup)
    throw usageError('--decoupling_method cRT and --bal_mixup exclude each other: both draw class-balanced');
}

// cRT loads its weights as training begins, and a run that goes on has them in its checkpoint.
function initOf(flags: TrainFlags): Init {
  const { weights, rand_init, decoupling_method, decoupling_weights } = flags;
  if (decoupling_method !== '' && (weights !== undefined || rand_init)) {
    throw usageError(
      `--${rand_init ? 'rand_init' : 'weights'} is without effect with --decoupling_method: all weights come from --decoupling_weights`,
    );
  }
  if (decoupling_method !== '') refuseWeightsKey(flags.weights_key);
  if (decoupling_method === 'cRT') return 'random';
  if (decoupling_method === 'tau_norm') return { weights: decoupling_weights as string };
  return initialWeights(
    flags,
    "The published runs begin with torchvision's ImageNet weights IMAGENET1K_V1 (resnet50-11ad3fa6.pth, from https://download.pytorch.org/models/); cxr-gaze downloads none",
  );
}

/** Head and tail cuts. */
export function thresholdsOf([head, tail]: readonly number[]): GroupThresholds {
  if (head !== undefined && tail !== undefined && tail <= head + 1) return { head, tail };
  throw usageError(
    `Expected --group_thresholds HEAD,TAIL with TAIL not above HEAD but received ${head},${tail}`,
  );
}

/** Number of resamples as the library takes it. */
export function bootstrapOf(resamples: number): { readonly resamples: number } | false {
  if (resamples === 0) return false;
  if (resamples < 20) throw usageError(`Expected --bootstrap 0 or at least 20 but received ${resamples}`);
  return { resamples };
}

/**
 * Options of a new classifier.
 *
 * @param trainCounts training images of each class
 */
export function classifierOptions(
  flags: TrainFlags,
  classes: readonly string[],
  trainCounts: readonly number[],
): ClassifierOptions {
  return {
    classes,
    trainCounts,
    init: initOf(flags),
    architecture: flags.model_name,
    head: flags.head,
    width: flags.width,
    imageSize: flags.image_size,
    thresholds: thresholdsOf(flags.group_thresholds),
    seed: flags.seed,
    device: flags.device,
  };
}

/** Class weights as the library calls them. */
export const weightings: Readonly<Record<TrainFlags['rw_method'], ClassWeighting | null>> = {
  '': null,
  sklearn: 'balanced',
  cb: 'class-balanced',
};

/** Options of `fit` that flags decide. */
export function fitOptions(flags: TrainFlags): Omit<FitOptions, 'train' | 'validation'> {
  const { mixup, bal_mixup } = flags;
  return {
    loss: flags.loss,
    weighting: weightings[flags.rw_method],
    beta: flags.cb_beta,
    gamma: flags.fl_gamma,
    ...(flags.drw ? { deferred: { epoch: flags.drw_epoch, factor: flags.drw_lr_factor } } : {}),
    ...(mixup || bal_mixup
      ? {
          mixing: {
            kind: bal_mixup ? ('balanced-mixup' as const) : ('mixup' as const),
            alpha: flags.mixup_alpha,
            distribution: flags.bal_mixup_distribution,
          },
        }
      : {}),
    ...(flags.decoupling_method === 'cRT' ? { decoupling: decouplingOf(flags) } : {}),
    maxEpochs: flags.max_epochs,
    patience: flags.patience,
    batchSize: flags.batch_size,
    learningRate: flags.lr,
    rateDecay: flags.lr_decay,
    seed: flags.seed,
    precision: flags.precision,
    legacyBatchNorm: flags.legacy_batchnorm ?? false,
    keep: flags.keep,
    onError: flags.on_error,
    ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
    ...(flags.save_every === undefined ? {} : { saveEvery: flags.save_every }),
  };
}

function decouplingOf({ decoupling_weights, crt_layers }: TrainFlags): DecouplingOptions {
  return { method: 'crt', weights: path.resolve(decoupling_weights as string), layers: crt_layers };
}

/** Distillation as GazeLT's flags ask for it; `undefined` for `--features none`, and where nothing is trained. */
export function distillationOf(flags: TrainFlags): DistillationSettings | undefined {
  if (flags.decoupling_method === 'tau_norm') {
    if (flags.teachers === undefined && (flags.features === undefined || flags.features === 'none'))
      return undefined;
    throw usageError('--features is without effect with --decoupling_method tau_norm: nothing is trained');
  }
  const { features, features_dir, teachers } = flags;
  if (teachers !== undefined) {
    if (features !== undefined || features_dir !== undefined)
      throw usageError('--teachers and --features exclude each other: the vectors come from one of them');
    return weightsOf(flags, teachers.length, '--teachers');
  }
  if (features === undefined) {
    throw usageError(
      'Expected --features none, gazelt or a prefix, or --teachers. Published GazeLT distils teacher vectors (gazelt, with --features_dir); --features none trains its student from labels alone, which is not the published method',
    );
  }
  if (features === 'none') {
    if (features_dir !== undefined) throw usageError('--features_dir is without effect with --features none');
    return undefined;
  }
  if (features_dir === undefined)
    throw usageError(`Expected --features_dir FOLDER, where the .npy files of --features ${features} are`);
  const settings = weightsOf(flags, features === 'gazelt' ? 2 : 1, `--features ${features}`);
  return { features, featuresDir: features_dir, ...settings };
}

/** Weights and shares, and what distillation demands of other flags. */
function weightsOf(flags: TrainFlags, teachers: number, source: string): DistillationSettings {
  const { kd_weight, kd_val_weight, kd_shares } = flags;
  if (flags.head !== 'bottleneck64')
    throw usageError(
      'Expected --head bottleneck64 with teacher features: its 64 numbers are what is compared',
    );
  if (flags.on_error === 'skip')
    throw usageError('Expected --on_error throw with teacher features: vectors belong to every image');
  if (kd_shares !== undefined && kd_shares.length !== teachers)
    throw usageError(
      `Expected ${teachers} ${teachers === 1 ? 'number' : 'numbers'} for --kd_shares with ${source}`,
    );
  return {
    weight: kd_weight,
    ...(kd_val_weight === undefined ? {} : { validationWeight: kd_val_weight }),
    ...(kd_shares === undefined ? {} : { shares: kd_shares }),
  };
}

/** The teacher vectors that training needs of each data set; `undefined` for none. */
export function featuresNeeded(
  flags: TrainFlags,
): ((dataset: Dataset) => Promise<readonly NeededFiles[]>) | undefined {
  const { features, featuresDir } = distillationOf(flags) ?? {};
  if (features === undefined || featuresDir === undefined) return undefined;
  return (dataset) => neededFeatures(dataset, featuresDir, features);
}

/** The flags of `train`, and what they mean to the library. */
import type { Command } from 'commander';
import type { ClassWeighting } from '../losses/class-weights.js';
import type { ClassificationLoss } from '../losses/criterion.js';
import type { GroupThresholds } from '../metrics/types.js';
import { type Architecture, architectures, type HeadKind } from '../models/model.js';
import type { ClassifierOptions } from '../systems/classifier/classifier.js';
import type { FitOptions } from '../systems/classifier/fit.js';
import type { Init } from '../systems/classifier/initial-weights.js';
import type { DistillationSettings } from '../systems/gazelt/distillation.js';
import { type PrecisionChoice, precisionChoices } from '../training/precision.js';
import type { DataFlags } from './data-options.js';
import { asChoice, asDevice, asInteger, asNumber, asNumbers, asText, option, usageError } from './options.js';

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
  readonly image_size: number;
  readonly weights?: string;
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
  readonly decoupling_method?: string;
  readonly decoupling_weights?: string;
  readonly max_epochs: number;
  readonly batch_size: number;
  readonly lr: number;
  readonly patience: number;
  readonly seed: number;
  readonly legacy_batchnorm?: boolean;
  readonly features?: string;
  readonly features_dir?: string;
  readonly kd_weight: number;
  readonly kd_val_weight?: number;
  readonly kd_shares?: readonly number[];
  readonly group_thresholds: readonly number[];
  readonly tta: number;
  readonly bootstrap: number;
  readonly save_every?: number;
  readonly keep: 'recent' | 'all';
  readonly cache_dir?: string;
  readonly on_error: 'throw' | 'skip';
  readonly device: string;
  readonly workers?: number;
  readonly precision: PrecisionChoice;
}

const outputs = 'Output:';
const network = 'Network:';
const objective = 'Loss and long tail:';
const training = 'Training:';
const gaze = 'Gaze teachers:';
const evaluation = 'Evaluation:';
const machine = 'Machine:';

/** Adds all flags of a system's training but those of the data. */
export function addTrainOptions(command: Command, system: SystemName): Command {
  addOutput(command, 'train');
  addNetwork(command, system);
  addObjective(command);
  addTraining(command);
  if (system === 'gazelt') addGaze(command);
  addEvaluation(command);
  return addMachine(command);
}

/** `--out_dir`, `--overwrite` and `--json`, with `--resume` and checkpoints for training. */
export function addOutput(command: Command, name: string): Command {
  const isTraining = name === 'train';
  const kind = isTraining ? 'the run gets a folder of its own in it' : 'where the files go';
  command
    .addOption(option(outputs, '--out_dir <folder>', kind, asText, `results/${name}`))
    .addOption(option(outputs, '--overwrite', 'replace what is there already'));
  if (isTraining) {
    command
      .addOption(option(outputs, '--resume', 'go on with the run from its last checkpoint'))
      .addOption(
        option(
          outputs,
          '--save_every <steps>',
          "also save every so many steps (default: only at an epoch's end)",
          asInteger({ min: 1 }),
        ),
      )
      .addOption(
        option(
          outputs,
          '--keep <which>',
          'checkpoints to keep: recent (best, last, previous) or all improvements',
          asChoice(['recent', 'all'] as const),
          'recent' as const,
        ),
      );
  }
  return command.addOption(
    option(outputs, '--json', 'for programs: one JSON object a line on standard output'),
  );
}

function addNetwork(command: Command, system: SystemName): void {
  const gazelt = system === 'gazelt';
  command
    .addOption(
      option(
        network,
        '--model_name <name>',
        `backbone: ${architectures.join(', ')}`,
        asChoice(architectures),
        'resnet50' as const,
      ),
    )
    .addOption(
      option(
        network,
        '--head <kind>',
        "linear (the benchmark's) or bottleneck64 (GazeLT's)",
        asChoice(['linear', 'bottleneck64'] as const),
        gazelt ? ('bottleneck64' as const) : ('linear' as const),
      ),
    )
    .addOption(
      option(
        network,
        '--image_size <pixels>',
        'side of the square input',
        asInteger({ min: 32, max: 4096 }),
        gazelt ? 224 : 256,
      ),
    )
    .addOption(
      option(
        network,
        '--weights <file>',
        'initial weights: .safetensors, .pt or .pth with torchvision or published keys',
        asText,
      ),
    )
    .addOption(option(network, '--rand_init', 'begin with random weights instead'));
}

function addObjective(command: Command): void {
  command
    .addOption(
      option(
        objective,
        '--loss <name>',
        'ce, focal or ldam',
        asChoice(['ce', 'focal', 'ldam'] as const),
        'ce' as const,
      ),
    )
    .addOption(
      option(
        objective,
        '--rw_method <name>',
        "class weights: '' for none, sklearn ('balanced'), cb (class-balanced)",
        asChoice(['', 'sklearn', 'cb'] as const),
        '' as const,
      ),
    )
    .addOption(option(objective, '--cb_beta <beta>', 'of cb weights', asNumber({ min: 0, max: 1 }), 0.9999))
    .addOption(option(objective, '--fl_gamma <gamma>', 'of the focal loss', asNumber({ min: 0 }), 2))
    .addOption(
      option(objective, '--drw', 'deferred re-weighting: class weights and a lower rate from an epoch on'),
    )
    .addOption(
      option(
        objective,
        '--drw_epoch <n>',
        'last epoch without class weights under --drw',
        asInteger({ min: 1 }),
        10,
      ),
    )
    .addOption(
      option(
        objective,
        '--drw_lr_factor <f>',
        'factor on the rate from then on',
        asNumber({ above: 0 }),
        0.1,
      ),
    )
    .addOption(option(objective, '--mixup', 'MixUp'))
    .addOption(option(objective, '--bal_mixup', 'Balanced-MixUp (class-balanced partners, Beta(alpha, 1))'))
    .addOption(option(objective, '--mixup_alpha <alpha>', 'of both', asNumber({ above: 0 }), 0.2))
    .addOption(
      option(objective, '--decoupling_method <name>', 'cRT or tau_norm: not in this version yet, refused'),
    )
    .addOption(option(objective, '--decoupling_weights <file>', 'not in this version yet, refused'));
  for (const made of command.options)
    if (made.long?.startsWith('--decoupling')) made.hideHelp().argParser((text: string) => text);
}

function addTraining(command: Command): void {
  command
    .addOption(option(training, '--max_epochs <n>', 'most epochs', asInteger({ min: 1 }), 60))
    .addOption(
      option(
        training,
        '--patience <n>',
        'ends after n + 1 epochs without improvement',
        asInteger({ min: 0 }),
        15,
      ),
    )
    .addOption(option(training, '--batch_size <n>', 'images a step', asInteger({ min: 1 }), 256))
    .addOption(option(training, '--lr <rate>', "Adam's learning rate", asNumber({ above: 0 }), 1e-4))
    .addOption(
      option(
        training,
        '--seed <n>',
        'of weights, sampling, augmentation',
        asInteger({ min: 0, max: 2 ** 32 - 1 }),
        0,
      ),
    )
    .addOption(
      option(
        training,
        '--legacy_batchnorm',
        "BatchNorm as GazeLT's original: two updates a step, frozen from epoch 2 on",
      ),
    );
}

function addGaze(command: Command): void {
  command
    .addOption(
      option(
        gaze,
        '--features <set>',
        'teacher vectors: none, gazelt (focal_NAME.npy and global_NAME.npy), or a prefix of one set',
        asText,
      ),
    )
    .addOption(option(gaze, '--features_dir <folder>', 'folder of the .npy files', asText))
    .addOption(option(gaze, '--kd_weight <w>', 'weight of the distillation term', asNumber({ min: 0 }), 0.01))
    .addOption(
      option(
        gaze,
        '--kd_val_weight <w>',
        'its weight in the validation loss (default: as --kd_weight; the original has 0.05)',
        asNumber({ min: 0 }),
      ),
    )
    .addOption(option(gaze, '--kd_shares <f,g>', 'shares of the teachers (default: equal)', asNumbers(1, 2)));
}

function addEvaluation(command: Command): void {
  command.addOption(
    option(
      evaluation,
      '--group_thresholds <head,tail>',
      'head has more training images than the first number, tail fewer than the second',
      asNumbers(2, 2),
      [1000, 100],
    ),
  );
  addTesting(command);
}

/** `--tta` and `--bootstrap`. */
export function addTesting(command: Command): Command {
  return command
    .addOption(
      option(
        evaluation,
        '--tta <n>',
        'test-time augmentation: mean over the image and n augmented copies (also --n_TTA)',
        asInteger({ min: 0, max: 1000 }),
        0,
      ),
    )
    .addOption(
      option(
        evaluation,
        '--bootstrap <n>',
        'resamples for patient-wise intervals, 0 for none',
        asInteger({ min: 0, max: 1_000_000 }),
        1000,
      ),
    );
}

/** `--device`, `--workers`, `--precision`, `--cache_dir`, `--on_error` with the defaults of training. */
function addMachine(command: Command): Command {
  addPrecision(command, 'auto');
  return addImages(command);
}

/** `--cache_dir`, `--on_error`, `--workers`. */
export function addImages(command: Command, hasCache = true): Command {
  if (hasCache) {
    command.addOption(
      option(
        machine,
        '--cache_dir <folder>',
        'folder of prepared images (see prepare); default: decoded into memory each time',
        asText,
      ),
    );
  }
  return command
    .addOption(
      option(
        machine,
        '--on_error <what>',
        'a bad image ends the work (throw) or is left out and listed (skip)',
        asChoice(['throw', 'skip'] as const),
        'throw' as const,
      ),
    )
    .addOption(
      option(
        machine,
        '--workers <n>',
        'threads that resize and augment (default: 1)',
        asInteger({ min: 1, max: 16 }),
      ),
    );
}

/** `--device` and `--precision`. */
export function addPrecision(command: Command, fallback: PrecisionChoice): Command {
  return command
    .addOption(option(machine, '--device <name>', 'cpu, cuda or cuda:N', asDevice, 'cpu'))
    .addOption(
      option(
        machine,
        '--precision <name>',
        `arithmetic: ${precisionChoices.join(', ')}`,
        asChoice(precisionChoices),
        fallback,
      ),
    );
}

/** Refuses what does not go together; everything that needs no data. */
export function checkTrainFlags(flags: TrainFlags, system: SystemName): void {
  initOf(flags);
  for (const name of ['decoupling_method', 'decoupling_weights'] as const) {
    if (flags[name] === undefined || flags[name] === '') continue;
    throw usageError(
      `--${name}: decoupled training (cRT, tau-normalisation) is not in this version yet; leave the flag out`,
    );
  }
  if (flags.overwrite && flags.resume) throw usageError('--overwrite and --resume exclude each other');
  if (flags.mixup && flags.bal_mixup) throw usageError('--mixup and --bal_mixup exclude each other');
  thresholdsOf(flags.group_thresholds);
  bootstrapOf(flags.bootstrap);
  if (system === 'gazelt') distillationOf(flags);
}

function initOf({ weights, rand_init }: TrainFlags): Init {
  if (weights !== undefined && rand_init) throw usageError('--weights and --rand_init exclude each other');
  if (weights !== undefined) return { weights };
  if (rand_init) return 'random';
  throw usageError(
    "Expected --weights FILE or --rand_init: initial weights are never assumed. The published runs begin with torchvision's ImageNet weights IMAGENET1K_V1 (resnet50-11ad3fa6.pth, from https://download.pytorch.org/models/); cxr-gaze downloads none",
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

/** Options of a new classifier. */
export function classifierOptions(flags: TrainFlags, classes: readonly string[]): ClassifierOptions {
  return {
    classes,
    init: initOf(flags),
    architecture: flags.model_name,
    head: flags.head,
    imageSize: flags.image_size,
    thresholds: thresholdsOf(flags.group_thresholds),
    seed: flags.seed,
    device: flags.device,
  };
}

const weightings: Readonly<Record<TrainFlags['rw_method'], ClassWeighting | null>> = {
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
          },
        }
      : {}),
    maxEpochs: flags.max_epochs,
    patience: flags.patience,
    batchSize: flags.batch_size,
    learningRate: flags.lr,
    seed: flags.seed,
    precision: flags.precision,
    legacyBatchNorm: flags.legacy_batchnorm ?? false,
    keep: flags.keep,
    onError: flags.on_error,
    ...(flags.cache_dir === undefined ? {} : { cacheDir: flags.cache_dir }),
    ...(flags.save_every === undefined ? {} : { saveEvery: flags.save_every }),
  };
}

/** Distillation as GazeLT's flags ask for it; `undefined` for `--features none`. */
export function distillationOf(flags: TrainFlags): DistillationSettings | undefined {
  const { features, features_dir, kd_weight, kd_val_weight, kd_shares } = flags;
  if (features === undefined) {
    throw usageError(
      'Expected --features none, gazelt or a prefix. Published GazeLT distils teacher vectors (gazelt, with --features_dir); --features none trains its student from labels alone, which is not the published method',
    );
  }
  if (features === 'none') {
    if (features_dir !== undefined) throw usageError('--features_dir is without effect with --features none');
    return undefined;
  }
  if (features_dir === undefined)
    throw usageError(`Expected --features_dir FOLDER, where the .npy files of --features ${features} are`);
  if (flags.head !== 'bottleneck64')
    throw usageError(
      'Expected --head bottleneck64 with teacher features: its 64 numbers are what is compared',
    );
  if (flags.on_error === 'skip')
    throw usageError('Expected --on_error throw with teacher features: vectors belong to every image');
  const shares = kd_shares ?? undefined;
  const teachers = features === 'gazelt' ? 2 : 1;
  if (shares !== undefined && shares.length !== teachers)
    throw usageError(
      `Expected ${teachers} ${teachers === 1 ? 'number' : 'numbers'} for --kd_shares with --features ${features}`,
    );
  return {
    features,
    featuresDir: features_dir,
    weight: kd_weight,
    ...(kd_val_weight === undefined ? {} : { validationWeight: kd_val_weight }),
    ...(shares === undefined ? {} : { shares }),
  };
}

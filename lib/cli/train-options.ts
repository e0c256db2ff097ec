/** The flags of `train` as `--help` shows them. */
import type { Command } from 'commander';
import { architectures, publishedWidth, widths } from '../models/model.js';
import { defaultTau } from '../systems/classifier/decoupling.js';
import { type PrecisionChoice, precisionChoices } from '../training/precision.js';
import { asChoice, asDevice, asInteger, asNumber, asNumbers, asText, asTexts, option } from './options.js';
import type { SystemName } from './train-flags.js';

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
        '--width <channels>',
        "of the backbone's first stage; published weights fit no other than the default",
        asInteger(widths),
        publishedWidth,
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
        "initial weights: .safetensors, .pt or .pth with torchvision's, timm's or published keys",
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
    .addOption(option(objective, '--bal_mixup', 'Balanced-MixUp: class-balanced partners'))
    .addOption(option(objective, '--mixup_alpha <alpha>', 'of both', asNumber({ above: 0 }), 0.2))
    .addOption(
      option(
        objective,
        '--bal_mixup_distribution <name>',
        "Balanced-MixUp's weights: alpha-one, Beta(alpha, 1) as its authors, or symmetric, Beta(alpha, alpha)",
        asChoice(['alpha-one', 'symmetric'] as const),
        'alpha-one' as const,
      ),
    );
  addDecoupling(command);
}

function addDecoupling(command: Command): void {
  command
    .addOption(
      option(
        objective,
        '--decoupling_method <name>',
        "'' for none; cRT: a fresh head is trained on class-balanced draws; tau_norm: the head is normalised, nothing trained",
        asChoice(['', 'cRT', 'tau_norm'] as const),
        '' as const,
      ),
    )
    .addOption(
      option(
        objective,
        '--decoupling_weights <path>',
        'what both begin from: a run, a checkpoint or a saved model, which say what network it is, or a .safetensors, .pt or .pth file',
        asText,
      ),
    )
    .addOption(
      option(
        objective,
        '--crt_layers <which>',
        'what cRT makes anew and trains: the whole head, or its last layer',
        asChoice(['head', 'last'] as const),
        'head' as const,
      ),
    )
    .addOption(option(objective, '--tau <t>', 'of tau_norm', asNumber(), defaultTau));
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
        "BatchNorm as the system's original: frozen from epoch 2 on; gazelt: two updates a step in epoch 1",
      ),
    )
    .addOption(
      option(
        training,
        '--as_published',
        "all of the original's behaviour and settings in one switch; flags given besides win, and are named",
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
    .addOption(
      option(
        gaze,
        '--teachers <path,path>',
        'instead of --features: one or two trained teachers, asked for their vectors before the first epoch',
        asTexts,
      ),
    )
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

/** `--tta`, `--bootstrap` and `--with_ids`. @param ofRun whether a run that is evaluated again tells how often */
export function addTesting(command: Command, ofRun = false): Command {
  const copies = 'test-time augmentation: mean over the image and n augmented copies (also --n_TTA)';
  command.addOption(
    option(
      evaluation,
      '--tta <n>',
      ofRun ? `${copies}; default: as the run was evaluated, else 0` : copies,
      asInteger({ min: 0, max: 1000 }),
      ofRun ? undefined : 0,
    ),
  );
  return addIntervals(command);
}

/** `--bootstrap` and `--with_ids`. */
export function addIntervals(command: Command): Command {
  return command
    .addOption(
      option(
        evaluation,
        '--bootstrap <n>',
        'resamples for patient-wise intervals, 0 for none',
        asInteger({ min: 0, max: 1_000_000 }),
        1000,
      ),
    )
    .addOption(
      option(
        evaluation,
        '--with_ids',
        'a first column with image ids in the tables of predictions and truth',
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
  if (hasCache) addCache(command);
  command.addOption(
    option(
      machine,
      '--on_error <what>',
      'a bad image ends the work (throw) or is left out and listed (skip)',
      asChoice(['throw', 'skip'] as const),
      'throw' as const,
    ),
  );
  return addWorkers(command);
}

/** `--cache_dir`. */
export function addCache(command: Command): Command {
  return command.addOption(
    option(
      machine,
      '--cache_dir <folder>',
      'folder of prepared images (see prepare); default: decoded into memory each time',
      asText,
    ),
  );
}

/** `--workers`. */
export function addWorkers(command: Command): Command {
  return command.addOption(
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

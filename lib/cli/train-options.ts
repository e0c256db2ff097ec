/** The flags of `train gazelt` and `train baseline` as `--help` shows them. */
import type { Command } from 'commander';
import { architectures, headKinds } from '../models/model.js';
import { defaultTau } from '../systems/classifier/decoupling.js';
import { asChoice, asInteger, asNumber, asNumbers, asText, asTexts, headings, option } from './options.js';
import {
  addDecay,
  addImages,
  addOutput,
  addPrecision,
  addStart,
  addSteps,
  addTesting,
} from './shared-options.js';
import type { SystemName } from './train-flags.js';

const objective = 'Loss and long tail:';
const gaze = 'Gaze teachers:';

/** Adds all flags of a system's training but those of the data. */
export function addTrainOptions(command: Command, system: SystemName): Command {
  addOutput(command, 'train');
  addNetwork(command, system);
  addObjective(command);
  addTraining(command);
  if (system === 'gazelt') addGaze(command);
  addEvaluation(command);
  return addImages(addPrecision(command, 'auto'));
}

function addNetwork(command: Command, system: SystemName): void {
  const gazelt = system === 'gazelt';
  command
    .addOption(
      option(
        headings.network,
        '--model_name <name>',
        `backbone: ${architectures.join(', ')}`,
        asChoice(architectures),
        'resnet50' as const,
      ),
    )
    .addOption(
      option(
        headings.network,
        '--head <kind>',
        "linear (the benchmark's) or bottleneck64 (GazeLT's)",
        asChoice(headKinds),
        gazelt ? ('bottleneck64' as const) : ('linear' as const),
      ),
    );
  addStart(command, gazelt ? 224 : 256);
}

function addObjective(command: Command): void {
  addLoss(command);
  addDeferred(command);
  addMixing(command);
  addDecoupling(command);
}

function addLoss(command: Command): void {
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
    .addOption(option(objective, '--fl_gamma <gamma>', 'of the focal loss', asNumber({ min: 0 }), 2));
}

function addDeferred(command: Command): void {
  command
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
    );
}

function addMixing(command: Command): void {
  command
    .addOption(option(objective, '--mixup', 'MixUp'))
    .addOption(option(objective, '--bal_mixup', 'Balanced-MixUp: class-balanced partners'))
    .addOption(
      option(objective, '--mixup_alpha <alpha>', 'of both; 0 and below mix nothing', asNumber(), 0.2),
    )
    .addOption(
      option(
        objective,
        '--bal_mixup_distribution <name>',
        "Balanced-MixUp's weights: alpha-one, Beta(alpha, 1) as its authors, or symmetric, Beta(alpha, alpha)",
        asChoice(['alpha-one', 'symmetric'] as const),
        'alpha-one' as const,
      ),
    );
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
  addSteps(command, {
    ...{ maxEpochs: 60, batchSize: 256, seed: 0, seeded: 'weights, sampling, augmentation' },
    patience: 15,
  });
  addDecay(command)
    .addOption(
      option(
        headings.training,
        '--legacy_batchnorm',
        "BatchNorm as the system's original: frozen from epoch 2 on; gazelt: two updates a step in epoch 1",
      ),
    )
    .addOption(
      option(
        headings.training,
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
      headings.evaluation,
      '--group_thresholds <head,tail>',
      'head has more training images than the first number, tail fewer than the second',
      asNumbers(2, 2),
      [1000, 100],
    ),
  );
  addTesting(command);
}

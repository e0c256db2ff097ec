/** The flags of `train loc-attention` as `--help` shows them: the original's names, and ours. */
import type { Command } from 'commander';
import { camActivations } from '../cam/attention-map.js';
import { attentionDefaults, tauRange } from '../losses/attention-defaults.js';
import { localisationTasks } from '../losses/regions.js';
import { type Architecture, architectures } from '../models/model.js';
import { attentionForms, camClasses, followedLosses, selections } from '../systems/loc-attention/settings.js';
import { earlyStoppings } from '../training/plateau-schedule.js';
import { patientsOption } from './data-options.js';
import { asGpu } from './gpu.js';
import { asChoice, asInteger, asNumber, asNumbers, asText, headings, option } from './options.js';
import {
  addArithmetic,
  addFindingBoxes,
  addImages,
  addIntervals,
  addStart,
  addWriting,
} from './shared-options.js';

const lungs = 'Lungs:';
const objective = 'Loss:';

/** Thresholds that `--log_thresholds` takes at most. */
export const mostLoggedThresholds = 20;

/** The original's short names of its networks. */
const shortNames: Readonly<Record<string, string>> = {
  pvt: 'pvt_v2_b2_li',
  vgg: 'vgg16',
  resnet: 'resnet50',
};

/** Reads a network: one of the original's three short names, or an architecture. */
export function asBackbone(text: string): Architecture {
  const name = asChoice([...Object.keys(shortNames), ...architectures])(text);
  return (shortNames[name] ?? name) as Architecture;
}

/** Adds all flags. */
export function addAttentionOptions(command: Command): Command {
  addData(command);
  addLungs(command);
  addNetwork(command);
  addObjective(command);
  addTraining(command);
  addOutputs(command);
  addIntervals(command);
  return addMachine(command);
}

function addData(command: Command): void {
  command
    .addOption(
      option(
        headings.data,
        '--dataset <name>',
        'what the files are called after; sample without --path is the embedded sample',
        asText,
      ),
    )
    .addOption(
      option(
        headings.data,
        '--path <folder>',
        'holds train, val and test with a folder for each class; labels follow the sorted names',
        asText,
      ),
    )
    .addOption(patientsOption())
    .addOption(
      option(
        headings.data,
        '--task <name>',
        `${localisationTasks.join(', ')}: No Finding (n) against effusion, pneumothorax, subcutaneous emphysema`,
        asChoice(localisationTasks),
      ),
    )
    .addOption(
      option(
        headings.data,
        '--regions <file>',
        'instead of --task: JSON {"class": "region"} with upper, lower, inside, outside, complement, whole or null',
        asText,
      ),
    )
    .addOption(
      option(
        headings.data,
        '--sample_per_class <n>',
        'training films of each class of the sample (default: 200)',
        asInteger({ min: 1 }),
      ),
    )
    .addOption(
      option(
        headings.data,
        '--sample_seed <n>',
        'which sample (default: 1)',
        asInteger({ min: 0, max: 2 ** 32 - 1 }),
      ),
    );
}

function addLungs(command: Command): void {
  command
    .addOption(
      option(
        lungs,
        '--unet <path>',
        'trained lung segmenter: a run, a saved segmenter or a checkpoint',
        asText,
      ),
    )
    .addOption(
      option(
        lungs,
        '--masks <folder>',
        'instead of --unet: lung masks with the file names of the images; with --on_error skip films without one are left out, also with --attention none',
        asText,
      ),
    );
  addFindingBoxes(command);
}

function addNetwork(command: Command): void {
  command.addOption(
    option(
      headings.network,
      '--backbone <name>',
      `pvt, vgg, resnet, or one of ${architectures.join(', ')}`,
      asBackbone,
    ),
  );
  addStart(command, 224);
  command.addOption(
    option(
      headings.network,
      '--normalisation <kind>',
      "half: pixels to [-1, 1], as published; imagenet: the weights' own statistics",
      asChoice(['half', 'imagenet'] as const),
      'half' as const,
    ),
  );
}

function addObjective(command: Command): void {
  addBalance(command);
  addHeat(command);
  command
    .addOption(
      option(
        objective,
        '--log_thresholds <t,t,...>',
        'thresholds at which the published term is logged besides',
        asNumbers(1, mostLoggedThresholds),
      ),
    )
    .addOption(
      option(
        objective,
        '--rw_method <name>',
        "class weights of the cross-entropy: '' for none, sklearn ('balanced'), cb (class-balanced)",
        asChoice(['', 'sklearn', 'cb'] as const),
        '' as const,
      ),
    );
}

/** The form of the term, and how much cross-entropy weighs beside it. */
function addBalance(command: Command): void {
  command
    .addOption(
      option(
        objective,
        '--attention <form>',
        'published: has no gradient, moves only the logged loss and the rate; differentiable: trains; none: cross-entropy alone',
        asChoice(attentionForms),
        'published' as const,
      ),
    )
    .addOption(
      option(
        objective,
        '--lamda <weight>',
        'weight of cross-entropy, the attention term has the rest; needed unless --isAdaptive',
        asNumber({ min: 0, max: 1 }),
      ),
    )
    .addOption(option(objective, '--isAdaptive', 'the weight falls from 1 to 0.2 with the epochs'));
}

/** What is hot, and in whose map. */
function addHeat(command: Command): void {
  command
    .addOption(
      option(
        objective,
        '--thresh <t>',
        `what is hot in a map (default: ${attentionDefaults.threshold})`,
        asNumber({ min: 0, max: 1 }),
      ),
    )
    .addOption(
      option(
        objective,
        '--tau <t>',
        `differentiable: softness of being hot (default: ${attentionDefaults.tau})`,
        asNumber(tauRange),
      ),
    )
    .addOption(
      option(
        objective,
        '--penalise_outside <mu>',
        'differentiable: weight of heat outside the region (default: 0)',
        asNumber({ min: 0 }),
      ),
    )
    .addOption(
      option(
        objective,
        '--cam_class <which>',
        "whose map: predicted (published's default) or label (differentiable's)",
        asChoice(camClasses),
      ),
    )
    .addOption(
      option(
        objective,
        '--activations <which>',
        `VGG16's map: of the values ${camActivations.join(' or ')} of its last convolution (default: before_relu)`,
        asChoice(camActivations),
      ),
    );
}

function addTraining(command: Command): void {
  command
    .addOption(option(headings.training, '--max_epochs <n>', 'most epochs', asInteger({ min: 1 }), 100))
    .addOption(option(headings.training, '--batch <n>', 'images a step', asInteger({ min: 1 }), 32))
    .addOption(option(headings.training, '--lr <rate>', "Adam's learning rate", asNumber({ above: 0 }), 1e-5))
    .addOption(
      option(
        headings.training,
        '--patience <n>',
        'ends at n epochs without improvement',
        asInteger({ min: 1 }),
        30,
      ),
    )
    .addOption(
      option(
        headings.training,
        '--early_stopping <how>',
        'reset: n in a row; cumulative: n in all, as the original',
        asChoice(earlyStoppings),
        'reset' as const,
      ),
    )
    .addOption(
      option(
        headings.training,
        '--select <number>',
        'number on validation by which the best epoch is chosen',
        asChoice(selections),
        'accuracy' as const,
      ),
    )
    .addOption(
      option(
        headings.training,
        '--follow <loss>',
        "validation loss that lowers the rate: loss (published's default) or crossEntropy (differentiable's)",
        asChoice(followedLosses),
      ),
    )
    .addOption(
      option(
        headings.training,
        '--seed <n>',
        'of weights and sampling',
        asInteger({ min: 0, max: 2 ** 32 - 1 }),
        0,
      ),
    );
}

function addOutputs(command: Command): void {
  command.addOption(
    option(
      headings.output,
      '--results <folder>',
      'where NAME.txt, NAME.safetensors and the folder NAME go',
      asText,
      'results',
    ),
  );
  addWriting(command, true);
}

function addMachine(command: Command): Command {
  command.addOption(
    option(
      headings.machine,
      '--gpu <n>',
      'number of a GPU, or cpu (default: a GPU if there is one, else the CPU)',
      asGpu,
    ),
  );
  return addImages(addArithmetic(command, 'auto'));
}

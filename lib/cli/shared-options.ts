/** Flags that several commands have, as `--help` shows them: what one of them means is written once. */
import type { Command } from 'commander';
import { publishedWidth, widths } from '../models/model.js';
import { type RateDecay, rateDecays } from '../training/epoch-schedule.js';
import { type PrecisionChoice, precisionChoices } from '../training/precision.js';
import {
  asChoice,
  asDevice,
  asInteger,
  asNumber,
  asText,
  headings,
  option,
  weightsKeyOption,
} from './options.js';

/** `--out_dir`, `--overwrite` and `--json`, with `--resume` and checkpoints for training. */
export function addOutput(command: Command, name: string): Command {
  const isTraining = name === 'train';
  const kind = isTraining ? 'the run gets a folder of its own in it' : 'where the files go';
  command.addOption(option(headings.output, '--out_dir <folder>', kind, asText, `results/${name}`));
  return addWriting(command, isTraining);
}

/** `--overwrite` and `--json`. @param isTraining whether `--resume`, `--save_every` and `--keep` come besides */
export function addWriting(command: Command, isTraining: boolean): Command {
  command.addOption(option(headings.output, '--overwrite', 'replace what is there already'));
  if (isTraining) {
    command
      .addOption(option(headings.output, '--resume', 'go on with the run from its last checkpoint'))
      .addOption(
        option(
          headings.output,
          '--save_every <steps>',
          "also save every so many steps (default: only at an epoch's end)",
          asInteger({ min: 1 }),
        ),
      )
      .addOption(
        option(
          headings.output,
          '--keep <which>',
          'checkpoints to keep: recent (best, last, previous) or all improvements',
          asChoice(['recent', 'all'] as const),
          'recent' as const,
        ),
      );
  }
  return command.addOption(
    option(headings.output, '--json', 'for programs: one JSON object a line on standard output'),
  );
}

/** `--width`, `--image_size`, `--weights`, `--weights_key` and `--rand_init` of a classifier. @param imageSize default, in pixels */
export function addStart(command: Command, imageSize: number): Command {
  return command
    .addOption(
      option(
        headings.network,
        '--width <channels>',
        "of the backbone's first stage; published weights fit no other than the default",
        asInteger(widths),
        publishedWidth,
      ),
    )
    .addOption(
      option(
        headings.network,
        '--image_size <pixels>',
        'side of the square input',
        asInteger({ min: 32, max: 4096 }),
        imageSize,
      ),
    )
    .addOption(
      option(
        headings.network,
        '--weights <file>',
        "initial weights: .safetensors, .pt or .pth with torchvision's, timm's or published keys",
        asText,
      ),
    )
    .addOption(weightsKeyOption())
    .addOption(option(headings.network, '--rand_init', 'begin with random weights instead'));
}

/** In what the steps of trainings differ. */
export interface StepDefaults {
  /** Default of `--max_epochs`. */
  readonly maxEpochs: number;
  /** Default of `--patience`, in epochs without improvement; absent: a run ends with its last epoch. */
  readonly patience?: number;
  /** Default of `--batch_size`. */
  readonly batchSize: number;
  /** What a batch is made of. Default: images. */
  readonly unit?: string;
  /** Default of `--seed`. */
  readonly seed: number;
  /** What the seed decides. */
  readonly seeded: string;
  /** Highest seed. Default: 2^32 - 1. */
  readonly maxSeed?: number;
}

/** How training images are varied where nothing says that they must be. @param what is varied together */
export function addVariation(command: Command, what: string): void {
  command
    .addOption(
      option(
        headings.training,
        '--flip <p>',
        `mirrors ${what} with this probability`,
        asNumber({ min: 0, max: 1 }),
        0,
      ),
    )
    .addOption(
      option(
        headings.training,
        '--max_angle <degrees>',
        'rotates both by up to so much',
        asNumber({ min: 0, max: 180 }),
        0,
      ),
    );
}

/** `--lr_decay`, for schedules that may have one. */
export function addDecay(command: Command): Command {
  const text = 'how the rate falls from epoch to epoch: none, or cosine, towards 0 after the last';
  return command.addOption(
    option(headings.training, '--lr_decay <how>', text, asChoice(rateDecays), 'none' as RateDecay),
  );
}

/** `--max_epochs`, `--patience`, `--batch_size`, `--lr` and `--seed`. */
export function addSteps(command: Command, steps: StepDefaults): Command {
  const { maxEpochs, patience, batchSize, unit = 'images', seed, seeded, maxSeed = 2 ** 32 - 1 } = steps;
  const waiting = patience === undefined ? 'a lower validation loss (default: never)' : 'improvement';
  return command
    .addOption(option(headings.training, '--max_epochs <n>', 'most epochs', asInteger({ min: 1 }), maxEpochs))
    .addOption(
      option(
        headings.training,
        '--patience <n>',
        `ends after n + 1 epochs without ${waiting}`,
        asInteger({ min: 0 }),
        patience,
      ),
    )
    .addOption(
      option(headings.training, '--batch_size <n>', `${unit} a step`, asInteger({ min: 1 }), batchSize),
    )
    .addOption(option(headings.training, '--lr <rate>', "Adam's learning rate", asNumber({ above: 0 }), 1e-4))
    .addOption(
      option(headings.training, '--seed <n>', `of ${seeded}`, asInteger({ min: 0, max: maxSeed }), seed),
    );
}

/** `--tta`, `--bootstrap` and `--with_ids`. @param ofRun whether a run that is evaluated again tells how often */
export function addTesting(command: Command, ofRun = false): Command {
  const copies = 'test-time augmentation: mean over the image and n augmented copies (also --n_TTA)';
  command.addOption(
    option(
      headings.evaluation,
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
        headings.evaluation,
        '--bootstrap <n>',
        'resamples for intervals, of patients where they are known, else of images; 0 for none',
        asInteger({ min: 0, max: 1_000_000 }),
        1000,
      ),
    )
    .addOption(
      option(
        headings.evaluation,
        '--with_ids',
        'a first column with image ids in the tables of predictions and truth',
      ),
    );
}

/** `--cache_dir`, `--on_error`, `--workers`. */
export function addImages(command: Command, hasCache = true): Command {
  if (hasCache) addCache(command);
  command.addOption(
    option(
      headings.machine,
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
      headings.machine,
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
      headings.machine,
      '--workers <n>',
      'threads that resize and augment (default: 1)',
      asInteger({ min: 1, max: 16 }),
    ),
  );
}

/** `--device` and `--precision`. */
export function addPrecision(command: Command, fallback: PrecisionChoice): Command {
  command.addOption(option(headings.machine, '--device <name>', 'cpu, cuda or cuda:N', asDevice, 'cpu'));
  return addArithmetic(command, fallback);
}

/** `--precision`. */
export function addArithmetic(command: Command, fallback: PrecisionChoice): Command {
  return command.addOption(
    option(
      headings.machine,
      '--precision <name>',
      `arithmetic: ${precisionChoices.join(', ')}`,
      asChoice(precisionChoices),
      fallback,
    ),
  );
}

/** `--finding_boxes` of what measures where a network looks. */
export function addFindingBoxes(command: Command): Command {
  return command.addOption(
    option(
      headings.evaluation,
      '--finding_boxes <file>',
      "NIH's BBox_List_2017.csv: tells how well maps meet framed findings (known of the sample's tasks)",
      asText,
    ),
  );
}

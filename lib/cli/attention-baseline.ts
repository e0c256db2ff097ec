/** `train baseline --path`: the cross-entropy baselines of loc-attention (`{pvt,resnet,vgg}_loss_ce.py`). */
import path from 'node:path';
import type { Command } from 'commander';
import type { Architecture } from '../models/model.js';
import type { AttentionFlags } from './attention-flags.js';
import { asBackbone } from './attention-options.js';
import { asGpu } from './gpu.js';
import { asInteger, asText, option, usageError } from './options.js';
import { slug } from './png.js';
import type { TrainFlags } from './train-flags.js';

/** The flags that `train baseline` has for these baselines besides its own. */
export interface AttentionBaselineFlags extends TrainFlags {
  readonly path?: string;
  readonly nclass?: number;
  readonly backbone?: Architecture;
  readonly gpu?: string;
}

const heading = 'Cross-entropy baseline of loc-attention (--path):';

/** Adds these flags. */
export function addAttentionBaseline(command: Command): void {
  command
    .addOption(
      option(
        heading,
        '--path <folder>',
        'holds train, val and test with a folder for each class: 224 pixels, Adam 1e-5, batches of 32, no augmentation',
        asText,
      ),
    )
    .addOption(
      option(heading, '--nclass <n>', 'number of classes that the folder must have', asInteger({ min: 2 })),
    )
    .addOption(option(heading, '--backbone <name>', 'pvt, vgg, resnet, or as --model_name', asBackbone))
    .addOption(
      option(
        heading,
        '--gpu <n>',
        'number of a GPU, or cpu (default: a GPU if there is one, else the CPU)',
        asGpu,
      ),
    );
}

/** A folder's name as file names bear it. */
function nameOf(folder: string): string {
  return slug(path.basename(folder));
}

const own = ['path', 'nclass', 'backbone', 'gpu'] as const;

/** Flags of `train baseline` that `train loc-attention` has by the same name. */
const alike = [
  ...(['width', 'weights', 'weights_key', 'rand_init', 'rw_method', 'seed', 'keep', 'save_every'] as const),
  ...(['overwrite', 'resume', 'json', 'bootstrap', 'with_ids', 'cache_dir', 'on_error', 'workers'] as const),
  ...(['precision', 'patients'] as const),
] as const satisfies readonly (keyof TrainFlags & keyof AttentionFlags)[];

/** Those that it has under another name, or with another default. */
const translated = [
  ...(['model_name', 'loss', 'image_size', 'batch_size', 'lr', 'max_epochs', 'patience', 'out_dir'] as const),
] satisfies readonly (keyof TrainFlags)[];

/**
 * What the flags of `train baseline` mean with `--path`; `undefined` without it. Where nothing is said, the settings are those
 * of loc-attention's baselines, not of the long-tailed benchmark.
 *
 * @param explicit names of the flags that were given
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for a flag that belongs to the other kind of baseline
 */
export function attentionBaseline(
  flags: AttentionBaselineFlags,
  explicit: ReadonlySet<string>,
): AttentionFlags | undefined {
  const idle = flags.path === undefined ? own.find((name) => explicit.has(name)) : undefined;
  if (idle !== undefined) throw usageError(`--${idle} is without effect without --path`);
  if (flags.path === undefined) return undefined;
  const known: readonly string[] = [...own, ...alike, ...translated];
  const stranger = [...explicit].find((name) => !known.includes(name));
  if (stranger !== undefined) throw usageError(`--${stranger} is without effect with --path`);
  if (flags.loss !== 'ce') throw usageError(`Expected --loss ce with --path but received ${flags.loss}`);
  if (explicit.has('backbone') && explicit.has('model_name'))
    throw usageError('--backbone and --model_name exclude each other');
  const given = <T>(name: keyof TrainFlags, value: T, otherwise: T): T =>
    explicit.has(name) ? value : otherwise;
  const root = path.resolve(flags.path);
  return Object.fromEntries(
    Object.entries({
      // The original's programs are told neither: the folder says which set and which task.
      ...{ dataset: nameOf(path.dirname(root)), task_name: nameOf(root), path: flags.path },
      ...{ attention: 'none', select: 'accuracy', early_stopping: 'reset', normalisation: 'half' },
      ...{ backbone: flags.backbone ?? flags.model_name, classes: flags.nclass, gpu: flags.gpu },
      image_size: given('image_size', flags.image_size, 224),
      batch: given('batch_size', flags.batch_size, 32),
      lr: given('lr', flags.lr, 1e-5),
      max_epochs: given('max_epochs', flags.max_epochs, 100),
      patience: given('patience', flags.patience, 30),
      results: given('out_dir', flags.out_dir, 'results'),
      ...Object.fromEntries(alike.map((name) => [name, flags[name]])),
    }).filter(([, value]) => value !== undefined),
  ) as unknown as AttentionFlags;
}

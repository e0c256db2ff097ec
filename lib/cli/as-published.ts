/** `--as_published`: the settings of the originals' programs in one switch. */
import { publishedWidth } from '../models/model.js';
import { defaultTau } from '../systems/classifier/decoupling.js';
import { defaultDistillationWeight } from '../systems/gazelt/distillation.js';
import type { SystemName, TrainFlags } from './train-flags.js';

/** What both programs share (gazelt.md section 5): optimiser, schedule, arithmetic, and the constants of the methods. */
const common = {
  ...{ model_name: 'resnet50', width: publishedWidth },
  ...{ cb_beta: 0.9999, fl_gamma: 2, drw_epoch: 10, drw_lr_factor: 0.1, mixup_alpha: 0.2, tau: defaultTau },
  bal_mixup_distribution: 'symmetric',
  crt_layers: 'head',
  ...{ patience: 15, batch_size: 256, lr: 1e-4, lr_decay: 'none', seed: 0 },
  // Never back in training mode after the first validation (F7); no automatic mixed precision.
  ...{ legacy_batchnorm: true, precision: 'float32', tta: 0 },
} as const satisfies Partial<TrainFlags>;

const published: Readonly<Record<SystemName, Partial<TrainFlags>>> = {
  baseline: { ...common, head: 'linear', image_size: 256, max_epochs: 60 },
  gazelt: {
    ...common,
    ...{ head: 'bottleneck64', image_size: 224, max_epochs: 100 },
    // F11: another weight in the validation loss.
    ...{ kd_weight: defaultDistillationWeight, kd_val_weight: 0.05 },
  },
};

/** Flags with the originals' settings. */
export interface AsPublished {
  /** The flags that count. */
  readonly flags: TrainFlags;
  /** What differs from the published runs all the same, a sentence each. */
  readonly deviations: readonly string[];
}

/**
 * Applies `--as_published` where it was given.
 *
 * @param system whose original
 * @param flags as commander gives them
 * @param explicit names of the flags that were given: they win
 */
export function asPublished(
  system: SystemName,
  flags: TrainFlags,
  explicit: ReadonlySet<string>,
): AsPublished {
  if (!flags.as_published) return { flags, deviations: [] };
  const settings = Object.entries(published[system]);
  const changed = Object.fromEntries(settings.filter(([name]) => !explicit.has(name)));
  const deviations = settings.flatMap(([name, original]) => {
    const given = flags[name as keyof TrainFlags];
    if (!explicit.has(name) || given === original) return [];
    return [`--${name} is ${given} where the published runs have ${original}`];
  });
  // The published ones are the default: it is no setting to be applied.
  const { kd_shares } = flags;
  if (kd_shares?.some((share) => share !== 1 / kd_shares.length))
    deviations.push(`--kd_shares is ${kd_shares} where the published runs have equal shares that sum to 1`);
  if (flags.rand_init) {
    deviations.push(
      "the published runs begin with torchvision's ImageNet weights (--weights resnet50-11ad3fa6.pth), not with random ones",
    );
  }
  return { flags: { ...flags, ...changed }, deviations };
}

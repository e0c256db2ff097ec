import { rng } from '../data/random.js';
import type { Criterion } from '../losses/criterion.js';
import {
  balancedMixup,
  drawBalancedMixup,
  drawMixup,
  mixedLoss,
  mixup,
  permuteLabels,
} from '../losses/mixup.js';
import type { Model } from '../models/model.js';
import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { callable, integer, knownKeys } from '../validate.js';
import type { ClassificationResult, InputBatch, ObjectivePhase } from './batch.js';

/** How training images are mixed. */
export interface MixingOptions {
  /** MixUp (Zhang et al., ICLR 2018) or Balanced-MixUp (Galdran et al., MICCAI 2021), which needs balanced batches. */
  readonly kind: 'mixup' | 'balanced-mixup';
  /** α of the Beta distribution; 0.2 in the benchmark. 0 and below mix nothing. */
  readonly alpha: number;
  /** Balanced-MixUp's distribution: Beta(α, 1) as its authors (default), or Beta(α, α) as the benchmark. */
  readonly distribution?: 'alpha-one' | 'symmetric' | undefined;
}

/** A term that is added to the classification loss. */
export interface ExtraTerm {
  /** Activations that it reads. */
  readonly taps: readonly string[];
  /** The weighted term of a batch. */
  term(taps: Readonly<Record<string, Tensor>>, batch: InputBatch, phase: ObjectivePhase): Tensor;
}

/** Options of {@link longTailObjective}. */
export interface LongTailObjectiveOptions {
  /** The loss until deferred re-weighting begins. */
  readonly plain: Criterion;
  /** The loss from then on. */
  readonly reweighted: Criterion;
  /** Mixing of training images; default none. */
  readonly mixing?: MixingOptions | undefined;
  /** Further terms; default none. */
  readonly extra?: ExtraTerm | undefined;
  /** Seed of the mixing's draws. */
  readonly seed: number;
}

/** A long-tailed classification loss with optional mixing and a further term, as an objective for the trainer. */
export function longTailObjective(
  options: LongTailObjectiveOptions,
): (model: Model, batch: InputBatch, phase: ObjectivePhase) => ClassificationResult {
  knownKeys('options', options, ['plain', 'reweighted', 'mixing', 'extra', 'seed']);
  const { extra, mixing } = options;
  const seed = integer('options.seed', options.seed);
  callable('options.plain', options.plain);
  callable('options.reweighted', options.reweighted);
  return (model, batch, phase) => {
    const criterion = phase.reweighted ? options.reweighted : options.plain;
    const mixed = mixing && phase.phase === 'train' ? mix(batch, phase, mixing, seed) : unmixed(batch);
    const { logits, taps } = extra
      ? model.forwardWithTaps(mixed.images, extra.taps)
      : { logits: model.forward(mixed.images), taps: {} };
    const classification = mixed.loss(criterion, logits);
    return { logits, loss: extra ? classification.add(extra.term(taps, batch, phase)) : classification };
  };
}

interface MixedBatch {
  readonly images: Tensor;
  loss(criterion: Criterion, logits: Tensor): Tensor;
}

function unmixed(batch: InputBatch): MixedBatch {
  return { images: batch.images, loss: (criterion, logits) => criterion(logits, batch.labels) };
}

// Draws belong to (seed, epoch, step), so that a resumed run mixes as an unbroken one.
function mix(batch: InputBatch, phase: ObjectivePhase, mixing: MixingOptions, seed: number): MixedBatch {
  const random = rng(seed, mixing.kind, batch.epoch, batch.step);
  if (mixing.kind === 'mixup')
    return mixWithItself(batch, drawMixup(random, batch.labelList.length, mixing.alpha));
  const partner = phase.balanced as InputBatch;
  const { alpha, distribution = 'alpha-one' } = mixing;
  const lambda = drawBalancedMixup(random, { alpha, distribution });
  return {
    images: balancedMixup(batch.images, partner.images, { lambda }),
    loss: (criterion, logits) =>
      mixedLoss(criterion(logits, partner.labels), criterion(logits, batch.labels), lambda),
  };
}

function mixWithItself(batch: InputBatch, draw: ReturnType<typeof drawMixup>): MixedBatch {
  const partners = Int32Array.from(permuteLabels(batch.labelList, draw.permutation));
  return {
    images: mixup(batch.images, draw),
    loss: (criterion, logits) => {
      const others = tensor(partners, undefined, { dtype: 'int64', device: batch.device });
      return mixedLoss(criterion(logits, batch.labels), criterion(logits, others), draw.lambda);
    },
  };
}

import { type AttentionMap, attentionMap } from '../../cam/attention-map.js';
import type { Criterion } from '../../losses/criterion.js';
import {
  localisationLoss,
  type PublishedAttention,
  publishedAttention,
  type SoftAttention,
  softAttention,
} from '../../losses/localisation.js';
import type { RegionTable } from '../../losses/regions.js';
import type { Model } from '../../models/model.js';
import { noGrad } from '../../tensor/context.js';
import type { Tensor } from '../../tensor/tensor.js';
import { attentionWeight } from '../../training/attention-weight.js';
import type { ClassificationResult, InputBatch, ObjectivePhase } from '../../training/batch.js';
import type { AttentionSettings } from './settings.js';

/** Where the network looked, measured on one batch. */
export interface MeasuredAttention {
  /** `[B, H, W]`: the map of each image. */
  readonly maps: Tensor;
  /** The attention term of the loss; o in the differentiable form alone. */
  readonly terms: PublishedAttention | SoftAttention;
  /** `[B]` for each of the thresholds that are logged besides: a of the published form. */
  readonly sweep: readonly Tensor[];
}

/** What the objective makes of a batch. */
export interface LocAttentionResult extends ClassificationResult {
  /** Mean cross-entropy of the batch. */
  readonly crossEntropy: Tensor;
  /** λ of the epoch; 1 where attention is not measured. */
  readonly lambda: number;
  /** `undefined` where it is not measured. */
  readonly attention: MeasuredAttention | undefined;
}

/** What {@link locAttentionObjective} needs besides its settings. */
export interface ObjectiveParts {
  /** Cross-entropy, weighted or not. */
  readonly criterion: Criterion;
  /** Region by class. */
  readonly regions: RegionTable;
  /** Lung boxes of a batch's images: `[B, 4]`, row-major x, y, width, height in pixels of the network's input. */
  readonly boxes: (batch: InputBatch, phase: ObjectivePhase['phase']) => Int32Array;
}

/**
 * loc-attention's loss: the mean over the batch of λ CE + (1 - λ)(a + μ o) (loc-attention.md 4.3, 4.6).
 *
 * `published`: a counts hot pixels of the Grad-CAM map, so it has no gradient. In training the map comes from a second pass in
 * evaluation mode, with the running statistics that the first one has just moved, as the original takes it from a copy; in
 * validation the one pass gives both. `differentiable`: map and logits come from one pass in the mode of the network, and the
 * graph is kept through both.
 *
 * @internal
 */
export function locAttentionObjective(
  settings: AttentionSettings,
  { criterion, regions, boxes }: ObjectiveParts,
): (model: Model, batch: InputBatch, phase: ObjectivePhase) => LocAttentionResult {
  const { attention: form, validationAttention, penaliseOutside } = settings;
  return (model, batch, { phase }) => {
    const { images, labels } = batch;
    if (form === 'none' || (phase === 'val' && !validationAttention)) {
      const logits = model.forward(images);
      const crossEntropy = criterion(logits, labels);
      return { logits, crossEntropy, lambda: 1, loss: crossEntropy, attention: undefined };
    }
    const { logits, maps } = look(model, batch, phase, settings);
    const crossEntropy = criterion(logits, labels);
    const attention = measure(settings, maps, { boxes: boxes(batch, phase), labels, regions });
    const lambda = lambdaOf(settings, batch.epoch);
    const loss = localisationLoss(crossEntropy, attention.terms, { lambda, penaliseOutside });
    return { logits, crossEntropy, lambda, loss, attention };
  };
}

/** λ of an epoch, counted from 1. */
export function lambdaOf({ lambda, adaptive }: AttentionSettings, epoch: number): number {
  return attentionWeight(epoch - 1, adaptive ? { adaptive } : { lambda: lambda ?? undefined });
}

function look(
  model: Model,
  { images, labels }: InputBatch,
  phase: ObjectivePhase['phase'],
  { attention, camClass, activations }: AttentionSettings,
): Pick<AttentionMap, 'logits' | 'maps'> {
  const given = {
    ...(camClass === 'label' ? { classes: labels } : {}),
    // Networks that have no choice are told nothing.
    ...(activations === 'after_relu' ? { activations } : {}),
  };
  if (attention === 'differentiable') return attentionMap(model, images, { ...given, differentiable: true });
  // In validation the one pass is both.
  if (phase === 'val') return attentionMap(model, images, given);
  const logits = model.forward(images);
  const predicted = { classes: logits.detach().argmax({ dim: 1 }) };
  const { maps } = noGrad(() => attentionMap(model, images, { ...predicted, ...given }));
  return { logits, maps };
}

function measure(
  { attention, threshold, tau, logThresholds }: AttentionSettings,
  maps: Tensor,
  {
    boxes,
    labels,
    regions,
  }: { readonly boxes: Int32Array; readonly labels: Tensor; readonly regions: RegionTable },
): MeasuredAttention {
  const counted = (at: number) =>
    noGrad(() => publishedAttention(maps, boxes, labels, { regions, threshold: at }));
  const terms =
    attention === 'differentiable'
      ? softAttention(maps, boxes, labels, { regions, threshold, tau })
      : counted(threshold);
  return { maps, terms, sweep: logThresholds.map((at) => counted(at).attention) };
}

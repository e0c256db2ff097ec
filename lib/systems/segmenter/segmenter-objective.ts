import { segmentationLoss } from '../../losses/segmentation.js';
import type { SegmentationNetwork } from '../../models/segmentation.js';
import { noGrad } from '../../tensor/context.js';
import { stack } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { InputBatch, ObjectivePhase, ObjectiveResult } from '../../training/batch.js';
import type { EpochScorer, ScorerState, Scoring } from '../../training/scoring.js';

/** What a segmenter's objective makes of a batch. */
export interface SegmenterResult extends ObjectiveResult {
  /** [B, 1, H, W]. */
  readonly logits: Tensor;
  /** [B, 1, H, W], 0 to 1. */
  readonly targets: Tensor;
}

/** What half an epoch of a segmenter's training tells besides its loss. */
export interface SegmenterScores {
  /** Dice coefficient, mean over images; 1 for an image whose mask and prediction are both empty. */
  readonly dice: number;
  /** Intersection over union, mean over images. */
  readonly iou: number;
}

/** Logits of lungs; the network takes blue, green, red, as the original reads its files. */
export function lungLogits(
  network: SegmentationNetwork,
  images: Tensor,
  options: { readonly evaluation?: boolean } = {},
): Tensor {
  return network.forward(images.flip([1]), options);
}

/**
 * The objective of the lung segmenter: binary cross-entropy and soft Dice loss (section 3.4).
 *
 * @param targetsOf the masks of a batch, [B, 1, H, W] in 0 to 1
 */
export function segmenterObjective(
  targetsOf: (batch: InputBatch, phase: ObjectivePhase) => Promise<Tensor>,
): (model: SegmentationNetwork, batch: InputBatch, phase: ObjectivePhase) => Promise<SegmenterResult> {
  return async (model, batch, phase) => {
    const targets = await targetsOf(batch, phase);
    const logits = lungLogits(model, batch.images);
    return { loss: segmentationLoss(logits, targets), logits, targets };
  };
}

/** Dice and intersection over union of each image of a batch; call it in a `tidy` scope. */
export async function overlaps(
  logits: Tensor,
  targets: Tensor,
): Promise<{ readonly dice: number; readonly iou: number }[]> {
  const sums = noGrad(() => {
    const predicted = logits.gt(0);
    const wanted = targets.gt(0.5);
    const count = (mask: Tensor) => mask.to({ dtype: 'float32' }).sum({ dim: [1, 2, 3] });
    return stack([count(predicted.logicalAnd(wanted)), count(predicted), count(wanted)]);
  });
  const values = (await sums.data()) as Float32Array;
  const images = values.length / 3;
  return Array.from({ length: images }, (_, i) => {
    const [both, a, b] = [values[i], values[images + i], values[2 * images + i]] as [number, number, number];
    const union = a + b - both;
    return union === 0 ? { dice: 1, iou: 1 } : { dice: (2 * both) / (a + b), iou: both / union };
  });
}

/** Images so far, sums of Dice and of intersection over union. */
class SegmenterScorer implements EpochScorer<SegmenterResult, SegmenterScores> {
  readonly #sums: Float64Array;

  constructor({ sums }: ScorerState) {
    this.#sums = Float64Array.from(sums ?? new Float64Array(3));
  }

  async add({ logits, targets }: SegmenterResult): Promise<void> {
    for (const { dice, iou } of await overlaps(logits, targets)) {
      const [images, diceSum, iouSum] = this.#sums as unknown as [number, number, number];
      this.#sums.set([images + 1, diceSum + dice, iouSum + iou]);
    }
  }

  scores(): SegmenterScores {
    const [images, dice, iou] = this.#sums as unknown as [number, number, number];
    const of = Math.max(1, images);
    return { dice: dice / of, iou: iou / of };
  }

  state(): { readonly sums: Float64Array } {
    return { sums: this.#sums };
  }
}

/** How a segmenter's epochs are scored: Dice and intersection over union; the lowest validation loss is the best. */
export const segmenterScoring: Scoring<SegmenterResult, SegmenterScores> = {
  begin: (_, state = {}) => new SegmenterScorer(state),
  select: ({ loss }) => loss,
};

import { createSegmentationNetwork, type SegmentationNetwork } from '../../models/segmentation.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { PrecisionChoice } from '../../training/precision.js';
import { PassNetwork, type SystemLike } from '../pass-network.js';
import type { SegmenterCard } from './segmenter-card.js';
import { lungLogits } from './segmenter-objective.js';

/** @internal What a pass needs of a segmenter. */
export interface SegmenterLike extends SystemLike<SegmentationNetwork> {
  readonly card: SegmenterCard;
}

/** A segmenter's network in a pass without training. */
export type SegmenterPass = PassNetwork<SegmentationNetwork>;

/** Opens a pass; in `float64` it computes with a copy of the weights. */
export function openSegmenterPass(
  segmenter: SegmenterLike,
  choice: PrecisionChoice = 'float32',
): Promise<SegmenterPass> {
  return PassNetwork.open(segmenter, choice, ({ options }) => createSegmentationNetwork(options));
}

/** Logits of lungs, `[B, 1, H, W]`, whatever mode the network is in. */
export function evaluatedLogits(network: SegmentationNetwork, images: Tensor): Tensor {
  return lungLogits(network, images, { evaluation: true });
}

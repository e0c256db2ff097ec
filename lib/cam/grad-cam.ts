import type { Model } from '../models/model.js';
import type { Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { knownKeys, text } from '../validate.js';
import { attentionMap, type CamTarget, type Explanation } from './attention-map.js';

/** Options of {@link gradCam}. */
export interface GradCamOptions extends Pick<CamTarget, 'classes'> {
  /** Which activation to explain: one of the model's taps, of shape [B, K, h, w]. Default: the model's last feature map. */
  readonly layer?: string;
}

/**
 * Grad-CAM maps of a batch, in eval mode: {@link attentionMap} with its defaults.
 *
 * @param model the network
 * @param images [B, C, H, W], normalised as in training
 * @param options layer and classes
 * @throws CxrGazeError as {@link attentionMap}
 * @example
 * ```ts
 * const { maps, logits } = gradCam(model, images, { classes: 3 });
 * const values = await maps.toNdarray();
 * ```
 */
export function gradCam(model: Model, images: Tensor, options: GradCamOptions = {}): Explanation {
  knownKeys('options', options, ['layer', 'classes']);
  if (options.layer !== undefined) text('options.layer', options.layer);
  return tidy(() => {
    const { maps, logits, classes } = attentionMap(model, images, options);
    return { maps, logits, classes };
  });
}

import type { Model } from '../models/model.js';
import { requireNetwork } from '../models/network.js';
import { requireTensors, type Tensor } from '../tensor/tensor.js';
import { integer, invalidArgument, knownKeys, list, text } from '../validate.js';

/** Options of {@link gradCam}. */
export interface GradCamOptions {
  /** Which activation to explain: one of the model's taps, of shape [B, K, h, w]. Default: the model's last feature map. */
  readonly layer?: string;
  /** Class to explain: one for all images or one for each. Default: the predicted class of each. */
  readonly classes?: number | Int32Array | readonly number[];
}

/** What {@link gradCam} gives. All three come from the same forward pass. */
export interface Explanation {
  /** float32 [B, H, W], 0 to 1: how much the class's logit rests on each pixel. */
  readonly maps: Tensor;
  /** float32 [B, C]. */
  readonly logits: Tensor;
  /** int64 [B]: the class that each map explains. */
  readonly classes: Tensor;
}

/**
 * Grad-CAM maps of a batch, in eval mode (the model's mode is put back), with one forward pass and one backward pass
 * from the logits to the layer.
 *
 * With A the activation [K, h, w] and G = ∂z_c / ∂A: raw = max(0, Σ_k mean(G_k) A_k); the map is raw scaled to [0, 1],
 * resized (bilinear, half-pixel centres) to the image and scaled again by S(m) = (m - min m) / (1e-7 + max(m - min m)). A
 * raw map of zeros stays zero. Selvaraju et al., "Grad-CAM", ICCV 2017, scaled as `jacobgil/pytorch-grad-cam` does.
 *
 * @param model the network
 * @param images [B, C, H, W], normalised as in training
 * @param options layer and classes
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for an unknown layer (the message offers the nearest names) or class,
 * `ERR_INVALID_SHAPE`, `ERR_NOT_FINITE` for logits that are not numbers
 * @example
 * ```ts
 * const { maps, logits } = gradCam(model, images, { classes: 3 });
 * const values = await maps.toNdarray();
 * ```
 */
export function gradCam(model: Model, images: Tensor, options: GradCamOptions = {}): Explanation {
  knownKeys('options', options, ['layer', 'classes']);
  const layer = options.layer === undefined ? undefined : text('options.layer', options.layer);
  requireTensors([images], 'images');
  const [maps, logits, classes] = requireNetwork(model).run('cam.gradCam', [images], {
    ...(layer === undefined ? {} : { layer }),
    ...(options.classes === undefined ? {} : { classes: classesOf(options.classes) }),
  });
  return { maps: maps as Tensor, logits: logits as Tensor, classes: classes as Tensor };
}

function classesOf(value: unknown): readonly number[] {
  if (typeof value === 'number') return [integer('options.classes', value, { min: 0 })];
  const items = value instanceof Int32Array ? Array.from(value) : value;
  const classes = list('options.classes', items, (name, item) => integer(name, item, { min: 0 }));
  if (classes.length === 0) throw invalidArgument('options.classes', 'at least one class', value);
  return classes;
}

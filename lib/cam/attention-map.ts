import type { Model } from '../models/model.js';
import { requireNetwork } from '../models/network.js';
import type { OptionBag } from '../tensor/run.js';
import { requireTensors, Tensor } from '../tensor/tensor.js';
import { flag, integer, invalidArgument, knownKeys, list, oneOf, text } from '../validate.js';

/**
 * Attention maps that weigh an activation by the gradient of a class logit:
 *
 * - `gradcam`: Selvaraju et al., "Grad-CAM", ICCV 2017;
 * - `gradcam++`: Chattopadhyay et al., "Grad-CAM++", WACV 2018;
 * - `hirescam`: Draelos and Carin, "Use HiResCAM instead of Grad-CAM", 2020;
 * - `layercam`: Jiang et al., "LayerCAM", IEEE TIP 2021.
 */
export type GradientCamMethod = 'gradcam' | 'gradcam++' | 'hirescam' | 'layercam';

/** All of {@link GradientCamMethod}. */
export const gradientCamMethods: readonly GradientCamMethod[] = [
  'gradcam',
  'gradcam++',
  'hirescam',
  'layercam',
];

/** Every method: those by gradient, and `scorecam` (Wang et al., "Score-CAM", CVPR Workshops 2020), by forward passes. */
export type CamMethod = GradientCamMethod | 'scorecam';

/** All of {@link CamMethod}. */
export const camMethods: readonly CamMethod[] = [...gradientCamMethods, 'scorecam'];

/** Which values of VGG's last convolution a map is made of, see {@link CamTarget.activations}. */
export const camActivations = ['before_relu', 'after_relu'] as const;

/** One of {@link camActivations}. */
export type CamActivations = (typeof camActivations)[number];

/** What is explained, whatever the method. */
export interface CamTarget {
  /** Class to explain: one for all images, one for each, or an int64 tensor [B]. Default: the predicted class of each. */
  readonly classes?: number | Int32Array | readonly number[] | Tensor;
  /**
   * VGG's last convolution (`features.28`, its default layer) only: which values stand for the activation. `before_relu`
   * (default): those that the convolution gives. `after_relu`: those after its ReLU, as `jacobgil/pytorch-grad-cam` has it
   * on a CPU, where the ReLU overwrites them. The gradient is in both cases that by the value before the ReLU.
   */
  readonly activations?: CamActivations;
}

/** Options of {@link attentionMap}. */
export interface AttentionMapOptions extends CamTarget {
  /** How activation and gradient become a map. Default `gradcam`. */
  readonly method?: GradientCamMethod;
  /**
   * Which activation to explain: one of the model's taps, of shape [B, K, h, w] or tokens [B, N, D] (a class token in front is
   * left out). Several are averaged, each normalised and resized. Default: the model's last feature map.
   */
  readonly layer?: string | readonly string[];
  /**
   * Whether maps and logits keep the graph back to the weights, for a loss of them; second order where the gradient is not
   * constant. Inside `noGrad` it changes nothing. Default `false`.
   */
  readonly differentiable?: boolean;
  /**
   * Whether the pass runs in evaluation mode, whatever the model's own. Default: `true`, but `false` for a differentiable
   * map, which is taken in the very pass that trains.
   */
  readonly evaluation?: boolean;
}

/** Maps and what they explain. All come from the same forward pass. */
export interface Explanation {
  /** [B, H, W], 0 to 1: how much the class's logit rests on each pixel. float64 if the model is, else float32. */
  readonly maps: Tensor;
  /** [B, C], of the same type. */
  readonly logits: Tensor;
  /** int64 [B]: the class that each map explains. */
  readonly classes: Tensor;
}

/** What {@link attentionMap} and `scoreCam` give. */
export interface AttentionMap extends Explanation {
  /** The rectified weighted sum at the layer's size, [B, h, w], not normalised; none for several layers. */
  readonly raw: Tensor | undefined;
  /** Weight of each channel, [B, K]; none for several layers, and for methods that weigh each element. */
  readonly weights: Tensor | undefined;
}

/**
 * Attention maps of a batch, with one forward pass and at most one backward pass from the logits to the layer; none where
 * the layer is pooled into a linear head (ResNet's and PVT's last feature map), whose weight the gradient then is.
 *
 * With A the activation [K, h, w] and G = ∂z_c / ∂A: raw = max(0, Σ_k w_k A_k), w_k = mean(G_k) (Grad-CAM) or Σ max(G_k, 0)
 * G_k² / (2 G_k² + ΣA_k G_k³ + 1e-6) (Grad-CAM++), or elementwise max(0, Σ_k G_k A_k) (HiResCAM), max(0, Σ_k max(G_k, 0) A_k)
 * (LayerCAM). The map is raw scaled to [0, 1], resized (bilinear, half-pixel centres) to the image and scaled again by S(m)
 * = (m - min m) / (1e-7 + max(m - min m)), as `jacobgil/pytorch-grad-cam` does. A raw map of zeros stays zero.
 *
 * @param model the network; its mode is put back
 * @param images [B, 3, H, W], normalised as in training
 * @param options method, layer, classes
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for an unknown layer (the message offers the nearest names) or class,
 * `ERR_INVALID_SHAPE`, `ERR_NOT_FINITE` for logits that are not numbers
 * @example
 * ```ts
 * const { maps, logits } = attentionMap(model, images, { method: 'layercam', classes: 3 });
 * const values = await maps.toNdarray();
 * ```
 */
export function attentionMap(model: Model, images: Tensor, options: AttentionMapOptions = {}): AttentionMap {
  knownKeys('options', options, ['method', 'layer', 'differentiable', 'evaluation', ...targetKeys]);
  const method = oneOf('options.method', options.method ?? 'gradcam', gradientCamMethods);
  const layers = options.layer === undefined ? undefined : layersOf(options.layer);
  const differentiable = flag('options.differentiable', options.differentiable ?? false);
  const evaluation = flag('options.evaluation', options.evaluation ?? !differentiable);
  requireTensors([images], 'images');
  const target = targetOf(model, options, layers);
  const bag = { method, differentiable, evaluation, ...(layers && { layers }), ...target.bag };
  const [maps, logits, classes, raw, weights] = requireNetwork(model).run(
    'cam.explain',
    [images, ...target.inputs],
    bag,
  );
  return {
    maps: maps as Tensor,
    logits: logits as Tensor,
    classes: classes as Tensor,
    ...{ raw, weights },
  };
}

/** @internal Keys of {@link CamTarget}. */
export const targetKeys = ['classes', 'activations'] as const;

/** @internal A target as native operations take it: options, and classes that are a tensor. */
export function targetOf(
  model: Model,
  target: CamTarget,
  layers: readonly string[] | undefined,
): { readonly bag: OptionBag; readonly inputs: readonly Tensor[] } {
  const { classes, activations } = target;
  const rectified =
    activations !== undefined && isRectified(requireNetwork(model).architecture, activations, layers);
  if (classes instanceof Tensor) return { bag: { rectified }, inputs: [classes] };
  return {
    bag: { rectified, ...(classes === undefined ? {} : { classes: classesOf(classes) }) },
    inputs: [],
  };
}

/** @internal Whether an architecture has {@link CamTarget.activations} to choose from: its last feature map is before a ReLU. */
export function takesActivations(architecture: string): boolean {
  return architecture.startsWith('vgg');
}

/**
 * @internal Whether maps are made of rectified values.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` where there is nothing to choose from
 */
export function isRectified(architecture: string, activations: unknown, layers?: readonly string[]): boolean {
  const chosen = oneOf('options.activations', activations, camActivations);
  const isConvolution = (layer: string): boolean => layer === 'features.28';
  if (takesActivations(architecture) && (layers === undefined || layers.every(isConvolution)))
    return chosen === 'after_relu';
  throw invalidArgument(
    'options.activations',
    `nothing but for VGG's 'features.28', here ${architecture}${layers ? `'s ${layers.join(', ')}` : ''},`,
    activations,
  );
}

function layersOf(layer: unknown): readonly string[] {
  if (!Array.isArray(layer)) return [text('options.layer', layer)];
  const layers = list('options.layer', layer, text);
  if (layers.length === 0) throw invalidArgument('options.layer', 'at least one layer', layer);
  if (new Set(layers).size < layers.length)
    throw invalidArgument('options.layer', 'each layer once', layers.join(', '));
  return layers;
}

function classesOf(value: unknown): readonly number[] {
  if (typeof value === 'number') return [integer('options.classes', value, { min: 0 })];
  const items = value instanceof Int32Array ? Array.from(value) : value;
  const classes = list('options.classes', items, (name, item) => integer(name, item, { min: 0 }));
  if (classes.length === 0) throw invalidArgument('options.classes', 'at least one class', value);
  return classes;
}

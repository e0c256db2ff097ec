import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { integer, knownKeys, oneOf } from '../validate.js';
import { type GradientCamMethod, gradientCamMethods } from './attention-map.js';

/** Options of {@link camFromActivation}. */
export interface CamSize {
  /** Rows of the maps. */
  readonly height: number;
  /** Columns of the maps. */
  readonly width: number;
  /** How activation and gradient become a map. Default `gradcam`. */
  readonly method?: GradientCamMethod;
}

/**
 * The arithmetic of {@link attentionMap} alone, for networks of one's own.
 *
 * @param activation A, [B, K, h, w]
 * @param gradient ∂z_c / ∂A, the same shape
 * @param size of the maps, and the method
 * @returns maps [B, height, width] in [0, 1]; float64 if the activation is, else float32
 */
export function camFromActivation(activation: Tensor, gradient: Tensor, size: CamSize): Tensor {
  knownKeys('size', size, ['height', 'width', 'method']);
  const height = integer('size.height', size.height, { min: 1 });
  const width = integer('size.width', size.width, { min: 1 });
  const method = oneOf('size.method', size.method ?? 'gradcam', gradientCamMethods);
  return run('cam.fromActivation', [activation, gradient], { height, width, method });
}

import { tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import type { Actual } from './compare.js';
import { filled } from './recipe.js';

/** An input of a case as a tensor: float32, or float64 where the recipe says so. */
export function tensorOf(name: string, value: unknown, options: { requiresGrad?: boolean } = {}): Tensor {
  const { shape, data } = filled(name, value);
  return tensor(data, shape, options);
}

/** Labels of a case as an int64 tensor. */
export function labelsOf(name: string, value: unknown): Tensor {
  const { shape, data } = filled(name, value, 'label');
  return tensor(data, shape, { dtype: 'int64' });
}

/** A tensor's values for comparison. */
export async function actual(value: Tensor): Promise<Actual> {
  const { shape } = await value.ready();
  const data = await value.data();
  return { shape, data: data instanceof BigInt64Array ? Float64Array.from(data, Number) : data };
}

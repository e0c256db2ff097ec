import { gradients, tensor } from '../../lib/tensor/create.js';
import type { DType } from '../../lib/tensor/dtype.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { uniform } from '../golden/fill.js';
import { type Doubles, doubles } from '../reference/array.js';
import { numericGradient, worstDifference } from '../support/gradient.js';

/** An input of a loss: values in double precision and their shape. */
export interface Input {
  readonly values: Float64Array;
  readonly shape: readonly number[];
}

/** Filled values, the same at every run; rounded to float32 so that both precisions see the same numbers. */
export function input(name: string, shape: readonly number[], scale = 1): Input {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, values: Float64Array.from(uniform(name, size), (u) => Math.fround(u * scale)) };
}

/** An input as an array of the twins. */
export function plain({ values, shape }: Input): Doubles {
  return doubles(shape, values);
}

/** int64 labels. */
export function labelTensor(labels: readonly number[]): Tensor {
  return tensor([...labels], [labels.length], { dtype: 'int64' });
}

/** A tensor of a tensor's values in another precision. */
export function place({ values, shape }: Input, dtype: DType, requiresGrad = false): Tensor {
  const data = dtype === 'float64' ? values : Float32Array.from(values);
  return tensor(data, shape, { dtype, requiresGrad });
}

/** The values of a tensor as doubles. */
export async function read(value: Tensor): Promise<Float64Array> {
  return Float64Array.from((await value.data()) as ArrayLike<number | bigint>, Number);
}

/** A loss of one input, the others being bound. */
export type Loss = (x: Tensor) => Tensor;

/** Value and first gradient of a native loss. */
export async function valueAndGradient(
  loss: Loss,
  x: Input,
  dtype: DType,
): Promise<{ value: number; gradient: Float64Array }> {
  return tidy(async () => {
    const leaf = place(x, dtype, true);
    const result = loss(leaf);
    result.backward();
    return { value: await result.item(), gradient: await read(leaf.grad()) };
  });
}

/** How far the gradient of a native loss is from central differences of its twin. */
export async function gradientError(
  loss: Loss,
  twin: (values: Float64Array) => number,
  x: Input,
): Promise<number> {
  const { gradient } = await valueAndGradient(loss, x, 'float64');
  return worstDifference(gradient, numericGradient(twin, x.values));
}

/**
 * How far the Hessian's product with a fixed direction v, which autograd takes of the gradient, is from central
 * differences of the gradient along v.
 */
export async function secondOrderError(loss: Loss, x: Input): Promise<number> {
  const direction = input('direction', x.shape);
  const product = await tidy(async () => {
    const leaf = place(x, 'float64', true);
    const [gradient] = gradients(loss(leaf), [leaf], { createGraph: true }) as [Tensor];
    const [result] = gradients(gradient.mul(place(direction, 'float64')).sum(), [leaf]) as [Tensor];
    return read(result);
  });
  const step = 1e-6;
  const at = async (sign: number): Promise<Float64Array> => {
    const values = x.values.map((value, i) => value + sign * step * (direction.values[i] as number));
    return (await valueAndGradient(loss, { values, shape: x.shape }, 'float64')).gradient;
  };
  const above = await at(1);
  const below = await at(-1);
  return worstDifference(
    product,
    above.map((value, i) => (value - (below[i] as number)) / (2 * step)),
  );
}

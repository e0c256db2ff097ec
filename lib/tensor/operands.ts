import type { OptionBag } from '../native.js';
import { invalidArgument } from '../validate.js';
import { run, runMany } from './run.js';
import { requireTensors, Tensor } from './tensor.js';

/** Queues an operation whose operands are all required. */
export function on(operation: string, inputs: readonly Tensor[], options?: OptionBag): Tensor {
  return run(operation, requireTensors(inputs), options);
}

/** Queues an operation that changes its first operand, which is given back. */
export function inPlace<T extends Tensor>(
  operation: string,
  inputs: readonly [T, ...Tensor[]],
  options?: OptionBag,
): T {
  runMany(operation, requireTensors(inputs), options);
  return inputs[0];
}

/** The operands of a binary operation: the second one is an input, or, as a number, an option. */
export function withSecond<T extends Tensor>(
  first: T,
  operand: Tensor | number,
): [[T, ...Tensor[]], OptionBag | undefined] {
  if (typeof operand === 'number') return [[first], { other: operand }];
  if (operand instanceof Tensor) return [[first, operand], undefined];
  throw invalidArgument('operand', 'a Tensor or a number', operand);
}

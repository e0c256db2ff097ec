import { native, type OptionBag, type Reply, type TensorHandle } from '../native.js';
import { invalidArgument } from '../validate.js';
import { callContext } from './context.js';
import { handleOf, Tensor } from './tensor.js';
import { Work } from './work.js';

export type { OptionBag } from '../native.js';

/** The handles of operands; `null` stands for an optional operand that is not given. */
export function handlesOf(inputs: readonly (Tensor | null)[]): (TensorHandle | null)[] {
  return inputs.map((input, index) => {
    if (input === null) return null;
    if (!(input instanceof Tensor)) throw invalidArgument(`operand ${index}`, 'a Tensor', input);
    return handleOf(input);
  });
}

/**
 * Queues a native operation and returns its results at once; the compute lane fills them in order.
 *
 * @param operation name in the native table, such as `loss.ldam`
 * @param inputs operands; `null` for an optional one that is not given
 * @param options plain values by name
 */
export function runMany(
  operation: string,
  inputs: readonly (Tensor | null)[],
  options?: OptionBag,
): Tensor[] {
  return native()
    .run(operation, handlesOf(inputs), options, callContext())
    .map((handle) => new Tensor(handle));
}

/** Like {@link runMany} for an operation with one result. */
export function run(operation: string, inputs: readonly (Tensor | null)[], options?: OptionBag): Tensor {
  const [result] = runMany(operation, inputs, options);
  return result as Tensor;
}

/** Queues a native query. The promise need not be awaited where only the effect is wanted. */
export function ask(query: string, inputs: readonly (Tensor | null)[], options?: OptionBag): Work<Reply> {
  const context = callContext();
  return Work.of(native().ask(query, handlesOf(inputs), options, context), context.scope);
}

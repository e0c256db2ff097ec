import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { invalidArgument } from '../validate.js';

/** One value for each class, such as {@link classWeights} and {@link ldamMargins} give: a tensor [C] or plain numbers. */
export type ClassValues = Tensor | Float32Array | Float64Array | readonly number[];

/**
 * Lends the values to `use` as a tensor; one that was made for it is disposed of afterwards, since a queued job holds
 * what it needs.
 *
 * @internal
 */
export function withClassValues<T>(
  name: string,
  values: ClassValues | undefined,
  use: (values: Tensor | null) => T,
): T {
  if (values === undefined) return use(null);
  if (!isNumbers(values)) return use(values);
  if (values.length === 0) throw invalidArgument(name, 'one number for each class', values);
  const data = Array.isArray(values) ? Float32Array.from(values) : (values as Float32Array | Float64Array);
  const made = tensor(data, [data.length]);
  try {
    return use(made);
  } finally {
    made.dispose();
  }
}

function isNumbers(values: ClassValues): values is Float32Array | Float64Array | readonly number[] {
  return Array.isArray(values) || values instanceof Float32Array || values instanceof Float64Array;
}

import { requireTensors, type Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { invalidArgument } from '../validate.js';
import { type WrittenFile, writeSafetensors } from './safetensors-write.js';

/**
 * Writes tensors as a `.safetensors` file, one after the other.
 *
 * @param path the file; replaced in one step if it is there
 * @param tensors by key
 * @param metadata text by key
 */
export async function writeTensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<WrittenFile> {
  if (!(tensors instanceof Map)) throw invalidArgument('tensors', 'a Map of tensors', tensors);
  requireTensors([...tensors.values()], 'tensor');
  const entries = await Promise.all(
    [...tensors].map(async ([name, tensor]) => {
      const { dtype, shape } = await tensor.ready();
      return { name, dtype, shape, bytes: () => tidy(async () => (await tensor.bytes()).bytes) };
    }),
  );
  return writeSafetensors(path, entries, metadata);
}

import { createHash } from 'node:crypto';
import type { Network } from '../models/network.js';
import { tidy } from '../tensor/tidy.js';

/**
 * SHA-256 of a network's state: names, types, shapes and bytes.
 *
 * @param wanted which tensors count; default: all
 */
export async function stateHash(
  network: Network,
  wanted: (name: string) => boolean = () => true,
): Promise<string> {
  return tidy(async () => {
    const hash = createHash('sha256');
    for (const [name, tensor] of await network.stateDict()) {
      if (!wanted(name)) continue;
      const { bytes, dtype, shape } = await tensor.bytes();
      hash.update(`${name} ${dtype} ${shape.join('x')}\n`).update(bytes);
    }
    return hash.digest('hex');
  });
}

import type { Network } from '../models/network.js';
import { disposeAll } from '../tensor/tensor.js';
import { createOptimizer, type Optimizer } from './optimizer.js';

/** Adam with PyTorch's defaults over what learns of a network: what every original trains with. */
export async function adamFor(network: Network, learningRate: number): Promise<Optimizer> {
  const parameters = await network.parameters();
  try {
    return createOptimizer(parameters, { kind: 'adam', learningRate });
  } finally {
    disposeAll(parameters.values());
  }
}

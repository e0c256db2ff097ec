import { Beginning, courseOf, distanceOf, networks } from '../training/loc-attention-steps.js';
import type { Check } from './check.js';

/** All stored steps of loc-attention in float64, beside PyTorch's: 20 with the published loss, 5 with the differentiable one. */
export async function allLocAttentionSteps(check: Check): Promise<void> {
  for (const network of networks) {
    using beginning = await Beginning.of(network);
    for (const [form, count] of [
      ['published', 20],
      ['differentiable', 5],
    ] as const) {
      const stored = courseOf(form, network).steps.length;
      const { steps, state } = await distanceOf(beginning, form, network, count);
      const worst = Math.max(...steps);
      check(
        stored === count && steps.length === count && worst < 1e-6,
        `${count} ${form} steps of ${network}: loss and attention differ by at most ${worst.toExponential(1)}`,
      );
      check(state < 1e-6, `weights of ${network} after ${count} steps: ${state.toExponential(1)}`);
    }
  }
}

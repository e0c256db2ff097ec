import type { Architecture } from '../../lib/models/model.js';
import { pvtDifferences, pvtReference } from '../models/pvt-reference.js';
import type { Check } from './check.js';

/** Every size of PVT in float64, keys, logits and gradients, beside timm's. */
export async function allPvtSizes(check: Check): Promise<void> {
  for (const [name, reference] of Object.entries(pvtReference.models)) {
    const differences = Object.entries(await pvtDifferences(name as Architecture, reference));
    const worst = Math.max(...differences.map(([, difference]) => difference));
    const shown = differences
      .map(([what, difference]) => `${what} ${difference.toExponential(1)}`)
      .join(', ');
    check(worst < 1e-9, `${name}: differs by ${shown}`);
  }
}

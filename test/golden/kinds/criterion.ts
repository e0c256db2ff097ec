import { balancedClassWeights, classBalancedWeights } from '../../../lib/losses/class-weights.js';
import { type Criterion, classificationLoss } from '../../../lib/losses/criterion.js';
import { choice, number, numbers } from '../case.js';

/** Config keys that {@link goldenCriterion} reads. */
export const criterionKeys = ['loss', 'weights', 'cb_beta', 'gamma', 'max_m', 's', 'counts'];

/** The classification loss that a case describes. */
export function goldenCriterion(config: Readonly<Record<string, unknown>>): Criterion {
  const loss = choice('loss', config.loss, ['ce', 'focal', 'ldam']);
  const counts = numbers('counts', config.counts);
  const weights = goldenWeights(config, counts);
  return classificationLoss({
    loss,
    counts,
    ...(weights === undefined ? {} : { weights }),
    ...(loss === 'focal' ? { gamma: number('gamma', config.gamma) } : {}),
    ...(loss === 'ldam' ? { maxMargin: number('max_m', config.max_m), scale: number('s', config.s) } : {}),
  });
}

function goldenWeights(
  config: Readonly<Record<string, unknown>>,
  counts: number[],
): Float32Array | undefined {
  const method = choice('weights', config.weights ?? null, [null, 'balanced', 'cb']);
  if (method === 'balanced') return balancedClassWeights(counts);
  return method === 'cb' ? classBalancedWeights(counts, number('cb_beta', config.cb_beta)) : undefined;
}

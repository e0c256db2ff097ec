import { balancedClassWeights, classBalancedWeights } from '../../../lib/losses/class-weights.js';
import { choice, number, numbers } from '../case.js';
import type { Kind } from '../kind.js';

/** Class weights from training counts. */
export const classWeightsKind: Kind = {
  config: ['method', 'cb_beta', 'counts'],
  inputs: [],
  run: ({ config }) => {
    const counts = numbers('counts', config.counts);
    const data =
      choice('method', config.method, ['balanced', 'cb']) === 'balanced'
        ? balancedClassWeights(counts)
        : classBalancedWeights(counts, number('cb_beta', config.cb_beta));
    return { weights: { shape: [data.length], data } };
  },
};

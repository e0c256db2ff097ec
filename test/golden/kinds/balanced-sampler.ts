import { balancedWeights, ClassBalancedSampler } from '../../../lib/data/samplers.js';
import { number, numbers } from '../case.js';
import type { Kind } from '../kind.js';

/** Weight of each image for the class-balanced sampler, and draws an epoch. */
export const balancedSamplerKind: Kind = {
  config: ['num_classes'],
  inputs: ['labels'],
  run: ({ config, inputs }) => {
    const given = inputs.labels as { data?: ArrayLike<number> };
    const labels = numbers('labels', given.data === undefined ? given : Array.from(given.data));
    const classes = number('num_classes', config.num_classes);
    if (labels.some((label) => label >= classes)) throw new Error(`a label is not below num_classes (${classes})`);
    const data = balancedWeights(labels);
    return {
      weights: { shape: [data.length], data },
      draws: new ClassBalancedSampler({ labels, seed: 0 }).indices(0).length,
    };
  },
};

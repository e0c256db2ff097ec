import { balancedWeights, ClassBalancedSampler } from '../../../lib/data/samplers.js';
import { number } from '../case.js';
import type { Kind } from '../kind.js';
import { filled } from '../recipe.js';

/** Weight of each image for the class-balanced sampler, and draws an epoch. */
export const balancedSamplerKind: Kind = {
  config: ['num_classes'],
  inputs: ['labels'],
  run: ({ config, inputs }) => {
    const labels = Array.from(filled('labels', inputs.labels, 'label').data);
    const classes = number('num_classes', config.num_classes);
    if (labels.some((label) => label >= classes))
      throw new Error(`a label is not below num_classes (${classes})`);
    const data = balancedWeights(labels);
    return {
      weights: { shape: [data.length], data },
      draws: new ClassBalancedSampler({ labels, seed: 0 }).indices(0).length,
    };
  },
};

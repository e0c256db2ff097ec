import { normalisedLayer } from '../../../lib/systems/classifier/decoupling.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { number } from '../case.js';
import type { Kind } from '../kind.js';
import { actual, tensorOf } from '../tensors.js';

/** A classifier's last layer after τ-normalisation. */
export const tauNormKind: Kind = {
  config: ['tau', 'num_classes'],
  inputs: ['weight', 'bias'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      const layer = { weight: tensorOf('weight', inputs.weight), bias: tensorOf('bias', inputs.bias) };
      const { shape } = await layer.weight.ready();
      const classes = number('num_classes', config.num_classes);
      if (shape[0] !== classes) throw new Error(`${shape[0]} rows of weights for num_classes ${classes}`);
      const { weight, bias } = await normalisedLayer(layer, number('tau', config.tau));
      return { weight: await actual(weight), bias: await actual(bias) };
    }),
};

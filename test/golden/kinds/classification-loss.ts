import { tidy } from '../../../lib/tensor/tidy.js';
import type { Kind } from '../kind.js';
import { actual, labelsOf, tensorOf } from '../tensors.js';
import { criterionKeys, goldenCriterion } from './criterion.js';

/** Cross-entropy, focal and LDAM with and without class weights. */
export const classificationLossKind: Kind = {
  config: criterionKeys,
  inputs: ['logits', 'labels'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      const logits = tensorOf('logits', inputs.logits, { requiresGrad: true });
      const loss = goldenCriterion(config)(logits, labelsOf('labels', inputs.labels));
      loss.backward();
      return { loss: await actual(loss), grad_logits: await actual(logits.grad()) };
    }),
};

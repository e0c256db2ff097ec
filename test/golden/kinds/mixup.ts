import { mixedLoss, mixup, permuteLabels } from '../../../lib/losses/mixup.js';
import { tensor } from '../../../lib/tensor/create.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { number, numbers } from '../case.js';
import type { Kind } from '../kind.js';
import { filled } from '../recipe.js';
import { actual, labelsOf, tensorOf } from '../tensors.js';
import { criterionKeys, goldenCriterion } from './criterion.js';

/** Mixed images and the mixed loss for a given λ and permutation. */
export const mixupKind: Kind = {
  config: [...criterionKeys, 'lambda', 'permutation'],
  inputs: ['x', 'labels', 'logits'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      const lambda = number('lambda', config.lambda);
      const permutation = numbers('permutation', config.permutation);
      const labels = permuteLabels(filled('labels', inputs.labels, 'label').data, permutation);
      const labelsB = tensor(labels, [labels.length], { dtype: 'int64' });
      const logits = tensorOf('logits', inputs.logits, { requiresGrad: true });
      const criterion = goldenCriterion(config);
      const own = criterion(logits, labelsOf('labels', inputs.labels));
      const loss = mixedLoss(own, criterion(logits, labelsB), lambda);
      loss.backward();
      return {
        mixed_x: await actual(mixup(tensorOf('x', inputs.x), { lambda, permutation })),
        labels_b: await actual(labelsB),
        loss: await actual(loss),
        grad_logits: await actual(logits.grad()),
      };
    }),
};

import { attentionLoss } from '../../../lib/losses/attention.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import type { Kind } from '../kind.js';
import { actual, tensorOf } from '../tensors.js';

/** Attention transfer between two feature maps. */
export const attentionLossKind: Kind = {
  config: [],
  inputs: ['x', 'y'],
  run: ({ inputs }) =>
    tidy(async () => {
      const x = tensorOf('x', inputs.x, { requiresGrad: true });
      const y = tensorOf('y', inputs.y, { requiresGrad: true });
      const loss = attentionLoss(x, y);
      loss.backward();
      return {
        loss: await actual(loss),
        grad_x: await actual(x.grad()),
        grad_y: await actual(y.grad()),
      };
    }),
};

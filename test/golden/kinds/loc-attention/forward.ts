import { crossEntropy } from '../../../../lib/losses/cross-entropy.js';
import type { Tensor } from '../../../../lib/tensor/tensor.js';
import { tidy } from '../../../../lib/tensor/tidy.js';
import { choice } from '../../case.js';
import type { Kind } from '../../kind.js';
import { actual, labelsOf, tensorOf } from '../../tensors.js';
import { classifierOf, passOutputs, prepare, tapOf, unetOf } from './network.js';

const taps = (wanted: readonly string[]): string[] => wanted.filter((name) => /^tap:/.test(name)).map(tapOf);

/** One pass of a classifier with the gradients of its loss. */
export const backboneForwardKind: Kind = {
  config: ['model', 'num_classes', 'mode', 'weights', 'loss', 'dropout'],
  inputs: ['x', 'labels'],
  run: ({ config, inputs, wanted }) =>
    tidy(async () => {
      choice('loss', config.loss, ['mean cross-entropy']);
      using model = await prepare(classifierOf(config), config);
      const images = tensorOf('x', inputs.x, { requiresGrad: true });
      const { logits, taps: found } = model.forwardWithTaps(images, taps(wanted));
      const loss = crossEntropy(logits, labelsOf('labels', inputs.labels));
      return {
        logits: await actual(logits),
        ...(await passOutputs(model, wanted, { images, loss, taps: found })),
      };
    }),
};

/** log(1 + e^z) without overflow. */
const softplus = (z: Tensor): Tensor => z.relu().add(z.abs().neg().exp().add(1).log());

/** One pass of the U-Net with the gradients of a loss. */
export const unetForwardKind: Kind = {
  config: ['model', 'mode', 'weights', 'loss'],
  inputs: ['x', 'mask'],
  run: ({ config, inputs, wanted }) =>
    tidy(async () => {
      choice('loss', config.loss, ['mean binary cross-entropy with logits (for the gradients only)']);
      using network = await unetOf(config);
      const images = tensorOf('x', inputs.x, { requiresGrad: true });
      const { logits, taps: found } = network.forwardWithTaps(images, taps(wanted));
      const loss = softplus(logits)
        .sub(logits.mul(tensorOf('mask', inputs.mask)))
        .mean();
      return {
        logits: await actual(logits),
        positive_pixels: await actual(logits.gt(0).sum()),
        ...(await passOutputs(network, wanted, { images, loss, taps: found })),
      };
    }),
};

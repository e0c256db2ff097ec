import { createSegmentationNetwork } from '../../../../lib/models/segmentation.js';
import { tidy } from '../../../../lib/tensor/tidy.js';
import { size } from '../../fill.js';
import type { Kind } from '../../kind.js';
import { classifierOf } from './network.js';

/** Keys in order with their shapes, the integer ones, and the number of parameters. */
export const stateDictKind: Kind = {
  config: ['model', 'num_classes'],
  inputs: [],
  run: ({ config }) =>
    tidy(async () => {
      using network = config.model === 'unet' ? createSegmentationNetwork() : classifierOf(config);
      const keys: [string, readonly number[]][] = [];
      const integers: string[] = [];
      let parameters = 0;
      for (const { name, kind, tensor } of await network.state()) {
        const { shape, dtype } = await tensor.ready();
        keys.push([name, shape]);
        if (dtype === 'int64') integers.push(name);
        if (kind !== 'buffer') parameters += size(shape);
      }
      return {
        keys: { list: keys },
        int64_keys: { list: integers },
        parameters: { shape: [], data: [parameters] },
      };
    }),
};

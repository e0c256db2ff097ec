import { attentionMap, type CamMethod, camMethods } from '../../../lib/cam/attention-map.js';
import { scoreCam } from '../../../lib/cam/score-cam.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { choice, numbers, string } from '../case.js';
import type { Kind } from '../kind.js';
import { actual, tensorOf } from '../tensors.js';
import { filledModel, filledModelKeys } from './filled-model.js';

/** Maps of given classes by one of the methods. */
export const camKind: Kind = {
  config: [...filledModelKeys, 'method', 'layer', 'targets', 'library', 'activations'],
  inputs: ['x'],
  run: async ({ config, inputs }) => {
    const model = await filledModel(config);
    return tidy(async () => {
      const method = choice<CamMethod>('method', config.method as CamMethod, camMethods);
      const target = {
        layer: string('layer', config.layer),
        classes: numbers('targets', config.targets),
        ...('activations' in config
          ? { activations: choice('activations', config.activations, ['before_relu', 'after_relu']) }
          : {}),
      };
      const x = tensorOf('x', inputs.x);
      const { maps, logits, raw, weights } =
        method === 'scorecam'
          ? await scoreCam(model, x, { ...target, batchSize: 64 })
          : attentionMap(model, x, { ...target, method });
      return {
        cam: await actual(maps),
        logits: await actual(logits),
        ...(raw && { raw: await actual(raw) }),
        ...(weights && { weights: await actual(weights) }),
      };
    });
  },
};

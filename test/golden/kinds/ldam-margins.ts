import { ldamMargins } from '../../../lib/losses/class-weights.js';
import { number, numbers } from '../case.js';
import type { Kind } from '../kind.js';

/** LDAM's margins from training counts. */
export const ldamMarginsKind: Kind = {
  config: ['counts', 'max_m'],
  inputs: [],
  run: ({ config }) => {
    const data = ldamMargins({
      counts: numbers('counts', config.counts),
      maxMargin: number('max_m', config.max_m),
    });
    return { margins: { shape: [data.length], data } };
  },
};

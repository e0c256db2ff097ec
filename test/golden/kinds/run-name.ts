import { type RunNameOptions, runName } from '../../../lib/report/run-name.js';
import { record, string } from '../case.js';
import type { Kind } from '../kind.js';

/** Our name of each flag of the originals. */
const options: Readonly<Record<string, keyof RunNameOptions>> = {
  loss: 'loss',
  drw: 'drw',
  rw_method: 'rwMethod',
  cb_beta: 'cbBeta',
  fl_gamma: 'flGamma',
  bal_mixup: 'balMixup',
  mixup: 'mixup',
  mixup_alpha: 'mixupAlpha',
  decoupling_method: 'decouplingMethod',
  model_name: 'modelName',
  batch_size: 'batchSize',
  lr: 'lr',
  rand_init: 'randInit',
};

/** Name of the output folder for sets of flags. */
export const runNameKind: Kind = {
  config: ['defaults'],
  inputs: ['runs'],
  run: ({ config, inputs }) => {
    const defaults = record('defaults', config.defaults);
    const names = (inputs.runs as unknown[]).map((item) => {
      const run = record('run', item);
      const unknown = Object.keys(run).find((key) => key !== 'dataset' && key !== 'flags');
      if (unknown !== undefined) throw new Error(`unknown key '${unknown}' of a run`);
      const flags = { ...defaults, ...record('flags', run.flags) };
      const ours = Object.entries(flags).map(([flag, value]) => {
        const name = options[flag];
        if (name === undefined) throw new Error(`unknown flag '${flag}'`);
        return [name, value];
      });
      return runName({ dataset: string('dataset', run.dataset), ...Object.fromEntries(ours) });
    });
    return { names };
  },
};

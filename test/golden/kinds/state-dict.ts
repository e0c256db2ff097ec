import { longTailedFormat } from '../../../lib/data/long-tailed.js';
import { createModel } from '../../../lib/models/model.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { string } from '../case.js';
import { OrderedEntries } from '../compare.js';
import { size } from '../fill.js';
import type { Kind } from '../kind.js';

const students = {
  'student-nih': { dataset: 'nih-cxr-lt', head: 'bottleneck64' },
  'student-mimic': { dataset: 'mimic-cxr-lt', head: 'bottleneck64' },
  'student-linear-nih': { dataset: 'nih-cxr-lt', head: 'linear' },
  'student-linear-mimic': { dataset: 'mimic-cxr-lt', head: 'linear' },
} as const;

/** Keys in order with their shapes, number of integer entries and of parameters. */
export const stateDictKind: Kind = {
  config: ['model'],
  inputs: [],
  waits: ({ model }) =>
    model === 'focal-block' || model === 'global-block' ? "GazeLT's teachers are not built yet" : undefined,
  run: ({ config }) =>
    tidy(async () => {
      const student = students[string('model', config.model) as keyof typeof students];
      if (student === undefined) throw new Error(`unknown model '${config.model}'`);
      const classes = longTailedFormat(student.dataset).classes.length;
      using model = createModel({ architecture: 'resnet50', classes, head: student.head });
      const keys: [string, number[]][] = [];
      let integers = 0;
      let parameters = 0;
      for (const { name, kind, tensor } of await model.state()) {
        const { shape, dtype } = await tensor.ready();
        keys.push([name, [...shape]]);
        if (dtype === 'int64') integers += 1;
        if (kind !== 'buffer') parameters += size(shape);
      }
      return { keys: new OrderedEntries(keys), int64_keys: integers, parameters };
    }),
};

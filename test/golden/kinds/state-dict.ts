import { longTailedFormat } from '../../../lib/data/long-tailed.js';
import { createModel } from '../../../lib/models/model.js';
import type { Network } from '../../../lib/models/network.js';
import { createTeacher, type TeacherBranch } from '../../../lib/models/teacher.js';
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

const blocks: Readonly<Record<string, TeacherBranch>> = { 'global-block': 'global', 'focal-block': 'focal' };

/** The network of a case, and the prefix of the keys that the case lists; it lists no others. */
function networkOf(name: string): { network: Network; prefix: string } {
  const branch = blocks[name];
  if (branch !== undefined) return { network: createTeacher({ branch }), prefix: `${branch}_encoder_x.` };
  const student = students[name as keyof typeof students];
  if (student === undefined) throw new Error(`unknown model '${name}'`);
  const classes = longTailedFormat(student.dataset).classes.length;
  return { network: createModel({ architecture: 'resnet50', classes, head: student.head }), prefix: '' };
}

/** Keys in order with their shapes, number of integer entries and of parameters. */
export const stateDictKind: Kind = {
  config: ['model'],
  inputs: [],
  run: ({ config }) =>
    tidy(async () => {
      const { network, prefix } = networkOf(string('model', config.model));
      using model = network;
      const keys: [string, number[]][] = [];
      let integers = 0;
      let parameters = 0;
      for (const { name, kind, tensor } of await model.state()) {
        if (!name.startsWith(prefix)) continue;
        const { shape, dtype } = await tensor.ready();
        keys.push([name.slice(prefix.length), [...shape]]);
        if (dtype === 'int64') integers += 1;
        if (kind !== 'buffer') parameters += size(shape);
      }
      return { keys: new OrderedEntries(keys), int64_keys: integers, parameters };
    }),
};

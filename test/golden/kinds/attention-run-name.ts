import { attentionRunName } from '../../../lib/report/loc-attention-name.js';
import { boolean, number, string, strings } from '../case.js';
import type { Kind } from '../kind.js';

const columns = ['backbone', 'dataset', 'task', 'lamda', 'isAdaptive', 'thresh'];

/** Stem of the log's and the checkpoint's names. */
export const attentionRunNameKind: Kind = {
  config: [],
  inputs: ['columns', 'rows'],
  run: ({ inputs }) => {
    if (strings('columns', inputs.columns).join() !== columns.join())
      throw new Error(`columns are ${inputs.columns}`);
    const list = (inputs.rows as unknown[][]).map(([backbone, dataset, task, lamda, adaptive, thresh]) =>
      attentionRunName({
        backbone: string('backbone', backbone),
        dataset: string('dataset', dataset),
        task: string('task', task),
        ...(lamda === null ? {} : { lambda: number('lamda', lamda) }),
        adaptive: boolean('isAdaptive', adaptive),
        threshold: number('thresh', thresh),
      }),
    );
    return { names: { list } };
  },
};

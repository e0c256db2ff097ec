/** What a command says of its data set before anything long begins. */
import type { Dataset } from '../data/dataset.js';
import { classCounts } from '../data/samplers.js';
import { groupsFromCounts } from '../metrics/groups.js';
import type { Notice } from '../metrics/types.js';
import type { OpenedData } from './datasets.js';
import type { Output } from './session.js';
import type { TrainFlags } from './train-flags.js';

/** Said above whatever was measured on the embedded sample. */
export const phantomNotice: Notice = {
  code: 'phantoms',
  message:
    'The images are phantoms: drawings of a program, not radiographs of people. Nothing here says how well anything works on real ones.',
};

/** Sizes of the splits, training images of each class, remarks and warnings. */
export function sayData(
  data: OpenedData,
  training: Dataset,
  flags: Pick<TrainFlags, 'group_thresholds'>,
  output: Output,
): void {
  const counts = classCounts(training);
  const [head = 1000, tail = 100] = flags.group_thresholds;
  const groups = groupsFromCounts(counts, { head, tail });
  const sizes = [...data.splits].map(([name, { length }]) => `${name} ${length}`);
  output.say(`${data.name}: ${data.classes.length} classes; images: ${sizes.join(', ')}`);
  const width = Math.max(...data.classes.map((name) => name.length));
  data.classes.forEach((name, k) => {
    output.say(`  ${name.padEnd(width)} ${String(counts[k]).padStart(7)} training images  ${groups[k]}`);
  });
  output.event({
    ...{ type: 'data', dataset: data.name, classes: data.classes, trainCounts: counts, groups },
    splits: Object.fromEntries([...data.splits].map(([name, { length }]) => [name, length])),
    remarks: data.remarks,
  });
  sayRemarks(data, output);
}

/** What was left out, and what must not go unseen. */
export function sayRemarks(data: OpenedData, output: Output): void {
  for (const remark of data.remarks) output.say(remark);
  for (const { kind, message, details } of data.warnings) output.warn(kind, message, { details });
}

import { createModel, type HeadKind, type Model } from '../../../lib/models/model.js';
import type { Network } from '../../../lib/models/network.js';
import { noGrad } from '../../../lib/tensor/context.js';
import { tensor } from '../../../lib/tensor/create.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { choice, number, record, string } from '../case.js';
import type { Actual } from '../compare.js';
import { fillState } from '../fill.js';
import { actual } from '../tensors.js';

const scheme =
  "fill_state(prefix + key); integer buffers other than num_batches_tracked keep the constructor's values";

/** GazeLT's student, or the benchmark's, with the filled weights that a case describes; in float32. */
export async function goldenStudent(
  config: Readonly<Record<string, unknown>>,
  weights: unknown,
): Promise<Model> {
  const prefix = weightsPrefix(weights);
  const model = createModel({
    architecture: 'resnet50',
    classes: number('num_classes', config.num_classes),
    head: choice<HeadKind>('head', config.head, ['bottleneck64', 'linear']),
  });
  await fillModel(model, prefix);
  return choice('mode', config.mode, ['train', 'eval']) === 'train' ? model.train() : model.eval();
}

/** The prefix under which the keys of a case's weights are filled. */
export function weightsPrefix(weights: unknown): string {
  const filling = record('weights', weights);
  const unknown = Object.keys(filling).find((key) => key !== 'scheme' && key !== 'prefix');
  if (unknown !== undefined) throw new Error(`unknown key '${unknown}' of the weights`);
  choice('weights.scheme', filling.scheme, [scheme]);
  return string('weights.prefix', filling.prefix);
}

/** Overwrites every parameter and buffer by `fillState(prefix + key)`; position indices keep the constructor's values. */
export async function fillModel(model: Network, prefix = ''): Promise<void> {
  await tidy(async () => {
    for (const { name, tensor: target } of await model.state()) {
      const { shape } = await target.ready();
      if (name.endsWith('relative_position_index')) continue;
      noGrad(() => target.copy_(tensor(fillState(prefix + name, shape), shape)));
    }
    await model.ready();
  });
}

/** Values of the state dict's entry that `state.<key>` or another prefix names; throws for a key that is none. */
export async function stateValues(
  model: Model,
  outputs: readonly string[],
  prefix: string,
): Promise<Map<string, Actual>> {
  return tidy(async () => {
    const state = await model.stateDict();
    const values = new Map<string, Actual>();
    for (const output of outputs.filter((name) => name.startsWith(prefix))) {
      const entry = state.get(output.slice(prefix.length));
      if (entry !== undefined) values.set(output, await actual(entry));
    }
    return values;
  });
}

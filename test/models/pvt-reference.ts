import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Architecture, createModel } from '../../lib/models/model.js';
import { tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { fill, size } from '../golden/fill.js';
import { fillModel } from '../golden/kinds/student-model.js';
import { fixture } from '../support/paths.js';

/** What timm's model of one size gives. */
export interface PvtReference {
  readonly parameters: number;
  readonly entries: number;
  /** SHA-256 of the keys and shapes in order. */
  readonly state: string;
  readonly logits: readonly number[];
  /** Norms, by the images (`x`) and by weights. */
  readonly gradients: Readonly<Record<string, number>>;
}

/** Made by scripts/dev/make-pvt-reference.py with PyTorch and timm. */
export const pvtReference = JSON.parse(readFileSync(fixture('models', 'pvts.json'), 'utf8')) as {
  readonly classes: number;
  readonly shape: readonly number[];
  readonly models: Readonly<Record<string, PvtReference>>;
};

const relative = (ours: number, theirs: number): number => Math.abs(ours - theirs) / Math.abs(theirs);

/** How far a PVT in float64 is from timm's: 1 where keys or shapes differ, else relative differences of numbers. */
export function pvtDifferences(
  architecture: Architecture,
  reference: PvtReference,
): Promise<Record<string, number>> {
  const { classes, shape } = pvtReference;
  return tidy(async () => {
    using model = createModel({ architecture, classes });
    const lines: string[] = [];
    let parameters = 0;
    for (const { name, tensor: value } of await model.state()) {
      const info = await value.ready();
      lines.push(`${name} [${info.shape}]`);
      parameters += size(info.shape);
    }
    const digest = createHash('sha256').update(lines.join('\n')).digest('hex');
    await fillModel(model);
    model.to({ dtype: 'float64' });
    const images = tensor(fill('pvts.x', shape), shape, { dtype: 'float64', requiresGrad: true });
    const logits = model.forward(images);
    const weights = tensor(fill('pvts.g', [shape[0] as number, classes]), [shape[0] as number, classes], {
      dtype: 'float64',
    });
    logits.mul(weights).sum().backward();
    const state = await model.stateDict();
    const values = (await logits.data()) as Float64Array;
    const norms = Object.entries(reference.gradients).map(async ([name, norm]) => {
      const of = name === 'x' ? images : (state.get(name) as Tensor);
      return relative(await of.grad().norm().item(), norm);
    });
    return {
      state: digest === reference.state && lines.length === reference.entries ? 0 : 1,
      parameters: parameters === reference.parameters ? 0 : 1,
      logits: Math.max(...reference.logits.map((logit, i) => relative(values[i] as number, logit))),
      gradients: Math.max(...(await Promise.all(norms))),
    };
  });
}

import t from 'tap';
import type { Actual } from './compare.js';
import { subjectOf } from './kind.js';
import { softLossKind } from './kinds/localisation-loss.js';

const outputs = { logits: {}, attention: {}, 'grad:bn1.weight': {} };

/** What a case in this mode gives. */
async function resultsIn(mode: 'train' | 'eval'): Promise<Record<keyof typeof outputs, Actual>> {
  const config = {
    ...{ model: 'resnet18', num_classes: 2, weights: 'load_filled', mode, regions: [null, 'lower'] },
    ...{ lambda: 0.5, threshold: 0.3, tau: 0.1, penalise_outside: 0.5, cam_class: 'label' },
  };
  const inputs = {
    x: { fill: 'x', shape: [2, 3, 64, 64] },
    labels: [0, 1],
    boxes: [0, 0, 64, 64, 8, 8, 40, 40],
  };
  const item = {
    ...{ file: 'case.json', kind: 'loc-attention/soft-attention-loss', config, inputs, outputs },
    toleranceOf: () => ({ rtol: 0, atol: 0 }),
  };
  return (await softLossKind.run(subjectOf(softLossKind, item))) as Awaited<ReturnType<typeof resultsIn>>;
}

t.test(
  'cases of the differentiable loss in training mode have a network and batch statistics of their own',
  async (t) => {
    const before = await resultsIn('eval');
    const trained = await resultsIn('train');
    t.notSame(trained.logits, before.logits);
    t.notSame(trained['grad:bn1.weight'], before['grad:bn1.weight']);
    t.equal(trained.attention.data[0], 0);
    t.same(await resultsIn('train'), trained, 'nothing is left of a case');
    t.same(await resultsIn('eval'), before, 'nor moved in the network that later cases get');
  },
);

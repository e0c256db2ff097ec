import t from 'tap';
import { attentionMap, type CamActivations } from '../../lib/cam/attention-map.js';
import { crossEntropy } from '../../lib/losses/cross-entropy.js';
import { publishedAttention, softAttention } from '../../lib/losses/localisation.js';
import { createModel, type Model } from '../../lib/models/model.js';
import { locAttentionObjective } from '../../lib/systems/loc-attention/objective.js';
import { type AttentionTermOptions, attentionSettings } from '../../lib/systems/loc-attention/settings.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { input, labelTensor, place, read } from '../losses/support.js';
import { oneThread } from '../support/tiny.js';

await oneThread;

const images = input('objective.vgg', [2, 3, 64, 64]);
const labels = [1, 2];
const regions = ['whole', 'lower', 'upper'] as const;
const boxes = Int32Array.of(8, 10, 40, 44, 4, 6, 50, 52);
const threshold = 0.3;

/** a of the objective in a phase of training, and the maps that it was measured on. */
async function measured(
  model: Model,
  phase: 'train' | 'val',
  own: AttentionTermOptions,
): Promise<{ maps: Float64Array; a: Float64Array }> {
  const settings = attentionSettings({ lambda: 0.5, threshold, camClass: 'label', ...own });
  const objective = locAttentionObjective(settings, {
    ...{ criterion: (logits, of) => crossEntropy(logits, of), regions, boxes: () => boxes },
  });
  return tidy(async () => {
    const batch = {
      ...{
        images: place(images, 'float64'),
        labels: labelTensor(labels),
        labelList: Int32Array.from(labels),
      },
      ...{ indices: [0, 1], ids: ['0', '1'], epoch: 1, step: 0, device: 'cpu' },
    };
    const { attention } = objective(model, batch, { phase, reweighted: false });
    if (attention === undefined) throw new Error('attention was not measured');
    const [maps, a] = [attention.maps.detach(), attention.terms.attention.detach()];
    return { maps: await read(maps), a: await read(a) };
  });
}

/** The same of the maps that `attentionMap` makes. */
async function expectedOf(model: Model, activations: CamActivations, form: 'published' | 'differentiable') {
  return tidy(async () => {
    const of = labelTensor(labels);
    const { maps } = attentionMap(model, place(images, 'float64'), { classes: of, activations });
    const terms =
      form === 'published'
        ? publishedAttention(maps, boxes, of, { regions, threshold })
        : softAttention(maps, boxes, of, { regions, threshold });
    return { maps: await read(maps), a: await read(terms.attention) };
  });
}

t.test("VGG's maps in the loss are of the activations that are asked for", async (t) => {
  using model = createModel({ architecture: 'vgg16', classes: 3, width: 8, dropout: 0, seed: 1 });
  model.to({ dtype: 'float64' });
  for (const attention of ['published', 'differentiable'] as const) {
    const before = await expectedOf(model, 'before_relu', attention);
    const after = await expectedOf(model, 'after_relu', attention);
    t.notSame(after.a, before.a, 'they differ');
    for (const phase of ['train', 'val'] as const) {
      model[phase === 'train' ? 'train' : 'eval']();
      const what = `${attention}, ${phase}`;
      t.same(await measured(model, phase, { attention, activations: 'after_relu' }), after, what);
      t.same(await measured(model, phase, { attention, activations: 'before_relu' }), before, what);
      t.same(await measured(model, phase, { attention }), before, `${what}: by default`);
    }
  }
});

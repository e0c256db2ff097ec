import path from 'node:path';
import t from 'tap';
import type { Classifier } from '../../lib/systems/classifier/classifier.js';
import { distillationTerm } from '../../lib/systems/gazelt/distillation.js';
import { loadClassifier } from '../../lib/systems/load-classifier.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { temporaryFolder, tinyBaseline, tinyDataset, tinyFit, tinyGazeLT } from '../support/tiny.js';

const kinds = [
  {
    name: 'vgg16',
    make: () => tinyBaseline({ architecture: 'vgg16', width: 4 }),
    head: ['classifier.6.weight', 'classifier.6.bias'],
    last: 'classifier.6',
    layer: 'features.28',
  },
  {
    name: 'pvt_v2_b0',
    make: () => tinyGazeLT({ architecture: 'pvt_v2_b0', width: 64 }),
    head: ['head.0.weight', 'head.0.bias', 'head.1.weight', 'head.1.bias'],
    last: 'head.1',
    layer: 'stages.3',
  },
] as const;

/** Sum of magnitudes of each tensor. */
function sumsOf(classifier: Classifier): Promise<Map<string, number>> {
  return tidy(async () => {
    const sums = new Map<string, number>();
    for (const [name, value] of await classifier.network.stateDict())
      sums.set(name, await value.detach().abs().sum().item());
    return sums;
  });
}

const one = tinyDataset('test', 3);

for (const { name, make, head, last, layer } of kinds) {
  t.test(`${name}: trains, explains, is saved and loaded, and gets another head`, async (t) => {
    using classifier = await make();
    const fresh = await sumsOf(classifier);
    await classifier.fit(tinyFit({ maxEpochs: 1 })).result;
    const trained = await sumsOf(classifier);
    const still = [...trained].filter(([key, sum]) => sum === fresh.get(key)).map(([key]) => key);
    t.same(still, [], 'every weight has moved');

    const image = one.sample(0).image;
    for await (const { map } of classifier.explain(image)) t.same([map.width, map.height], [32, 32]);
    t.equal((await classifier.network.tapNames()).camLayer, layer);

    const folder = path.join(temporaryFolder(t), 'model');
    await classifier.save(folder);
    using loaded = await loadClassifier(folder);
    t.equal(loaded.card.architecture, name);
    t.same((await loaded.evaluate(one)).probabilities, (await classifier.evaluate(one)).probabilities);

    await classifier.fit(tinyFit({ maxEpochs: 1, decoupling: { method: 'crt' } })).result;
    const decoupled = await sumsOf(classifier);
    const moved = [...decoupled].filter(([key, sum]) => sum !== trained.get(key)).map(([key]) => key);
    t.same(moved, head, 'cRT trains the head and nothing else');
    await classifier.tauNormalise({ tau: 1 });
    const normalised = await sumsOf(classifier);
    t.equal(normalised.get(`${last}.bias`), 0);
    t.not(normalised.get(`${last}.weight`), decoupled.get(`${last}.weight`));
  });
}

t.test('what is distilled is the bottleneck of that backbone', async (t) => {
  const features = {} as Parameters<typeof distillationTerm>[1];
  t.same(distillationTerm({}, features, 'pvt_v2_b0').taps, ['head.0']);
  t.same(distillationTerm({}, features, 'resnet50').taps, ['fc.0']);
});

import t from 'tap';
import { attentionMap } from '../../lib/cam/attention-map.js';
import { readMaps } from '../../lib/cam/maps.js';
import { phantomTask } from '../../lib/data/phantom/tasks.js';
import { localisationScores } from '../../lib/metrics/localisation.js';
import { framedFindings } from '../../lib/systems/classifier/localise.js';
import { LocAttention } from '../../lib/systems/loc-attention/loc-attention.js';
import { memoryStats, tensor } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';

const { test } = phantomTask({ task: 'nep', size: 64, trainPerClass: 1, valPerClass: 1, testPerClass: 2 });
const options = { classes: test.classes, init: 'random', architecture: 'resnet18', imageSize: 64 } as const;

t.test('maps of the true class against the true findings, image by image', async (t) => {
  using model = await LocAttention.create(options);
  const before = memoryStats();
  const { images, all, correct, byClass } = await model.localise(test, { bootstrap: { resamples: 20 } });
  t.equal(images.length, 4, 'the films with a finding');
  t.match(all, { images: 4, energy: { mean: Number } });
  t.equal(byClass[0]?.images, 0);
  t.equal(byClass[0]?.energy.mean, null);
  t.equal((byClass[1]?.images ?? 0) + (byClass[2]?.images ?? 0), 4);
  t.equal(correct.images, images.filter(({ label, predicted }) => label === predicted).length);
  t.ok(all.energy.interval);
  t.equal(memoryStats().liveTensors, before.liveTensors);
  for (const [at, image] of images.entries()) {
    const index = Array.from({ length: test.length }, (_, i) => i).find(
      (i) => test.sample(i).id === image.id,
    );
    const { pixels, box } = test.phantom(index as number);
    const planes = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => {
      const value = pixels.data[i % (64 * 64)] as number;
      return (value / 255 - 0.5) / 0.5;
    });
    const [map] = await tidy(async () => {
      const { maps } = attentionMap(model.network, tensor(planes, [1, 3, 64, 64]), { classes: image.label });
      return readMaps(maps);
    });
    if (map === undefined || box === null) throw new Error('no map');
    const { energy, pointing, iou } = localisationScores(map, box);
    for (const [name, ours, theirs] of [
      ['energy', image.energy, energy],
      ['pointing', image.pointing, pointing],
      ['iou', image.iou, iou],
    ] as const)
      t.ok(Math.abs(ours - theirs) < 1e-4, `${name} of image ${at}: ${ours}, ${theirs}`);
  }
});

t.test('frames of a list, several of them, in pixels of another size', async (t) => {
  using model = await LocAttention.create({ ...options, seed: 1 });
  const first = test.sample(0);
  const name = `folder/${first.id}.png`;
  const finding = ['No Finding', 'Effusion', 'Pneumothorax'][first.label] as string;
  const one = {
    ...{ name: 'one', classes: test.classes, length: 1 },
    sample: () => ({ ...first, id: name }),
  };
  const framed = (
    boxes: readonly { x: number; y: number; width: number; height: number }[],
    of = finding,
  ) => ({
    images: new Map([[`${first.id}.png`, boxes.map((box) => ({ finding: of, box }))]]),
    size: 1024,
  });
  const left = { x: 0, y: 0, width: 512, height: 1024 };
  const right = { x: 512, y: 0, width: 512, height: 1024 };
  const energy = async (boxes: readonly (typeof left)[]) => {
    const found = await model.localise(one, {
      findings: framedFindings(framed(boxes), one),
      explained: 'predicted',
    });
    return found.all.energy.mean as number;
  };
  const [a, b, both] = [await energy([left]), await energy([right]), await energy([left, right])];
  t.ok(Math.abs(a + b - 1) < 1e-5 && Math.abs(both - 1) < 1e-5, `${a} + ${b} = ${both}`);
  t.equal(framedFindings(framed([left], 'Mass'), one)(0), undefined, 'a frame of another finding is none');
  t.strictSame(framedFindings(framed([left]), one, [null, 'Mass', 'Mass'])(0), undefined);

  const lost = { kind: 'file', path: '/nowhere.png' } as const;
  const three = {
    ...{ name: 'three', classes: test.classes, length: 3 },
    sample: (index: number) => ({ ...first, id: name, ...(index === 1 ? { image: lost } : {}) }),
  };
  const frames = [undefined, [right], [left]].map((boxes) => boxes && { boxes, width: 1024, height: 1024 });
  const skipped: number[] = [];
  const { images } = await model.localise(three, {
    ...{ findings: (index) => frames[index], explained: 'predicted', onError: 'skip' },
    onSkip: ({ index }) => skipped.push(index),
  });
  t.same(skipped, [1], 'an index of the data set that was given');
  t.same(
    images.map((image) => image.energy),
    [a],
    'an image keeps its own frame',
  );

  const places = [[left], [{ ...left, width: 0.1 }], [{ ...left, x: 2000 }]];
  const seen = (of: readonly number[]) => (index: number) => ({
    ...{ boxes: places[of[index] as number] as (typeof left)[], width: 1024, height: 1024 },
  });
  const films = { ...three, sample: (index: number) => ({ ...first, id: `film ${index}` }) };
  const some = await model.localise(films, { findings: seen([0, 1, 2]), explained: 'predicted' });
  t.match(some, { images: { length: 1 }, all: { energy: { mean: a } } });
  t.same(some.withoutPixel, ['film 1', 'film 2'], 'frames that no pixel lies in are left out');
  const nowhere = await model.localise(films, { findings: seen([1, 1, 2]) });
  t.match(nowhere, { images: { length: 0 }, all: { energy: { mean: null } } });
  t.equal(nowhere.withoutPixel.length, 3);

  const code = { code: 'ERR_INVALID_ARGUMENT' };
  await t.rejects(async () => model.localise(one), code, 'a data set that does not tell');
  await t.rejects(
    async () => model.localise(one, { findings: () => undefined }),
    /a finding of at least one/,
  );
  await t.rejects(async () => model.localise(test, { finding: 1 } as never), /did you mean 'findings'/);
});

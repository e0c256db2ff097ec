import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { createModel } from '../../lib/models/model.js';
import type { Network } from '../../lib/models/network.js';
import { createSegmentationNetwork } from '../../lib/models/segmentation.js';
import { Baseline } from '../../lib/systems/baseline.js';
import { describeWeights } from '../../lib/systems/published-weights.js';
import { LungSegmenter } from '../../lib/systems/segmenter/segmenter.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { failure } from '../support/outcome.js';
import { tidyTest } from '../support/tensors.js';
import { oneThread } from '../support/tiny.js';
import { type MadeTensor, type Surroundings, torchFile } from '../support/torch-file.js';

await oneThread;

const folder = t.testdir({});
const classes = ['a', 'b', 'c'];
const width = 8;
const one: MadeTensor = { shape: [1], data: new Float32Array([1]) };

type State = ReadonlyMap<string, MadeTensor>;

/** A network's state as a file is made of. */
function stateOf(network: Network): Promise<State> {
  return tidy(async () => {
    const entries = [...(await network.stateDict())].map(async ([name, value]) => {
      const { shape } = await value.ready();
      return [name, { shape, data: (await value.data()) as MadeTensor['data'] }] as const;
    });
    return new Map(await Promise.all(entries));
  });
}

function under(prefix: string, state: State): [string, MadeTensor][] {
  return [...state].map(([name, value]) => [`${prefix}${name}`, value]);
}

function saved(entries: Iterable<[string, MadeTensor]>, surroundings: Surroundings = {}): string {
  const file = path.join(folder, 'weights.pt');
  writeFileSync(file, torchFile(new Map(entries), surroundings));
  return file;
}

using source = createModel({ architecture: 'resnet18', width, classes: 3, seed: 3 });
const resnet = await stateOf(source);
const create = (weights: string, key?: string) =>
  Baseline.create({
    ...{ classes, architecture: 'resnet18', width, imageSize: 32 },
    init: { weights, ...(key === undefined ? {} : { key }) },
  });

/** Whether a network has the values of a state. */
async function holds(network: Network, state: State): Promise<boolean> {
  const own = await stateOf(network);
  return [...state].every(([name, { data }]) => Buffer.from(data.buffer).equals(bytesOf(own.get(name))));
}

function bytesOf(made: MadeTensor | undefined): Buffer {
  return made === undefined ? Buffer.alloc(0) : Buffer.from(made.data.buffer);
}

const wrapped = {
  ...{ '_orig_mod.': [], 'module._orig_mod.': [], '_orig_mod.module.': [], 'net.': [] },
  ...{
    'model.': ['criterion.weight'],
    'model.module.': [],
    'backbone.': ['head.weight'],
    'module.': ['n_averaged'],
  },
  ...{ 'encoder.': ['decoder.0.weight'], '': [] },
};

tidyTest(t, 'a backbone below any prefix fills a classifier, and strangers are left out', async (t) => {
  for (const [prefix, strangers] of Object.entries(wrapped)) {
    const file = saved([
      ...under(prefix, resnet),
      ...strangers.map((name): [string, MadeTensor] => [name, one]),
    ]);
    using baseline = await create(file);
    t.strictSame(baseline.initReport, { fresh: [], leftOut: strangers }, prefix);
    t.ok(await holds(baseline.network, resnet), prefix);
    const found = await describeWeights(file);
    t.strictSame([found.prefix, found.leftOut], [prefix, strangers]);
    t.strictSame([...found.tensors.keys()], [...resnet.keys()]);
  }
});

tidyTest(t, 'a U-Net below a prefix tells its width and fills a segmenter', async (t) => {
  using unet = createSegmentationNetwork({ seed: 3, width: 4 });
  const state = await stateOf(unet);
  for (const prefix of ['_orig_mod.', 'model.module.', '']) {
    // Beside a network without a prefix nothing could be told from its own keys.
    const strangers: [string, MadeTensor][] = prefix === '' ? [] : [['loss.weight', one]];
    const file = saved([...under(prefix, state), ...strangers], { under: 'weights_of_mine' });
    const named = { key: 'weights_of_mine' };
    const report = { fresh: [], leftOut: strangers.map(([name]) => name) };
    using loaded = await LungSegmenter.load(file, { imageSize: 32, ...named });
    t.equal(loaded.card.width, 4, prefix);
    t.ok(await holds(loaded.network, state), prefix);
    t.same(loaded.initReport, report);
    using made = await LungSegmenter.create({ init: { weights: file, ...named }, imageSize: 32, width: 4 });
    t.ok(await holds(made.network, state), prefix);
    t.same(made.initReport, report);
  }
  const folderOf = path.join(folder, 'saved');
  using segmenter = await LungSegmenter.create({ init: 'random', imageSize: 32, width: 4 });
  await segmenter.save(folderOf);
  t.match(await failure(LungSegmenter.load(folderOf, { key: 'x' })), { message: /options\.key/ });
});

tidyTest(
  t,
  'two networks of a kind are an error with both prefixes; one of another kind is left out',
  async (t) => {
    const twice = saved([...under('student.', resnet), ...under('teacher.', resnet)]);
    for (const work of [() => create(twice), () => describeWeights(twice)]) {
      const error = await failure(work());
      t.equal(error.code, 'ERR_STATE_DICT');
      t.match(error.message, /weights\.pt: .*'student\.', 'teacher\.'/);
    }
    const beside = saved([...under('model.', resnet), ['perceptual.features.0.weight', one]]);
    using baseline = await create(beside);
    t.strictSame(baseline.initReport.leftOut, ['perceptual.features.0.weight']);
  },
);

tidyTest(t, 'a file of no known network is refused with its first keys', async (t) => {
  const error = await failure(
    create(
      saved([
        ['blocks.0.weight', one],
        ['blocks.0.bias', one],
      ]),
    ),
  );
  t.equal(error.code, 'ERR_STATE_DICT');
  t.match(error.message, /does not fit resnet18.*the file has the keys blocks\.0\.weight, blocks\.0\.bias/s);
});

tidyTest(t, 'a key of its own, and numbers among the tensors', async (t) => {
  const file = saved(resnet, { under: 'net', plain: { epoch: 3 } });
  const unnamed = await failure(create(file));
  t.match(unnamed.message, /no state dict found.*option key.*--weights_key/);
  using named = await create(file, 'net');
  t.ok(await holds(named.network, resnet));
  t.equal((await describeWeights(file, { key: 'net' })).prefix, '');
  t.match(await failure(create(file, 'nett')), { message: /did you mean 'net'/ });

  using mixed = await create(saved(resnet, { plain: { epoch: 3 } }));
  t.ok(await holds(mixed.network, resnet));

  const loose = { key: 'net' } as unknown as { weights: string };
  for (const init of [loose, { weights: file, key: '' }, { weights: file, kee: 'net' }])
    t.throws(() => Baseline.create({ classes, init }), { code: 'ERR_INVALID_ARGUMENT' });
  t.equal((await failure(describeWeights(file, { kee: 'net' } as object))).code, 'ERR_INVALID_ARGUMENT');
});

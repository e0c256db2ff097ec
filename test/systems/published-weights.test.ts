import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type Architecture, architectures, createModel, headKey } from '../../lib/models/model.js';
import { createSegmentationNetwork } from '../../lib/models/segmentation.js';
import { Baseline } from '../../lib/systems/baseline.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { describeWeights, pvtKey, readWeights } from '../../lib/systems/published-weights.js';
import { threads } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { failure } from '../support/outcome.js';
import { tidyTest } from '../support/tensors.js';
import { torchFile } from '../support/torch-file.js';

await threads(1); // test files run side by side

const folder = t.testdir({});
const classes = ['a', 'b', 'c'];

/** Writes a state dict as `torch.save` would, under other keys. */
async function saved(
  state: ReadonlyMap<string, Tensor>,
  rename = (key: string): string => key,
): Promise<string> {
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array | BigInt64Array }>();
  for (const [name, value] of state) {
    const { shape } = await value.ready();
    tensors.set(rename(name), { shape, data: (await value.data()) as Float32Array | BigInt64Array });
  }
  const file = path.join(folder, 'weights.pth');
  writeFileSync(file, torchFile(tensors));
  return file;
}

/** A key of timm as the PVT authors have it. */
function authorsKey(key: string): string {
  return key
    .replace(/^patch_embed\./, 'patch_embed1.')
    .replace(/^stages\.(\d)\.downsample\./, (_, i: string) => `patch_embed${Number(i) + 1}.`)
    .replace(/^stages\.(\d)\.blocks\./, (_, i: string) => `block${Number(i) + 1}.`)
    .replace(/^stages\.(\d)\.norm\./, (_, i: string) => `norm${Number(i) + 1}.`)
    .replace(/\.dwconv\./, '.dwconv.dwconv.');
}

t.test("the PVT authors' keys, one of each kind", async (t) => {
  for (const [theirs, ours] of [
    ['patch_embed1.proj.weight', 'patch_embed.proj.weight'],
    ['patch_embed4.norm.bias', 'stages.3.downsample.norm.bias'],
    ['block3.17.attn.sr.weight', 'stages.2.blocks.17.attn.sr.weight'],
    ['block1.0.mlp.dwconv.dwconv.weight', 'stages.0.blocks.0.mlp.dwconv.weight'],
    ['block1.0.norm1.weight', 'stages.0.blocks.0.norm1.weight'],
    ['norm2.weight', 'stages.1.norm.weight'],
    ['head.bias', 'head.bias'],
  ] as const)
    t.equal(pvtKey(theirs), ours);
});

tidyTest(t, "a PVT of the authors' fills a classifier with another head", async (t) => {
  using source = createModel({ architecture: 'pvt_v2_b0', classes: 5, seed: 3 });
  const given = await source.stateDict();
  const file = await saved(given, (key) => `module.${authorsKey(key)}`);
  const { architecture, classes: found, moduleClass, tensors } = await describeWeights(file);
  t.strictSame([architecture, found, moduleClass], ['pvt_v2_b0', 5, undefined]);
  t.strictSame([...tensors.keys()], [...given.keys()]);

  const options = { classes, architecture: 'pvt_v2_b0', init: { weights: file }, imageSize: 32 } as const;
  using baseline = await Baseline.create(options);
  t.strictSame(baseline.initReport.fresh, ['head.weight', 'head.bias']);
  const state = await baseline.network.stateDict();
  for (const [name, value] of given)
    if (
      !name.startsWith('head.') &&
      !(await value
        .eq(state.get(name) as Tensor)
        .all()
        .item())
    )
      t.fail(`${name} was not loaded`);
  using student = await GazeLT.create(options);
  t.strictSame(student.initReport.fresh, ['head.0.weight', 'head.0.bias', 'head.1.weight', 'head.1.bias']);

  const other = await failure(Baseline.create({ ...options, architecture: 'pvt_v2_b1' }));
  t.equal(other.code, 'ERR_STATE_DICT');
  t.match(other.message, /weights\.pth: expected weights of pvt_v2_b1 but the file holds those of pvt_v2_b0/);
  t.throws(() => GazeLT.create({ ...options, architecture: 'vgg16' }), { message: /no pooled features/ });
});

tidyTest(t, 'a U-Net tells what it is, and fills one', async (t) => {
  using source = createSegmentationNetwork({ seed: 3 });
  const published = await describeWeights(await saved(await source.stateDict()));
  t.strictSame([published.architecture, published.classes], ['unet', 1]);
  using network = createSegmentationNetwork({ seed: 4 });
  t.strictSame(await network.loadStateDict(readWeights(published)), { missing: [], unexpected: [] });
});

tidyTest(t, 'what has no known form is not guessed', async (t) => {
  using narrow = createModel({ architecture: 'resnet18', width: 4, classes: 2 });
  t.equal((await describeWeights(await saved(await narrow.stateDict()))).architecture, undefined);
});

t.test('the key of the head is where the network has it', async (t) => {
  const small: Partial<Record<Architecture, number>> = { resnet18: 4, vgg16: 4 };
  for (const architecture of ['resnet18', 'vgg16', 'pvt_v2_b0'] as const) {
    await tidy(async () => {
      using model = createModel({ architecture, classes: 7, width: small[architecture] ?? 64 });
      const weight = (await model.stateDict()).get(`${headKey(architecture)}.weight`) as Tensor;
      t.equal((await weight.ready()).shape[0], 7, architecture);
    });
  }
  t.equal(architectures.filter((name) => headKey(name) === 'head').length, 7, 'all PVTs alike');
});

import t from 'tap';
import {
  createTeacher,
  loadTeacherBlock,
  type TeacherBranch,
  type TeacherNetwork,
  teacherBranches,
} from '../../lib/models/teacher.js';
import { autocast, noGrad } from '../../lib/tensor/context.js';
import { full, randn, tensor, threads, zeros } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { setNetworkRng } from '../../lib/training/network-rng.js';
import { failure } from '../support/outcome.js';
import { tidyTest } from '../support/tensors.js';

await threads(1); // test files run side by side

const width: Record<TeacherBranch, number> = { global: 512, focal: 768 };
const images = (seed: number, batch = 1): Tensor => randn([batch, 3, 224, 224], seed);
const apart = (a: Tensor, b: Tensor): Promise<number> => a.sub(b).abs().amax().item();
const moments = async (x: Tensor): Promise<[mean: number, deviation: number]> => {
  const mean = await x.mean().item();
  return [mean, Math.sqrt(await x.sub(mean).square().mean().item())];
};

for (const branch of teacherBranches) {
  tidyTest(t, `${branch}: a pass and its parts`, async (t) => {
    using teacher = createTeacher({ branch, seed: 3 }).eval();
    const pair = images(1, 2);
    const { maps, featureMap, embedding } = noGrad(() => teacher.forward(pair));
    t.equal(maps.length, 4);
    for (const map of maps) {
      const { dtype, shape } = await map.ready();
      t.strictSame([dtype, shape], ['float32', [2, 3, 224, 224]]);
    }
    t.strictSame((await featureMap.ready()).shape, [2, 7, 7, width[branch]]);
    t.strictSame((await embedding.ready()).shape, [2, 64]);

    const x = pair.slice(0, { end: 1 });
    const first = (y: Tensor): Tensor => y.slice(0, { end: 1 });
    const scale = await maps[3].abs().amax().item();
    t.ok(scale > 0.1);
    const alone = noGrad(() => teacher.maps(x));
    for (const [k, map] of alone.entries()) {
      const far = await apart(map, first(maps[k] as Tensor));
      t.ok(far < 1e-4 * scale, `map ${k}, alone and of the first image alone: off by ${far}`);
    }
    t.ok(
      (await apart(
        noGrad(() => teacher.embed(x)),
        first(embedding),
      )) < 1e-4,
      'the embedding alone',
    );

    const low = noGrad(() => autocast({ dtype: 'bfloat16' }, () => teacher.maps(x)));
    t.equal((await low[3].ready()).dtype, 'float32', 'maps in float32 under autocast');
    t.ok((await apart(low[3], first(maps[3]))) < 0.05 * scale, 'bfloat16 is near');
  });

  tidyTest(t, `${branch}: initial weights, state and loading`, async (t) => {
    using teacher = createTeacher({ branch, seed: 5 });
    using same = createTeacher({ branch, seed: 5 });
    const state = await teacher.stateDict();
    const block = `${branch}_encoder_x.`;
    const encoder = `${block}${branch}_encoder.`;
    const of = (name: string): Tensor => state.get(name) as Tensor;
    const [mean, deviation] = await moments(of(`${encoder}head.weight`));
    t.ok(Math.abs(mean) < 2e-4 && Math.abs(deviation - 0.02) < 2e-4, `N(${mean}, ${deviation}²)`);
    t.equal(await of(`${encoder}head.bias`).abs().amax().item(), 0);
    t.equal(await apart(of(`${encoder}norm.weight`), full([width[branch]], 1)), 0);
    const spread = (await moments(of(`${block}${branch}_decoder_3.0.weight`)))[1];
    t.ok(
      Math.abs(spread * Math.sqrt(3 * width[branch]) - 1) < 0.01,
      "convolutions are uniform in ±1/√fan, PyTorch's way",
    );
    for (const [name, value] of await same.stateDict()) {
      if (!(await of(name).eq(value).all().item())) t.fail(`${name} differs for the same seed`);
    }

    using other = createTeacher({ branch, seed: 6 });
    const projection = (await other.stateDict()).get(`${branch}_linear.weight`) as Tensor;
    const before = projection.detach().clone();
    const blockOf = new Map(
      [...state].filter(([name]) => name.startsWith(block)).map(([name, v]) => [name.slice(block.length), v]),
    );
    t.strictSame(await loadTeacherBlock(other, blockOf), { missing: [], unexpected: [] });
    t.equal(await apart(projection, before), 0, 'the projection stays');
    for (const [name, value] of await other.stateDict()) {
      if (name.startsWith(block) && !(await of(name).eq(value).all().item())) t.fail(`${name} is not loaded`);
    }
    const lacking = new Map([...blockOf].filter(([name]) => name !== `${branch}_decoder_1.2.bias`));
    const error = await failure(loadTeacherBlock(other, lacking));
    t.equal(error.code, 'ERR_STATE_DICT');
    t.match(error.message, `missing ${block}${branch}_decoder_1.2.bias`);
    const whole = await failure(loadTeacherBlock(other, state));
    t.equal(whole.code, 'ERR_STATE_DICT', 'a whole teacher is no block');
    const wrong = branch === 'global' ? 'focal' : 'global';
    using elsewhere = createTeacher({ branch: wrong });
    t.equal((await failure(loadTeacherBlock(elsewhere, blockOf))).code, 'ERR_STATE_DICT', 'the other branch');
  });
}

tidyTest(t, 'stochastic depth: in training alone, from the seed, one draw a sample', async (t) => {
  using teacher = createTeacher({ branch: 'focal', dropPath: 0.5 });
  const one = images(2);
  const x = tidy(() => one.expand([2, 3, 224, 224]).contiguous());
  const pass = (seed: number, evaluation = false): Promise<Tensor> =>
    setNetworkRng(seed).then(() => noGrad(() => teacher.embed(x, { evaluation })));
  const drawn = await pass(1);
  t.equal(await apart(drawn, await pass(1)), 0, 'the same seed');
  t.ok((await apart(drawn, await pass(2))) > 1e-4, 'another seed');
  t.ok(
    (await apart(drawn.slice(0, { end: 1 }), drawn.slice(0, { start: 1 }))) > 1e-4,
    'equal images of one batch are drawn for one by one',
  );
  const still = await pass(1, true);
  t.equal(await apart(still, await pass(2, true)), 0, 'none in a pass of evaluation');
  teacher.eval();
  t.equal(await apart(still, await pass(3)), 0, 'none in evaluation mode');
  using none = createTeacher({ branch: 'focal', dropPath: 0 });
  t.equal(
    await apart(
      still,
      noGrad(() => none.embed(x)),
    ),
    0,
    'none at rate 0',
  );
});

tidyTest(t, 'only what the maps need learns from them', async (t) => {
  using teacher = createTeacher({ branch: 'focal', dropPath: 0 });
  teacher
    .maps(images(3))
    .map((map) => map.sum())
    .reduce((sum, part) => sum.add(part))
    .backward();
  const without: string[] = [];
  for (const [name, parameter] of await teacher.parameters()) {
    const grad = parameter.grad();
    try {
      if (!(await grad.isfinite().all().item())) t.fail(`${name} has no finite gradient`);
    } catch {
      without.push(name.replace('focal_encoder_x.', ''));
    }
  }
  const pair = (name: string): string[] => [`${name}.weight`, `${name}.bias`];
  t.strictSame(without, [
    ...pair('focal_encoder.norm'),
    ...pair('focal_encoder.head'),
    ...pair('focal_decoder.0'),
    ...pair('focal_linear'),
  ]);
});

tidyTest(t, 'misuse', async (t) => {
  using teacher = createTeacher({ branch: 'focal' });
  for (const shape of [
    [1, 3, 256, 256],
    [1, 1, 224, 224],
    [3, 224, 224],
    [0, 3, 224, 224],
    [1, 3, 224, 112],
  ]) {
    const error = await failure(teacher.embed(zeros(shape)).ready());
    t.equal(error.code, 'ERR_INVALID_SHAPE', `[${shape}]`);
    t.match(error.message, /Expected \[B, 3, 224, 224\], not empty, for images but received/);
    t.equal((await failure(teacher.maps(zeros(shape))[2].ready())).code, 'ERR_INVALID_SHAPE');
  }
  for (const dtype of ['uint8', 'float64'] as const) {
    const error = await failure(teacher.embed(zeros([1, 3, 224, 224], { dtype })).ready());
    t.equal(error.code, 'ERR_INVALID_DTYPE', dtype);
    t.match(error.message, `Expected float32, as the weights are, for images but received ${dtype}`);
  }
  const { embedding, taps } = teacher.forwardWithTaps(zeros([1, 3, 224, 224]), ['level9']);
  t.equal((await failure(embedding.ready())).code, 'ERR_INVALID_ARGUMENT', 'a tap that is none');
  await failure((taps.level9 as Tensor).ready());
  t.strictSame((await teacher.tapNames()).camLayer, '', 'no class to explain');
  for (const bad of [
    { branch: 'local' },
    { branch: 'focal', dropPath: 1 },
    { branch: 'focal', dropPath: -0.1 },
    { branch: 'focal', seed: 0.5 },
    { branch: 'focal', droppath: 0 },
    {},
  ]) {
    t.throws(() => createTeacher(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
  }
  for (const bad of [5, null, [tensor([1], [1])]]) {
    t.throws(() => teacher.embed(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
    t.throws(() => teacher.maps(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
  }
  t.throws(() => teacher.forward(zeros([1, 3, 224, 224]), { eval: true } as never), {
    code: 'ERR_INVALID_ARGUMENT',
  });
  const closed: TeacherNetwork = createTeacher({ branch: 'focal' });
  closed.dispose();
  closed.dispose();
  t.ok(closed.disposed);
  t.throws(() => closed.embed(zeros([1, 3, 224, 224])), { code: 'ERR_DISPOSED' });
  t.throws(() => closed.maps(zeros([1, 3, 224, 224])), { code: 'ERR_DISPOSED' });
});

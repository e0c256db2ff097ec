import { attentionMap, gradientCamMethods } from '../../lib/cam/attention-map.js';
import { crossEntropy } from '../../lib/losses/cross-entropy.js';
import { localisationLoss, softAttention } from '../../lib/losses/localisation.js';
import { createModel } from '../../lib/models/model.js';
import { memoryStats, randn, tensor } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { createOptimizer } from '../../lib/training/optimizer.js';
import type { Check } from './check.js';
import { residentBytes } from './leak.js';

/** What the resident size may grow by from the end of the warm-up to the end, in bytes. */
const ALLOWED = 20e6;

/** Pieces of work after which the allocator has seen every kind many times, and holds what it will hold. */
const WARM_UP = 100;

/** Networks, and for each a layer whose gradient takes a backward pass. */
const networks = [
  { architecture: 'resnet18', inner: 'layer3.1' },
  { architecture: 'pvt_v2_b0', inner: 'stages.2' },
] as const;

/**
 * Explains batches, and trains through maps: two images of 64 pixels, at the last feature map (in closed form) and at an inner
 * layer (by a backward pass, and one through it). Memory must stay flat and no tensor be left.
 *
 * @param batches explained, for each network
 * @param steps of training, for each network
 */
export async function flatExplanations(batches: number, steps: number, check: Check): Promise<void> {
  for (const { architecture, inner } of networks) {
    const model = createModel({ architecture, classes: 3 });
    const layerOf = (i: number) => (i % 2 === 0 ? { layer: inner } : {});
    const explain = (i: number): Promise<number> =>
      tidy(async () => {
        const method = gradientCamMethods[
          i % gradientCamMethods.length
        ] as (typeof gradientCamMethods)[number];
        const { maps } = attentionMap(model, randn([2, 3, 64, 64], i), { method, ...layerOf(i >> 2) });
        return maps.sum().item();
      });
    await isFlat(`${architecture}: explained batches`, batches, explain, check);

    const parameters = await model.parameters();
    const optimizer = createOptimizer(parameters, { kind: 'adam', learningRate: 1e-5 });
    const boxes = Int32Array.of(4, 6, 50, 40, 8, 2, 40, 60);
    const train = (i: number): Promise<number> =>
      tidy(async () => {
        const labels = tensor([i % 3, (i + 1) % 3], [2], { dtype: 'int64' });
        const { maps, logits } = attentionMap(model, randn([2, 3, 64, 64], i), {
          ...{ classes: labels, differentiable: true },
          ...layerOf(i),
        });
        const terms = softAttention(maps, boxes, labels, { regions: [null, 'lower', 'outside'] });
        const loss = localisationLoss(crossEntropy(logits, labels), terms, {
          lambda: 0.5,
          penaliseOutside: 1,
        });
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
        return loss.item();
      });
    await isFlat(`${architecture}: double-backward steps`, steps, train, check);
    for (const part of [...parameters.values(), optimizer, model]) part.dispose();
  }
}

async function isFlat(
  name: string,
  count: number,
  work: (i: number) => Promise<number>,
  check: Check,
): Promise<void> {
  // Each kind of work once: what stays for good, such as gradients, is there after it.
  for (let i = 0; i < 8; i++) await work(i);
  const warm = memoryStats();
  let atWarm = residentBytes();
  const from = performance.now();
  for (let i = 0; i < count; i++) {
    const value = await work(i);
    if (!Number.isFinite(value)) throw new Error(`${name}, ${i}: ${value}`);
    if (i + 1 === WARM_UP) atWarm = residentBytes();
  }
  const grown = residentBytes() - atWarm;
  const end = memoryStats();
  console.log(`  ${name}: ${((performance.now() - from) / count).toFixed(1)} ms each`);
  check(
    end.liveTensors === warm.liveTensors && end.hostBytes === warm.hostBytes,
    `${name}: live tensors ${warm.liveTensors} before, ${end.liveTensors} after; bytes ${warm.hostBytes}, ${end.hostBytes}`,
  );
  check(grown <= ALLOWED, `${name}: resident size ${(grown / 1e6).toFixed(1)} MB more after the warm-up`);
}

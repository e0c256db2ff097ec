import { readFileSync } from 'node:fs';
import t from 'tap';
import { balancedClassWeights } from '../../lib/losses/class-weights.js';
import { type Criterion, classificationLoss } from '../../lib/losses/criterion.js';
import { createModel, type Model } from '../../lib/models/model.js';
import { tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { createOptimizer } from '../../lib/training/optimizer.js';
import { fill, uniform } from '../golden/fill.js';
import { fillModel } from '../golden/kinds/student-model.js';
import { fixture } from '../support/paths.js';

/** What scripts/dev/make-train-reference.py wrote. */
interface Reference {
  readonly batch: number;
  readonly size: number;
  readonly lr: number;
  readonly counts: number[];
  readonly runs: Record<
    'crossEntropy' | 'ldam',
    { readonly losses: number[]; readonly state: Record<string, Record<string, number>> }
  >;
}

const reference = JSON.parse(readFileSync(fixture('training', 'pytorch-20-steps.json'), 'utf8')) as Reference;
const { batch, size, lr, counts } = reference;

const criteria: Record<keyof Reference['runs'], Criterion> = {
  crossEntropy: classificationLoss({ loss: 'ce' }),
  ldam: classificationLoss({ loss: 'ldam', counts, weights: balancedClassWeights(counts) }),
};

function batchOf(step: number): { images: Tensor; labels: Tensor } {
  const shape = [batch, 3, size, size];
  const labels = Array.from(uniform(`train.labels${step}`, batch), (u) =>
    Math.floor(((u + 1) / 2) * counts.length),
  );
  return {
    images: tensor(fill(`train.x${step}`, shape), shape, { dtype: 'float64' }),
    labels: tensor(labels, [batch], { dtype: 'int64' }),
  };
}

async function train(model: Model, criterion: Criterion, steps: number): Promise<number[]> {
  const parameters = await model.parameters();
  using optimizer = createOptimizer(parameters, { kind: 'adam', learningRate: lr });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    await tidy(async () => {
      const { images, labels } = batchOf(step);
      const loss = criterion(model.forward(images), labels);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      losses.push(await loss.item());
    });
  }
  for (const parameter of parameters.values()) parameter.dispose();
  return losses;
}

const differs = (a: number, b: number): boolean => !(Math.abs(a - b) <= 1e-8 * Math.abs(b));

for (const name of ['crossEntropy', 'ldam'] as const) {
  t.test(`steps in float64 with ${name} are PyTorch's`, async (t) => {
    using model = createModel({ architecture: 'resnet18', classes: counts.length });
    await fillModel(model);
    model.to({ dtype: 'float64' }).train();
    const { losses: expected, state } = reference.runs[name];
    t.equal(expected.length, name === 'ldam' ? 6 : 20);
    const losses = await train(model, criteria[name], expected.length);
    for (const [step, loss] of losses.entries()) {
      t.notOk(differs(loss, expected[step] as number), `step ${step + 1}: ${loss} against ${expected[step]}`);
    }
    await tidy(async () => {
      const ours = await model.stateDict();
      for (const [key, samples] of Object.entries(state)) {
        const values = (await (ours.get(key) as Tensor).data()) as Float64Array;
        const wrong = Object.entries(samples).filter(([i, value]) =>
          differs(values[Number(i)] as number, value),
        );
        t.same(wrong, [], key);
      }
    });
  });
}

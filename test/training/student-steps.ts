import { readFileSync } from 'node:fs';
import { balancedClassWeights } from '../../lib/losses/class-weights.js';
import { type Criterion, classificationLoss } from '../../lib/losses/criterion.js';
import { distillationLoss } from '../../lib/losses/distillation.js';
import { createModel, type Model } from '../../lib/models/model.js';
import { tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { createOptimizer } from '../../lib/training/optimizer.js';
import { fill, uniform } from '../golden/fill.js';
import { fillModel } from '../golden/kinds/student-model.js';
import { fixture } from '../support/paths.js';

/** What scripts/dev/make-student-steps-reference.py wrote. */
export interface StudentReference {
  readonly batch: number;
  readonly size: number;
  readonly lr: number;
  readonly kdWeight: number;
  readonly counts: readonly number[];
  /** Objective at every step. */
  readonly losses: readonly number[];
  /** Unweighted distillation at every step. */
  readonly distillation: readonly number[];
  /** Norms of some parameters' gradients at the first step. */
  readonly gradientNorms: Readonly<Record<string, number>>;
  /** Some elements of the state dict after a number of steps. */
  readonly state: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>>;
}

/** PyTorch's numbers. */
export const reference = JSON.parse(
  readFileSync(fixture('training', 'student-20-steps.json'), 'utf8'),
) as StudentReference;

/** Ours, in the form of the reference. */
export type StudentSteps = Pick<StudentReference, 'losses' | 'distillation' | 'gradientNorms'> & {
  readonly state: StudentReference['state'][string];
};

type Type = 'float32' | 'float64';

function batchOf(step: number, dtype: Type) {
  const { batch, size, counts } = reference;
  const made = (name: string, shape: readonly number[]) =>
    tensor(fill(`student.${name}${step}`, shape), shape, { dtype });
  const labels = Array.from(uniform(`student.labels${step}`, batch), (u) =>
    Math.floor(((u + 1) / 2) * counts.length),
  );
  return {
    images: made('x', [batch, 3, size, size]),
    labels: tensor(labels, [batch], { dtype: 'int64' }),
    teachers: [made('focal', [batch, 64]), made('global', [batch, 64])],
  };
}

/** Trains the student on the reference's batches with GazeLT's objective: LDAM with 'balanced' weights, and distillation. */
export async function studentSteps(steps: number, dtype: Type): Promise<StudentSteps> {
  const { lr, kdWeight, counts, gradientNorms: norms, state } = reference;
  const criterion: Criterion = classificationLoss({
    loss: 'ldam',
    counts,
    weights: balancedClassWeights(counts),
  });
  using model = createModel({ architecture: 'resnet50', classes: counts.length, head: 'bottleneck64' });
  await fillModel(model);
  model.to({ dtype }).train();
  const parameters = await model.parameters();
  using optimizer = createOptimizer(parameters, { kind: 'adam', learningRate: lr });
  const losses: number[] = [];
  const distillation: number[] = [];
  const gradientNorms: Record<string, number> = {};
  for (let step = 0; step < steps; step++) {
    await tidy(async () => {
      const { images, labels, teachers } = batchOf(step, dtype);
      const { logits, taps } = model.forwardWithTaps(images, ['fc.0']);
      const term = distillationLoss(taps['fc.0'] as Tensor, teachers);
      const loss = criterion(logits, labels).add(term.mul(kdWeight));
      optimizer.zeroGrad();
      loss.backward();
      if (step === 0)
        for (const name of Object.keys(norms))
          gradientNorms[name] = await (parameters.get(name) as Tensor).grad().norm().item();
      optimizer.step();
      losses.push(await loss.item());
      distillation.push(await term.item());
    });
  }
  for (const parameter of parameters.values()) parameter.dispose();
  return { losses, distillation, gradientNorms, state: await elements(model, state[String(steps)] ?? {}) };
}

async function elements(model: Model, wanted: StudentSteps['state']): Promise<StudentSteps['state']> {
  return tidy(async () => {
    const state = await model.stateDict();
    const found: Record<string, Record<string, number>> = {};
    for (const [key, samples] of Object.entries(wanted)) {
      const values = await (state.get(key) as Tensor).data();
      found[key] = Object.fromEntries(Object.keys(samples).map((i) => [i, Number(values[Number(i)])]));
    }
    return found;
  });
}

/** Largest |a - b| / |b| of two lists. */
export function worstRelative(ours: readonly number[], theirs: readonly number[]): number {
  return Math.max(...ours.map((a, i) => Math.abs(a - (theirs[i] as number)) / Math.abs(theirs[i] as number)));
}

/** As {@link worstRelative}, for numbers by name. */
export function worstOf(
  ours: Readonly<Record<string, number>>,
  theirs: Readonly<Record<string, number>>,
): number {
  const names = Object.keys(theirs);
  return worstRelative(
    names.map((name) => ours[name] ?? Number.NaN),
    names.map((name) => theirs[name] as number),
  );
}

import { readFileSync } from 'node:fs';
import { crossEntropy } from '../../lib/losses/cross-entropy.js';
import type { RegionTable } from '../../lib/losses/regions.js';
import { createModel, type Model } from '../../lib/models/model.js';
import { locAttentionObjective } from '../../lib/systems/loc-attention/objective.js';
import { attentionSettings } from '../../lib/systems/loc-attention/settings.js';
import { noGrad } from '../../lib/tensor/context.js';
import { tensor } from '../../lib/tensor/create.js';
import { disposeAll, type Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import type { InputBatch } from '../../lib/training/batch.js';
import { createOptimizer } from '../../lib/training/optimizer.js';
import { fill, uniform } from '../golden/fill.js';
import { fillModel } from '../golden/kinds/student-model.js';
import { fixture } from '../support/paths.js';
import { worstOf, worstRelative } from './student-steps.js';

/** One step: scalars and, for each sample, a and o. */
interface Step {
  readonly loss: number;
  readonly crossEntropy: number;
  readonly attention: readonly number[];
  readonly outside?: readonly number[];
}

type Elements = Readonly<Record<string, Readonly<Record<string, number>>>>;

interface Course {
  readonly steps: readonly Step[];
  /** Norms of some parameters' gradients at the first step. */
  readonly gradientNorms: Readonly<Record<string, number>>;
  /** Some elements of the state dict after a number of steps. */
  readonly state: Readonly<Record<string, Elements>>;
}

/** What scripts/dev/make-loc-attention-reference.py wrote. */
interface Reference {
  readonly batch: number;
  readonly size: number;
  readonly classes: number;
  readonly lr: number;
  readonly lambda: number;
  readonly threshold: number;
  readonly tau: number;
  readonly penaliseOutside: number;
  readonly regions: RegionTable;
  readonly runs: Readonly<Record<string, Course>>;
}

const reference = JSON.parse(
  readFileSync(fixture('training', 'loc-attention-steps.json'), 'utf8'),
) as Reference;

/** A form of the term. */
export type Form = 'published' | 'differentiable';
/** Networks that PyTorch trained. */
export const networks = ['resnet50', 'pvt_v2_b2_li'] as const;
type NetworkName = (typeof networks)[number];

/** PyTorch's course. */
export function courseOf(form: Form, network: NetworkName): Course {
  return reference.runs[`${form}/${network}`] as Course;
}

/** Filled weights in float64, kept to begin from more than once. */
export class Beginning implements Disposable {
  readonly model: Model;
  readonly #copies: ReadonlyMap<string, Tensor>;

  private constructor(model: Model, copies: ReadonlyMap<string, Tensor>) {
    this.model = model;
    this.#copies = copies;
  }

  static async of(network: NetworkName): Promise<Beginning> {
    const model = createModel({ architecture: network, classes: reference.classes });
    await fillModel(model);
    model.to({ dtype: 'float64' });
    const state = await model.stateDict();
    const copies = noGrad(() => new Map([...state].map(([key, value]) => [key, value.clone()])));
    disposeAll(state.values());
    return new Beginning(model, copies);
  }

  async restore(): Promise<void> {
    await this.model.loadStateDict(this.#copies);
  }

  [Symbol.dispose](): void {
    disposeAll(this.#copies.values());
    this.model.dispose();
  }
}

function batchOf(step: number): { batch: InputBatch; boxes: Int32Array } {
  const { batch: images, size, classes } = reference;
  const shape = [images, 3, size, size];
  const labels = Int32Array.from(uniform(`loc.labels${step}`, images), (u) =>
    Math.floor(((u + 1) / 2) * classes),
  );
  const least = [0, 0, 16, 16];
  const boxes = Int32Array.from(
    uniform(`loc.boxes${step}`, 4 * images),
    (u, i) => Math.floor(((u + 1) / 2) * 24) + (least[i % 4] as number),
  );
  const batch = {
    images: tensor(fill(`loc.x${step}`, shape), shape, { dtype: 'float64' }),
    labels: tensor(labels, undefined, { dtype: 'int64' }),
    ...{ labelList: labels, indices: [0, 1], ids: ['0', '1'], epoch: 1, step, device: 'cpu' },
  } as const;
  return { batch, boxes };
}

/** How far the first steps of ours are from PyTorch's, relatively. */
export interface Distance {
  /** Worst of loss, cross-entropy, a and o of every step. */
  readonly steps: readonly number[];
  readonly gradientNorms: number;
  /** Worst element of the weights after the last step, where PyTorch's are stored. */
  readonly state: number;
}

/** Trains on the reference's batches with loc-attention's objective. */
export async function distanceOf(
  beginning: Beginning,
  form: Form,
  network: NetworkName,
  steps: number,
): Promise<Distance> {
  const { lambda, threshold, tau, penaliseOutside, regions, lr } = reference;
  const expected = courseOf(form, network);
  const soft = form === 'differentiable' ? { tau, penaliseOutside } : {};
  const settings = attentionSettings({ attention: form, lambda, threshold, ...soft });
  await beginning.restore();
  const model = beginning.model.train();
  const parameters = await model.parameters();
  using optimizer = createOptimizer(parameters, { kind: 'adam', learningRate: lr });
  const distances: number[] = [];
  let gradientNorms = Number.NaN;
  for (let step = 0; step < steps; step++) {
    await tidy(async () => {
      const { batch, boxes } = batchOf(step);
      const objective = locAttentionObjective(settings, {
        criterion: (logits, labels) => crossEntropy(logits, labels),
        ...{ regions, boxes: () => boxes },
      });
      const result = objective(model, batch, { phase: 'train', reweighted: false });
      optimizer.zeroGrad();
      result.loss.backward();
      if (step === 0) gradientNorms = await normsDistance(parameters, expected.gradientNorms);
      optimizer.step();
      const terms = result.attention?.terms;
      const values = [
        await result.loss.item(),
        await result.crossEntropy.item(),
        ...Array.from(((await terms?.attention.data()) ?? []) as Float64Array),
        ...(terms && 'outside' in terms ? Array.from((await terms.outside.data()) as Float64Array) : []),
      ];
      const wanted = expected.steps[step] as Step;
      const list = [wanted.loss, wanted.crossEntropy, ...wanted.attention, ...(wanted.outside ?? [])];
      distances.push(list.length === values.length ? worst(values, list) : Number.NaN);
    });
  }
  for (const parameter of parameters.values()) parameter.dispose();
  return {
    steps: distances,
    gradientNorms,
    state: await stateDistance(model, expected.state[String(steps)] ?? {}),
  };
}

// a of a class without a region is 0 in both.
function worst(ours: readonly number[], theirs: readonly number[]): number {
  return Math.max(...ours.map((a, i) => (a === theirs[i] ? 0 : worstRelative([a], [theirs[i] as number]))));
}

async function normsDistance(
  parameters: ReadonlyMap<string, Tensor>,
  expected: Readonly<Record<string, number>>,
): Promise<number> {
  const norms: Record<string, number> = {};
  for (const name of Object.keys(expected))
    norms[name] = await (parameters.get(name) as Tensor).grad().norm().item();
  return worstOf(norms, expected);
}

async function stateDistance(model: Model, expected: Elements): Promise<number> {
  return tidy(async () => {
    const state = await model.stateDict();
    const distances: number[] = [];
    for (const [key, samples] of Object.entries(expected)) {
      const values = await (state.get(key) as Tensor).data();
      const ours = Object.fromEntries(Object.keys(samples).map((i) => [i, Number(values[Number(i)])]));
      distances.push(worstOf(ours, samples));
    }
    return Math.max(...distances);
  });
}

/** Steps of training of the teachers beside the numbers that PyTorch gave. */
import { readFileSync } from 'node:fs';
import { attentionLoss } from '../../lib/losses/attention.js';
import { createTeacher, type TeacherBranch, type TeacherNetwork } from '../../lib/models/teacher.js';
import { tensor } from '../../lib/tensor/create.js';
import type { DType } from '../../lib/tensor/dtype.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { createOptimizer } from '../../lib/training/optimizer.js';
import { fill } from '../golden/fill.js';
import { fillModel } from '../golden/kinds/student-model.js';
import { fixture } from './paths.js';

/** One branch of what scripts/dev/make-teacher-reference.py wrote. */
export interface TeacherRun {
  /** Loss of the first step in float32. */
  readonly firstFloat32: number;
  /** Losses of all steps in float64. */
  readonly losses: readonly number[];
  /** Values of some weights after some numbers of steps, by key and index. */
  readonly states: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>>;
}

interface Reference {
  readonly batch: number;
  readonly size: number;
  readonly lr: number;
  readonly runs: Readonly<Record<TeacherBranch, TeacherRun>>;
}

const reference = JSON.parse(
  readFileSync(fixture('training', 'teachers-20-steps.json'), 'utf8'),
) as Reference;

/** PyTorch's run of a branch. */
export const teacherRun = (branch: TeacherBranch): TeacherRun => reference.runs[branch];

/** A teacher with filled weights, in training mode without stochastic depth. */
async function filledTeacher(branch: TeacherBranch, dtype: DType): Promise<TeacherNetwork> {
  const teacher = createTeacher({ branch, dropPath: 0 });
  await fillModel(teacher);
  return teacher.to({ dtype }).train();
}

/** Sum over the windows of the attention loss, summed over positions. */
function objective(teacher: TeacherNetwork, step: number, dtype: DType): Tensor {
  const { batch, size } = reference;
  const images = tensor(fill(`teacher.x${step}`, [batch, 3, size, size]), [batch, 3, size, size], { dtype });
  return teacher
    .maps(images)
    .map((map, k) => {
      const shape = [batch, 1, size, size];
      const heat = tensor(fill(`teacher.heat${step}.${k}`, shape), shape, { dtype });
      return attentionLoss(map, heat, { reduction: 'sum' });
    })
    .reduce((sum, loss) => sum.add(loss));
}

/** The loss of the first step. */
export async function firstLoss(branch: TeacherBranch, dtype: DType): Promise<number> {
  return tidy(async () => {
    using teacher = await filledTeacher(branch, dtype);
    return objective(teacher, 0, dtype).item();
  });
}

/** What steps in float64 gave: the losses, and by how much the worst of the sampled weights is off, relative to the rate. */
export async function teacherSteps(
  branch: TeacherBranch,
  steps: number,
  onStep: (step: number, loss: number) => void = () => {},
): Promise<{ losses: number[]; worstWeight: number }> {
  return tidy(async () => {
    using teacher = await filledTeacher(branch, 'float64');
    using optimizer = createOptimizer(await teacher.parameters(), {
      kind: 'adam',
      learningRate: reference.lr,
    });
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      await tidy(async () => {
        const loss = objective(teacher, step, 'float64');
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
        losses.push(await loss.item());
      });
      onStep(step, losses.at(-1) as number);
    }
    return { losses, worstWeight: await worstWeight(teacher, teacherRun(branch).states[steps] ?? {}) };
  });
}

async function worstWeight(
  teacher: TeacherNetwork,
  expected: Readonly<Record<string, Readonly<Record<string, number>>>>,
): Promise<number> {
  const state = await teacher.stateDict();
  let worst = Object.keys(expected).length > 0 ? 0 : Number.POSITIVE_INFINITY;
  for (const [key, samples] of Object.entries(expected)) {
    const values = (await (state.get(key) as Tensor).data()) as Float64Array;
    for (const [i, value] of Object.entries(samples)) {
      worst = Math.max(worst, Math.abs((values[Number(i)] as number) - value) / reference.lr);
    }
  }
  return worst;
}

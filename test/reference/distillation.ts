import type { NdArray } from 'ndarray';
import { length, logSoftmaxRow } from './array.js';

/** KL(softmax(teacher) || softmax(student)), summed over components and averaged over the batch; [B, D] both. */
export function klTerm(student: NdArray, teacher: NdArray): number {
  let total = 0;
  for (let i = 0; i < length(student, 0); i++) {
    const logS = logSoftmaxRow(student, i);
    const logT = logSoftmaxRow(teacher, i);
    for (const [j, value] of logT.entries()) total += Math.exp(value) * (value - (logS[j] as number));
  }
  return total / length(student, 0);
}

/** sum_k shares[k] KL_k. */
export function distillation(
  student: NdArray,
  teachers: readonly NdArray[],
  shares: readonly number[],
): number {
  return teachers.reduce((sum, teacher, k) => sum + (shares[k] as number) * klTerm(student, teacher), 0);
}

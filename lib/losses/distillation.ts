import { run, runMany } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { invalidArgument, knownKeys, list, number } from '../validate.js';

/** Options of {@link distillationLoss}. */
export interface DistillationOptions {
  /** Weight of each teacher's term. Default: 1 / number of teachers each. */
  readonly shares?: readonly number[];
}

/** A distillation loss and what it is made of. */
export interface DistillationTerms {
  /** Σ_k share_k term_k, a scalar. */
  readonly loss: Tensor;
  /** KL(teacher_k ‖ student) of each teacher, scalars. */
  readonly terms: readonly Tensor[];
}

/**
 * Σ_k share_k KL(softmax(teacher_k) ‖ softmax(student)), each term summed over the components and averaged over the
 * batch, at temperature 1. GazeLT's distillation with its two teachers (focal, global) at ½ each, where it is called the
 * Bhattacharyya loss (`lordmoinak1/gazelt: src/losses.py`); it is in fact this mean of divergences.
 *
 * @param student [B, D], floating point
 * @param teachers one or more of [B, D]
 * @param options the shares
 * @returns a scalar, 0 where all softmaxes are equal
 * @throws CxrGazeError `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`, `ERR_INVALID_ARGUMENT`
 */
export function distillationLoss(
  student: Tensor,
  teachers: readonly Tensor[],
  options: DistillationOptions = {},
): Tensor {
  const shares = sharesOf(teachers, options);
  return run('loss.distillation', [student, ...teachers], { shares });
}

/**
 * As {@link distillationLoss}, together with each teacher's own divergence.
 *
 * @param student [B, D], floating point
 * @param teachers one or more of [B, D]
 * @param options the shares
 * @returns the loss and its terms, all differentiable
 */
export function distillationTerms(
  student: Tensor,
  teachers: readonly Tensor[],
  options: DistillationOptions = {},
): DistillationTerms {
  const shares = sharesOf(teachers, options);
  const [loss, ...terms] = runMany('loss.distillation', [student, ...teachers], { shares, terms: true });
  return { loss: loss as Tensor, terms };
}

function sharesOf(teachers: readonly Tensor[], options: DistillationOptions): readonly number[] {
  knownKeys('options', options, ['shares']);
  if (!Array.isArray(teachers) || teachers.length === 0) {
    throw invalidArgument('teachers', 'an array of at least one tensor', teachers);
  }
  if (options.shares === undefined) return teachers.map(() => 1 / teachers.length);
  const shares = list('options.shares', options.shares, (name, value) => number(name, value, { min: 0 }));
  if (shares.length !== teachers.length) {
    throw invalidArgument('options.shares', `${teachers.length} numbers, one for each teacher,`, shares);
  }
  return shares;
}

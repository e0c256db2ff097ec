import { integer, invalidArgument, knownKeys, list, number, oneOf, text } from '../validate.js';

/**
 * How class weights are made from training counts.
 *
 * - `'balanced'`: w_j = N / (C n_j), as scikit-learn's `compute_class_weight('balanced')`.
 * - `'class-balanced'`: the effective number of samples, {@link classBalancedWeights}.
 */
export type ClassWeighting = 'balanced' | 'class-balanced';

/** The values of {@link ClassWeighting}. */
export const classWeightings: readonly ClassWeighting[] = ['balanced', 'class-balanced'];

/** Options of {@link classWeights}. */
export interface ClassWeightOptions {
  /** Training images of each class, in class order; all above 0. */
  readonly counts: readonly number[];
  /** How to weigh them. */
  readonly method: ClassWeighting;
  /** β of `'class-balanced'`, in [0, 1). Default 0.9999. */
  readonly beta?: number;
  /** Class names for error messages. */
  readonly classes?: readonly string[];
}

/**
 * Weights of the classes for a loss.
 *
 * @param options counts and method
 * @returns one weight a class, computed in double precision and rounded to float32
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` that names the class where a count is 0
 */
export function classWeights(options: ClassWeightOptions): Float32Array {
  knownKeys('options', options, ['counts', 'method', 'beta', 'classes']);
  const method = oneOf('options.method', options.method, classWeightings);
  const counts = positiveCounts('options.counts', options.counts, options.classes);
  if (method === 'balanced') return Float32Array.from(balanced(counts));
  return Float32Array.from(classBalanced(counts, number('options.beta', options.beta ?? 0.9999, { min: 0 })));
}

/**
 * w_j = N / (C n_j) with N = Σ n_j: "RW" in the long-tail tables, `--rw_method sklearn` of the originals.
 *
 * @param counts training images of each of the C classes; all above 0
 * @param classes class names for error messages
 * @returns one weight a class, float32
 */
export function balancedClassWeights(counts: readonly number[], classes?: readonly string[]): Float32Array {
  return Float32Array.from(balanced(positiveCounts('counts', counts, classes)));
}

/**
 * e_j = (1 - β) / (1 - β^n_j), w_j = C e_j / Σ e: "CB" in the long-tail tables. Cui et al., "Class-Balanced Loss Based
 * on Effective Number of Samples", CVPR 2019.
 *
 * @param counts training images of each of the C classes; all above 0
 * @param beta β, in [0, 1); 0 gives ones. Default 0.9999
 * @param classes class names for error messages
 * @returns one weight a class, float32; they add up to C
 */
export function classBalancedWeights(
  counts: readonly number[],
  beta = 0.9999,
  classes?: readonly string[],
): Float32Array {
  return Float32Array.from(classBalanced(positiveCounts('counts', counts, classes), beta));
}

/** Options of {@link ldamMargins}. */
export interface LdamMarginOptions {
  /** Training images of each class, in class order; all above 0. */
  readonly counts: readonly number[];
  /** Margin of the rarest class. Default 0.5. */
  readonly maxMargin?: number;
  /** Class names for error messages. */
  readonly classes?: readonly string[];
}

/**
 * m_j = maxMargin n_j^(-1/4) / max_k n_k^(-1/4): the rarer a class, the wider its margin. Cao et al., "Learning
 * Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019.
 *
 * @param options counts and the widest margin
 * @returns one margin a class, computed in double precision and rounded to float32
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` that names the class where a count is 0
 */
export function ldamMargins(options: LdamMarginOptions): Float32Array {
  knownKeys('options', options, ['counts', 'maxMargin', 'classes']);
  const counts = positiveCounts('options.counts', options.counts, options.classes);
  const widest = number('options.maxMargin', options.maxMargin ?? 0.5, { min: 0 });
  const roots = counts.map((count) => 1 / Math.sqrt(Math.sqrt(count)));
  const largest = Math.max(...roots);
  return Float32Array.from(roots, (root) => root * (widest / largest));
}

function balanced(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => total / (counts.length * count));
}

function classBalanced(counts: readonly number[], beta: number): number[] {
  number('beta', beta, { min: 0 });
  if (beta >= 1) throw invalidArgument('beta', 'a number below 1', beta);
  const inverse = counts.map((count) => (1 - beta) / (1 - beta ** count));
  const sum = inverse.reduce((total, value) => total + value, 0);
  return inverse.map((value) => (value / sum) * counts.length);
}

/** A class without training images would get an infinite weight or margin: the message says which one it is. */
function positiveCounts(name: string, counts: unknown, classes: readonly string[] | undefined): number[] {
  const checked = list(name, counts, (item, value) => integer(item, value, { min: 0 }));
  if (checked.length === 0) throw invalidArgument(name, 'at least one count', counts);
  const names = classes === undefined ? undefined : list('classes', classes, text);
  if (names !== undefined && names.length !== checked.length) {
    throw invalidArgument('classes', `${checked.length} names, one for each count,`, names);
  }
  const empty = checked.indexOf(0);
  if (empty < 0) return checked;
  const label = names === undefined ? `class ${empty}` : `class '${names[empty]}' (${empty})`;
  throw invalidArgument(`${name}[${empty}]`, `at least one training image of ${label}`, 0);
}

import { CxrGazeError } from '../errors.js';
import { integer, invalidArgument, knownKeys } from '../validate.js';
import { type Dataset, requireDataset } from './dataset.js';
import { rng } from './random.js';

/** Which samples an epoch visits, and in which order. */
export interface Sampler {
  /** Samples an epoch. */
  readonly length: number;
  /**
   * @param epoch of training, counted as the caller likes
   * @returns indices into the data set; a function of seed and epoch alone, so that a resumed run goes on as it would have
   */
  indices(epoch: number): Uint32Array;
}

/** Every sample once, in the order of the data set: validation, testing, prediction. */
export class SequentialSampler implements Sampler {
  /** Samples an epoch: all of them. */
  readonly length: number;

  /** @param options `length`: number of samples in the data set */
  constructor(options: { readonly length: number }) {
    knownKeys('options', options, ['length']);
    this.length = checkLength(options.length);
  }

  /** @returns 0, 1, 2, ... at every epoch */
  indices(epoch: number): Uint32Array {
    integer('epoch', epoch);
    return Uint32Array.from({ length: this.length }, (_, i) => i);
  }
}

/** Every sample once, in an order that changes from epoch to epoch. */
export class ShuffledSampler implements Sampler {
  /** Samples an epoch: all of them. */
  readonly length: number;
  readonly #seed: number;

  /** @param options `length`: number of samples in the data set; `seed`: of the run */
  constructor(options: { readonly length: number; readonly seed: number }) {
    knownKeys('options', options, ['length', 'seed']);
    this.length = checkLength(options.length);
    this.#seed = integer('options.seed', options.seed);
  }

  /** @returns a permutation of all indices */
  indices(epoch: number): Uint32Array {
    return rng(this.#seed, 'shuffle', integer('epoch', epoch)).permutation(this.length);
  }
}

/** Options of {@link ClassBalancedSampler}. */
export interface ClassBalancedOptions {
  /** Label of each sample. */
  readonly labels: ArrayLike<number>;
  /** Seed of the run. */
  readonly seed: number;
  /** Draws an epoch; as many as there are samples by default. */
  readonly draws?: number;
}

/**
 * Draws with replacement, each sample with probability proportional to {@link balancedWeights}, so that
 * all classes that occur are equally frequent (cRT and Balanced-MixUp; LongTailCXR `src/main.py`).
 */
export class ClassBalancedSampler implements Sampler {
  /** Draws an epoch. */
  readonly length: number;
  readonly #members: readonly Uint32Array[];
  readonly #seed: number;

  /** @param options labels, seed and number of draws */
  constructor(options: ClassBalancedOptions) {
    knownKeys('options', options, ['labels', 'seed', 'draws']);
    this.#members = membersByClass(options.labels);
    this.#seed = integer('options.seed', options.seed);
    this.length = integer('options.draws', options.draws ?? options.labels.length, {
      min: 1,
      max: 0xffffffff,
    });
  }

  /** @returns drawn indices; a sample can occur more than once or not at all */
  indices(epoch: number): Uint32Array {
    const random = rng(this.#seed, 'class-balanced', integer('epoch', epoch));
    // A weight of N / n_label is: a class uniformly among those present, then one of its samples uniformly.
    return Uint32Array.from({ length: this.length }, () => {
      const members = this.#members[random.integer(this.#members.length)] as Uint32Array;
      return members[random.integer(members.length)] as number;
    });
  }
}

/**
 * Weights of the class-balanced sampler: N / n of the sample's class, for N samples.
 *
 * @param labels label of each sample, 0 and up
 * @returns one weight a sample; they add up to N times the number of classes present
 */
export function balancedWeights(labels: ArrayLike<number>): Float64Array {
  const counts = countLabels(labels);
  return Float64Array.from(labels, (label) => labels.length / (counts.get(label) as number));
}

/** @returns the label of each sample of a data set */
export function labelsOf(dataset: Dataset): Int32Array {
  requireDataset('dataset', dataset);
  return Int32Array.from({ length: dataset.length }, (_, i) => dataset.sample(i).label);
}

/**
 * @param dataset whose samples are counted
 * @returns number of samples of each class, in the order of `dataset.classes`
 */
export function classCounts(dataset: Dataset): number[] {
  requireDataset('dataset', dataset);
  const counts = dataset.classes.map(() => 0);
  for (let i = 0; i < dataset.length; i++) {
    const { id, label } = dataset.sample(i);
    if (counts[label] === undefined)
      throw new CxrGazeError(
        'ERR_DATASET',
        `Expected a label from 0 to ${counts.length - 1} for sample ${id} of ${dataset.name} but found ${label}`,
        { details: { id, index: i, label, classes: counts.length } },
      );
    counts[label] += 1;
  }
  return counts;
}

function checkLength(length: unknown): number {
  return integer('options.length', length, { min: 0, max: 0xffffffff });
}

function countLabels(labels: ArrayLike<number>): Map<number, number> {
  if (!(Number(labels?.length) > 0)) throw invalidArgument('labels', 'at least one label', labels);
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) {
    const label = integer(`labels[${i}]`, labels[i], { min: 0 });
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return counts;
}

function membersByClass(labels: ArrayLike<number>): Uint32Array[] {
  const counts = countLabels(labels);
  const members = new Map<number, number[]>();
  for (const label of [...counts.keys()].sort((a, b) => a - b)) members.set(label, []);
  for (let i = 0; i < labels.length; i++) members.get(labels[i] as number)?.push(i);
  return [...members.values()].map((indices) => Uint32Array.from(indices));
}

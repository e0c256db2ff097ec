import { integer, knownKeys } from '../../validate.js';
import type { Dataset, Sample } from '../dataset.js';
import { LONG_TAILED_SPLITS, type LongTailedSplit } from '../long-tailed.js';
import { Draw } from './draw.js';
import { phantomClasses, phantomShares } from './findings.js';
import { patientOf } from './patients.js';
import {
  makeFilm,
  makeMasks,
  type Phantom,
  type PhantomOptions,
  patientName,
  phantom,
  phantomId,
  resolveOptions,
} from './phantom.js';

/** How many phantoms each split has; defaults are those of the quickstart. */
export interface PhantomSplitOptions extends PhantomOptions {
  /** Films for training, long-tailed; at least one a class. Default 800. */
  readonly train?: number;
  /** Films of each class for validation. Default 10. */
  readonly valPerClass?: number;
  /** Films of each class in the balanced test split. Default 20. */
  readonly testPerClass?: number;
  /** Films of the long-tailed test split; 0 or at least one a class. Default 160. */
  readonly test?: number;
}

/** The options of {@link phantomSplits}, for callers that add their own. */
export const splitOptionNames = ['seed', 'size', 'train', 'valPerClass', 'testPerClass', 'test'] as const;

/**
 * Where the numbering of each split begins: far apart, so that asking for more films of one split changes no film of
 * another, and at whole patient blocks, so that no patient is in two splits.
 */
const firstIndex: Readonly<Record<LongTailedSplit, number>> = {
  train: 0,
  'balanced-val': 60_000_000,
  'balanced-test': 70_000_000,
  test: 80_000_000,
};
const mostFilms = 9_000_000;

/** One split of a set of phantoms. Films are made when their pixels are asked for. */
export class PhantomDataset implements Dataset {
  /** What messages and reports call it, such as `phantom train`. */
  readonly name: string;
  /** {@link phantomClasses}. */
  readonly classes: readonly string[] = phantomClasses;
  /** Number of films. */
  readonly length: number;
  /** Label of each film: an index into `classes`. */
  readonly labels: Int32Array;
  /** Films of each class, in class order. */
  readonly classCounts: readonly number[];
  /** Seed of the set. */
  readonly seed: number;
  /** Side of the films in pixels. */
  readonly size: number;
  readonly #first: number;

  /**
   * @param split which one
   * @param classCounts films of each class, in class order
   * @param options seed and size, checked
   * @hidden
   */
  constructor(
    split: LongTailedSplit,
    classCounts: readonly number[],
    options: { readonly seed: number; readonly size: number },
  ) {
    this.name = `phantom ${split}`;
    this.classCounts = classCounts;
    this.seed = options.seed;
    this.size = options.size;
    this.#first = firstIndex[split];
    const inClassOrder = classCounts.flatMap((count, label) => new Array<number>(count).fill(label));
    this.length = inClassOrder.length;
    const draw = new Draw(options.seed, 'order', split, this.length);
    this.labels = Int32Array.from(draw.shuffle(inClassOrder));
  }

  /** @returns id, image (made on demand), label and patient of a film */
  sample(index: number): Sample {
    const number = this.#number(index);
    const label = this.labels[index] as number;
    const id = phantomId(this.seed, number);
    return {
      id,
      image: {
        kind: 'pixels',
        name: id,
        pixels: () => makeFilm(this.seed, number, label, this.size).pixels,
      },
      label,
      patient: patientName(patientOf(number, this.seed)),
    };
  }

  /**
   * @param index 0 to `length - 1`
   * @returns the whole phantom: film, lung mask, finding, box, scanpath
   */
  phantom(index: number): Phantom {
    const number = this.#number(index);
    return phantom({
      seed: this.seed,
      size: this.size,
      index: number,
      label: this.labels[index] as number,
    });
  }

  /**
   * @param index 0 to `length - 1`
   * @returns lung mask and finding mask of {@link PhantomDataset.phantom}, in a fraction of its time
   */
  masks(index: number): Pick<Phantom, 'lungMask' | 'findingMask'> {
    return makeMasks(this.seed, this.#number(index), this.labels[index] as number, this.size);
  }

  #number(index: number): number {
    return this.#first + integer('index', index, { min: 0, max: this.length - 1 });
  }
}

/** The splits of a set of phantoms, by the names that NIH-CXR-LT uses. */
export type PhantomSplits = Readonly<Record<LongTailedSplit, PhantomDataset>>;

/**
 * Shares `total` films out: as `phantomShares`, at least one each, rounded by largest remainder.
 */
export function longTailedCounts(total: number): number[] {
  const exact = phantomShares.map((share) => share * total);
  const counts = exact.map((films) => Math.max(1, Math.floor(films)));
  const byRemainder = exact
    .map((films, label) => ({ label, rest: films - Math.floor(films) }))
    .sort((a, b) => b.rest - a.rest || a.label - b.label);
  let missing = total - counts.reduce((sum, films) => sum + films, 0);
  for (let i = 0; missing > 0; i++, missing--) {
    const { label } = byRemainder[i % byRemainder.length] as { label: number };
    counts[label] = (counts[label] as number) + 1;
  }
  // In tiny sets the rare classes' one film each comes from the largest class that can spare it.
  for (; missing < 0; missing++) {
    const label = counts.indexOf(Math.max(...counts));
    counts[label] = (counts[label] as number) - 1;
  }
  return counts.sort((a, b) => b - a);
}

/**
 * Lays out a set of phantoms in four splits like those of NIH-CXR-LT: `train` and `test` long-tailed, `balanced-val`
 * and `balanced-test` with equally many films of each class. No patient is in two splits; unlike in NIH-CXR-LT the
 * balanced test split is no part of `test`. Nothing is drawn yet: films are made on demand.
 *
 * @param options sizes and seed
 * @returns the splits by name
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for an option out of range or unknown
 * @example
 * ```ts
 * const { train, 'balanced-test': test } = phantomSplits({ seed: 1, size: 128, train: 800 });
 * ```
 */
export function phantomSplits(options: PhantomSplitOptions = {}): PhantomSplits {
  knownKeys('options', options, splitOptionNames);
  const { seed, size } = resolveOptions(options);
  const classes = phantomClasses.length;
  const most = { min: 0, max: mostFilms };
  const perClass = { min: 0, max: Math.floor(mostFilms / classes) };
  const train = integer('options.train', options.train ?? 800, { min: classes, max: mostFilms });
  const val = integer('options.valPerClass', options.valPerClass ?? 10, perClass);
  const balanced = integer('options.testPerClass', options.testPerClass ?? 20, perClass);
  const test = integer('options.test', options.test ?? 160, most);
  if (test > 0) integer('options.test', test, { min: classes });
  const even = (films: number) => phantomClasses.map(() => films);
  const counts: Record<LongTailedSplit, number[]> = {
    train: longTailedCounts(train),
    'balanced-val': even(val),
    'balanced-test': even(balanced),
    test: test === 0 ? even(0) : longTailedCounts(test),
  };
  const split = (name: LongTailedSplit) => new PhantomDataset(name, counts[name], { seed, size });
  return Object.fromEntries(LONG_TAILED_SPLITS.map((name) => [name, split(name)])) as Record<
    LongTailedSplit,
    PhantomDataset
  >;
}

import { integer, invalidArgument, knownKeys, list, oneOf } from '../../validate.js';
import { type Box, boundingBox } from '../box.js';
import type { Dataset, Sample } from '../dataset.js';
import type { LongTailedSplit } from '../long-tailed.js';
import { attentionTaskFindings } from '../task-folder.js';
import { phantomClasses } from './findings.js';
import { type Phantom, type PhantomOptions, resolveOptions } from './phantom.js';
import { PhantomDataset } from './splits.js';

/** loc-attention's tasks that the phantoms have findings for: there is no phantom with air under the skin. */
export const phantomTasks = ['ne', 'np', 'nep'] as const;

/** One of {@link phantomTasks}. */
export type PhantomTaskName = (typeof phantomTasks)[number];

/** Options of {@link phantomTask}. */
export interface PhantomTaskOptions extends PhantomOptions {
  /** A task of loc-attention, or classes of one's own among {@link phantomClasses}, `No Finding` first. */
  readonly task: PhantomTaskName | readonly string[];
  /** Films of each class for training. Default 200. */
  readonly trainPerClass?: number;
  /** Films of each class for validation. Default 20. */
  readonly valPerClass?: number;
  /** Films of each class for testing. Default 40. */
  readonly testPerClass?: number;
}

const optionNames = ['task', 'seed', 'size', 'trainPerClass', 'valPerClass', 'testPerClass'];

/** What is true of a film, in its own pixels. */
export interface PhantomBoxes {
  /** The smallest rectangle around both lung fields. */
  readonly lungs: Box;
  /** The one around the finding; `null` for No Finding. */
  readonly finding: Box | null;
}

/**
 * One split of a task: phantoms of a few classes, equally many of each, of which lungs and findings are known. Films are
 * made when their pixels are asked for.
 */
export class PhantomTask implements Dataset {
  /** What messages and reports call it, such as `phantom nep train`. */
  readonly name: string;
  /** Class names; the index is the label. */
  readonly classes: readonly string[];
  /** Number of films. */
  readonly length: number;
  /** Side of the films in pixels. */
  readonly size: number;
  readonly #films: PhantomDataset;

  /**
   * @param name of the task
   * @param classes of the task
   * @param films of these classes, labelled as all phantoms are
   * @hidden
   */
  constructor(name: string, classes: readonly string[], films: PhantomDataset) {
    this.name = films.name.replace('phantom', `phantom ${name}`);
    this.classes = classes;
    this.length = films.length;
    this.size = films.size;
    this.#films = films;
  }

  /** @returns id, image (made on demand), label within the task and patient of a film */
  sample(index: number): Sample {
    const sample = this.#films.sample(index);
    const finding = phantomClasses[sample.label] as string;
    return { ...sample, label: this.classes.indexOf(finding) };
  }

  /**
   * @param index 0 to `length - 1`
   * @returns the whole phantom; its label is that of all phantoms, not of the task
   */
  phantom(index: number): Phantom {
    return this.#films.phantom(index);
  }

  /**
   * @param index 0 to `length - 1`
   * @returns the true boxes of lungs and finding
   */
  boxes(index: number): PhantomBoxes {
    const { lungMask, findingMask } = this.#films.masks(index);
    const lungs = boundingBox(lungMask, this.size);
    // A film without lungs is never drawn.
    return {
      lungs: lungs ?? { x: 0, y: 0, width: this.size, height: this.size },
      finding: boundingBox(findingMask, this.size),
    };
  }
}

/** The three splits of a task. */
export interface PhantomTaskSplits {
  /** Films to train on. */
  readonly train: PhantomTask;
  /** Films to choose epochs and settings by. */
  readonly validation: PhantomTask;
  /** Films to judge by. */
  readonly test: PhantomTask;
}

const splits = {
  train: 'train',
  validation: 'balanced-val',
  test: 'balanced-test',
} as const satisfies Record<keyof PhantomTaskSplits, LongTailedSplit>;

const mostPerClass = 1_000_000;

/**
 * The embedded sample as a task of loc-attention: No Finding beside fluid, which sinks, and free air, which rises, with the
 * true place of lungs and finding in every film. No patient is in two splits.
 *
 * @param options task or classes, numbers of films, size and seed
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for an option out of range or unknown
 * @example
 * ```ts
 * const { train, validation, test } = phantomTask({ task: 'nep', size: 224, trainPerClass: 200 });
 * train.boxes(0).lungs; // { x, y, width, height }
 * ```
 */
export function phantomTask(options: PhantomTaskOptions): PhantomTaskSplits {
  knownKeys('options', options, optionNames);
  const { seed, size } = resolveOptions(options);
  const classes = classesOf(options.task);
  const name = typeof options.task === 'string' ? options.task : classes.slice(1).join('+');
  const counts = {
    train: integer('options.trainPerClass', options.trainPerClass ?? 200, { min: 1, max: mostPerClass }),
    validation: integer('options.valPerClass', options.valPerClass ?? 20, { min: 0, max: mostPerClass }),
    test: integer('options.testPerClass', options.testPerClass ?? 40, { min: 0, max: mostPerClass }),
  };
  const split = (which: keyof PhantomTaskSplits) => {
    const perClass = phantomClasses.map((finding) => (classes.includes(finding) ? counts[which] : 0));
    return new PhantomTask(name, classes, new PhantomDataset(splits[which], perClass, { seed, size }));
  };
  return { train: split('train'), validation: split('validation'), test: split('test') };
}

function classesOf(task: PhantomTaskOptions['task']): readonly string[] {
  if (typeof task === 'string') return attentionTaskFindings[oneOf('options.task', task, phantomTasks)];
  const classes = list('options.task', task, (name, value) => oneOf(name, value, phantomClasses));
  if (classes.length < 2 || new Set(classes).size < classes.length || classes[0] !== phantomClasses[0])
    throw invalidArgument(
      'options.task',
      `distinct classes of which the first is ${phantomClasses[0]}`,
      task,
    );
  return classes;
}

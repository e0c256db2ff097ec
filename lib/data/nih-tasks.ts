import { CxrGazeError } from '../errors.js';
import { flag, integer, knownKeys, list, object, oneOf, text } from '../validate.js';
import { PythonRandom } from './python-random.js';

/** An image of NIH's table `Data_Entry_2017`. */
export interface NihImage {
  /** File name, such as `00000013_033.png`. */
  readonly name: string;
  /** One finding, or several with `|` between. */
  readonly labels: string;
}

/** The tasks of loc-attention on ChestX-ray14: No Finding against Effusion, Pneumothorax, both, Cardiomegaly. */
export type NihTask = 'ne' | 'np' | 'nep' | 'cardiomegaly';

/** The values of {@link NihTask}. */
export const nihTasks: readonly NihTask[] = ['ne', 'np', 'nep', 'cardiomegaly'];

/** What a task is called in folders, and its classes. */
export interface NihTaskNames {
  /** Folder of the task. */
  readonly folder: string;
  /** Folder of each class; the index is the label. */
  readonly classFolders: readonly string[];
  /** The findings of the table; the first is `No Finding`. */
  readonly findings: readonly string[];
}

/** Folders and findings of each task (`deeplearninglab21/cxr-loc-attention: data/data_prepare.py`). */
export const nihTaskNames: Readonly<Record<NihTask, NihTaskNames>> = {
  ne: names('nofind_effusion', ['Effusion']),
  np: names('nofind_pneumothorax', ['Pneumothorax']),
  nep: names('nofind_effusion_pneumothorax', ['Effusion', 'Pneumothorax']),
  cardiomegaly: names('nofind_cardiomegaly', ['Cardiomegaly']),
};

function names(folder: string, diseases: readonly string[]): NihTaskNames {
  const findings = ['No Finding', ...diseases];
  const classFolders = findings.map((finding, i) => `${i}${finding.replaceAll(' ', '')}`);
  return { folder, findings, classFolders };
}

/** The parts of a task. */
export const taskSplits = ['train', 'val', 'test'] as const;

/** One of {@link taskSplits}. */
export type TaskSplit = (typeof taskSplits)[number];

/** File names of each split, by class, in the order of the original's lists. */
export type TaskLists = Readonly<Record<TaskSplit, readonly (readonly string[])[]>>;

/** Options of {@link splitNihTask}. */
export interface SplitNihOptions {
  /** Of Python's generator; default 42, as published. */
  readonly seed?: number;
  /**
   * Whether single images are exchanged by name between the parts, as published, so that no patient of the real table is
   * in two parts; default `true`. A table without these images needs `false`.
   */
  readonly exchange?: boolean;
}

/** Pairs of images that change places between two parts of a disease's list. */
const exchanges: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  Effusion: [['00022233_000.png', '00022245_002.png']],
  Pneumothorax: [
    ['00017801_004.png', '00017942_002.png'],
    ['00024749_000.png', '00025082_007.png'],
  ],
  Cardiomegaly: [],
};

/** The original's program names these numbers for its 1093 images of Cardiomegaly; three fifths would be 656. */
const cardiomegalySizes = { images: 1093, train: 657, rest: 218 };

type Parts = Readonly<Record<TaskSplit, readonly string[]>>;

/**
 * Divides NIH's images as loc-attention does: images with a single finding, as many of No Finding as of each disease, no
 * patient in two parts (Effusion and Pneumothorax of `nep` may share patients within a part). The disease side is the
 * published one. The published No Finding side followed the order of a Python set, which differs from process to process
 * and cannot be had again; here its patients stand in the order of the table.
 *
 * @param images rows of the table, in its order
 * @param task which one
 * @param options seed, and whether images are exchanged by name
 * @returns file names by split and class
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`; `ERR_DATASET` where the table has too few images, or lacks one that is to
 *   be exchanged
 */
export function splitNihTask(
  images: readonly NihImage[],
  task: NihTask,
  options: SplitNihOptions = {},
): TaskLists {
  knownKeys('options', options, ['seed', 'exchange']);
  oneOf('task', task, nihTasks);
  list('images', images, imageOf);
  const seed = integer('options.seed', options.seed ?? 42, { min: 0 });
  const exchange = flag('options.exchange', options.exchange ?? true);
  const { findings } = nihTaskNames[task];
  const lists = new Map<string, string[]>(findings.map((finding) => [finding, []]));
  for (const { name, labels } of images) lists.get(labels)?.push(name);
  const listOf = (finding: string) => lists.get(finding) as string[];
  const disease = (finding: string) => diseaseParts(finding, listOf(finding), exchange);
  const last = disease(findings.at(-1) as string);
  const sick = task === 'nep' ? [drawnBeside(listOf('Effusion'), last, seed), last] : [last];
  const sickPatients = new Set(findings.slice(1).flatMap((finding) => listOf(finding).map(patientOf)));
  const well = wellParts(listOf('No Finding'), sickPatients, sizesOf(last), seed);
  const classes = [well, ...sick];
  const all = (split: TaskSplit) => classes.map((parts) => parts[split]);
  return { train: all('train'), val: all('val'), test: all('test') };
}

function imageOf(name: string, image: unknown): void {
  const { name: file, labels } = object(name, image as NihImage);
  text(`${name}.name`, file);
  text(`${name}.labels`, labels);
}

/** The patient of a file name: the text before `_`. */
export function patientOf(name: string): string {
  const end = name.indexOf('_');
  return end < 0 ? name : name.slice(0, end);
}

/**
 * The patients of image files, compared as text, where every file is called as NIH's are: `00000013_033.png`, eight digits
 * of the patient and three of the visit. A single other name says that the folder follows another rule, by which eight
 * digits may be anything, so then none is known.
 *
 * @param files paths with `/`
 * @returns the patient of each file, or `undefined` for each
 */
export function nihPatients(files: readonly string[]): (string | undefined)[] {
  const names = files.map((file) => file.slice(file.lastIndexOf('/') + 1));
  const areNih = names.every((name) => /^\d{8}_\d{3}\.[A-Za-z0-9]+$/.test(name));
  return names.map((name) => (areNih ? patientOf(name) : undefined));
}

function sizesOf(parts: Parts): Readonly<Record<TaskSplit, number>> {
  return { train: parts.train.length, val: parts.val.length, test: parts.test.length };
}

/** Half to even, as Python rounds. */
function round(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

/** Cut in table order, then single images exchanged in place. */
function diseaseParts(finding: string, names: readonly string[], exchange: boolean): Parts {
  const isFixed = finding === 'Cardiomegaly' && names.length === cardiomegalySizes.images;
  const train = isFixed ? cardiomegalySizes.train : round(0.6 * names.length);
  const rest = isFixed ? cardiomegalySizes.rest : round(0.2 * names.length);
  const ordered = [...names];
  for (const [a, b] of exchange ? (exchanges[finding] ?? []) : []) {
    const [i, j] = [ordered.indexOf(a), ordered.indexOf(b)];
    if (i < 0 || j < 0)
      throw new CxrGazeError(
        'ERR_DATASET',
        `Expected ${i < 0 ? a : b} among the images of ${finding}, which the published split exchanges by name: this is not NIH's table; split it without the exchange`,
        { details: { finding, image: i < 0 ? a : b } },
      );
    [ordered[i], ordered[j]] = [b, a];
  }
  return {
    train: ordered.slice(0, train),
    val: ordered.slice(train, train + rest),
    test: ordered.slice(train + rest, train + 2 * rest),
  };
}

function drawn<T>(random: PythonRandom, from: readonly T[], count: number, what: string): T[] {
  if (from.length >= count) return random.sample(from, count);
  throw new CxrGazeError(
    'ERR_DATASET',
    `Expected at least ${count} ${what} but the table has ${from.length}`,
    {
      details: { expected: count, found: from.length },
    },
  );
}

/** Effusion of `nep`: drawn so that no patient crosses to another part of either disease. */
function drawnBeside(images: readonly string[], beside: Parts, seed: number): Parts {
  const patients = (parts: readonly (readonly string[])[]) => new Set(parts.flat().map(patientOf));
  const draw = (split: TaskSplit, ...excluded: readonly (readonly string[])[]) => {
    const others = patients(excluded);
    const candidates = images.filter((name) => !others.has(patientOf(name)));
    // The generator is seeded anew before each draw.
    return drawn(new PythonRandom(seed), candidates, beside[split].length, `images of Effusion for ${split}`);
  };
  const train = draw('train', beside.val, beside.test);
  const val = draw('val', beside.train, beside.test, train);
  const test = draw('test', beside.train, train, beside.val, val);
  return { train, val, test };
}

/** The No Finding side: patients are drawn first, then images of theirs. */
function wellParts(
  images: readonly string[],
  sick: ReadonlySet<string>,
  sizes: Readonly<Record<TaskSplit, number>>,
  seed: number,
): Parts {
  let patients = [...new Set(images.map(patientOf))].filter((patient) => !sick.has(patient));
  const byPatient = new PythonRandom(seed);
  const candidates = taskSplits.map((split) => {
    const what = `patients of No Finding for ${split}`;
    const chosen = new Set(drawn(byPatient, patients, sizes[split], what));
    patients = patients.filter((patient) => !chosen.has(patient));
    return images.filter((name) => chosen.has(patientOf(name)));
  });
  const byImage = new PythonRandom(seed);
  const [train, val, test] = taskSplits.map((split, i) =>
    drawn(byImage, candidates[i] as string[], sizes[split], `images of No Finding for ${split}`),
  ) as [string[], string[], string[]];
  return { train, val, test };
}

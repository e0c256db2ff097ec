import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { refuseExistingFolder, writeFolderAtomic } from '../../checkpoints/atomic.js';
import { CxrGazeError } from '../../errors.js';
import { flag, knownKeys, text } from '../../validate.js';
import type { LongTailedSplit } from '../long-tailed.js';
import { phantomClasses } from './findings.js';
import type { Phantom } from './phantom.js';
import { type PhantomSplitOptions, type PhantomSplits, phantomSplits, splitOptionNames } from './splits.js';

/** Options of {@link writePhantoms}. */
export interface WritePhantomsOptions extends PhantomSplitOptions {
  /** Whether a set of phantoms that is there already is replaced; other folders never are. Default `false`. */
  readonly overwrite?: boolean;
  /** Gives the work up when it fires; what was there before stays. */
  readonly signal?: AbortSignal;
  /** Called after each film. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What {@link writePhantoms} wrote. */
export interface WrittenPhantoms {
  /** The folder, absolute. */
  readonly folder: string;
  /** Films in all. */
  readonly images: number;
  /** Films by split and class, classes in class order. */
  readonly classCounts: Readonly<Record<LongTailedSplit, readonly number[]>>;
}

/** Only folders with this file are ever replaced. */
const kind = { marker: 'phantoms.json', name: 'a set of phantoms' };

/** How the generic table calls the splits; only validation differs from the long-tailed files' names. */
const splitColumn: Readonly<Record<LongTailedSplit, string>> = {
  train: 'train',
  'balanced-val': 'val',
  'balanced-test': 'balanced-test',
  test: 'test',
};

async function png(file: string, grey: Uint8Array, size: number): Promise<void> {
  const image = sharp(grey, { raw: { width: size, height: size, channels: 1 } });
  const encoded = await image.toColourspace('b-w').png({ compressionLevel: 6 }).toBuffer();
  await writeFile(file, encoded);
}

/** The text of the tables, one line after another. */
class Tables {
  readonly labels = ['id,path,label,split,patient'];
  readonly boxes = ['id,label,x,y,width,height'];
  readonly fixations = ['id,x,y,start,end'];
  readonly #longTailed = new Map<LongTailedSplit, string[]>();
  /** As the published files: classes by name, No Finding last. */
  readonly #columns = [...phantomClasses.slice(1).sort(), phantomClasses[0] as string];

  add(split: LongTailedSplit, { id, patient, finding, box, fixations }: Phantom): void {
    this.labels.push(`${id},images/${id}.png,${finding},${splitColumn[split]},${patient}`);
    const row = this.#columns.map((name) => (name === finding ? '1' : '0'));
    this.longTailed(split).push(`${id}.png,${row.join(',')},${patient}`);
    if (box) this.boxes.push(`${id},${finding},${box.x},${box.y},${box.width},${box.height}`);
    for (const { x, y, start, end } of fixations) {
      this.fixations.push(`${id},${x.toFixed(2)},${y.toFixed(2)},${start.toFixed(4)},${end.toFixed(4)}`);
    }
  }

  longTailed(split: LongTailedSplit): string[] {
    const lines = this.#longTailed.get(split) ?? [`id,${this.#columns.join(',')},subject_id`];
    this.#longTailed.set(split, lines);
    return lines;
  }
}

function readme(splits: PhantomSplits): string {
  const { seed, size } = splits.train;
  const names = Object.keys(splits) as LongTailedSplit[];
  const width = Math.max(...phantomClasses.map((name) => name.length));
  const counts = phantomClasses.map(
    (name, label) =>
      `  ${name.padEnd(width)}${names.map((split) => String(splits[split].classCounts[label]).padStart(15)).join('')}`,
  );
  return `Phantom chest radiographs, made by cxr-gaze (seed ${seed}, ${size} x ${size} pixels).

These are drawings of a program, not images of people. They serve to try the software and to test it.
Nothing learnt from them says anything about real radiographs. Not for clinical use.

  ${''.padEnd(width)}${names.map((split) => split.padStart(15)).join('')}
${counts.join('\n')}

images/ID.png                         films, 8-bit grey; the patient's right side is on the left
masks/ID.png                          lung fields (255) without heart and mediastinum; else 0
labels.csv                            id, path, label, split (train, val, balanced-test, test), patient
sample_single-label_SPLIT.csv         the same labels as NIH-CXR-LT lays them out; images/ is their data folder
boxes.csv                             id, label and the rectangle around the finding, in pixels; none for No Finding
gaze/fixations.csv                    id, x, y in pixels, start, end in seconds: how a simulated reader looked
phantoms.json                         the options that make this very set again

Val and balanced-test have equally many films of each class, train and test are long-tailed.
No patient is in two splits; several films may be of one patient.
`;
}

/**
 * Writes a set of phantoms to a folder as a user would have real data: films, lung masks, label tables (generic and in
 * NIH-CXR-LT's layout), boxes, fixations and a README. The folder appears when it is whole: it is written under a
 * temporary name beside and moved in.
 *
 * @param folder made with its parents; must not exist unless `overwrite` is given
 * @param options sizes, seed and whether to overwrite
 * @returns what was written
 * @throws CxrGazeError `ERR_EXISTS` if the folder is there (with `overwrite`: if it is not a set of phantoms),
 *   `ERR_FILE` if it cannot be written, `ERR_ABORTED`, `ERR_INVALID_ARGUMENT`
 * @example
 * ```ts
 * await writePhantoms('sample', { seed: 1, size: 256, train: 100 });
 * ```
 */
export async function writePhantoms(
  folder: string,
  options: WritePhantomsOptions = {},
): Promise<WrittenPhantoms> {
  knownKeys('options', options, [...splitOptionNames, 'overwrite', 'signal', 'onProgress']);
  const target = path.resolve(text('folder', folder));
  const { overwrite, signal, onProgress, ...choice } = options;
  const splits = phantomSplits(choice);
  await refuseExistingFolder(target, flag('options.overwrite', overwrite ?? false), kind);
  await writeFolderAtomic(target, async (temporary) => {
    for (const part of ['images', 'masks', 'gaze'])
      await mkdir(path.join(temporary, part), { recursive: true });
    await writeSet(temporary, splits, { signal, onProgress });
  });
  const names = Object.keys(splits) as LongTailedSplit[];
  return {
    folder: target,
    images: names.reduce((sum, name) => sum + splits[name].length, 0),
    classCounts: Object.fromEntries(names.map((name) => [name, splits[name].classCounts])) as Record<
      LongTailedSplit,
      readonly number[]
    >,
  };
}

interface Watch {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
}

async function writeSet(folder: string, splits: PhantomSplits, { signal, onProgress }: Watch): Promise<void> {
  const names = Object.keys(splits) as LongTailedSplit[];
  const total = names.reduce((sum, name) => sum + splits[name].length, 0);
  const tables = new Tables();
  let done = 0;
  for (const name of names) {
    tables.longTailed(name);
    for (let i = 0; i < splits[name].length; i++) {
      if (signal?.aborted) {
        throw new CxrGazeError('ERR_ABORTED', 'Writing phantoms was given up', { cause: signal.reason });
      }
      const made = splits[name].phantom(i);
      tables.add(name, made);
      await png(path.join(folder, 'images', `${made.id}.png`), made.pixels.data, made.pixels.width);
      await png(path.join(folder, 'masks', `${made.id}.png`), made.lungMask, made.pixels.width);
      onProgress?.(++done, total);
    }
  }
  const { seed, size } = splits.train;
  const write = (file: string, content: string) => writeFile(path.join(folder, file), content);
  const lines = (table: readonly string[]) => `${table.join('\n')}\n`;
  await write('labels.csv', lines(tables.labels));
  await write('boxes.csv', lines(tables.boxes));
  await write('gaze/fixations.csv', lines(tables.fixations));
  for (const name of names) await write(`sample_single-label_${name}.csv`, lines(tables.longTailed(name)));
  await write('README.txt', readme(splits));
  const counts = Object.fromEntries(names.map((name) => [name, splits[name].classCounts]));
  const record = { format: 1, seed, size, classes: phantomClasses, classCounts: counts };
  await write(kind.marker, `${JSON.stringify(record, null, 2)}\n`);
}

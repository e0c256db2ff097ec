import { constants, copyFile, link, lstat, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, recoverFolder, writeFileAtomic, writeFolderAtomic } from '../checkpoints/atomic.js';
import { fileError } from '../checkpoints/fault.js';
import { CxrGazeError } from '../errors.js';
import { callback, checkSignal, flag, knownKeys, list, object, oneOf, text } from '../validate.js';
import { forEachBounded, throwIfAborted } from './bounded.js';
import { csvLine } from './csv-row.js';
import { listImages } from './image-files.js';
import { listed } from './listed.js';
import { type NihTable, nihTableHash } from './nih-table.js';
import { differingLists, listHash } from './nih-task-lists.js';
import {
  type NihTask,
  nihTaskNames,
  nihTasks,
  patientOf,
  type SplitNihOptions,
  splitNihTask,
  type TaskLists,
  taskSplits,
} from './nih-tasks.js';

/** Options of {@link writeNihTasks}. */
export interface WriteTasksOptions extends SplitNihOptions {
  /** Which tasks; all by default. */
  readonly tasks?: readonly NihTask[];
  /**
   * Folder of NIH's images; its subfolders (`images_001`, ...) are looked through. Without it only tables can be written:
   * they name all images of the lists, wherever they are.
   */
  readonly images?: string;
  /**
   * How the images get there: `copy` (default, as published), `link` (hard links: no second copy on the disk, one file
   * system only), or `tables` for the tables alone.
   */
  readonly how?: 'copy' | 'link' | 'tables';
  /** Whether a task that was prepared before is replaced; default `false`. Other folders never are. */
  readonly overwrite?: boolean;
  /** Gives the work up; a task that is not whole is removed. */
  readonly signal?: AbortSignal;
  /** Called after each image. */
  readonly onProgress?: (progress: {
    readonly task: NihTask;
    readonly done: number;
    readonly total: number;
  }) => void;
}

/** What became of one task. */
export interface WrittenTask {
  /** Which one. */
  readonly task: NihTask;
  /** Its folder, absolute; not there where only tables were asked for. */
  readonly folder: string;
  /** Its table, absolute: `path` (within the folder of images), `label`, `split`, `patient`, one row an image. */
  readonly table: string;
  /** Images of the lists by split, in label order. */
  readonly counts: Readonly<Record<string, readonly number[]>>;
  /** Names of the lists that are not in the folder of images: left out of folder and table. */
  readonly missing: readonly string[];
  /**
   * Lists that differ from those which NIH's own table gives, such as `train Effusion`: none where table and seed are the
   * published ones.
   */
  readonly differing: readonly string[];
}

const record = 'cxr-gaze loc-attention task 1';

/**
 * Divides NIH's images into the tasks of loc-attention and lays them out as its programs read them:
 * `OUT/TASK/{train,val,test}/CLASS/IMAGE`, with a table `OUT/TASK.csv` and a record `OUT/TASK.json` beside. Images that
 * are in the lists but not in the folder are left out and reported; the original leaves them out in silence.
 *
 * @param out folder of the task folders, made if it is not there
 * @param nih table that the images are listed in
 * @param options folder of images, tasks, copies or links
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_EXISTS` where a task is there already;
 *   `ERR_DATASET` where none of the images is there or the table is too small; `ERR_FILE`, `ERR_ABORTED`
 */
export function writeNihTasks(
  out: string,
  nih: NihTable,
  options: WriteTasksOptions,
): Promise<WrittenTask[]> {
  const checked = checkOptions(options);
  object('nih', nih);
  return writeAll(path.resolve(text('out', out)), nih, checked);
}

async function writeAll(root: string, nih: NihTable, checked: Checked): Promise<WrittenTask[]> {
  const lists = checked.tasks.map((task) => ({ task, lists: splitNihTask(nih.images, task, checked.split) }));
  for (const { task } of lists)
    await refuseExisting(path.join(root, nihTaskNames[task].folder), checked.overwrite);
  const files = checked.images === undefined ? undefined : await findFiles(checked.images);
  await makeFolder(root);
  const written: WrittenTask[] = [];
  for (const one of lists) written.push(await writeTask(root, { ...one, files, nih }, checked));
  return written;
}

interface Checked {
  readonly tasks: readonly NihTask[];
  readonly images: string | undefined;
  readonly how: 'copy' | 'link' | 'tables';
  readonly overwrite: boolean;
  readonly split: SplitNihOptions;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: WriteTasksOptions['onProgress'];
}

function checkOptions(options: WriteTasksOptions): Checked {
  knownKeys('options', options, [
    ...['tasks', 'images', 'how', 'overwrite', 'signal', 'onProgress', 'seed', 'exchange'],
  ]);
  const { seed, exchange, signal, onProgress } = options;
  callback('options.onProgress', onProgress);
  checkSignal('options.signal', signal);
  const tasks = list('options.tasks', options.tasks ?? nihTasks, (name, task) => oneOf(name, task, nihTasks));
  const how = oneOf('options.how', options.how ?? 'copy', ['copy', 'link', 'tables']);
  const { images } = options;
  return {
    tasks: [...new Set(tasks)],
    images:
      images === undefined && how === 'tables' ? undefined : path.resolve(text('options.images', images)),
    how,
    overwrite: flag('options.overwrite', options.overwrite ?? false),
    split: { ...(seed === undefined ? {} : { seed }), ...(exchange === undefined ? {} : { exchange }) },
    signal,
    onProgress,
  };
}

/** Paths below the folder of images by file name. */
async function findFiles(folder: string): Promise<Map<string, string>> {
  const { images } = await listImages(folder);
  const files = new Map<string, string>();
  for (const file of images) {
    const name = path.posix.basename(file);
    if (!files.has(name)) files.set(name, file);
  }
  return files;
}

async function refuseExisting(folder: string, overwrite: boolean): Promise<void> {
  await recoverFolder(folder);
  const there = await lstat(folder).catch(() => undefined);
  if (!there) return;
  const ours = await stat(`${folder}.json`).catch(() => undefined);
  if (overwrite && ours?.isFile()) return;
  const why = overwrite
    ? `and has no ${path.basename(folder)}.json beside it, so it was not prepared here and is not replaced`
    : 'already: choose another folder or allow overwriting';
  throw new CxrGazeError('ERR_EXISTS', `${folder} is there ${why}`, { details: { file: folder } });
}

interface Row {
  readonly name: string;
  readonly split: string;
  readonly classFolder: string;
}

interface TaskWork {
  readonly task: NihTask;
  readonly lists: TaskLists;
  /** Path of each image by name; `undefined` where nobody looked. */
  readonly files: ReadonlyMap<string, string> | undefined;
  readonly nih: NihTable;
}

async function writeTask(
  root: string,
  { task, lists, files, nih }: TaskWork,
  options: Checked,
): Promise<WrittenTask> {
  const { folder: name, classFolders } = nihTaskNames[task];
  const rows = taskSplits.flatMap((split) =>
    classFolders.flatMap((classFolder, label) =>
      (lists[split][label] as readonly string[]).map((image): Row => ({ name: image, split, classFolder })),
    ),
  );
  const isThere = (row: Row) => files?.has(row.name) ?? true;
  const there = rows.filter(isThere);
  const missing = rows.filter((row) => !isThere(row)).map((row) => row.name);
  if (there.length === 0)
    throw new CxrGazeError(
      'ERR_DATASET',
      `None of the ${rows.length} images of the task ${task} is in ${options.images}: expected such names as ${listed(missing.slice(0, 2))}`,
      { details: { task, root: options.images } },
    );
  const folder = path.join(root, name);
  if (options.images !== undefined && files && options.how !== 'tables')
    await layOut(folder, there, files, { ...options, images: options.images, task });
  const table = `${folder}.csv`;
  const line = (row: Row) =>
    csvLine([files?.get(row.name) ?? row.name, row.classFolder, row.split, patientOf(row.name)]);
  await writeFileAtomic(table, [csvLine(['path', 'label', 'split', 'patient']), ...there.map(line)].join(''));
  const counts = Object.fromEntries(
    taskSplits.map((split) => [split, lists[split].map((images) => images.length)]),
  );
  // Whatever the table is: another one cannot give these lists.
  const differing = differingLists(task, lists);
  const hashes = Object.fromEntries(taskSplits.map((split) => [split, lists[split].map(listHash)]));
  const content = {
    ...{ format: record, task, classFolders, images: options.images ?? null, how: options.how },
    ...{ tableSha256: nih.sha256, isNihTable: nih.sha256 === nihTableHash, seed: options.split.seed ?? 42 },
    ...{ exchange: options.split.exchange ?? true, counts, listSha256: hashes, differing, missing },
  };
  await writeFileAtomic(`${folder}.json`, `${JSON.stringify(content, null, 2)}\n`);
  return { task, folder, table, counts, missing, differing };
}

async function layOut(
  folder: string,
  rows: readonly Row[],
  files: ReadonlyMap<string, string>,
  options: Checked & { readonly images: string; readonly task: NihTask },
): Promise<void> {
  const { images, how, signal, onProgress, task } = options;
  await writeFolderAtomic(folder, async (temporary) => {
    for (const { split, classFolder } of rows.filter(isFirstOfItsFolder))
      await mkdir(path.join(temporary, split, classFolder), { recursive: true });
    let done = 0;
    await forEachBounded(rows.length, 8, async (index) => {
      throwIfAborted(signal, `Preparing the task ${task}`);
      const { name, split, classFolder } = rows[index] as Row;
      const source = path.join(images, files.get(name) as string);
      const target = path.join(temporary, split, classFolder, name);
      await put(source, target, how);
      onProgress?.({ task, done: ++done, total: rows.length });
    });
  });
}

function isFirstOfItsFolder(row: Row, index: number, rows: readonly Row[]): boolean {
  const before = rows[index - 1];
  return before?.split !== row.split || before.classFolder !== row.classFolder;
}

/** @throws CxrGazeError `ERR_FILE` */
async function put(source: string, target: string, how: Checked['how']): Promise<void> {
  const isLink = how === 'link';
  const work = isLink ? link(source, target) : copyFile(source, target, constants.COPYFILE_FICLONE);
  await work.catch((cause: unknown) => {
    const action = isLink ? 'linked (hard links need one file system: copy instead)' : 'copied';
    throw fileError(source, `could not be ${action}`, cause);
  });
}

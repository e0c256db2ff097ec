import { stat } from 'node:fs/promises';
import path from 'node:path';
import { CxrGazeError } from '../errors.js';
import { type LocalisationTask, localisationTasks } from '../losses/regions.js';
import { oneOf, text } from '../validate.js';
import type { DataWarning } from './data-warning.js';
import { listImages, otherFiles } from './image-files.js';
import { listed } from './listed.js';
import { nihTaskNames, taskSplits } from './nih-tasks.js';

/** The findings of each task in label order. */
export const attentionTaskFindings: Readonly<Record<LocalisationTask, readonly string[]>> = {
  ne: nihTaskNames.ne.findings,
  np: nihTaskNames.np.findings,
  ns: ['No Finding', 'Subcutaneous Emphysema'],
  nep: nihTaskNames.nep.findings,
  neps: [...nihTaskNames.nep.findings, 'Subcutaneous Emphysema'],
};

/** What {@link checkTaskFolder} found. */
export interface TaskFolderReport {
  /** Class folders in label order: sorted by name, as the originals number them. */
  readonly classFolders: readonly string[];
  /** Images by split, in label order. */
  readonly counts: Readonly<Record<string, readonly number[]>>;
  /** File names that are in two splits; files that are not taken for images. */
  readonly warnings: readonly DataWarning[];
}

/**
 * Checks a folder laid out as `{train,val,test}/CLASS/IMAGE`, such as the Ottawa set: every split is there and has every
 * class, there are as many classes as the task has, and their folders sort in the order of the task (the labels are the
 * positions of the sorted names, so they have to begin with 0, 1, 2, 3).
 *
 * @param folder holds `train`, `val` and `test`
 * @param task which one
 * @throws CxrGazeError `ERR_FILE` if the folder cannot be read, `ERR_DATASET` naming what does not fit
 */
export async function checkTaskFolder(folder: string, task: LocalisationTask): Promise<TaskFolderReport> {
  const root = path.resolve(text('folder', folder));
  const findings = attentionTaskFindings[oneOf('task', task, localisationTasks)];
  const { images, others } = await listImages(root);
  const entries = images.map((file) => {
    const parts = file.split('/');
    if (parts.length >= 3) return { split: parts[0] as string, label: parts[1] as string, file };
    throw unfit(root, `expected images as SPLIT/CLASS/IMAGE but found ${file}`);
  });
  const classFolders = [...new Set(entries.map(({ label }) => label))].sort();
  if (classFolders.length !== findings.length)
    throw unfit(
      root,
      `the task ${task} has ${findings.length} classes (${findings.join(', ')}) but the folder has ${classFolders.length}: ${listed(classFolders)}`,
    );
  const misplaced = classFolders.findIndex((name, i) => !name.startsWith(String(i)));
  if (misplaced >= 0)
    throw unfit(
      root,
      `the labels are the positions of the sorted folder names, so the folder of ${findings[misplaced]} has to begin with ${misplaced}, but the names sort as ${listed(classFolders)}`,
    );
  for (const split of taskSplits) await requireSplit(root, split);
  const counts: Record<string, number[]> = {};
  for (const { split, label } of entries) {
    counts[split] ??= classFolders.map(() => 0);
    const row = counts[split];
    const at = classFolders.indexOf(label);
    row[at] = (row[at] as number) + 1;
  }
  for (const split of taskSplits) {
    const empty = classFolders.filter((_, i) => !counts[split]?.[i]);
    if (empty.length > 0) throw unfit(root, `${split} has no image of ${listed(empty)}`);
  }
  return { classFolders, counts, warnings: [...inTwoSplits(root, entries), ...otherFiles(root, others)] };
}

function unfit(root: string, problem: string): CxrGazeError {
  return new CxrGazeError('ERR_DATASET', `${root}: ${problem}`, { details: { root } });
}

async function requireSplit(root: string, split: string): Promise<void> {
  const found = await stat(path.join(root, split)).catch(() => undefined);
  if (!found?.isDirectory()) throw unfit(root, `expected a folder ${split}`);
}

function inTwoSplits(
  root: string,
  entries: readonly { readonly split: string; readonly file: string }[],
): DataWarning[] {
  const splits = new Map<string, Set<string>>();
  for (const { split, file } of entries) {
    const name = path.posix.basename(file);
    splits.set(name, (splits.get(name) ?? new Set()).add(split));
  }
  const shared = [...splits].filter(([, of]) => of.size > 1).map(([name]) => name);
  if (shared.length === 0) return [];
  const message = `${root}: ${shared.length} file names are in more than one split, such as ${listed(shared.slice(0, 3))}: is it the same image?`;
  return [{ kind: 'image-in-two-splits', message, details: { root, images: shared } }];
}

/** The data of each task: which folder below `--path` it is. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { nihTaskNames } from '../../data/nih-tasks.js';
import { phantomTasks } from '../../data/phantom/tasks.js';
import { type LocalisationTask, localisationTasks } from '../../losses/regions.js';
import { usageError } from '../options.js';
import { slug } from '../png.js';
import type { ReproduceAttentionFlags } from './attention-flags.js';

/** A task and its data as flags of `train loc-attention`. */
export interface TaskSource {
  /** Name of the data set, of which files and tables bear the name. */
  readonly dataset: string;
  /** Whether the films are the embedded sample's: a folder, too, may be called that. */
  readonly isPhantom: boolean;
  /** Name of the task, or of the file of regions. */
  readonly task: string;
  /** Flags as tokens. */
  readonly tokens: readonly string[];
}

/** Folders of the private data set; only the last one's name is known. */
const ottawaFolders: Readonly<Record<LocalisationTask, string>> = {
  ne: 'nf_e',
  np: 'nf_p',
  ns: 'nf_s',
  nep: 'nf_e_p',
  neps: 'nf_e_p_s',
};

function folderNames(dataset: string | undefined, task: LocalisationTask): string[] {
  if (dataset === 'ottawa') return [ottawaFolders[task], task];
  return task === 'ns' || task === 'neps' ? [task] : [nihTaskNames[task].folder, task];
}

/**
 * The tasks that the flags ask for, with their data.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for flags that do not go together, and for a task without a folder
 */
export async function taskSources(flags: ReproduceAttentionFlags): Promise<TaskSource[]> {
  const { dataset, tasks, path: folder, regions } = flags;
  if (dataset === undefined) throw usageError('Expected --dataset nih, ottawa, sample or folder');
  if (regions !== undefined && dataset !== 'folder')
    throw usageError('--regions is for --dataset folder: the others have tasks');
  if (dataset === 'sample') return sampleSources(flags);
  if (folder === undefined) throw usageError(`Expected --path FOLDER with --dataset ${dataset}`);
  const root = path.resolve(folder);
  if (dataset === 'folder') return [folderSource(root, flags)];
  const found: TaskSource[] = [];
  for (const task of tasks ?? localisationTasks) {
    const names = folderNames(dataset, task);
    const name = await firstFolder(root, names);
    if (name !== undefined)
      found.push({
        ...{ dataset, isPhantom: false, task },
        tokens: ['--dataset', dataset, '--task', task, '--path', path.join(root, name)],
      });
    else if (tasks !== undefined)
      throw usageError(
        `Expected a folder ${names.join(' or ')} in ${root} for the task ${task}: cxr-gaze prepare-tasks makes NIH's`,
      );
  }
  if (found.length > 0) return found;
  const known = localisationTasks.flatMap((task) => folderNames(dataset, task));
  throw usageError(`Expected folders of tasks in ${root} (${[...new Set(known)].join(', ')}) but found none`);
}

function sampleSources({ tasks, path: folder }: ReproduceAttentionFlags): TaskSource[] {
  if (folder !== undefined) throw usageError('--path is without effect with --dataset sample');
  const unknown = tasks?.find((task) => !(phantomTasks as readonly string[]).includes(task));
  if (unknown !== undefined)
    throw usageError(
      `The sample has no task ${unknown}, as it has no such findings; it has ${phantomTasks.join(', ')}`,
    );
  return (tasks ?? phantomTasks).map((task) => ({
    ...{ dataset: 'sample', isPhantom: true, task },
    tokens: ['--dataset', 'sample', '--task', task],
  }));
}

function folderSource(root: string, { tasks, regions }: ReproduceAttentionFlags): TaskSource {
  const dataset = slug(path.basename(root));
  const common = { dataset, isPhantom: false };
  const tokens = ['--dataset', dataset, '--path', root];
  if (regions !== undefined && tasks !== undefined)
    throw usageError('--tasks and --regions exclude each other');
  // The file itself is among the flags that go to every run.
  if (regions !== undefined) return { ...common, task: path.parse(regions).name, tokens };
  const [task, ...others] = tasks ?? [];
  if (task === undefined || others.length > 0)
    throw usageError('Expected one of --tasks, or --regions FILE, with --dataset folder');
  return { ...common, task, tokens: [...tokens, '--task', task] };
}

async function firstFolder(root: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const found = await stat(path.join(root, name)).catch(() => undefined);
    if (found?.isDirectory()) return name;
  }
  return undefined;
}

/** `cxr-gaze prepare-tasks`: loc-attention's tasks from NIH's table and images, or a check of a folder that is there. */
import path from 'node:path';
import { Command } from 'commander';
import { nihTableHash, readNihTable } from '../data/nih-table.js';
import { type NihTask, nihTasks } from '../data/nih-tasks.js';
import { checkTaskFolder } from '../data/task-folder.js';
import { type WrittenTask, writeNihTasks } from '../data/write-tasks.js';
import { localisationTasks } from '../losses/regions.js';
import { oneOf } from '../validate.js';
import { asInteger, asText, asTexts, headings, option, usageError } from './options.js';
import { Output, type Session } from './session.js';

interface TaskFlags {
  readonly table?: string;
  readonly images?: string;
  readonly out: string;
  readonly task?: readonly string[];
  readonly copy?: boolean;
  readonly link?: boolean;
  readonly tables_only?: boolean;
  readonly seed: number;
  readonly no_exchange?: boolean;
  readonly check?: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

const help = `
From NIH's Data_Entry_2017_v2020.csv and the folder of its images (images_001/ ... below it), each task gets
OUT/TASK/{train,val,test}/CLASS/, as the original's programs read it, and OUT/TASK.csv with the same division for
train --csv. The disease side is the published one. The published No Finding side cannot be had again (it followed the
order of a Python set); here its patients stand in the order of the table. OUT/TASK.json tells counts, hashes of the lists
and the images that are missing.

Tasks: ne (Effusion), np (Pneumothorax), nep (both), cardiomegaly, each beside No Finding.

Examples:
  cxr-gaze prepare-tasks --table Data_Entry_2017_v2020.csv --images NIH/ --out data/NIH --link
  cxr-gaze prepare-tasks --table Data_Entry_2017_v2020.csv --images NIH/ --out data/NIH --task ne,np --tables_only
  cxr-gaze prepare-tasks --check data/Ottawa/nf_e_p_s --task neps`;

type How = 'copy' | 'link' | 'tables';

const nih = 'From NIH:';

/** The command. */
export function prepareTasksCommand(session: Session): Command {
  return new Command('prepare-tasks')
    .description("divide NIH's images into loc-attention's tasks, or check a folder of a task")
    .addOption(option(nih, '--table <file>', 'Data_Entry_2017_v2020.csv, plain or .gz', asText))
    .addOption(option(nih, '--images <folder>', 'the images; subfolders are looked through', asText))
    .addOption(option(nih, '--task <names>', `with commas between (default: ${nihTasks.join(',')})`, asTexts))
    .addOption(option(nih, '--copy', 'copy the images (default, as the original)'))
    .addOption(option(nih, '--link', 'hard links instead: no second copy on the disk'))
    .addOption(option(nih, '--tables_only', 'write the tables alone; needs no --images'))
    .addOption(option(nih, '--seed <n>', "of Python's generator, as published", asInteger({ min: 0 }), 42))
    .addOption(
      option(
        nih,
        '--no_exchange',
        "for another table than NIH's: exchange no images by name between the parts",
      ),
    )
    .addOption(
      option(
        'Check:',
        '--check <folder>',
        'only check a folder {train,val,test}/CLASS/IMAGE of the one --task',
        asText,
      ),
    )
    .addOption(option(headings.output, '--out <folder>', 'gets the task folders', asText, 'data/NIH'))
    .addOption(option(headings.output, '--overwrite', 'replace tasks that were prepared before'))
    .addOption(option(headings.output, '--json', 'for programs: one JSON object a line on standard output'))
    .addHelpText('after', help)
    .action((flags: TaskFlags) => prepareTasks(flags, session));
}

async function prepareTasks(flags: TaskFlags, session: Session): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  if (flags.check !== undefined) return check(flags.check, flags, output);
  const { table: file, images, out } = flags;
  if (file === undefined || (images === undefined && !flags.tables_only))
    throw usageError('Expected --table FILE and --images FOLDER (or --tables_only), or --check FOLDER');
  const ways = [flags.copy, flags.link, flags.tables_only].filter(Boolean);
  if (ways.length > 1) throw usageError('--copy, --link and --tables_only exclude each other');
  const tasks = (flags.task ?? nihTasks).map((name) => oneOf('--task', name, nihTasks));
  const table = await readNihTable(file);
  const isNihs = table.sha256 === nihTableHash;
  if (!isNihs)
    output.warn(
      'other-table',
      `${file} is not NIH's Data_Entry_2017_v2020.csv (its SHA-256 is ${table.sha256})`,
    );
  const how: How = flags.tables_only ? 'tables' : flags.link ? 'link' : 'copy';
  let bar: ReturnType<Session['progress']> | undefined;
  let of: NihTask | undefined;
  const written = await writeNihTasks(out, table, {
    ...(images === undefined ? {} : { images }),
    ...{ tasks, seed: flags.seed, exchange: !flags.no_exchange, overwrite: flags.overwrite ?? false },
    how,
    signal: session.signal,
    onProgress: ({ task, done, total }) => {
      if (task !== of) {
        bar?.end();
        bar = session.progress(`preparing ${task}`, total);
        of = task;
      }
      bar?.update(done);
    },
  });
  bar?.end();
  const isPublished = isNihs && flags.seed === 42 && !flags.no_exchange;
  for (const one of written) tell(one, { images, how, isPublished }, output);
}

function tell(
  one: WrittenTask,
  {
    images,
    how,
    isPublished,
  }: { readonly images: string | undefined; readonly how: How; readonly isPublished: boolean },
  output: Output,
): void {
  const { task, folder, table, counts, missing, differing } = one;
  const sizes = Object.entries(counts).map(([split, of]) => `${split} ${of.join(' + ')}`);
  output.say(`${task}: ${sizes.join(', ')} images; ${how === 'tables' ? table : `${folder}, ${table}`}`);
  const total = Object.values(counts)
    .flat()
    .reduce((sum, count) => sum + count, 0);
  if (missing.length > 0)
    output.warn(
      'missing-images',
      `${task}: ${missing.length} of ${total} images are not in ${path.resolve(images ?? '.')} and are left out: ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', ...' : ''}`,
      { task, missing },
    );
  if (isPublished && differing.length > 0)
    output.warn('lists-differ', `${task}: lists that are not as they should be: ${differing.join(', ')}`, {
      task,
      differing,
    });
  else if (isPublished) output.say(`  all lists are those of the specification, by their SHA-256`);
  output.event({
    type: 'task',
    ...one,
    missing: missing.length,
    verified: isPublished && differing.length === 0,
  });
}

async function check(folder: string, { task }: TaskFlags, output: Output): Promise<void> {
  if (task?.length !== 1)
    throw usageError(`Expected --task with one of ${localisationTasks.join(', ')} beside --check`);
  const name = oneOf('--task', task[0], localisationTasks);
  const report = await checkTaskFolder(folder, name);
  for (const { kind, message, details } of report.warnings) output.warn(kind, message, { details });
  for (const [split, counts] of Object.entries(report.counts))
    output.say(`${split}: ${report.classFolders.map((label, i) => `${label} ${counts[i]}`).join(', ')}`);
  output.say(`${path.resolve(folder)} fits the task ${name}`);
  output.event({ type: 'checked', folder: path.resolve(folder), task: name, ...report });
}

/** The folder of a training run: what may be written where, and the files that grow while it runs. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, moveAside, recoverFolder, writeFileAtomic } from '../checkpoints/atomic.js';
import { CheckpointStore } from '../checkpoints/folder.js';
import { CxrGazeError } from '../errors.js';
import {
  classificationColumns,
  type HistoryColumn,
  HistoryFile,
  type HistoryRow,
} from '../report/history.js';
import type { EpochHalf } from '../training/checkpoint.js';
import type { Run } from '../training/run.js';
import type { TrainEvent, TrainResult } from '../training/trainer.js';
import { usageError } from './options.js';
import type { Progress } from './progress.js';
import type { Output, Session } from './session.js';

/** What a run does with a folder that is there. */
export type ExistingRun = 'refuse' | 'overwrite' | 'resume';

/** What `--overwrite` and `--resume` mean for a folder that is there; both together are refused. */
export function existing({
  overwrite,
  resume,
}: {
  readonly overwrite?: boolean;
  readonly resume?: boolean;
}): ExistingRun {
  if (overwrite && resume) throw usageError('--overwrite and --resume exclude each other');
  if (resume) return 'resume';
  return overwrite ? 'overwrite' : 'refuse';
}

/**
 * A run's folder, open for writing.
 *
 * @typeParam Row what half an epoch tells
 */
export class RunFolder<Row extends EpochHalf = HistoryRow> {
  /** Absolute path. */
  readonly path: string;
  /** Whether a checkpoint is there to go on from. */
  readonly resumes: boolean;
  readonly #isNew: boolean;
  readonly #columns: readonly HistoryColumn<Row>[];
  #history: HistoryFile<Row> | undefined;
  #options: object | undefined;
  #begun = false;

  private constructor(
    folder: string,
    columns: readonly HistoryColumn<Row>[],
    { isNew, resumes }: { readonly isNew: boolean; readonly resumes: boolean },
  ) {
    this.path = folder;
    this.#columns = columns;
    this.#isNew = isNew;
    this.resumes = resumes;
  }

  /**
   * Opens the folder. An old run that is to be overwritten is moved aside, and deleted only when training has begun.
   *
   * @throws CxrGazeError `ERR_EXISTS` where a run is there and nothing was said of it, `ERR_RESUME` where none is there
   */
  static open(folder: string, existing: ExistingRun): Promise<RunFolder> {
    return RunFolder.openFor(folder, existing, classificationColumns);
  }

  /** As {@link RunFolder.open}, for a run whose history has columns of its own. */
  static async openFor<Row extends EpochHalf>(
    folder: string,
    existing: ExistingRun,
    columns: readonly HistoryColumn<Row>[],
  ): Promise<RunFolder<Row>> {
    const target = path.resolve(folder);
    await recoverFolder(target);
    const entries = await readdir(target).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined;
      throw new CxrGazeError('ERR_FILE', `${target}: expected a folder: ${cause.message}`, { cause });
    });
    const details = { file: target };
    if (existing === 'resume') {
      if (entries === undefined) {
        const message = `There is no run to resume in ${target}: the folder's name follows from the options, so are they the same?`;
        throw new CxrGazeError('ERR_RESUME', message, { details });
      }
      const last = await new CheckpointStore(path.join(target, 'checkpoints')).named('last');
      return new RunFolder(target, columns, { isNew: false, resumes: last !== undefined });
    }
    const isThere = entries !== undefined && entries.length > 0;
    if (isThere && existing === 'refuse') {
      const message = `${target} holds a run already: go on with it by --resume, replace it by --overwrite, or choose another folder`;
      throw new CxrGazeError('ERR_EXISTS', message, { details });
    }
    if (isThere) {
      if (!entries.includes('options.json')) {
        const message = `${target} holds no options.json, so it is not a run and is not replaced`;
        throw new CxrGazeError('ERR_EXISTS', message, { details });
      }
      await moveAside(target);
    }
    await makeFolder(target);
    return new RunFolder(target, columns, { isNew: true, resumes: false });
  }

  /** Whether it shall be gone on with although it was stopped before its first checkpoint. */
  get lacksCheckpoint(): boolean {
    return !this.#isNew && !this.resumes;
  }

  /** Where the checkpoints go. */
  get checkpoints(): string {
    return path.join(this.path, 'checkpoints');
  }

  /** Rows of `history.csv` so far. */
  get history(): readonly Row[] {
    return this.#history?.rows ?? [];
  }

  /** Writes a JSON file into the folder. */
  async writeJson(name: string, content: object): Promise<void> {
    await writeFileAtomic(path.join(this.path, name), `${JSON.stringify(content, null, 2)}\n`);
  }

  /**
   * Records the options in `options.json`. Those of a run that goes on wait for {@link RunFolder.begin}: what training refuses
   * must not stand beside checkpoints that began otherwise.
   */
  async record(options: object): Promise<void> {
    if (this.resumes) this.#options = options;
    else await this.writeJson('options.json', options);
  }

  /** What was moved aside has had its day: from here on the folder stays, whatever happens. */
  async begin(): Promise<void> {
    await recoverFolder(this.path);
    this.#begun = true;
    if (this.#options !== undefined) await this.writeJson('options.json', this.#options);
  }

  /** Gives way to what was there before, where the run never began. */
  async giveUp(): Promise<void> {
    if (!this.#isNew || this.#begun) return;
    await rm(this.path, { recursive: true, force: true });
    await recoverFolder(this.path);
  }

  /** Takes part in an event: `history.csv` follows the checkpoint that a resumed run goes on from. */
  async enter(event: TrainEvent<Row>): Promise<void> {
    if (event.type === 'start') {
      const file = path.join(this.path, 'history.csv');
      await this.begin();
      this.#history = event.resumed
        ? await HistoryFile.resume(file, this.#columns, event.epoch - 1)
        : await HistoryFile.create(file, this.#columns);
      const known = this.#history.rows.length;
      for (const row of event.history.slice(known)) await this.#history.append(this.#rowOf(row));
    }
    if (event.type === 'epoch') await this.#history?.append(this.#rowOf(event));
  }

  // An event tells more than the row: its type.
  #rowOf(event: Row): Row {
    const keys = ['epoch', 'phase', ...this.#columns.map(({ key }) => key)] as (keyof Row)[];
    return Object.fromEntries(keys.map((key) => [key, event[key]])) as unknown as Row;
  }
}

/** Who follows a run. */
export interface Follower {
  readonly session: Session;
  readonly output: Output;
  readonly maxEpochs: number;
}

/**
 * Follows a run to its end: writes its files, shows how far it is.
 *
 * @returns the result; a run that was stopped rejects with `ERR_ABORTED`
 */
export function followRun(
  folder: RunFolder,
  run: Run<TrainEvent, TrainResult>,
  follower: Follower,
): Promise<TrainResult> {
  return followRunOf(folder, run, { ...follower, numbers: classifierNumbers });
}

/** As {@link followRun}, for a run whose epochs have scores of their own. */
export async function followRunOf<Row extends EpochHalf>(
  folder: RunFolder<Row>,
  run: Run<TrainEvent<Row>, TrainResult>,
  { session, output, maxEpochs, numbers }: Follower & { readonly numbers: readonly ShownNumber<Row>[] },
): Promise<TrainResult> {
  if (folder.lacksCheckpoint)
    output.warn('nothing-to-resume', `${folder.path} holds no checkpoint yet: it begins from the start`);
  const shown = new EpochDisplay(session, output, { maxEpochs, numbers });
  try {
    for await (const event of run) {
      await folder.enter(event);
      output.event(event);
      shown.show(event);
    }
  } finally {
    shown.end();
  }
  return (await run.result) as TrainResult;
}

/** A number of an epoch as its line shows it, training and validation. */
export interface ShownNumber<Row> {
  /** What it is called. */
  readonly label: string;
  /** The number; `null` where it is not defined. */
  readonly of: (row: Row) => number | null;
  /** How it is written; default: three decimals. */
  readonly text?: (value: number) => string;
}

const classifierNumbers: readonly ShownNumber<HistoryRow>[] = [
  { label: 'loss', of: (row) => row.loss },
  { label: 'balanced accuracy', of: (row) => row.balancedAccuracy },
  { label: 'AUROC', of: (row) => row.auroc },
];

interface Shown<Row> {
  readonly maxEpochs: number;
  readonly numbers: readonly ShownNumber<Row>[];
}

/** How far training is, for a person. */
class EpochDisplay<Row extends EpochHalf> {
  readonly #session: Session;
  readonly #output: Output;
  readonly #shown: Shown<Row>;
  #bar: Progress | undefined;
  #train: Row | undefined;

  constructor(session: Session, output: Output, shown: Shown<Row>) {
    this.#session = session;
    this.#output = output;
    this.#shown = shown;
  }

  /** Takes the bar away. @returns seconds since it was begun */
  end(): number | undefined {
    const seconds = this.#bar?.end();
    this.#bar = undefined;
    return seconds;
  }

  show(event: TrainEvent<Row>): void {
    const output = this.#output;
    const { maxEpochs } = this.#shown;
    switch (event.type) {
      case 'start':
        if (event.resumed) {
          const at = event.step > 0 ? `, after step ${event.step}` : '';
          output.say(`Going on from the last checkpoint: epoch ${event.epoch}${at}`);
        }
        break;
      case 'warning':
        this.#session.note(`warning: ${event.message}`);
        break;
      case 'step':
        if (output.json) break;
        this.#bar ??= this.#session.progress(`epoch ${event.epoch}/${maxEpochs}`, event.steps, 'steps');
        this.#bar.update(event.step, `loss ${event.loss.toFixed(3)}`);
        break;
      case 'epoch':
        if (event.phase === 'train') this.#train = event;
        else output.say(epochLine(this.#train, event, this.#shown, this.end()));
        break;
      case 'reweighting':
        output.say(`Deferred re-weighting from epoch ${event.epoch} on, learning rate ${event.learningRate}`);
        break;
      case 'learning-rate':
        output.say(
          `Learning rate ${event.learningRate} from epoch ${event.epoch} on: validation does not get better`,
        );
        break;
      case 'checkpoint':
        if (event.reason === 'stopped') this.#session.note(`Saved ${event.folder}`);
        break;
    }
  }
}

function epochLine<Row extends EpochHalf>(
  train: Row | undefined,
  val: Row,
  { maxEpochs, numbers }: Shown<Row>,
  seconds: number | undefined,
): string {
  const pairs = numbers.map(({ label, of, text = (value) => value.toFixed(3) }) => {
    const shown = (row: Row | undefined) => {
      const value = row ? of(row) : null;
      return value === null ? '-' : text(value);
    };
    return `  ${label} ${shown(train)} / ${shown(val)}`;
  });
  const time = seconds === undefined ? '' : `  ${seconds.toFixed(0)} s`;
  return `epoch ${String(val.epoch).padStart(String(maxEpochs).length)}/${maxEpochs}  (training / validation)${pairs.join('')}${time}`;
}

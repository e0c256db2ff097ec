/** The folder of a training run: what may be written where, and the files that grow while it runs. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { moveAside, recoverFolder, writeFileAtomic } from '../checkpoints/atomic.js';
import { CheckpointStore } from '../checkpoints/folder.js';
import { CxrGazeError } from '../errors.js';
import { HistoryFile, type HistoryRow } from '../report/history.js';
import type { Run } from '../training/run.js';
import type { TrainEvent, TrainResult } from '../training/trainer.js';
import type { Progress } from './progress.js';
import type { Output, Session } from './session.js';

/** What a run does with a folder that is there. */
export type ExistingRun = 'refuse' | 'overwrite' | 'resume';

/** A run's folder, open for writing. */
export class RunFolder {
  /** Absolute path. */
  readonly path: string;
  /** Whether a checkpoint is there to go on from. */
  readonly resumes: boolean;
  readonly #isNew: boolean;
  #history: HistoryFile | undefined;
  #begun = false;

  private constructor(folder: string, isNew: boolean, resumes: boolean) {
    this.path = folder;
    this.#isNew = isNew;
    this.resumes = resumes;
  }

  /**
   * Opens the folder. An old run that is to be overwritten is moved aside, and deleted only when training has begun.
   *
   * @throws CxrGazeError `ERR_EXISTS` where a run is there and nothing was said of it, `ERR_RESUME` where none is there
   */
  static async open(folder: string, existing: ExistingRun): Promise<RunFolder> {
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
      return new RunFolder(target, false, last !== undefined);
    }
    const isThere = entries !== undefined && entries.length > 0;
    if (isThere && existing === 'refuse') {
      const message = `${target} holds a run already: go on with it by --resume, replace it by --overwrite, or choose another --out_dir`;
      throw new CxrGazeError('ERR_EXISTS', message, { details });
    }
    if (isThere) {
      if (!entries.includes('options.json')) {
        const message = `${target} holds no options.json, so it is not a run and is not replaced`;
        throw new CxrGazeError('ERR_EXISTS', message, { details });
      }
      await moveAside(target);
    }
    await mkdir(target, { recursive: true });
    return new RunFolder(target, true, false);
  }

  /** Where the checkpoints go. */
  get checkpoints(): string {
    return path.join(this.path, 'checkpoints');
  }

  /** Rows of `history.csv` so far. */
  get history(): readonly HistoryRow[] {
    return this.#history?.rows ?? [];
  }

  /** Writes a JSON file into the folder. */
  async writeJson(name: string, content: object): Promise<void> {
    await writeFileAtomic(path.join(this.path, name), `${JSON.stringify(content, null, 2)}\n`);
  }

  /** What was moved aside has had its day: from here on the folder stays, whatever happens. */
  async begin(): Promise<void> {
    await recoverFolder(this.path);
    this.#begun = true;
  }

  /** Gives way to what was there before, where the run never began. */
  async giveUp(): Promise<void> {
    if (!this.#isNew || this.#begun) return;
    await rm(this.path, { recursive: true, force: true });
    await recoverFolder(this.path);
  }

  /** Takes part in an event: `history.csv` follows the checkpoint that a resumed run goes on from. */
  async enter(event: TrainEvent): Promise<void> {
    if (event.type === 'start') {
      const file = path.join(this.path, 'history.csv');
      await this.begin();
      this.#history = event.resumed
        ? await HistoryFile.resume(file, event.epoch - 1)
        : await HistoryFile.create(file);
      const known = this.#history.rows.length;
      for (const row of event.history.slice(known)) await this.#history.append(rowOf(row));
    }
    if (event.type === 'epoch') await this.#history?.append(rowOf(event));
  }
}

function rowOf({ epoch, phase, loss, balancedAccuracy, mcc, auroc }: HistoryRow): HistoryRow {
  return { epoch, phase, loss, balancedAccuracy, mcc, auroc };
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
export async function followRun(
  folder: RunFolder,
  run: Run<TrainEvent, TrainResult>,
  { session, output, maxEpochs }: Follower,
): Promise<TrainResult> {
  const shown = new EpochDisplay(session, output, maxEpochs);
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

/** How far training is, for a person. */
class EpochDisplay {
  readonly #session: Session;
  readonly #output: Output;
  readonly #maxEpochs: number;
  #bar: Progress | undefined;
  #train: HistoryRow | undefined;

  constructor(session: Session, output: Output, maxEpochs: number) {
    this.#session = session;
    this.#output = output;
    this.#maxEpochs = maxEpochs;
  }

  /** Takes the bar away. @returns seconds since it was begun */
  end(): number | undefined {
    const seconds = this.#bar?.end();
    this.#bar = undefined;
    return seconds;
  }

  show(event: TrainEvent): void {
    const output = this.#output;
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
        this.#bar ??= this.#session.progress(`epoch ${event.epoch}/${this.#maxEpochs}`, event.steps, 'steps');
        this.#bar.update(event.step, `loss ${event.loss.toFixed(3)}`);
        break;
      case 'epoch':
        if (event.phase === 'train') this.#train = event;
        else output.say(epochLine(this.#train, event, this.#maxEpochs, this.end()));
        break;
      case 'reweighting':
        output.say(`Deferred re-weighting from epoch ${event.epoch} on, learning rate ${event.learningRate}`);
        break;
      case 'checkpoint':
        if (event.reason === 'stopped') this.#session.note(`Saved ${event.folder}`);
        break;
    }
  }
}

function epochLine(
  train: HistoryRow | undefined,
  val: HistoryRow,
  maxEpochs: number,
  seconds: number | undefined,
): string {
  const pair = (of: (row: HistoryRow) => number | null): string => {
    const shown = (row: HistoryRow | undefined) => (row ? (of(row)?.toFixed(3) ?? '-') : '-');
    return `${shown(train)} / ${shown(val)}`;
  };
  const time = seconds === undefined ? '' : `  ${seconds.toFixed(0)} s`;
  return `epoch ${String(val.epoch).padStart(String(maxEpochs).length)}/${maxEpochs}  (training / validation)  loss ${pair((r) => r.loss)}  balanced accuracy ${pair((r) => r.balancedAccuracy)}  AUROC ${pair((r) => r.auroc)}${time}`;
}

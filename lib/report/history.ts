import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import { CxrGazeError } from '../errors.js';
import { integer, invalidArgument, number, oneOf } from '../validate.js';
import { csvLine } from './csv.js';
import { pythonFloat } from './python-format.js';

/** The two halves of an epoch. */
export type Phase = 'train' | 'val';

/** One row of `history.csv`. */
export interface HistoryRow {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Training or validation. */
  readonly phase: Phase;
  /** Mean objective. */
  readonly loss: number;
  /** Balanced accuracy. */
  readonly balancedAccuracy: number;
  /** Matthews correlation coefficient. */
  readonly mcc: number;
  /** Mean AUROC; `null` where no class has one, written as an empty cell. */
  readonly auroc: number | null;
}

const header = ['epoch', 'phase', 'loss', 'balanced_acc', 'mcc', 'auroc'];

/** One row as text, floats with all their digits as Python prints them. */
export function historyLine(row: HistoryRow): string {
  return csvLine([
    String(integer('row.epoch', row.epoch, { min: 1 })),
    oneOf('row.phase', row.phase, ['train', 'val']),
    pythonFloat(number('row.loss', row.loss)),
    pythonFloat(number('row.balancedAccuracy', row.balancedAccuracy)),
    pythonFloat(number('row.mcc', row.mcc)),
    row.auroc === null ? '' : pythonFloat(number('row.auroc', row.auroc)),
  ]);
}

/**
 * Reads `history.csv`. A missing file is an empty history.
 *
 * @throws `ERR_TABLE` with file and line where it is not such a file
 */
export async function readHistory(path: string): Promise<HistoryRow[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new CxrGazeError('ERR_FILE', `Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  let records: string[][];
  try {
    records = parse(text, { bom: true, skip_empty_lines: true });
  } catch (cause) {
    throw new CxrGazeError('ERR_TABLE', `${path}: ${(cause as Error).message}`, {
      cause,
      details: { file: path },
    });
  }
  const [first, ...rows] = records;
  if (first?.join() !== header.join()) {
    throw tableError(path, 1, `expected the header ${header.join()} but found ${first?.join() ?? 'nothing'}`);
  }
  return rows.map((cells, i) => historyRow(path, i + 2, cells));
}

function historyRow(path: string, line: number, cells: readonly string[]): HistoryRow {
  const [epoch, phase, loss, balancedAccuracy, mcc, auroc] = cells as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const cell = (name: string, value: string): number => {
    const parsed = Number(value);
    if (value.trim() === '' || !Number.isFinite(parsed)) {
      throw tableError(path, line, `expected a number in column ${name} but found '${value}'`);
    }
    return parsed;
  };
  if (phase !== 'train' && phase !== 'val') {
    throw tableError(path, line, `expected 'train' or 'val' in column phase but found '${phase}'`);
  }
  return {
    epoch: cell('epoch', epoch),
    phase,
    loss: cell('loss', loss),
    balancedAccuracy: cell('balanced_acc', balancedAccuracy),
    mcc: cell('mcc', mcc),
    auroc: auroc === '' ? null : cell('auroc', auroc),
  };
}

function tableError(path: string, line: number, problem: string): CxrGazeError {
  return new CxrGazeError('ERR_TABLE', `${path}, line ${line}: ${problem}`, {
    details: { file: path, line },
  });
}

/**
 * `history.csv` as it grows: a `train` and a `val` row an epoch. Every append rewrites the small file whole and renames
 * it, so that a killed run never leaves half a row.
 */
export class HistoryFile {
  /** Where it is written. */
  readonly path: string;
  #rows: HistoryRow[];

  private constructor(path: string, rows: HistoryRow[]) {
    this.path = path;
    this.#rows = rows;
  }

  /** Begins a new file, replacing one that is there. */
  static async create(path: string): Promise<HistoryFile> {
    const history = new HistoryFile(path, []);
    await history.#write();
    return history;
  }

  /**
   * Continues a file after `lastEpoch`, whose rows are the last that are kept: rows that a killed run wrote after its
   * checkpoint are cut off.
   */
  static async resume(path: string, lastEpoch: number): Promise<HistoryFile> {
    integer('lastEpoch', lastEpoch, { min: 0 });
    const rows = (await readHistory(path)).filter((row) => row.epoch <= lastEpoch);
    const history = new HistoryFile(path, rows);
    await history.#write();
    return history;
  }

  /** The rows so far. */
  get rows(): readonly HistoryRow[] {
    return this.#rows;
  }

  /** Adds a row; an epoch may not go back. */
  async append(row: HistoryRow): Promise<void> {
    const last = this.#rows.at(-1);
    if (last !== undefined && row.epoch < last.epoch) {
      throw invalidArgument('row.epoch', `an epoch not before ${last.epoch}`, row.epoch);
    }
    historyLine(row);
    this.#rows = [...this.#rows, { ...row }];
    await this.#write();
  }

  async #write(): Promise<void> {
    await writeFileAtomic(this.path, csvLine(header) + this.#rows.map(historyLine).join(''));
  }
}

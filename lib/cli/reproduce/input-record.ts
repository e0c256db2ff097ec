/** `inputs.json` of a table: which content each row began with, under the paths among its options. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../../checkpoints/atomic.js';
import { type Json, readJson } from '../../checkpoints/folder.js';
import { CxrGazeError } from '../../errors.js';
import type { Inputs } from './inputs.js';

const recordFile = 'inputs.json';

/** What the rows of one table began with. */
export class InputRecord {
  readonly #file: string;
  readonly #rows: Record<string, Inputs>;

  private constructor(file: string, rows: Record<string, Inputs>) {
    this.#file = file;
    this.#rows = rows;
  }

  /** @param folder of the table, which need not be there yet */
  static async open(folder: string): Promise<InputRecord> {
    const file = path.join(folder, recordFile);
    const rows = existsSync(file) ? (await readJson(file)).rows : {};
    return new InputRecord(file, rows as unknown as Record<string, Inputs>);
  }

  /** Whether a row is in it. */
  has(name: string): boolean {
    return this.#rows[name] !== undefined;
  }

  /**
   * Refuses to take over, or to go on with, a row that began with other content.
   *
   * @param row its name and folder
   * @param now the content now
   * @throws CxrGazeError `ERR_RESUME` that lists the flags
   */
  refuseOther({ name, target }: { readonly name: string; readonly target: string }, now: Inputs): void {
    const before = this.#rows[name] ?? {};
    const changed = Object.keys(now).filter(
      (flag) => before[flag] !== undefined && JSON.stringify(before[flag]) !== JSON.stringify(now[flag]),
    );
    if (changed.length === 0) return;
    throw new CxrGazeError(
      'ERR_RESUME',
      `The row ${name} in ${target} began with other content of ${changed.map((flag) => `--${flag}`).join(', ')}: restore it, choose another --out_dir, or --overwrite to train the row again`,
      { details: { row: name, changed } },
    );
  }

  /** Notes what a row is about to begin with. */
  async enter(name: string, inputs: Inputs): Promise<void> {
    this.#rows[name] = inputs;
    const content = { format: 'cxr-gaze/inputs', version: 1, rows: this.#rows as unknown as Json };
    await writeFileAtomic(this.#file, `${JSON.stringify(content, null, 2)}\n`);
  }
}

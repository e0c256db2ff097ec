/** What is known of a row from its folder: finished, begun, or never tried. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../../checkpoints/atomic.js';
import { type Json, readJson } from '../../checkpoints/folder.js';
import { CxrGazeError } from '../../errors.js';
import type { Metrics } from '../../metrics/types.js';
import type { OptionValue } from '../../report/report-data.js';
import { cardFile } from '../../systems/classifier/model-card.js';
import { weightsFileOf } from '../../systems/saved.js';
import type { DataFlags } from '../data-options.js';
import { recordOf } from '../train-run.js';
import type { PlannedRow } from './plan.js';

const doneFile = 'row.json';

/** Options that decide no number of a row. */
const incidental = ['cache_dir', 'workers', 'save_every', 'keep', 'device', 'with_ids', 'out_dir'] as const;

// Where the base lies says nothing; which weights it has is kept beside.
const ofBase = ['decoupling_weights'] as const;

function decisive(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const left = new Set<string>([...incidental, ...ofBase]);
  // As JSON has it, so that what was read compares equal to what was written.
  const kept = Object.entries(record).filter(([name]) => !left.has(name));
  return JSON.parse(JSON.stringify(Object.fromEntries(kept))) as Record<string, unknown>;
}

/** What the folder of a row holds. */
export type RowState =
  | { readonly kind: 'absent' | 'begun' }
  | {
      readonly kind: 'done';
      /** Metrics by split. */
      readonly metrics: ReadonlyMap<string, Metrics>;
      /** Hash of the base's weights; `null` for a row without one. */
      readonly base: string | null;
    };

/**
 * Looks at a row's folder.
 *
 * @throws CxrGazeError `ERR_RESUME` where the row was finished with other options
 */
export async function stateOf(plan: PlannedRow, dataFlags: DataFlags): Promise<RowState> {
  const entries = await readdir(plan.target).catch((): string[] => []);
  if (entries.length === 0) return { kind: 'absent' };
  if (!entries.includes(doneFile)) return { kind: 'begun' };
  const before = await readJson(path.join(plan.target, doneFile));
  refuseOtherOptions(plan, (before.options ?? {}) as Record<string, unknown>, dataFlags);
  const { splits } = await readJson(path.join(plan.target, 'metrics.json'));
  return {
    kind: 'done',
    metrics: new Map(Object.entries(splits as unknown as Record<string, Metrics>)),
    base: typeof before.base === 'string' ? before.base : null,
  };
}

function refuseOtherOptions(
  plan: PlannedRow,
  before: Readonly<Record<string, unknown>>,
  dataFlags: DataFlags,
): void {
  const now = decisive(recordOf({ ...plan, dataFlags }));
  const was = decisive(before);
  const changed = [...new Set([...Object.keys(was), ...Object.keys(now)])].filter(
    (name) => JSON.stringify(was[name]) !== JSON.stringify(now[name]),
  );
  if (changed.length === 0) return;
  const list = changed.map((name) => `${name}: ${JSON.stringify(was[name])} -> ${JSON.stringify(now[name])}`);
  throw new CxrGazeError(
    'ERR_RESUME',
    `The row ${plan.name} in ${plan.target} was finished with other options (${list.join('; ')}): choose another --out_dir, or --overwrite to train it again`,
    { details: { row: plan.name, changed } },
  );
}

/** Marks a row as finished. */
export async function markDone(
  plan: PlannedRow,
  options: Readonly<Record<string, OptionValue>>,
  base: string | null,
): Promise<void> {
  const content: Record<string, Json> = {
    ...{ format: 'cxr-gaze/row', version: 1, row: plan.name, title: plan.row.title },
    ...{ command: `cxr-gaze train ${plan.system} ${plan.argv.join(' ')}`, base },
    options: options as unknown as Json,
  };
  await writeFileAtomic(path.join(plan.target, doneFile), `${JSON.stringify(content, null, 2)}\n`);
}

/** The weights that a finished row ended with, as a hash; `undefined` where it has none. */
export async function weightsHash(folder: string): Promise<string | undefined> {
  try {
    const hash = createHash('sha256');
    for await (const part of createReadStream(await weightsFileOf(folder, cardFile)))
      hash.update(part as Buffer);
    return hash.digest('hex');
  } catch {
    return undefined;
  }
}

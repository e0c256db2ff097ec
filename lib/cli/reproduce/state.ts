/** What is known of a row from its folder: finished, begun, or never tried. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../../checkpoints/atomic.js';
import { type Json, readJson } from '../../checkpoints/folder.js';
import { CxrGazeError } from '../../errors.js';
import type { Metrics } from '../../metrics/types.js';
import type { OptionValue } from '../../report/report-data.js';
import type { DataFlags } from '../data-options.js';
import { recordOf } from '../train-run.js';
import type { PlannedRow } from './plan.js';

const doneFile = 'row.json';

/** Options that decide no number of a row. Where the base lies says nothing; which weights it has is kept beside. */
const incidental = new Set([
  ...['cache_dir', 'workers', 'save_every', 'keep', 'device', 'with_ids', 'out_dir', 'results', 'gpu'],
  'decoupling_weights',
  'log_thresholds',
]);

function decisive(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  // As JSON has it, so that what was read compares equal to what was written.
  const kept = Object.entries(record).filter(([name]) => !incidental.has(name));
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
  refuseOtherOptions(plan, before.options, recordOf({ ...plan, dataFlags }));
  const { splits } = await readJson(path.join(plan.target, 'metrics.json'));
  return {
    kind: 'done',
    metrics: new Map(Object.entries(splits as unknown as Record<string, Metrics>)),
    base: typeof before.base === 'string' ? before.base : null,
  };
}

/**
 * Refuses to take over what was finished with other options.
 *
 * @param row its name and folder
 * @param before the options that it was finished with, as its file has them
 * @param options those of now
 * @throws CxrGazeError `ERR_RESUME` that lists the differences
 */
export function refuseOtherOptions(
  { name, target }: { readonly name: string; readonly target: string },
  before: unknown,
  options: Readonly<Record<string, unknown>>,
): void {
  const now = decisive(options);
  const was = decisive((before ?? {}) as Record<string, unknown>);
  const changed = [...new Set([...Object.keys(was), ...Object.keys(now)])].filter(
    (key) => JSON.stringify(was[key]) !== JSON.stringify(now[key]),
  );
  if (changed.length === 0) return;
  const list = changed.map((key) => `${key}: ${JSON.stringify(was[key])} -> ${JSON.stringify(now[key])}`);
  throw new CxrGazeError(
    'ERR_RESUME',
    `The row ${name} in ${target} was finished with other options (${list.join('; ')}): choose another --out_dir, or --overwrite to train it again`,
    { details: { row: name, changed } },
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

/** Trains the rows of a plan one after the other and writes the table. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { CxrGazeError } from '../../errors.js';
import type { Comparison } from '../../report/comparison/table.js';
import { comparisonMarkdown, writeComparison } from '../../report/comparison/write.js';
import type { PublishedRow } from '../../systems/gazelt/published.js';
import type { DataFlags } from '../data-options.js';
import type { OpenedData } from '../datasets.js';
import type { Output, Session } from '../session.js';
import { recordOf, trainRun } from '../train-run.js';
import { comparisonOf, doneOutcome, type RowOutcome, type TableFacts } from './outcome.js';
import { featuresLacking, type PlannedRow } from './plan.js';
import { markDone, type RowState, stateOf, weightsHash } from './state.js';

/** All that the work on the rows needs. */
export interface Work {
  readonly dataFlags: DataFlags;
  /** Of the table; each row has a folder in it. */
  readonly folder: string;
  /** The rows that are asked for, and the base that some of them need. */
  readonly plans: readonly PlannedRow[];
  /** Rows that are shown if they were finished before. */
  readonly others: readonly PlannedRow[];
  /** The row that decoupled ones begin with. */
  readonly base: PublishedRow;
  /** Rows to train again even if they are finished. */
  readonly again: ReadonlySet<PublishedRow>;
  readonly facts: TableFacts;
  readonly dataOf: (plan: PlannedRow) => OpenedData;
  readonly session: Session;
  readonly output: Output;
}

/** Trains what is not finished, row after row; the table is written after each. */
export async function trainRows(work: Work): Promise<RowOutcome[]> {
  const { plans, folder, output, session } = work;
  // All at once: other options than a finished row's are an error before anything is trained.
  const states = new Map<PublishedRow, RowState>();
  for (const plan of plans) states.set(plan.name, await currentState(work, plan));
  const outcomes = await finishedBefore(work);
  await mkdir(folder, { recursive: true });
  for (const plan of inOrder(plans, work.base)) {
    const state = states.get(plan.name) as RowState;
    const outcome = await attempt(work, plan, state, outcomes);
    outcomes.set(plan.name, outcome);
    const { name, status, note } = outcome;
    output.event({ type: 'row', row: name, status, note, folder: plan.target, figures: outcome.figures });
    await writeTable(work, outcomes);
    if (session.signal.aborted) break;
  }
  const comparison = await writeTable(work, outcomes);
  output.say('');
  output.say(comparisonMarkdown(comparison));
  output.say(`Table: ${path.join(folder, 'table.html')}, table.csv, table.md`);
  if (session.signal.aborted) {
    throw new CxrGazeError('ERR_ABORTED', `Stopped. The same command goes on (${folder})`, {
      cause: session.signal.reason,
    });
  }
  return plans.map(({ name }) => outcomes.get(name) as RowOutcome);
}

async function currentState({ again, dataFlags }: Work, plan: PlannedRow): Promise<RowState> {
  return again.has(plan.name) ? { kind: 'begun' } : stateOf(plan, dataFlags);
}

// A table grows from one command to the next; what was finished with other options has no place in it.
async function finishedBefore({ others, dataFlags, facts }: Work): Promise<Map<PublishedRow, RowOutcome>> {
  const outcomes = new Map<PublishedRow, RowOutcome>();
  for (const plan of others) {
    const state = await stateOf(plan, dataFlags).catch((): RowState => ({ kind: 'absent' }));
    if (state.kind === 'done') outcomes.set(plan.name, doneOutcome(plan, state.metrics, facts.splits));
  }
  return outcomes;
}

// The base comes before those that begin with it.
function inOrder(plans: readonly PlannedRow[], base: PublishedRow): PlannedRow[] {
  return [...plans].sort((a, b) => Number(b.name === base) - Number(a.name === base));
}

async function attempt(
  work: Work,
  plan: PlannedRow,
  state: RowState,
  before: ReadonlyMap<PublishedRow, RowOutcome>,
): Promise<RowOutcome> {
  const { output } = work;
  const { name, row } = plan;
  const none = { name, figures: null } as const;
  const lacking = await featuresLacking(plan);
  if (lacking !== undefined) {
    output.say(`${row.title}: ${lacking}`);
    return { ...none, status: 'needs-features', note: lacking };
  }
  const base = row.fromBase ? await baseOf(work, before) : null;
  if (base !== null && typeof base !== 'string') return { ...none, status: 'not-trained', note: base.note };
  if (state.kind === 'done' && state.base === base) {
    output.say(`${row.title}: finished already (${plan.target})`);
    return doneOutcome(plan, state.metrics, work.facts.splits);
  }
  if (state.kind === 'done') output.say(`${row.title}: the row ${work.base} has been trained again since`);
  return trainRow(work, plan, state.kind, base);
}

/** Hash of the base's weights, or why there are none. */
async function baseOf(
  { base: name, folder }: Work,
  before: ReadonlyMap<PublishedRow, RowOutcome>,
): Promise<string | { readonly note: string }> {
  const base = before.get(name);
  if (base?.status !== 'done') return { note: `begins with the row ${name}, which has no result` };
  const hash = await weightsHash(path.join(folder, name));
  return hash ?? { note: `begins with the row ${name}, of which no epoch was the best one` };
}

async function trainRow(
  work: Work,
  plan: PlannedRow,
  state: 'absent' | 'begun' | 'done',
  base: string | null,
): Promise<RowOutcome> {
  const { dataFlags, output, session, plans } = work;
  const { name, row, system, target } = plan;
  output.say('');
  output.say(
    `${row.title} (${plans.indexOf(plan) + 1} of ${plans.length}): train ${system} ${plan.argv.join(' ')}`,
  );
  const anew = state === 'done' || work.again.has(name);
  const existing = state === 'absent' ? 'refuse' : anew ? 'overwrite' : 'resume';
  try {
    const job = { system, flags: plan.flags, dataFlags, data: work.dataOf(plan), target, existing } as const;
    const evaluated = await trainRun(job, { session, output });
    await markDone(plan, recordOf(job), base);
    const metrics = new Map(evaluated.map(({ split, evaluation }) => [split, evaluation.metrics]));
    return doneOutcome(plan, metrics, work.facts.splits);
  } catch (error) {
    // Whatever befell this row, the next one may fare better.
    const message = error instanceof Error ? error.message : String(error);
    if (session.signal.aborted) return { name, status: 'not-trained', note: 'stopped', figures: null };
    output.warn('row-failed', `${row.title}: ${message}`);
    return { name, status: 'failed', note: message, figures: null, error };
  }
}

/** The table as it stands. */
async function writeTable(
  { facts, folder }: Work,
  outcomes: ReadonlyMap<PublishedRow, RowOutcome>,
): Promise<Comparison> {
  const comparison = comparisonOf(facts, outcomes);
  await writeComparison(folder, comparison);
  return comparison;
}

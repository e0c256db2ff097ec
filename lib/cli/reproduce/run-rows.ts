/** Trains the rows of a plan one after the other and writes the table. */
import path from 'node:path';
import { makeFolder } from '../../checkpoints/atomic.js';
import { CxrGazeError } from '../../errors.js';
import type { Comparison } from '../../report/comparison/table.js';
import { comparisonMarkdown, writeComparison } from '../../report/comparison/write.js';
import type { PublishedRow } from '../../systems/gazelt/published.js';
import type { DataFlags } from '../data-options.js';
import { type OpenedData, trainingSplits } from '../datasets.js';
import type { Output, Session } from '../session.js';
import { recordOf, trainRun } from '../train-run.js';
import { InputCheck } from './input-check.js';
import type { InputRecord } from './input-record.js';
import { InputHashes, type Inputs, weightsHash } from './inputs.js';
import { comparisonOf, doneOutcome, type RowOutcome, type TableFacts } from './outcome.js';
import { featuresLacking, type PlannedRow } from './plan.js';
import { markDone, type RowState, stateOf } from './state.js';

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
  readonly inputs: InputRecord;
  readonly session: Session;
  readonly output: Output;
}

/** Trains what is not finished, row after row; the table is written after each. */
export async function trainRows(work: Work): Promise<RowOutcome[]> {
  const { plans, folder, output, session } = work;
  // All at once: other options than a finished row's, and what cannot be opened, are errors before anything is trained.
  const states = new Map<PublishedRow, RowState>();
  const hashes = new InputHashes();
  for (const plan of plans) states.set(plan.name, await currentState(work, plan, hashes));
  const unfinished = plans.filter(({ name }) => states.get(name)?.kind !== 'done');
  await new InputCheck().rows(unfinished, work.dataOf);
  const outcomes = await finishedBefore(work, hashes);
  await makeFolder(folder);
  for (const plan of inOrder(plans, work.base)) {
    const state = states.get(plan.name) as RowState;
    const outcome = await attempt(work, plan, state, outcomes);
    outcomes.set(plan.name, outcome);
    const { name, status, note } = outcome;
    output.event({ type: 'row', row: name, status, note, folder: plan.target, figures: outcome.figures });
    await writeTable(work, outcomes);
    if (session.signal.aborted) break;
  }
  sayTable(await writeTable(work, outcomes), work);
  refuseStopped(work);
  return plans.map(({ name }) => outcomes.get(name) as RowOutcome);
}

/** The table as it is shown on a terminal, and where it lies. */
export function sayTable(
  comparison: Comparison,
  { output, folder }: { readonly output: Output; readonly folder: string },
): void {
  output.say('');
  output.say(comparisonMarkdown(comparison));
  output.say(`Table: ${path.join(folder, 'table.html')}, table.csv, table.md`);
}

/** @throws CxrGazeError `ERR_ABORTED` that says how a stopped command goes on */
export function refuseStopped({
  session,
  folder,
}: {
  readonly session: Session;
  readonly folder: string;
}): void {
  if (!session.signal.aborted) return;
  throw new CxrGazeError('ERR_ABORTED', `Stopped. The same command goes on (${folder})`, {
    cause: session.signal.reason,
  });
}

/** What became of the training of a row that threw: the next one may fare better. */
export function failedRow(
  error: unknown,
  title: string,
  { session, output }: { readonly session: Session; readonly output: Output },
): { readonly status: 'not-trained' | 'failed'; readonly note: string; readonly error?: unknown } {
  if (session.signal.aborted) return { status: 'not-trained', note: 'stopped' };
  const message = error instanceof Error ? error.message : String(error);
  output.warn('row-failed', `${title}: ${message}`);
  return { status: 'failed', note: message, error };
}

/** @throws CxrGazeError with the code of the first failure, that names all of them; a first failure without a code as it is */
export function refuseFailed(
  outcomes: readonly {
    readonly name: string;
    readonly status: string;
    readonly note: string | null;
    readonly error?: unknown;
  }[],
): void {
  const failed = outcomes.filter(({ status }) => status === 'failed');
  const [first] = failed;
  if (first === undefined) return;
  if (!(first.error instanceof CxrGazeError)) throw first.error;
  throw new CxrGazeError(
    first.error.code,
    `${failed.length} of ${outcomes.length} rows failed (${failed.map(({ name }) => name).join(', ')}); the others are in the table, and the same command tries these again`,
    { cause: first.error, details: { failed: failed.map(({ name, note }) => ({ name, note })) } },
  );
}

async function currentState(work: Work, plan: PlannedRow, hashes: InputHashes): Promise<RowState> {
  if (work.again.has(plan.name)) return { kind: 'begun' };
  const state = await stateOf(plan, work.dataFlags);
  if (state.kind !== 'absent') work.inputs.refuseOther(plan, await inputsOf(plan, work, hashes));
  return state;
}

function inputsOf(plan: PlannedRow, { dataOf }: Work, hashes: InputHashes): Promise<Inputs> {
  const { train, validation } = trainingSplits(dataOf(plan));
  return hashes.of(plan.flags, [train, validation]);
}

// A table grows from one command to the next; what was finished with other options has no place in it.
async function finishedBefore(work: Work, hashes: InputHashes): Promise<Map<PublishedRow, RowOutcome>> {
  const outcomes = new Map<PublishedRow, RowOutcome>();
  for (const plan of work.others) {
    const state = await currentState(work, plan, hashes).catch((): RowState => ({ kind: 'absent' }));
    if (state.kind === 'done') outcomes.set(plan.name, doneOutcome(plan, state.metrics, work.facts.splits));
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
    // Of this moment: a table takes days, and what it reads may change meanwhile.
    if (existing !== 'resume' || !work.inputs.has(name))
      await work.inputs.enter(name, await inputsOf(plan, work, new InputHashes()));
    const evaluated = await trainRun(job, { session, output });
    await markDone(plan, recordOf(job), base);
    const metrics = new Map(evaluated.map(({ split, evaluation }) => [split, evaluation.metrics]));
    return doneOutcome(plan, metrics, work.facts.splits);
  } catch (error) {
    return { name, figures: null, ...failedRow(error, row.title, work) };
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

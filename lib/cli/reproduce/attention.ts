/** `cxr-gaze reproduce loc-attention`: trains the runs of loc-attention's tables, task by task, and writes the tables. */
import path from 'node:path';
import type { Command } from 'commander';
import { takesActivations } from '../../cam/attention-map.js';
import { makeFolder } from '../../checkpoints/atomic.js';
import { dataThreads } from '../../data/resize.js';
import { attentionDefaults } from '../../losses/attention-defaults.js';
import { writeComparison } from '../../report/comparison/write.js';
import { masksAtHand, withMasks } from '../../systems/loc-attention/masked-films.js';
import { publishedAttentionDatasets } from '../../systems/loc-attention/published.js';
import { type AttentionData, openAttentionData } from '../attention-data.js';
import { trainingSplits } from '../datasets.js';
import { usageError } from '../options.js';
import { Output, type Session } from '../session.js';
import { bootstrapOf } from '../train-flags.js';
import { attentionCommand, commonTokens, type ReproduceAttentionFlags } from './attention-flags.js';
import { type AttentionGrid, attentionRuns, type FinishedRun } from './attention-plan.js';
import {
  finishedRun,
  type PlannedAttention,
  planAttention,
  type RunPlace,
  trainRun,
} from './attention-run.js';
import { type AttentionFacts, type AttentionProgress, attentionTable } from './attention-table.js';
import { type TaskSource, taskSources } from './attention-tasks.js';
import { InputCheck } from './input-check.js';
import { InputRecord } from './input-record.js';
import { InputHashes } from './inputs.js';
import { failedRow, refuseFailed, refuseStopped, sayTable } from './run-rows.js';
import { twinOf } from './shared-training.js';

/** The command. */
export function locAttentionCommand(session: Session): Command {
  return attentionCommand().action((flags: ReproduceAttentionFlags, made: Command) =>
    reproduceAttention(flags, commonTokens(made), session),
  );
}

interface Outcome {
  readonly name: string;
  readonly status: 'done' | 'failed' | 'not-trained';
  readonly note: string | null;
  readonly error?: unknown;
}

/** A task that is ready to be worked on. */
interface TaskWork {
  readonly folder: string;
  readonly plans: readonly PlannedAttention[];
  readonly finished: Map<string, FinishedRun>;
  readonly grid: AttentionGrid;
  readonly facts: AttentionFacts;
  readonly overwrite: boolean;
  readonly inputs: InputRecord;
  readonly session: Session;
  readonly output: Output;
}

async function reproduceAttention(
  flags: ReproduceAttentionFlags,
  common: ReadonlyMap<string, readonly string[]>,
  session: Session,
): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  checkInit(flags);
  checkActivations(flags);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  // What is wrong with a later task shall not be found out after a week of the first one.
  const tasks: TaskWork[] = [];
  const [hashes, check] = [new InputHashes(), new InputCheck()];
  for (const source of await taskSources(flags))
    tasks.push(await prepare(flags, source, common, { session, output, hashes, check }));
  const outcomes: Outcome[] = [];
  for (const task of tasks) outcomes.push(...(await taskTable(task)));
  const failed = outcomes.filter(({ status }) => status === 'failed');
  output.event({ type: 'done', runs: outcomes.length, failed: failed.map(({ name }) => name) });
  refuseFailed(outcomes);
}

function checkInit({ weights, rand_init, backbones }: ReproduceAttentionFlags): void {
  if (weights !== undefined && rand_init) throw usageError('--weights and --rand_init exclude each other');
  const without = backbones.filter((backbone) => !rand_init && !weights?.has(backbone));
  if (without.length === 0) return;
  throw usageError(
    `Expected --weights ${without.map((name) => `${name}=FILE`).join(',')} or --rand_init: initial weights are never assumed`,
  );
}

function checkActivations({ activations, backbones }: ReproduceAttentionFlags): void {
  if (activations !== undefined && !backbones.some(takesActivations))
    throw usageError(`--activations is without effect with --backbones ${backbones.join(',')}`);
}

interface Opening {
  readonly session: Session;
  readonly output: Output;
  readonly hashes: InputHashes;
  readonly check: InputCheck;
}

/** Everything of a task that can be judged before its first epoch. */
async function prepare(
  flags: ReproduceAttentionFlags,
  source: TaskSource,
  common: ReadonlyMap<string, readonly string[]>,
  { hashes, check, ...speakers }: Opening,
): Promise<TaskWork> {
  const grid = gridOf(flags, source);
  const place = placeOf(flags, source, common);
  const { folder, overwrite } = place;
  const plans = attentionRuns(grid).map((run) => planAttention(place, run));
  const inputs = await InputRecord.open(folder);
  const finished = overwrite ? new Map<string, FinishedRun>() : await finishedOf(plans, { inputs, hashes });
  const [first] = plans as [PlannedAttention];
  const data = await openAttentionData(first.flags);
  const facts = await factsOf(flags, data, first);
  await check.attention(
    plans.filter(({ run }) => !finished.has(run.name)),
    data,
  );
  return { folder, plans, finished, grid, facts, overwrite, inputs, ...speakers };
}

function gridOf(flags: ReproduceAttentionFlags, { dataset, task }: TaskSource): AttentionGrid {
  const { backbones, lambdas, thresholds, seeds, attention } = flags;
  return {
    ...{ dataset, task, backbones, lambdas, thresholds, seeds, attention },
    ...{ tau: flags.tau ?? attentionDefaults.tau, penaliseOutside: flags.penalise_outside ?? 0 },
  };
}

function placeOf(
  { attention, thresholds, weights, out_dir, json = false, overwrite = false }: ReproduceAttentionFlags,
  { dataset, isPhantom, task, tokens }: TaskSource,
  common: ReadonlyMap<string, readonly string[]>,
): RunPlace {
  const folder = path.resolve(out_dir, `loc-attention_${dataset}_${task}`);
  const isCached = isPhantom || common.has('cache_dir');
  return {
    ...{ folder, data: tokens, attention, thresholds, json, overwrite },
    common: isCached
      ? common
      : new Map([...common, ['cache_dir', ['--cache_dir', path.join(folder, 'cache')]]]),
    weightsOf: ({ backbone }) => weights?.get(backbone),
  };
}

/** The runs that are done, by name, with those that another's training serves. */
async function finishedOf(
  plans: readonly PlannedAttention[],
  seen: { readonly inputs: InputRecord; readonly hashes: InputHashes },
): Promise<Map<string, FinishedRun>> {
  const finished = new Map<string, FinishedRun>();
  for (const plan of plans) {
    const done = await finishedRun(plan, seen);
    if (done) finished.set(plan.run.name, done);
  }
  for (const plan of plans) {
    const twin = finished.has(plan.run.name) ? undefined : await twinOf(plan, plans, finished);
    if (twin) finished.set(plan.run.name, twin);
  }
  return finished;
}

async function factsOf(
  { weights, published, dataset, ...flags }: ReproduceAttentionFlags,
  data: AttentionData,
  { flags: { bootstrap, masks, on_error: onError } }: PlannedAttention,
): Promise<AttentionFacts> {
  const [test] = data.tests;
  if (test === undefined) throw usageError(`${data.name} has no test split, so there is nothing to tabulate`);
  const atHand = masks === undefined ? undefined : masksAtHand(masks);
  const { train, validation, leftOut } = await withMasks({ masks: atHand, onError }, trainingSplits(data));
  const own = publishedAttentionDatasets.find((name) => name === dataset) ?? null;
  const named = { dataset, published, weights: Object.fromEntries(weights ?? []) };
  return {
    ...{ isPhantom: data.isPhantom, classes: data.classes },
    sizes: { train: train.length, validation: validation.length, test: test[1].length },
    leftOut: leftOut.map(({ message }) => message),
    bootstrap: bootstrapOf(bootstrap),
    published: published === undefined ? own : published === 'none' ? null : published,
    options: {
      command: 'reproduce loc-attention',
      ...flags,
      ...named,
    } as unknown as AttentionFacts['options'],
  };
}

/** All runs of one task, and its table after each. */
async function taskTable(work: TaskWork): Promise<Outcome[]> {
  const { folder, plans, finished, grid, facts, session, output } = work;
  output.say(`${grid.dataset}, task ${grid.task}: ${facts.classes.join(', ')}; ${plans.length} runs`);
  await makeFolder(folder);
  const failures = new Map<string, string>();
  const write = async () => {
    const progress: AttentionProgress = { grid, runs: plans.map(({ run }) => run), finished, failures };
    const comparison = attentionTable(progress, facts);
    await writeComparison(folder, comparison);
    return comparison;
  };
  const outcomes: Outcome[] = [];
  for (const [i, plan] of plans.entries()) {
    if (session.signal.aborted) break;
    const outcome = await attempt(work, plan, i);
    if (outcome.status === 'failed') failures.set(outcome.name, outcome.note ?? '');
    outcomes.push(outcome);
    const { name, status, note } = outcome;
    const folder = folderOf(plan, work);
    output.event({ type: 'run', task: grid.task, run: name, status, note, folder });
    await write();
  }
  sayTable(await write(), { output, folder });
  refuseStopped({ session, folder });
  return outcomes;
}

/** Where the training of a run lies: its own, or the one that served. */
function folderOf({ run, target }: PlannedAttention, { plans, finished }: TaskWork): string {
  const served = finished.get(run.name)?.trainedAs;
  return plans.find((plan) => plan.run.name === served)?.target ?? target;
}

async function attempt(work: TaskWork, plan: PlannedAttention, place: number): Promise<Outcome> {
  const { finished, output, plans } = work;
  const { name } = plan.run;
  const twin = finished.has(name) ? undefined : await twinOf(plan, plans, finished);
  if (twin) finished.set(name, twin);
  const done = finished.get(name);
  if (done !== undefined) {
    const { trainedAs } = done;
    const note = trainedAs === undefined ? null : `the same training as ${trainedAs}`;
    output.say(`${name}: ${note ?? 'finished already'} (${folderOf(plan, work)})`);
    return { name, status: 'done', note };
  }
  output.say('');
  output.say(`${name} (${place + 1} of ${plans.length}): train loc-attention ${plan.argv.join(' ')}`);
  try {
    finished.set(name, await trainRun(plan, work));
    return { name, status: 'done', note: null };
  } catch (error) {
    return { name, ...failedRow(error, name, work) };
  }
}

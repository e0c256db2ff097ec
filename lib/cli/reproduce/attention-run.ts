/** One run of loc-attention's tables: the command of `train` that it is, and what it leaves. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { takesActivations } from '../../cam/attention-map.js';
import { writeFileAtomic } from '../../checkpoints/atomic.js';
import { readJson } from '../../checkpoints/folder.js';
import { CxrGazeError } from '../../errors.js';
import {
  type AttentionFlags,
  attentionName,
  attentionRecord,
  checkAttentionFlags,
  idleFlags,
} from '../attention-flags.js';
import { addAttentionOptions } from '../attention-options.js';
import type { EvaluatedSplit } from '../evaluation.js';
import { usageError } from '../options.js';
import type { Session } from '../session.js';
import { trainAttention } from '../train-attention.js';
import type { AttentionRun, FinishedRun, StoredPredictions } from './attention-plan.js';
import type { InputRecord } from './input-record.js';
import { InputHashes } from './inputs.js';
import { loggedBesides, loggedTokens, recordedThresholds } from './shared-training.js';
import { refuseOtherOptions } from './state.js';

const doneFile = 'run.json';
const command = 'train loc-attention';

/** Which runs are meant, besides backbone, λ, t and seed. */
export interface RunPlace {
  /** Of the table. */
  readonly folder: string;
  /** Flags that name the task's data, as tokens. */
  readonly data: readonly string[];
  /** Flags for every run as the user gave them, by name. */
  readonly common: ReadonlyMap<string, readonly string[]>;
  readonly attention: 'published' | 'differentiable';
  /** All t of the table: a run of the published term logs the others, too, and may serve them. */
  readonly thresholds: readonly number[];
  /** File of initial weights, if any. */
  readonly weightsOf: (run: AttentionRun) => string | undefined;
  readonly overwrite: boolean;
  readonly json: boolean;
}

/** A run as `train` does it. */
export interface PlannedAttention {
  readonly run: AttentionRun;
  /** As `train loc-attention` takes them: the command that makes this run alone. */
  readonly argv: readonly string[];
  readonly flags: AttentionFlags;
  /** Folder of the run. */
  readonly target: string;
}

/** Works out one run. @throws CxrGazeError `ERR_INVALID_ARGUMENT` where its flags do not go together */
export function planAttention(place: RunPlace, run: AttentionRun): PlannedAttention {
  const { common, folder, attention } = place;
  const { lambda, threshold, backbone, seed } = run;
  const weights = place.weightsOf(run);
  const term =
    threshold === null
      ? ['--attention', 'none']
      : [
          ...['--attention', attention, '--thresh', String(threshold)],
          ...(lambda === 'adaptive' ? ['--isAdaptive'] : ['--lamda', String(lambda)]),
          ...(attention === 'published' ? loggedBesides(threshold, place.thresholds) : []),
        ];
  const results = path.join(folder, `seed${seed}`);
  // Flags for other runs of the table would be without effect here, which `train` refuses.
  const on_error = common.get('on_error')?.includes('skip') ? 'skip' : 'throw';
  const withoutTerm: readonly string[] = idleFlags({ attention: 'none', on_error });
  const idle = threshold === null ? withoutTerm : takesActivations(backbone) ? [] : ['activations'];
  const given = [...common].filter(([name]) => !idle.includes(name));
  const argv = [
    ...[...place.data, '--backbone', backbone, ...term, '--seed', String(seed), '--results', results],
    ...(weights === undefined ? [] : ['--weights', weights]),
    ...given.flatMap(([, tokens]) => tokens),
    ...(place.json ? ['--json'] : []),
  ];
  const flags = parse(argv);
  checkAttentionFlags(flags);
  return { run, argv, flags, target: path.join(results, attentionName(flags)) };
}

/** Reads a command line as `train loc-attention` itself does. */
function parse(argv: readonly string[]): AttentionFlags {
  const reader = addAttentionOptions(new Command('loc-attention')).exitOverride();
  reader.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  try {
    reader.parse([...argv], { from: 'user' });
  } catch (cause) {
    throw usageError((cause as Error).message);
  }
  return reader.opts<AttentionFlags>();
}

/**
 * What a run left, if it is finished.
 *
 * @param inputs what the runs of the table began with
 * @throws CxrGazeError `ERR_RESUME` where it was finished with other options, or begun with other content under the same paths
 */
export async function finishedRun(
  { run, target, flags }: PlannedAttention,
  { inputs, hashes }: { readonly inputs: InputRecord; readonly hashes: InputHashes },
): Promise<FinishedRun | undefined> {
  const entries = await readdir(target).catch((): string[] => []);
  if (entries.length === 0) return undefined;
  const row = { name: run.name, target };
  inputs.refuseOther(row, await hashes.of(flags));
  if (!entries.includes(doneFile)) return undefined;
  const before = await readJson(path.join(target, doneFile));
  refuseOtherOptions(row, before.options, attentionRecord(flags, command));
  const { validation, test } = before as unknown as FinishedRun;
  return { run, validation, test };
}

/** Trains a run, or goes on with it, and marks it as finished. */
export async function trainRun(
  plan: PlannedAttention,
  {
    overwrite,
    inputs,
    session,
  }: { readonly overwrite: boolean; readonly inputs: InputRecord; readonly session: Session },
): Promise<FinishedRun> {
  const { run, target } = plan;
  const isThere = (await readdir(target).catch((): string[] => [])).length > 0;
  const existing = isThere ? (overwrite ? { overwrite } : { resume: true }) : {};
  const { argv, flags } = isThere && !overwrite ? await asBegun(plan) : plan;
  if (!isThere || overwrite || !inputs.has(run.name))
    await inputs.enter(run.name, await new InputHashes().of(flags));
  const evaluated = await trainAttention({ ...flags, ...existing }, command, session);
  const [validation, test] = evaluated.map(stored);
  if (validation === undefined || test === undefined)
    throw new CxrGazeError('ERR_DATASET', `${flags.dataset}: expected splits val and test, both with images`);
  const content = {
    ...{ format: 'cxr-gaze/attention-run', version: 1, run: run.name },
    command: `cxr-gaze ${command} ${argv.join(' ')}`,
    ...{ options: attentionRecord(flags, command), validation, test },
  };
  await writeFileAtomic(path.join(target, doneFile), `${JSON.stringify(content)}\n`);
  return { run, validation, test };
}

/** A run that goes on logs what it began with, though the table may have got another t meanwhile. */
async function asBegun(plan: PlannedAttention): Promise<PlannedAttention> {
  const began = await recordedThresholds(plan.target);
  if (began === undefined) return plan;
  const argv = [...plan.argv];
  const at = argv.indexOf('--log_thresholds');
  if (at >= 0) argv.splice(at, 2);
  argv.push(...loggedTokens(began));
  return { ...plan, argv, flags: parse(argv) };
}

function stored({ evaluation, split }: EvaluatedSplit): StoredPredictions {
  const { classes, labels, patients, probabilities } = evaluation;
  return {
    ...{ split, classes, patients },
    ...{ labels: Array.from(labels), probabilities: Array.from(probabilities) },
  };
}

/**
 * Runs that differ in t alone. The published term has no gradient, so t acts through the validation loss alone, on the rate and
 * on what is selected by it: where these would have come out the same, so would the weights, and one training serves both.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CxrGazeError } from '../../errors.js';
import { readHistory } from '../../report/history.js';
import { locAttentionScoring, selectionGoal } from '../../systems/loc-attention/scoring.js';
import { attentionSettings } from '../../systems/loc-attention/settings.js';
import { PlateauSchedule } from '../../training/plateau-schedule.js';
import { type AttentionFlags, attentionOptions } from '../attention-flags.js';
import { mostLoggedThresholds } from '../attention-options.js';
import { type AttentionRow, attentionColumns, thresholdOf } from '../train-attention.js';
import type { FinishedRun } from './attention-plan.js';
import type { PlannedAttention } from './attention-run.js';

/** Thresholds at which a run logs its term besides its own, as tokens. */
export function loggedTokens(thresholds: readonly number[]): string[] {
  return thresholds.length === 0 ? [] : ['--log_thresholds', thresholds.join(',')];
}

/** The thresholds that a run logs so that it may serve them, as tokens. */
export function loggedBesides(own: number, thresholds: readonly number[]): string[] {
  return loggedTokens(thresholds.filter((t) => t !== own).slice(0, mostLoggedThresholds));
}

const historyOf = (target: string) => path.join(target, 'history.csv');

/**
 * The thresholds that the run in a folder logs, by its history: what its columns are, it says itself, also in folders of earlier
 * versions.
 *
 * @returns `undefined` where no epoch has begun
 */
export async function recordedThresholds(target: string): Promise<readonly number[] | undefined> {
  const content = await readFile(historyOf(target), 'utf8').catch(() => undefined);
  if (content === undefined) return undefined;
  const [header = ''] = content.split(/\r?\n/, 1);
  return header.split(',').flatMap((name) => thresholdOf(name) ?? []);
}

/** The history of the run in a folder; `undefined` where none can be read. */
async function historyThere(target: string): Promise<readonly AttentionRow[] | undefined> {
  const log_thresholds = await recordedThresholds(target);
  if (log_thresholds === undefined) return undefined;
  try {
    return await readHistory(historyOf(target), attentionColumns({ log_thresholds }));
  } catch (error) {
    if (error instanceof CxrGazeError) return undefined;
    throw error;
  }
}

/**
 * Whether a run would have come to the same weights with another t: the same rates, the same best epoch, the same end.
 *
 * @param history of the whole run
 * @param flags of the run
 * @param threshold the other t
 */
export function sameCourse(
  history: readonly AttentionRow[],
  flags: AttentionFlags,
  threshold: number,
): boolean {
  const settings = attentionSettings(attentionOptions(flags));
  if (settings.attention !== 'published') return false;
  const { select, follow } = locAttentionScoring(settings);
  const { max_epochs: maxEpochs, patience, lr: learningRate, early_stopping: earlyStopping } = flags;
  const schedules = [0, 1].map(
    () =>
      new PlateauSchedule({
        ...{ maxEpochs, patience, learningRate, earlyStopping },
        goal: selectionGoal(settings),
      }),
  );
  const validated = history.filter(({ phase }) => phase === 'val');
  return (
    validated.length > 0 &&
    validated.every((row) => {
      // Both from the means, as the recorded loss was rounded otherwise: only t may tell them apart.
      const [ofOwn, ofOther] = [
        withAttention(row, row.attention),
        withAttention(row, row[`attention@${threshold}`]),
      ];
      if (ofOwn === undefined || ofOther === undefined) return false;
      const [own, its] = [ofOwn, ofOther].map((one, i) => {
        const schedule = schedules[i] as PlateauSchedule;
        schedule.finish(select(one), follow?.(one) ?? one.loss);
        const { learningRate: rate, bestEpoch } = schedule.state;
        return `${rate} ${bestEpoch} ${schedule.goesOn}`;
      });
      return own === its;
    })
  );
}

/** What an epoch tells with the term at some t; `undefined` where it was not logged at that. */
function withAttention(row: AttentionRow, attention: number | null | undefined): AttentionRow | undefined {
  if (attention === undefined || attention === null) return undefined;
  const { crossEntropy, lambda } = row;
  return { ...row, attention, loss: lambda * crossEntropy + (1 - lambda) * attention };
}

/**
 * The finished run whose training is also that of a run that was never begun.
 *
 * @param plan the run
 * @param plans all runs of the table
 * @param finished those that are done, by name
 */
export async function twinOf(
  { run, flags, target }: PlannedAttention,
  plans: readonly PlannedAttention[],
  finished: ReadonlyMap<string, FinishedRun>,
): Promise<FinishedRun | undefined> {
  const { threshold } = run;
  if (threshold === null || flags.attention !== 'published' || existsSync(target)) return undefined;
  for (const other of plans) {
    const { backbone, lambda, seed, threshold: t, name } = other.run;
    const isSibling = backbone === run.backbone && lambda === run.lambda && seed === run.seed;
    const done = finished.get(name);
    if (!isSibling || t === threshold || done === undefined || done.trainedAs !== undefined) continue;
    const history = await historyThere(other.target);
    if (history !== undefined && sameCourse(history, other.flags, threshold))
      return { ...done, run, trainedAs: name };
  }
  return undefined;
}

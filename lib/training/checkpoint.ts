import path from 'node:path';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import type { CheckpointStore, Json } from '../checkpoints/folder.js';
import { readJson } from '../checkpoints/folder.js';
import { readTensors } from '../checkpoints/read-tensors.js';
import { writeTensors } from '../checkpoints/write-tensors.js';
import { CxrGazeError } from '../errors.js';
import type { EpochScores } from '../metrics/epoch-scores.js';
import type { Network } from '../models/network.js';
import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { flag, integer, list, number, oneOf, record, text } from '../validate.js';
import { networkRng, setNetworkRng } from './network-rng.js';
import type { Optimizer, OptimizerStateEntry } from './optimizer.js';
import type { PlateauState, ScheduleState } from './schedule.js';
import type { ScorerState } from './scoring.js';

/** @internal Name of the weights in every saved model and checkpoint. */
export const weightsFile = 'model.safetensors';

/** @internal Name of a checkpoint's state, in which the model's card is. */
export const stateFile = 'state.json';

/** An epoch that has begun: what its row of the history is made of. */
export interface EpochProgress {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Batches done. */
  readonly step: number;
  /** Sum of the batches' losses. */
  readonly lossSum: number;
  /** What the scorer has recorded; `undefined` is as nothing. */
  readonly scorer?: ScorerState | undefined;
}

/** One half of an epoch: the part of a row of `history.csv` that every system has. */
export interface EpochHalf {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Which half. */
  readonly phase: 'train' | 'val';
  /** Mean objective: of batches or of samples, as the system's scoring has it. */
  readonly loss: number;
}

/**
 * The numbers of one half of an epoch: a row of `history.csv`.
 *
 * @typeParam Scores what the system's scoring gives; a classifier's by default
 */
export type EpochNumbers<Scores extends object = EpochScores> = EpochHalf & Scores;

/** A row whose scores are known by name only, as a checkpoint holds it. */
export type StoredNumbers = EpochNumbers<{ readonly [score: string]: unknown }>;

/** Everything that training goes on from. */
export interface TrainingState {
  /** Where the schedule stands. */
  readonly schedule: ScheduleState;
  /** The unfinished epoch; `undefined` between two epochs. */
  readonly progress?: EpochProgress | undefined;
  /** Names of the checkpoints that were improvements when they were saved, oldest first. */
  readonly improvements: readonly string[];
  /** The halves of the epochs that are done, in order: what `history.csv` is made of. */
  readonly history: readonly EpochHalf[];
  /** Seconds of training so far, those of sessions before included. */
  readonly seconds: number;
}

/** What besides weights and training state a checkpoint tells. */
export interface CheckpointNotes {
  /** Options of the run, compared on resume. */
  readonly options: { readonly [key: string]: Json };
  /** What the model is: architecture, classes, image size. */
  readonly card: { readonly [key: string]: Json };
  /** Versions, threads and instruction set. */
  readonly environment: { readonly [key: string]: Json };
}

const FORMAT = 1;

/**
 * Saves a checkpoint: `model.safetensors`, `optimizer.safetensors` and `state.json`.
 *
 * @param store where
 * @param name such as `epoch-3` or `epoch-4-step-120`
 * @param content what
 */
export async function saveCheckpoint(
  store: CheckpointStore,
  name: string,
  content: {
    readonly model: Network;
    readonly optimizer: Optimizer;
    readonly state: TrainingState;
    readonly notes: CheckpointNotes;
  },
): Promise<string> {
  const { model, optimizer, state, notes } = content;
  return store.save(name, async (folder) => {
    await tidy(async () => {
      await writeTensors(path.join(folder, weightsFile), await model.stateDict(), { format: 'pt' });
      await writeTensors(path.join(folder, 'optimizer.safetensors'), await trainingTensors(optimizer, state));
    });
    const { progress, schedule, improvements, history, seconds } = state;
    const document = {
      format: FORMAT,
      ...notes,
      schedule,
      improvements,
      history,
      seconds,
      progress: progress ? { epoch: progress.epoch, step: progress.step, lossSum: progress.lossSum } : null,
    };
    await writeFileAtomic(path.join(folder, stateFile), `${JSON.stringify(document, null, 2)}\n`);
  });
}

// Optimizer moments as `name:parameter`, and what of the unfinished epoch is too large for JSON.
async function trainingTensors(optimizer: Optimizer, state: TrainingState): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  for (const entry of await optimizer.state()) tensors.set(`${entry.name}:${entry.parameter}`, entry.tensor);
  tensors.set('rng:cpu', await networkRng());
  for (const [name, values] of Object.entries(state.progress?.scorer ?? {})) {
    if (values.length > 0) tensors.set(`progress:${name}`, tensor(values));
  }
  return tensors;
}

/** `state.json` of a checkpoint. */
export interface StateDocument extends CheckpointNotes {
  /** Where the schedule stands. */
  readonly schedule: ScheduleState;
  /** The unfinished epoch, without its arrays. */
  readonly progress: Pick<EpochProgress, 'epoch' | 'step' | 'lossSum'> | null;
  /** Names of the checkpoints that were improvements. */
  readonly improvements: readonly string[];
  /** The halves of the epochs that are done. */
  readonly history: readonly StoredNumbers[];
  /** Seconds of training so far. */
  readonly seconds: number;
}

/**
 * Reads `state.json` of a checkpoint.
 *
 * @throws CxrGazeError `ERR_CHECKPOINT` naming the file if it is of another format or lacks a part
 */
export async function readState(folder: string): Promise<StateDocument> {
  const file = path.join(folder, stateFile);
  const document = await readJson(file);
  const fail = (what: string) =>
    new CxrGazeError('ERR_CHECKPOINT', `${file}: ${what}`, { details: { file } });
  if (document.format !== FORMAT) {
    throw fail(`expected format ${FORMAT} but found ${String(document.format)}`);
  }
  try {
    return {
      options: record('options', document.options) as CheckpointNotes['options'],
      card: record('card', document.card) as CheckpointNotes['card'],
      environment: record('environment', document.environment) as CheckpointNotes['environment'],
      schedule: scheduleFrom(record('schedule', document.schedule)),
      progress: document.progress === null ? null : progressFrom(record('progress', document.progress)),
      improvements: list('improvements', document.improvements, text),
      history: list('history', document.history, (name, value) => numbersFrom(name, record(name, value))),
      seconds: number('seconds', document.seconds, { min: 0 }),
    };
  } catch (error) {
    throw error instanceof CxrGazeError ? fail(error.message) : error;
  }
}

function scheduleFrom(value: Readonly<Record<string, unknown>>): ScheduleState {
  const count = (name: string) => integer(`schedule.${name}`, value[name], { min: 0 });
  return {
    epochsDone: count('epochsDone'),
    best: number('schedule.best', value.best),
    bestEpoch: count('bestEpoch'),
    waited: count('waited'),
    learningRate: number('schedule.learningRate', value.learningRate, { min: 0 }),
    reweighted: flag('schedule.reweighted', value.reweighted),
    ...(value.plateau === undefined
      ? {}
      : { plateau: plateauFrom(record('schedule.plateau', value.plateau)) }),
  };
}

function plateauFrom({ best, bad }: Readonly<Record<string, unknown>>): PlateauState {
  return {
    best: best === null ? null : number('schedule.plateau.best', best),
    bad: integer('schedule.plateau.bad', bad, { min: 0 }),
  };
}

// Which scores there are is the system's affair; that each is a number or null is checked here.
function numbersFrom(name: string, value: Readonly<Record<string, unknown>>): StoredNumbers {
  const { epoch, phase, loss, ...scores } = value;
  for (const [key, score] of Object.entries(scores)) if (score !== null) number(`${name}.${key}`, score);
  return {
    epoch: integer(`${name}.epoch`, epoch, { min: 1 }),
    phase: oneOf(`${name}.phase`, phase, ['train', 'val']),
    loss: number(`${name}.loss`, loss),
    ...scores,
  };
}

function progressFrom(value: Readonly<Record<string, unknown>>): NonNullable<StateDocument['progress']> {
  return {
    epoch: integer('progress.epoch', value.epoch, { min: 1 }),
    step: integer('progress.step', value.step, { min: 0 }),
    lossSum: number('progress.lossSum', value.lossSum),
  };
}

/**
 * Puts a checkpoint back into a model and an optimizer.
 *
 * @param folder of the checkpoint, verified
 * @param target what receives it
 * @returns where training goes on
 */
export async function restoreCheckpoint(
  folder: string,
  target: { readonly model: Network; readonly optimizer: Optimizer },
): Promise<TrainingState & { readonly history: readonly StoredNumbers[] }> {
  const document = await readState(folder);
  await restoreWeights(folder, target.model);
  const scorer = await tidy(async () => {
    const tensors = await readTensors(path.join(folder, 'optimizer.safetensors'));
    await target.optimizer.loadState(optimizerEntries(tensors));
    const rng = tensors.get('rng:cpu');
    if (rng) await setNetworkRng(rng);
    return scorerState(tensors);
  });
  const { progress, schedule, improvements, history, seconds } = document;
  return {
    schedule,
    improvements,
    history,
    seconds,
    progress: progress ? { ...progress, scorer } : undefined,
  };
}

async function scorerState(tensors: ReadonlyMap<string, Tensor>): Promise<ScorerState> {
  const prefix = 'progress:';
  const ours = [...tensors].filter(([key]) => key.startsWith(prefix));
  const arrays = await Promise.all(ours.map(([, value]) => value.data()));
  return Object.fromEntries(
    ours.map(([key], i) => [key.slice(prefix.length), arrays[i] as ScorerState[string]]),
  );
}

function optimizerEntries(tensors: ReadonlyMap<string, Tensor>): OptimizerStateEntry[] {
  const entries: OptimizerStateEntry[] = [];
  for (const [key, value] of tensors) {
    const colon = key.indexOf(':');
    const name = key.slice(0, colon);
    if (name !== 'rng' && name !== 'progress')
      entries.push({ name, parameter: key.slice(colon + 1), tensor: value });
  }
  return entries;
}

/** Loads a checkpoint's weights into a model. @param file their name in its folder */
export async function restoreWeights(folder: string, model: Network, file = weightsFile): Promise<void> {
  await tidy(async () => {
    await model.loadStateDict(await readTensors(path.join(folder, file)));
  });
}

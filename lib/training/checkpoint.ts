import path from 'node:path';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import type { CheckpointStore, Json } from '../checkpoints/folder.js';
import { readJson } from '../checkpoints/folder.js';
import { readTensors } from '../checkpoints/read-tensors.js';
import { writeTensors } from '../checkpoints/write-tensors.js';
import { CxrGazeError } from '../errors.js';
import type { Model } from '../models/model.js';
import { tensor } from '../tensor/create.js';
import { ask } from '../tensor/run.js';
import { Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import type { EpochScheduleState } from './epoch-schedule.js';
import type { Optimizer, OptimizerStateEntry } from './optimizer.js';

/** An epoch that has begun: what its row of the history is made of. */
export interface EpochProgress {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Batches done. */
  readonly step: number;
  /** Sum of the batches' losses. */
  readonly lossSum: number;
  /** Probabilities of the images seen, `[n, C]`. */
  readonly probabilities: Float32Array;
  /** Their labels. */
  readonly labels: Int32Array;
}

/** Everything that training goes on from. */
export interface TrainingState {
  /** Where the schedule stands. */
  readonly schedule: EpochScheduleState;
  /** The unfinished epoch; `undefined` between two epochs. */
  readonly progress?: EpochProgress | undefined;
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
    readonly model: Model;
    readonly optimizer: Optimizer;
    readonly state: TrainingState;
    readonly notes: CheckpointNotes;
  },
): Promise<string> {
  const { model, optimizer, state, notes } = content;
  return store.save(name, async (folder) => {
    await tidy(async () => {
      await writeTensors(path.join(folder, 'model.safetensors'), await model.stateDict(), { format: 'pt' });
      await writeTensors(path.join(folder, 'optimizer.safetensors'), await trainingTensors(optimizer, state));
    });
    const { progress, schedule } = state;
    const document = {
      format: FORMAT,
      ...notes,
      schedule,
      progress: progress ? { epoch: progress.epoch, step: progress.step, lossSum: progress.lossSum } : null,
    };
    await writeFileAtomic(path.join(folder, 'state.json'), `${JSON.stringify(document, null, 2)}\n`);
  });
}

// Optimizer moments as `name:parameter`, and what of the unfinished epoch is too large for JSON.
async function trainingTensors(optimizer: Optimizer, state: TrainingState): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  for (const entry of await optimizer.state()) tensors.set(`${entry.name}:${entry.parameter}`, entry.tensor);
  const { tensors: rng } = await ask('rngState', []);
  tensors.set('rng:cpu', new Tensor(rng[0] as NonNullable<(typeof rng)[0]>));
  if (state.progress && state.progress.labels.length > 0) {
    tensors.set('progress:probabilities', tensor(state.progress.probabilities));
    tensors.set('progress:labels', tensor(state.progress.labels));
  }
  return tensors;
}

/** `state.json` of a checkpoint, checked for its format. */
export async function readState(folder: string): Promise<CheckpointNotes & { schedule: EpochScheduleState }> {
  const file = path.join(folder, 'state.json');
  const document = await readJson(file);
  if (document['format'] !== FORMAT) {
    throw new CxrGazeError(
      'ERR_CHECKPOINT',
      `${file}: expected format ${FORMAT} but found ${String(document['format'])}`,
    );
  }
  return document as unknown as CheckpointNotes & { schedule: EpochScheduleState };
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
  target: { readonly model: Model; readonly optimizer: Optimizer },
): Promise<TrainingState> {
  const document = await readState(folder);
  await restoreWeights(folder, target.model);
  const arrays = await tidy(async () => {
    const tensors = await readTensors(path.join(folder, 'optimizer.safetensors'));
    await target.optimizer.loadState(optimizerEntries(tensors));
    const rng = tensors.get('rng:cpu');
    if (rng) await ask('rngState', [rng]);
    return {
      probabilities: (await tensors.get('progress:probabilities')?.data()) as Float32Array | undefined,
      labels: (await tensors.get('progress:labels')?.data()) as Int32Array | undefined,
    };
  });
  const { progress } = document as unknown as {
    progress: Omit<EpochProgress, 'probabilities' | 'labels'> | null;
  };
  const { probabilities = new Float32Array(0), labels = new Int32Array(0) } = arrays;
  return {
    schedule: document.schedule,
    progress: progress ? { ...progress, probabilities, labels } : undefined,
  };
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

/** Loads a checkpoint's weights into a model. */
export async function restoreWeights(folder: string, model: Model): Promise<void> {
  await tidy(async () => {
    await model.loadStateDict(await readTensors(path.join(folder, 'model.safetensors')));
  });
}

import { CheckpointStore } from '../checkpoints/folder.js';
import type { Batch } from '../data/batch.js';
import type { DataLoader } from '../data/loader.js';
import { CxrGazeError } from '../errors.js';
import type { EpochScores } from '../metrics/epoch-scores.js';
import type { Model } from '../models/model.js';
import type { Network } from '../models/network.js';
import { enableGrad } from '../tensor/context.js';
import { tidy } from '../tensor/tidy.js';
import { integer, knownKeys, oneOf } from '../validate.js';
import type { ClassificationResult, InputBatch, ObjectivePhase, ObjectiveResult } from './batch.js';
import { BestWeights } from './best-weights.js';
import {
  type CheckpointNotes,
  type EpochNumbers,
  type EpochProgress,
  readState,
  restoreCheckpoint,
  restoreWeights,
  saveCheckpoint,
} from './checkpoint.js';
import { CheckpointKeeper } from './checkpoint-keeper.js';
import { environmentWarning } from './environment.js';
import { EpochRecord } from './epoch-record.js';
import { errorOfBatch, lossNotFinite, requireFinite } from './finite.js';
import { type Normalisation, toInputs } from './inputs.js';
import { setNetworkRng } from './network-rng.js';
import type { Optimizer } from './optimizer.js';
import { type Precision, withPrecision } from './precision.js';
import { Run } from './run.js';
import type { Schedule } from './schedule.js';
import type { Scoring } from './scoring.js';
import type { TrainEvent, TrainResult } from './train-event.js';
import { validateEpoch } from './validation.js';

export type { EpochNumbers } from './checkpoint.js';
export type { TrainEvent, TrainResult } from './train-event.js';

/**
 * What is minimised. Called under the trainer's precision, in a `tidy` scope of its own. It may wait for data of its own,
 * such as targets that are being drawn, before it asks the network.
 *
 * @typeParam N the network that learns
 * @typeParam Result what the system's scoring reads besides the loss
 */
export type Objective<N extends Network = Model, Result extends ObjectiveResult = ClassificationResult> = (
  model: N,
  batch: InputBatch,
  phase: ObjectivePhase,
) => Result | Promise<Result>;

/** Options of {@link Trainer}. */
export interface TrainerOptions<
  N extends Network = Model,
  Result extends ObjectiveResult = ClassificationResult,
  Scores extends object = EpochScores,
> {
  /** What learns. */
  readonly model: N;
  /** How. */
  readonly optimizer: Optimizer;
  /** What is minimised. */
  readonly objective: Objective<N, Result>;
  /** What is recorded of an epoch, and which epoch is the best; for classifiers {@link classificationScoring}. */
  readonly scoring: Scoring<Result, Scores>;
  /** Training batches. */
  readonly train: DataLoader;
  /** Validation batches. */
  readonly validation: DataLoader;
  /** Class-balanced batches beside the training batches, for Balanced-MixUp. */
  readonly balanced?: DataLoader | undefined;
  /** When it ends, and at what rate it learns. */
  readonly schedule: Schedule;
  /** Arithmetic of training and validation. */
  readonly precision: Precision;
  /** Of the images. */
  readonly normalisation: Normalisation;
  /** Where the model is; default `cpu`. */
  readonly device?: string;
  /** Puts the network into the mode in which it learns in an epoch; default: training mode. */
  readonly mode?: (model: N, epoch: number) => void;
  /** Folder of the checkpoints; without it nothing is saved, and the best weights are kept in memory. */
  readonly checkpoints?: string | undefined;
  /** Also saves every so many steps; default: only at an epoch's end. */
  readonly saveEvery?: number | undefined;
  /** `recent`: best, last and the one before; `all`: every improvement too, as the originals. Default `recent`. */
  readonly keep?: 'recent' | 'all';
  /** Seed of what the network itself draws, such as dropout; default 0. */
  readonly seed?: number;
  /** What a checkpoint tells besides weights and state. */
  readonly notes: CheckpointNotes;
}

/** Options of {@link Trainer.fit}. */
export interface FitOptions {
  /** Ends the run after the current step; what has been reached is saved and the run rejects with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Goes on from the checkpoint `last` of the folder; default `false`. */
  readonly resume?: boolean;
}

const trainerOptionNames: readonly (keyof TrainerOptions)[] = [
  ...(['model', 'optimizer', 'objective', 'scoring', 'train', 'validation', 'balanced', 'schedule'] as const),
  ...(['precision', 'normalisation', 'device', 'mode', 'checkpoints', 'saveEvery', 'keep', 'seed'] as const),
  'notes',
];

interface Saving {
  readonly store: CheckpointStore;
  readonly keeper: CheckpointKeeper;
}

/**
 * Runs an objective over a network: epochs, validation, early stopping, checkpoints.
 *
 * @typeParam N the network that learns
 * @typeParam Result what the objective makes of a batch
 * @typeParam Scores what the scoring makes of half an epoch
 */
export class Trainer<
  N extends Network = Model,
  Result extends ObjectiveResult = ClassificationResult,
  Scores extends object = EpochScores,
> {
  readonly #options: TrainerOptions<N, Result, Scores>;
  readonly #saving: Saving | undefined;
  #history: readonly EpochNumbers<Scores>[] = [];
  #earlierSeconds = 0;
  #begun = 0;

  /**
   * @param options network, data and policy
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
   */
  constructor(options: TrainerOptions<N, Result, Scores>) {
    knownKeys('options', options, trainerOptionNames);
    this.#options = options;
    if (options.keep !== undefined) oneOf('keep', options.keep, ['recent', 'all']);
    if (options.saveEvery !== undefined) integer('saveEvery', options.saveEvery, { min: 1 });
    if (options.checkpoints === undefined) return;
    const store = new CheckpointStore(options.checkpoints);
    this.#saving = { store, keeper: new CheckpointKeeper(store, options.keep ?? 'recent') };
  }

  /**
   * Trains.
   *
   * @param options signal, resume
   * @returns events and result; it runs whether or not it is iterated
   */
  fit(options: FitOptions = {}): Run<TrainEvent<Scores>, TrainResult> {
    knownKeys('options', options, ['signal', 'resume']);
    return new Run((stop) => this.events(options, stop));
  }

  /** @internal The generator behind {@link Trainer.fit}, for systems that do something before and after. */
  async *events(
    options: FitOptions,
    stop: AbortSignal,
  ): AsyncGenerator<TrainEvent<Scores>, TrainResult | undefined> {
    const { schedule, scoring, train, seed = 0 } = this.#options;
    const halted = () => stop.aborted || options.signal?.aborted === true;
    using best = new BestWeights();
    this.#begun = performance.now();
    const resumed = options.resume ? await this.#restore() : undefined;
    if (!resumed) await setNetworkRng(seed);
    let progress = resumed?.progress;
    yield {
      type: 'start',
      epoch: progress?.epoch ?? schedule.state.epochsDone + 1,
      step: progress?.step ?? 0,
      resumed: resumed !== undefined,
      history: this.#history,
    };
    if (resumed?.warning !== undefined) yield { type: 'warning', message: resumed.warning };
    while (schedule.goesOn) {
      const record = EpochRecord.begin(schedule.state.epochsDone + 1, train, scoring, progress);
      progress = undefined;
      const whole = yield* this.#epoch(record, halted);
      if (whole && (yield* this.#finishEpoch(record, halted, best))) continue;
      yield* this.#saveStopped(record);
      if (stop.aborted) return undefined;
      throw new CxrGazeError('ERR_ABORTED', 'Training was aborted', { cause: options.signal?.reason });
    }
    return this.#end(best);
  }

  // Returns whether the epoch's steps have all been done.
  async *#epoch(
    record: EpochRecord<Result, Scores>,
    halted: () => boolean,
  ): AsyncGenerator<TrainEvent<Scores>, boolean> {
    const { model, mode, train, balanced, schedule, optimizer } = this.#options;
    optimizer.learningRate = schedule.state.learningRate;
    if (mode) mode(model, record.epoch);
    else model.train();
    if (halted()) return false;
    const partners = balanced?.batches(record.epoch, { start: record.step });
    let asked = performance.now();
    try {
      for await (using loaded of train.batches(record.epoch, { start: record.step })) {
        const partner = partners ? await partners.next() : undefined;
        const began = performance.now();
        const loss = await this.#step(record, loaded, partner?.done ? undefined : partner?.value);
        const now = performance.now();
        yield {
          type: 'step',
          epoch: record.epoch,
          step: record.step,
          steps: train.length,
          loss,
          images: loaded.labels.length,
          milliseconds: now - asked,
          waited: began - asked,
        };
        if (halted()) return false;
        if (this.#dueToSave(record))
          yield await this.#save(`epoch-${record.epoch}-step-${record.step}`, 'step', record.progress);
        asked = performance.now();
      }
    } finally {
      await partners?.return();
    }
    return true;
  }

  #dueToSave(record: EpochRecord<Result, Scores>): boolean {
    const { saveEvery, train } = this.#options;
    const due = saveEvery !== undefined && record.step % saveEvery === 0 && record.step < train.length;
    return due && this.#saving !== undefined;
  }

  // One scope a step: whatever the objective makes is freed, and an error that nobody awaited surfaces here.
  async #step(
    record: EpochRecord<Result, Scores>,
    loaded: Batch,
    partner: Batch | undefined,
  ): Promise<number> {
    const { model, optimizer, objective, precision, schedule, normalisation, device = 'cpu' } = this.#options;
    return tidy(async () => {
      const place = { epoch: record.epoch, step: record.step, normalisation, precision, device };
      const batch = toInputs(loaded, place);
      const balanced = partner ? toInputs(partner, place) : undefined;
      const { reweighted } = schedule.state;
      const result = await enableGrad(() =>
        withPrecision(precision, () => objective(model, batch, { phase: 'train', reweighted, balanced })),
      );
      const [value] = await Promise.all([result.loss.item(), record.scorer.add(result, batch)]).catch(
        (error: unknown) => {
          throw errorOfBatch(error, batch, 'train');
        },
      );
      // Before the weights move: a checkpoint saved after this error would hold NaN.
      if (!Number.isFinite(value)) throw lossNotFinite(value, batch, 'train');
      optimizer.zeroGrad();
      result.loss.backward();
      optimizer.step();
      record.add(value);
      return value;
    });
  }

  // Returns whether it came to its end.
  async *#finishEpoch(
    record: EpochRecord<Result, Scores>,
    halted: () => boolean,
    best: BestWeights,
  ): AsyncGenerator<TrainEvent<Scores>, boolean> {
    const { model, schedule, scoring } = this.#options;
    const { epoch } = record;
    const trained = record.numbers('train');
    yield { type: 'epoch', ...trained };
    const { reweighted } = schedule.state;
    const validation = await validateEpoch({ ...this.#options, epoch, reweighted, halted });
    if (!validation) return false;
    const validated = validation.numbers('val');
    yield { type: 'epoch', ...validated };
    this.#history = [...this.#history, trained, validated];
    const followed = scoring.follow?.(validated) ?? validated.loss;
    const { improved, reweightingBegins, plateauReached } = schedule.finish(
      scoring.select(validated),
      followed,
    );
    const next = { epoch: epoch + 1, learningRate: schedule.state.learningRate };
    if (reweightingBegins) yield { type: 'reweighting', ...next };
    else if (plateauReached && schedule.goesOn) yield { type: 'learning-rate', ...next };
    if (this.#saving) yield await this.#save(`epoch-${epoch}`, improved ? 'improved' : 'epoch');
    else if (improved) await best.keep(model);
    return true;
  }

  async #end(inMemory: BestWeights): Promise<TrainResult> {
    const { model, schedule } = this.#options;
    model.eval();
    const ended = { schedule: schedule.state, earlierSeconds: this.#earlierSeconds };
    if (schedule.state.bestEpoch === 0) return ended;
    if (!this.#saving) {
      await inMemory.restore(model);
      return ended;
    }
    const best = await this.#saving.store.open('best');
    await restoreWeights(best, model);
    return { ...ended, best };
  }

  async *#saveStopped(record: EpochRecord<Result, Scores>): AsyncGenerator<TrainEvent<Scores>, void> {
    if (!this.#saving || record.step === 0) return;
    yield await this.#save(`epoch-${record.epoch}-step-${record.step}`, 'stopped', record.progress);
  }

  async #save(
    name: string,
    reason: 'epoch' | 'improved' | 'step' | 'stopped',
    progress?: EpochProgress,
  ): Promise<TrainEvent<Scores>> {
    const { model, optimizer, schedule, notes } = this.#options;
    const { store, keeper } = this.#saving as Saving;
    await requireFinite(model, progress ? `epoch ${progress.epoch}, batch ${progress.step},` : name);
    const folder = await keeper.add(name, reason === 'improved', () => {
      const { improvements } = keeper;
      const seconds = this.#earlierSeconds + (performance.now() - this.#begun) / 1000;
      const state = { schedule: schedule.state, progress, improvements, history: this.#history, seconds };
      return saveCheckpoint(store, name, { model, optimizer, notes, state });
    });
    return { type: 'checkpoint', folder, reason };
  }

  async #restore(): Promise<{ progress: EpochProgress | undefined; warning: string | undefined }> {
    const { model, optimizer, schedule, notes } = this.#options;
    if (!this.#saving)
      throw new CxrGazeError('ERR_RESUME', 'Expected a folder of checkpoints to resume from');
    const { store, keeper } = this.#saving;
    const folder = await store.open('last');
    const state = await restoreCheckpoint(folder, { model, optimizer });
    schedule.restore(state.schedule);
    // What the same scoring wrote: the options have been compared before.
    this.#history = state.history as readonly unknown[] as readonly EpochNumbers<Scores>[];
    keeper.restore(state.improvements);
    this.#earlierSeconds = state.seconds;
    const { environment } = await readState(folder);
    return { progress: state.progress, warning: environmentWarning(environment, notes.environment) };
  }
}

import { CxrGazeError } from '../errors.js';
import { type ModelHandle, native, type OptionBag, type Reply } from '../native.js';
import { callContext, currentScope } from '../tensor/context.js';
import type { DType } from '../tensor/dtype.js';
import { handlesOf } from '../tensor/run.js';
import { disposeAll, requireTensors, Tensor } from '../tensor/tensor.js';
import { Work } from '../tensor/work.js';
import { flag, invalidArgument, knownKeys, list, text } from '../validate.js';

/** One tensor of a state dict. */
export interface StateEntry {
  /** PyTorch's key, such as `layer4.1.conv2.weight`. */
  readonly name: string;
  /** Whether it learns, is frozen, or is a buffer. */
  readonly kind: 'parameter' | 'frozen' | 'buffer';
  /** The values; shares the model's memory, so writing to it changes the model. */
  readonly tensor: Tensor;
}

/** Options of a forward pass. */
export interface ForwardOptions {
  /**
   * Evaluation (running statistics, no stochastic depth) for this pass alone, whatever mode the model is in, so that it
   * can be asked in the midst of training; default `false`: as the model's mode says.
   */
  readonly evaluation?: boolean;
}

/** What {@link Network.loadStateDict} found. */
export interface LoadReport {
  /** Keys of the model that were not given. */
  readonly missing: readonly string[];
  /** Given keys that the model has not. */
  readonly unexpected: readonly string[];
}

/**
 * What every network on the compute lane is: weights under PyTorch's keys, modes, taps. {@link Model} is a classifier,
 * {@link TeacherNetwork} a teacher of gaze.
 */
export abstract class Network {
  #handle: ModelHandle | undefined;
  #training = true;
  #dtype: DType = 'float32';
  /** @internal Name of the native architecture. */
  readonly architecture: string;

  /** @hidden */
  protected constructor(architecture: string, options: OptionBag) {
    this.architecture = architecture;
    this.#handle = native().createModel(architecture, options, callContext());
  }

  #live(): ModelHandle {
    if (this.#handle) return this.#handle;
    throw new CxrGazeError('ERR_DISPOSED', 'Expected a live Model but it has been disposed');
  }

  /** @internal Queues one of the native operations on networks. */
  run(operation: string, inputs: readonly (Tensor | null)[], options?: OptionBag): Tensor[] {
    return native()
      .runModel(this.#live(), operation, handlesOf(inputs), options, callContext())
      .map((handle) => new Tensor(handle));
  }

  /** @internal The forward pass: its result, and the activations asked for in float32 or float64. */
  protected runWithTaps(
    images: Tensor,
    taps: readonly string[],
    options: ForwardOptions,
  ): { readonly result: Tensor; readonly taps: Record<string, Tensor> } {
    list('taps', taps, text);
    const [result, ...rest] = this.run('forward', requireTensors([images], 'images'), {
      ...modeOf(options),
      taps,
    });
    return {
      result: result as Tensor,
      taps: Object.fromEntries(taps.map((name, i) => [name, rest[i] as Tensor])),
    };
  }

  /** @internal Queues one of the native queries on networks. */
  ask(query: string, inputs: readonly Tensor[] = [], options?: OptionBag): Work<Reply> {
    const context = callContext();
    return Work.of(
      native().askModel(this.#live(), query, handlesOf(inputs), options, context),
      context.scope,
    );
  }

  /** @internal Queues a change of the network. If it fails, so does whatever uses the network afterwards. */
  protected change(query: string, options: OptionBag): this {
    native().changeModel(this.#live(), query, options, callContext());
    return this;
  }

  /** Whether the handle has been closed. */
  get disposed(): boolean {
    return this.#handle === undefined;
  }

  /** Whether it is in training mode: batch statistics rather than running ones, and stochastic depth. */
  get training(): boolean {
    return this.#training;
  }

  /** Element type of the weights after what has been queued so far. */
  get dtype(): DType {
    return this.#dtype;
  }

  /** The activations that can be tapped, in order of the pass, and the one that Grad-CAM explains by default. */
  tapNames(): Promise<{
    /** Names of the activations, in order of the pass. */
    taps: string[];
    /** The last feature map: what Grad-CAM explains by default. Empty where there is no class to explain. */
    camLayer: string;
  }> {
    return this.ask('describe').then(({ texts }) => ({
      taps: texts.slice(0, -1),
      camLayer: texts.at(-1) as string,
    }));
  }

  /** Switches to training mode. @returns this model */
  train(): this {
    return this.#setMode(true);
  }

  /** Switches to evaluation mode. @returns this model */
  eval(): this {
    return this.#setMode(false);
  }

  #setMode(training: boolean): this {
    this.change('mode', { training });
    this.#training = training;
    return this;
  }

  /**
   * Moves the weights; gradients and an optimizer's state follow. Tensors that {@link Network.state} has given tell the new
   * type after their next `ready()`.
   *
   * @param target floating-point element type and device, both kept by default, and whether convolutions are kept
   *   channels-last (default `false`)
   * @returns this model
   * @throws CxrGazeError `ERR_INVALID_DTYPE`, `ERR_INVALID_DEVICE`
   */
  to(target: { readonly dtype?: DType; readonly device?: string; readonly channelsLast?: boolean }): this {
    knownKeys('target', target, ['dtype', 'device', 'channelsLast']);
    this.change('move', { ...target });
    if (target.dtype !== undefined) this.#dtype = target.dtype;
    return this;
  }

  /** Waits until the model has been built. @throws CxrGazeError whatever went wrong in building or moving it */
  ready(): Promise<void> {
    return this.ask('describe').then(() => undefined);
  }

  /** All tensors under PyTorch's keys, in PyTorch's order. */
  state(): Promise<StateEntry[]> {
    const scope = currentScope();
    return this.ask('state').then(({ texts, tensors }) =>
      tensors.map((handle, i) => ({
        name: texts[2 * i] as string,
        kind: texts[2 * i + 1] as StateEntry['kind'],
        tensor: new Tensor(handle, scope),
      })),
    );
  }

  /** All tensors by PyTorch's key. They share the model's memory. */
  stateDict(): Promise<Map<string, Tensor>> {
    return this.state().then((state) => new Map(state.map(({ name, tensor }) => [name, tensor])));
  }

  /** The parameters that learn, by name: what an optimizer is given. */
  parameters(): Promise<Map<string, Tensor>> {
    return this.state().then((state) => {
      disposeAll(state.filter((entry) => !isLearning(entry)).map(({ tensor }) => tensor));
      return new Map(state.filter(isLearning).map(({ name, tensor }) => [name, tensor]));
    });
  }

  /**
   * Copies values into the model, converting type and device. Nothing is changed if anything does not fit.
   *
   * @param state tensors by key; `num_batches_tracked` may be absent
   * @param options `strict` (default `true`): missing or unexpected keys are errors
   * @throws CxrGazeError `ERR_STATE_DICT` naming the keys and shapes that do not fit
   */
  loadStateDict(
    state: ReadonlyMap<string, Tensor>,
    options: { readonly strict?: boolean } = {},
  ): Promise<LoadReport> {
    knownKeys('options', options, ['strict']);
    if (!(state instanceof Map)) throw invalidArgument('state', 'a Map of tensors', state);
    const names = list('state key', [...state.keys()], text);
    const values = requireTensors([...state.values()], 'state value');
    const strict = flag('strict', options.strict ?? true);
    return this.ask('load', values, { names, strict }).then((reply) => this.#loaded(reply));
  }

  #loaded({ texts, numbers }: Reply): LoadReport {
    const of = (kind: string) =>
      texts.filter((t) => t.startsWith(`${kind} `)).map((t) => t.slice(kind.length + 1));
    const report = { missing: of('missing'), unexpected: of('unexpected') };
    if (numbers[0] === 1) return report;
    throw new CxrGazeError(
      'ERR_STATE_DICT',
      `State dict does not fit ${this.architecture}: ${summary(texts)}`,
      {
        details: { ...report, mismatched: of('mismatched') },
      },
    );
  }

  /**
   * Lets only the parameters learn whose name begins with one of the prefixes.
   *
   * @param prefixes such as `['fc.']`; `['']` for all
   * @returns the names that learn
   */
  setTrainable(prefixes: readonly string[]): Promise<string[]> {
    const given = list('prefixes', prefixes, prefix);
    return this.ask('trainable', [], { prefixes: given }).then(({ texts }) => texts);
  }

  /** Closes the handle. Work already queued still sees the model. Calling it again does nothing. */
  dispose(): void {
    if (this.#handle) native().disposeModel(this.#handle);
    this.#handle = undefined;
  }

  /** Same as {@link Network.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** @internal The options of a pass, checked. */
export function modeOf(options: ForwardOptions): OptionBag {
  knownKeys('options', options, ['evaluation']);
  return { evaluation: flag('options.evaluation', options.evaluation ?? false) };
}

function prefix(name: string, value: unknown): string {
  return value === '' ? '' : text(name, value);
}

function isLearning(entry: StateEntry): boolean {
  return entry.kind === 'parameter';
}

function summary(problems: readonly string[]): string {
  const shown = problems.slice(0, 8).join('; ');
  return problems.length > 8 ? `${shown}; and ${problems.length - 8} more` : shown;
}

/** @internal Refuses what is no network. */
export function requireNetwork<N extends Network>(value: N): N {
  if (value instanceof Network) return value;
  throw invalidArgument('model', 'a Model', value);
}

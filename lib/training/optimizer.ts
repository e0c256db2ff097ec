import { CxrGazeError } from '../errors.js';
import { native, type OptimizerHandle, type OptionBag, type Reply } from '../native.js';
import { callContext } from '../tensor/context.js';
import { handlesOf } from '../tensor/run.js';
import { handleOf, Tensor } from '../tensor/tensor.js';
import { Work } from '../tensor/work.js';
import { flag, knownKeys, number, oneOf } from '../validate.js';

/** Options of {@link createOptimizer}; defaults are PyTorch's. */
export interface OptimizerOptions {
  /** The rule of update. */
  readonly kind: 'adam' | 'adamw' | 'sgd';
  /** Learning rate, at least 0; default 1e-3. */
  readonly learningRate?: number;
  /** Adam's decay rates of the moments; default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Adam's term against division by zero; default 1e-8. */
  readonly eps?: number;
  /** Weight decay; default 0, for AdamW 0.01. */
  readonly weightDecay?: number;
  /** SGD's momentum; default 0. */
  readonly momentum?: number;
  /** SGD's Nesterov variant; default `false`. */
  readonly nesterov?: boolean;
}

/** One tensor of an optimizer's state. */
export interface OptimizerStateEntry {
  /** Name of the parameter. */
  readonly parameter: string;
  /** PyTorch's name: `step`, `exp_avg`, `exp_avg_sq`, `momentum_buffer`. */
  readonly name: string;
  /** The values; shares the optimizer's memory. */
  readonly tensor: Tensor;
}

/**
 * Adam, AdamW (Loshchilov and Hutter 2019) or SGD over LibTorch's fused kernels.
 *
 * @example
 * ```ts
 * const optimizer = createOptimizer(await model.parameters(), { kind: 'adam', learningRate: 1e-4 });
 * optimizer.zeroGrad();
 * loss.backward();
 * optimizer.step();
 * ```
 */
export class Optimizer {
  #handle: OptimizerHandle | undefined;
  readonly #names: readonly string[];
  #learningRate: number;

  /** @internal */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: OptionBag, learningRate: number) {
    this.#names = [...parameters.keys()];
    this.#learningRate = learningRate;
    this.#handle = native().createOptimizer(options, [...parameters.values()].map(handleOf), callContext());
  }

  #ask(query: string, inputs: readonly Tensor[] = [], options?: OptionBag): Work<Reply> {
    if (!this.#handle)
      throw new CxrGazeError('ERR_DISPOSED', 'Expected a live Optimizer but it has been disposed');
    const context = callContext();
    return Work.of(
      native().askOptimizer(this.#handle, query, handlesOf(inputs), options, context),
      context.scope,
    );
  }

  /** One update from the parameters' gradients. Queued: the promise need not be awaited. */
  step(): Work<void> {
    return this.#ask('step') as Work<unknown> as Work<void>;
  }

  /** Forgets the gradients. Queued: the promise need not be awaited. */
  zeroGrad(): Work<void> {
    return this.#ask('zeroGrad') as Work<unknown> as Work<void>;
  }

  /** The learning rate of the next step. */
  get learningRate(): number {
    return this.#learningRate;
  }

  set learningRate(value: number) {
    this.#learningRate = number('learningRate', value, { min: 0 });
    this.#ask('learningRate', [], { value });
  }

  /**
   * Scales all gradients down so that their Euclidean norm is at most `maximum`.
   *
   * @returns the norm before
   */
  async clipGradients(maximum: number): Promise<number> {
    const { numbers } = await this.#ask('clipGradients', [], {
      maximum: number('maximum', maximum, { above: 0 }),
    });
    return numbers[0] as number;
  }

  /** Euclidean norm of all gradients. */
  async gradientNorm(): Promise<number> {
    return (await this.#ask('clipGradients')).numbers[0] as number;
  }

  /** Moments and step counts of the parameters that have been updated. */
  async state(): Promise<OptimizerStateEntry[]> {
    const { texts, numbers, tensors } = await this.#ask('state');
    return tensors.map((handle, i) => ({
      parameter: this.#names[numbers[i] as number] as string,
      name: texts[i] as string,
      tensor: new Tensor(handle),
    }));
  }

  /**
   * Puts back what {@link Optimizer.state} gave.
   *
   * @throws CxrGazeError `ERR_STATE_DICT` for a parameter or shape that is not this optimizer's
   */
  async loadState(entries: readonly OptimizerStateEntry[]): Promise<void> {
    const indices = entries.map(({ parameter }) => this.#names.indexOf(parameter));
    const stranger = entries[indices.indexOf(-1)];
    if (stranger)
      throw new CxrGazeError('ERR_STATE_DICT', `Optimizer state for unknown parameter ${stranger.parameter}`);
    const names = entries.map(({ name }) => name);
    await this.#ask(
      'load',
      entries.map(({ tensor }) => tensor),
      { names, indices },
    );
  }

  /** Closes the handle. Calling it again does nothing. */
  dispose(): void {
    if (this.#handle) native().disposeOptimizer(this.#handle);
    this.#handle = undefined;
  }

  /** Same as {@link Optimizer.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

const optimizerKeys = [
  'kind',
  'learningRate',
  'betas',
  'eps',
  'weightDecay',
  'momentum',
  'nesterov',
] as const;

/**
 * Makes an optimizer over a model's parameters.
 *
 * @param parameters tensors by name, as `Model.parameters` gives them
 * @param options rule and rates
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function createOptimizer(
  parameters: ReadonlyMap<string, Tensor>,
  options: OptimizerOptions,
): Optimizer {
  knownKeys('options', options, optimizerKeys);
  const [beta1, beta2] = options.betas ?? [0.9, 0.999];
  const learningRate = number('learningRate', options.learningRate ?? 1e-3, { min: 0 });
  return new Optimizer(
    parameters,
    {
      kind: oneOf('kind', options.kind, ['adam', 'adamw', 'sgd']),
      learningRate,
      beta1: number('betas[0]', beta1, { min: 0, max: 1 }),
      beta2: number('betas[1]', beta2, { min: 0, max: 1 }),
      eps: number('eps', options.eps ?? 1e-8, { min: 0 }),
      weightDecay:
        options.weightDecay === undefined
          ? undefined
          : number('weightDecay', options.weightDecay, { min: 0 }),
      momentum: number('momentum', options.momentum ?? 0, { min: 0 }),
      nesterov: flag('nesterov', options.nesterov ?? false),
    },
    learningRate,
  );
}

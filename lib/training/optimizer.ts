import { CxrGazeError } from '../errors.js';
import { native, type OptimizerHandle, type OptionBag, type Reply } from '../native.js';
import { callContext, currentScope } from '../tensor/context.js';
import { handlesOf } from '../tensor/run.js';
import { handleOf, requireTensors, Tensor } from '../tensor/tensor.js';
import { Work } from '../tensor/work.js';
import { flag, invalidArgument, knownKeys, list, number, oneOf, text } from '../validate.js';

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

  /** @hidden */
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

  /** Sets it from the next step on; at least 0. */
  set learningRate(value: number) {
    this.#ask('learningRate', [], { value: number('learningRate', value, { min: 0 }) });
    this.#learningRate = value;
  }

  /**
   * Scales all gradients down so that their Euclidean norm is at most `maximum`.
   *
   * @returns the norm before
   */
  clipGradients(maximum: number): Promise<number> {
    const options = { maximum: number('maximum', maximum, { above: 0 }) };
    return this.#ask('clipGradients', [], options).then(({ numbers }) => numbers[0] as number);
  }

  /** Euclidean norm of all gradients. */
  gradientNorm(): Promise<number> {
    return this.#ask('clipGradients').then(({ numbers }) => numbers[0] as number);
  }

  /** Moments and step counts of the parameters that have been updated. */
  state(): Promise<OptimizerStateEntry[]> {
    const scope = currentScope();
    return this.#ask('state').then(({ texts, numbers, tensors }) =>
      tensors.map((handle, i) => ({
        parameter: this.#names[numbers[i] as number] as string,
        name: texts[i] as string,
        tensor: new Tensor(handle, scope),
      })),
    );
  }

  /**
   * Puts back what {@link Optimizer.state} gave. Nothing is changed if anything does not fit.
   *
   * @param entries all of a parameter's tensors, or none of them
   * @throws CxrGazeError `ERR_STATE_DICT` for a parameter, name or shape that is not this optimizer's
   */
  loadState(entries: readonly OptimizerStateEntry[]): Promise<void> {
    list('entries', entries, checkEntry);
    const indices = entries.map(({ parameter }) => this.#names.indexOf(parameter));
    const stranger = entries[indices.indexOf(-1)];
    if (stranger)
      throw new CxrGazeError('ERR_STATE_DICT', `Optimizer state for unknown parameter ${stranger.parameter}`);
    const names = entries.map(({ name }) => name);
    const tensors = entries.map(({ tensor }) => tensor);
    return this.#ask('load', tensors, { names, indices }).then(() => undefined);
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

function checkEntry(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw invalidArgument(name, 'an object', value);
  const entry = value as Partial<OptimizerStateEntry>;
  text(`${name}.parameter`, entry.parameter);
  text(`${name}.name`, entry.name);
  requireTensors([entry.tensor as Tensor], `${name}.tensor`);
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
  if (!(parameters instanceof Map)) throw invalidArgument('parameters', 'a Map of tensors', parameters);
  requireTensors([...parameters.values()], 'parameter');
  const betas = options.betas ?? [0.9, 0.999];
  const [beta1, beta2, ...more] = list('betas', betas, (name, beta) =>
    number(name, beta, { min: 0, max: 1 }),
  );
  if (beta1 === undefined || beta2 === undefined || more.length > 0 || beta1 === 1 || beta2 === 1) {
    throw invalidArgument('betas', 'two numbers from 0 to below 1', betas);
  }
  const momentum = number('momentum', options.momentum ?? 0, { min: 0 });
  const nesterov = flag('nesterov', options.nesterov ?? false);
  if (nesterov && momentum === 0)
    throw invalidArgument('momentum', 'a number above 0 (nesterov needs it)', momentum);
  const learningRate = number('learningRate', options.learningRate ?? 1e-3, { min: 0 });
  return new Optimizer(
    parameters,
    {
      kind: oneOf('kind', options.kind, ['adam', 'adamw', 'sgd']),
      learningRate,
      beta1,
      beta2,
      eps: number('eps', options.eps ?? 1e-8, { min: 0 }),
      weightDecay:
        options.weightDecay === undefined
          ? undefined
          : number('weightDecay', options.weightDecay, { min: 0 }),
      momentum,
      nesterov,
    },
    learningRate,
  );
}

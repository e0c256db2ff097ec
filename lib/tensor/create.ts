import { CxrGazeError } from '../errors.js';
import { native } from '../native.js';
import { flag, integer, invalidArgument, knownKeys, list, number, oneOf } from '../validate.js';
import { type DType, dtypeOf, dtypes, isTensorData, type TensorData } from './dtype.js';
import { ask, run, runMany } from './run.js';
import { requireTensors, Tensor } from './tensor.js';

/** Options of the functions that make tensors. */
export interface TensorOptions {
  /** Element type; `float32` by default, or what the typed array holds. */
  readonly dtype?: DType;
  /** `cpu` (default), `cuda`, `cuda:1`. */
  readonly device?: string;
  /** Whether gradients are recorded; default `false`. */
  readonly requiresGrad?: boolean;
}

const tensorKeys = ['dtype', 'device', 'requiresGrad'] as const;

/** Numbers in nested arrays, all rows of one length. */
export type NestedNumbers = number | readonly NestedNumbers[];

/**
 * A tensor from a typed array (copied now) or from nested arrays of numbers.
 *
 * @param data the elements, row-major
 * @param shape sizes; of a typed array one axis by default, of nested arrays their own
 * @param options type, device, gradients
 * @throws CxrGazeError `ERR_INVALID_SHAPE` if sizes and number of elements differ
 */
export function tensor(
  data: TensorData | NestedNumbers,
  shape?: readonly number[],
  options: TensorOptions = {},
): Tensor {
  knownKeys('options', options, tensorKeys);
  const flat = isTensorData(data) ? data : flatten(data as NestedNumbers);
  const sizes = shape ?? (isTensorData(data) ? [data.length] : shapeOf(data as NestedNumbers));
  list('shape', sizes, (name, size) => integer(name, size, { min: 0 }));
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count !== flat.length) {
    throw new CxrGazeError(
      'ERR_INVALID_SHAPE',
      `Expected ${count} elements for shape [${sizes}] but received ${flat.length}`,
    );
  }
  const given = dtypeOf(flat);
  const wanted = oneOf('dtype', options.dtype ?? (isTensorData(data) ? given : 'float32'), dtypes);
  const bytes = new Uint8Array(flat.buffer, flat.byteOffset, flat.byteLength);
  return finish(new Tensor(native().fromBytes(bytes, given, sizes)), given, { ...options, dtype: wanted });
}

function finish(made: Tensor, given: DType, options: TensorOptions): Tensor {
  const { dtype = given, device, requiresGrad = false } = options;
  let result = made;
  if (dtype !== given || device !== undefined) {
    result = made.to({ dtype, ...(device === undefined ? {} : { device }) });
    made.dispose();
  }
  return flag('requiresGrad', requiresGrad) ? result.requiresGrad_() : result;
}

/** As LibTorch's; an array that holds itself has no end. */
const maxAxes = 64;

function shapeOf(data: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let level: NestedNumbers | undefined = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > maxAxes) throw invalidArgument('data', `at most ${maxAxes} levels of arrays`, data);
  }
  return shape;
}

function flatten(data: NestedNumbers): Float64Array {
  const shape = shapeOf(data);
  const flat: number[] = [];
  const visit = (value: NestedNumbers, depth: number): void => {
    if (typeof value === 'number' && depth === shape.length) flat.push(value);
    else if (Array.isArray(value) && value.length === shape[depth])
      for (const item of value) visit(item, depth + 1);
    else throw invalidArgument('data', `a number or array of shape [${shape}] throughout`, value);
  };
  visit(data, 0);
  return Float64Array.from(flat);
}

function made(operation: string, shape: readonly number[], options: TensorOptions, more: object): Tensor {
  list('shape', shape, (name, size) => integer(name, size, { min: 0 }));
  knownKeys('options', options, tensorKeys);
  const { dtype = 'float32', device, requiresGrad = false } = options;
  const result = run(operation, [], { shape, dtype: oneOf('dtype', dtype, dtypes), device, ...more });
  return flag('requiresGrad', requiresGrad) ? result.requiresGrad_() : result;
}

/** A tensor of one value everywhere. */
export function full(shape: readonly number[], value: number, options: TensorOptions = {}): Tensor {
  return made('full', shape, options, { value });
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** A tensor of ones. */
export function ones(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** Normal random numbers (mean 0, deviation 1), the same for the same seed. */
export function randn(shape: readonly number[], seed: number, options: TensorOptions = {}): Tensor {
  return made('randn', shape, options, { seed: integer('seed', seed, { min: 0 }) });
}

/** Uniform random numbers in [0, 1), the same for the same seed. */
export function rand(shape: readonly number[], seed: number, options: TensorOptions = {}): Tensor {
  return made('rand', shape, options, { seed: integer('seed', seed, { min: 0 }) });
}

/** Numbers from `start` (default 0) up to `end` by `step` (default 1), `int64` by default. */
export function arange(
  end: number,
  options: { readonly start?: number; readonly step?: number; readonly dtype?: DType } = {},
): Tensor {
  knownKeys('options', options, ['start', 'step', 'dtype']);
  const start = number('start', options.start ?? 0);
  const step = number('step', options.step ?? 1);
  const dtype = oneOf('dtype', options.dtype ?? 'int64', dtypes);
  if (step === 0 || (number('end', end) - start) / step < 0) {
    throw invalidArgument('step', `a number that leads from ${start} to ${end}`, step);
  }
  return run('arange', [], { start, end, step, dtype });
}

/** Tensors joined along an axis (default 0). */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return run('cat', listOfTensors(tensors), { dim });
}

/** Tensors of one shape joined along a new axis (default 0). */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return run('stack', listOfTensors(tensors), { dim });
}

function listOfTensors(tensors: readonly Tensor[]): readonly Tensor[] {
  if (!Array.isArray(tensors) || tensors.length === 0)
    throw invalidArgument('tensors', 'an array of tensors', tensors);
  return requireTensors(tensors, 'tensor');
}

/** Options of {@link gradients}. */
export interface GradientsOptions {
  /** Gradient of the final quantity by the output; 1 for a scalar. */
  readonly gradient?: Tensor;
  /** Whether the graph may be walked again; default: what `createGraph` is. */
  readonly retainGraph?: boolean;
  /** Whether the result can itself be differentiated (second order); default `false`. */
  readonly createGraph?: boolean;
  /** Whether inputs that do not take part give zeros instead of an error; default `false`. */
  readonly allowUnused?: boolean;
}

/**
 * Gradients of an output by some tensors, without touching their `grad`.
 *
 * @param output what is differentiated
 * @param inputs by what
 * @param options seed and graph
 * @returns one tensor for each input, of its shape
 */
export function gradients(
  output: Tensor,
  inputs: readonly Tensor[],
  options: GradientsOptions = {},
): Tensor[] {
  knownKeys('options', options, ['gradient', 'retainGraph', 'createGraph', 'allowUnused']);
  const { gradient, ...flags } = options;
  const operands = [output, ...(gradient === undefined ? [] : [gradient]), ...listOfTensors(inputs)];
  return runMany('gradients', requireTensors(operands), { ...flags, count: inputs.length });
}

/** What the process holds. */
export interface MemoryStats {
  /** Tensor handles that are not disposed. */
  readonly liveTensors: number;
  /** Bytes of host storages, each counted once. */
  readonly hostBytes: number;
  /** Bytes of device storages, each counted once. */
  readonly deviceBytes: number;
  /** Jobs queued and running. */
  readonly pendingJobs: number;
}

/** Tensors and bytes of this thread. */
export function memoryStats(): MemoryStats {
  return native().memoryStats();
}

/**
 * Number of threads of the compute lane, and the instruction set in use.
 *
 * @param count sets the number first, if given
 */
export function threads(count?: number): Promise<{
  /** Threads of one operation. */
  threads: number;
  /** Instruction set of LibTorch's own kernels, such as `AVX512`. */
  capability: string;
}> {
  const wanted = count === undefined ? undefined : integer('count', count, { min: 1, max: 1024 });
  return ask('threads', [], { threads: wanted }).then(({ numbers, texts }) => ({
    threads: numbers[0] as number,
    capability: texts[0] as string,
  }));
}

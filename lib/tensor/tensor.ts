import type { NdArray } from 'ndarray';
import { CxrGazeError } from '../errors.js';
import { native, type Reply, type TensorHandle } from '../native.js';
import { flag, invalidArgument, knownKeys } from '../validate.js';
import { currentScope } from './context.js';
import { type DType, type TensorData, viewOf } from './dtype.js';
import { inPlace, on, withSecond } from './operands.js';
import {
  axes,
  type BackwardOptions,
  bag,
  type ReduceOptions,
  type TensorInfo,
  type ToOptions,
  type ValuesAndIndices,
} from './options.js';
import { toNdarrayOf } from './row-major.js';
import { ask, runMany } from './run.js';
import type { Work } from './work.js';

export type { BackwardOptions, ReduceOptions, TensorInfo, ToOptions, ValuesAndIndices } from './options.js';

const tensorRegistry = new WeakMap<Tensor, TensorHandle>();

/** The native side of a tensor. @throws CxrGazeError `ERR_DISPOSED` */
export function handleOf(tensor: Tensor): TensorHandle {
  const handle = tensorRegistry.get(tensor);
  if (handle) return handle;
  throw new CxrGazeError('ERR_DISPOSED', 'Expected a live Tensor but it has been disposed');
}

/** Closes several tensors with one crossing. */
export function disposeAll(tensors: Iterable<Tensor>): void {
  const handles: TensorHandle[] = [];
  for (const tensor of tensors) {
    const handle = tensorRegistry.get(tensor);
    if (!handle) continue;
    handles.push(handle);
    tensorRegistry.delete(tensor);
  }
  if (handles.length > 0) native().dispose(handles);
}

/** @internal Refuses an operand that is no tensor, `null` too, which stands for an optional one in native operations. */
export function requireTensors(inputs: readonly Tensor[], name = 'operand'): readonly Tensor[] {
  for (const [index, input] of inputs.entries()) {
    if (!(input instanceof Tensor)) throw invalidArgument(`${name} ${index}`, 'a Tensor', input);
  }
  return inputs;
}

/**
 * An n-dimensional array on the compute lane.
 *
 * An operation checks what can be judged at once, queues a job and returns the resulting tensor at once; the lane fills
 * it in call order, so code reads like PyTorch without `await`. Reading needs an `await`: {@link Tensor.ready},
 * {@link Tensor.item}, {@link Tensor.data}, {@link Tensor.toNdarray}. A failed operation poisons its result and what
 * depends on it; the error surfaces at the first `await`.
 *
 * Names are PyTorch's in camelCase; a trailing `_` marks an operation in place. Numbers that are whole count as integers
 * in type promotion.
 *
 * @example
 * ```ts
 * const mean = await tidy(() => tensor([[1, 2], [3, 4]]).mean()).item(); // 2.5
 * ```
 */
export class Tensor {
  /** @hidden `scope` is the one that was active at the call; what arrives after its end is disposed at once. */
  constructor(handle: TensorHandle, scope = currentScope()) {
    tensorRegistry.set(this, handle);
    if (scope?.ended) this.dispose();
    else scope?.tensors.add(this);
  }

  /** Whether the handle has been closed. */
  get disposed(): boolean {
    return !tensorRegistry.has(this);
  }

  /** Closes this handle. Work already queued still sees the data. Calling it again does nothing. */
  dispose(): void {
    disposeAll([this]);
  }

  /** Same as {@link Tensor.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * Waits until the tensor has been filled.
   *
   * @returns its type, shape and device
   * @throws CxrGazeError the first error of the work behind it
   */
  ready(): Promise<TensorInfo> {
    return ask('ready', [this]).then(({ texts, numbers }) => ({
      dtype: texts[0] as DType,
      shape: numbers,
      device: texts[1] as string,
    }));
  }

  #meta(): NonNullable<ReturnType<TensorHandle['meta']>> {
    const meta = handleOf(this).meta();
    if (meta) return meta;
    throw new CxrGazeError(
      'ERR_INVALID_ARGUMENT',
      'Expected a filled tensor: await ready() before shape, dtype or device',
    );
  }

  /** Sizes; only after {@link Tensor.ready}. */
  get shape(): readonly number[] {
    return this.#meta().shape;
  }

  /** Element type; only after {@link Tensor.ready}. */
  get dtype(): DType {
    return this.#meta().dtype as DType;
  }

  /** Device; only after {@link Tensor.ready}. */
  get device(): string {
    return this.#meta().device;
  }

  /** Whether gradients are recorded for it; only after {@link Tensor.ready}. */
  get requiresGrad(): boolean {
    return this.#meta().requiresGrad;
  }

  /**
   * The only element, as a number (booleans as 0 and 1).
   *
   * @throws CxrGazeError `ERR_INVALID_SHAPE` for more or less than one element, `ERR_INVALID_DTYPE` for an integer that no
   *   JavaScript number holds exactly
   */
  item(): Promise<number> {
    return ask('item', [this]).then(({ numbers }) => numbers[0] as number);
  }

  /** A copy of the elements in row-major order. `float16` and `bfloat16` come as `float32`. */
  data(): Promise<TensorData> {
    return this.#read().then(({ bytes, texts }) => viewOf(bytes as ArrayBuffer, texts[0] as string));
  }

  /** A copy as an `ndarray` (row-major). `int64` comes as `BigInt64Array`. */
  toNdarray(): Promise<NdArray<TensorData>> {
    return this.#read().then(({ bytes, texts, numbers }) =>
      toNdarrayOf(viewOf(bytes as ArrayBuffer, texts[0] as string), numbers),
    );
  }

  /** @internal The raw bytes in row-major order with their true element type, as checkpoints need them. */
  bytes(): Promise<{ bytes: Uint8Array; dtype: DType; shape: number[] }> {
    return ask('read', [this]).then(({ bytes, texts, numbers }) => ({
      bytes: new Uint8Array(bytes as ArrayBuffer),
      dtype: texts[0] as DType,
      shape: numbers,
    }));
  }

  #read(): Work<Reply> {
    return ask('read', [this], { widen: true });
  }

  /** Sum, with broadcasting. */
  add(operand: Tensor | number): Tensor {
    return on('add', ...withSecond(this, operand));
  }

  /** Difference, with broadcasting. */
  sub(operand: Tensor | number): Tensor {
    return on('sub', ...withSecond(this, operand));
  }

  /** Product of elements, with broadcasting. */
  mul(operand: Tensor | number): Tensor {
    return on('mul', ...withSecond(this, operand));
  }

  /** Quotient of elements, with broadcasting. */
  div(operand: Tensor | number): Tensor {
    return on('div', ...withSecond(this, operand));
  }

  /** Power of elements. */
  pow(operand: Tensor | number): Tensor {
    return on('pow', ...withSecond(this, operand));
  }

  /** The larger of two elements. */
  maximum(operand: Tensor | number): Tensor {
    return on('maximum', ...withSecond(this, operand));
  }

  /** The smaller of two elements. */
  minimum(operand: Tensor | number): Tensor {
    return on('minimum', ...withSecond(this, operand));
  }

  /** Adds to this tensor. In place. @returns this tensor */
  add_(operand: Tensor | number): this {
    return inPlace('add_', ...withSecond(this, operand));
  }

  /** Subtracts from this tensor. In place. @returns this tensor */
  sub_(operand: Tensor | number): this {
    return inPlace('sub_', ...withSecond(this, operand));
  }

  /** Multiplies this tensor. In place. @returns this tensor */
  mul_(operand: Tensor | number): this {
    return inPlace('mul_', ...withSecond(this, operand));
  }

  /** Divides this tensor. In place. @returns this tensor */
  div_(operand: Tensor | number): this {
    return inPlace('div_', ...withSecond(this, operand));
  }

  /** Overwrites this tensor with another's values, converting type and device. @returns this tensor */
  copy_(source: Tensor): this {
    return inPlace('copy_', [this, source]);
  }

  /** Where equal, `bool`. */
  eq(operand: Tensor | number): Tensor {
    return on('eq', ...withSecond(this, operand));
  }

  /** Where not equal, `bool`. */
  ne(operand: Tensor | number): Tensor {
    return on('ne', ...withSecond(this, operand));
  }

  /** Where less, `bool`. */
  lt(operand: Tensor | number): Tensor {
    return on('lt', ...withSecond(this, operand));
  }

  /** Where less or equal, `bool`. */
  le(operand: Tensor | number): Tensor {
    return on('le', ...withSecond(this, operand));
  }

  /** Where greater, `bool`. */
  gt(operand: Tensor | number): Tensor {
    return on('gt', ...withSecond(this, operand));
  }

  /** Where greater or equal, `bool`. */
  ge(operand: Tensor | number): Tensor {
    return on('ge', ...withSecond(this, operand));
  }

  /** Negation. */
  neg(): Tensor {
    return on('neg', [this]);
  }

  /** Absolute value. */
  abs(): Tensor {
    return on('abs', [this]);
  }

  /** e to the power of each element. */
  exp(): Tensor {
    return on('exp', [this]);
  }

  /** Natural logarithm. */
  log(): Tensor {
    return on('log', [this]);
  }

  /** log(1 + x), exact near 0. */
  log1p(): Tensor {
    return on('log1p', [this]);
  }

  /** Square root. */
  sqrt(): Tensor {
    return on('sqrt', [this]);
  }

  /** Square. */
  square(): Tensor {
    return on('square', [this]);
  }

  /** 1 / x. */
  reciprocal(): Tensor {
    return on('reciprocal', [this]);
  }

  /** 1 / (1 + exp(-x)). */
  sigmoid(): Tensor {
    return on('sigmoid', [this]);
  }

  /** Hyperbolic tangent. */
  tanh(): Tensor {
    return on('tanh', [this]);
  }

  /** max(0, x). */
  relu(): Tensor {
    return on('relu', [this]);
  }

  /** Gaussian error linear unit, exact (erf). */
  gelu(): Tensor {
    return on('gelu', [this]);
  }

  /** Largest integer not above. */
  floor(): Tensor {
    return on('floor', [this]);
  }

  /** Nearest integer, halves to even. */
  round(): Tensor {
    return on('round', [this]);
  }

  /** -1, 0 or 1. */
  sign(): Tensor {
    return on('sign', [this]);
  }

  /** Negation of a `bool` tensor. */
  logicalNot(): Tensor {
    return on('logicalNot', [this]);
  }

  /** Where neither NaN nor infinite, `bool`. */
  isfinite(): Tensor {
    return on('isfinite', [this]);
  }

  /** Where NaN, `bool`. */
  isnan(): Tensor {
    return on('isnan', [this]);
  }

  /** Elements forced into bounds, both optional, one required. */
  clamp(bounds: { readonly min?: number; readonly max?: number }): Tensor {
    return on('clamp', [this], bag(bounds, ['min', 'max']));
  }

  /** Where both are true, `bool`. */
  logicalAnd(operand: Tensor): Tensor {
    return on('logicalAnd', [this, operand]);
  }

  /** Where either is true, `bool`. */
  logicalOr(operand: Tensor): Tensor {
    return on('logicalOr', [this, operand]);
  }

  /** Elements of `yes` where this `bool` tensor is true, else of `no`. */
  where(yes: Tensor, no: Tensor): Tensor {
    return on('where', [this, yes, no]);
  }

  /** Sum over axes. */
  sum(options: ReduceOptions = {}): Tensor {
    return on('sum', [this], axes(options));
  }

  /** Mean over axes. */
  mean(options: ReduceOptions = {}): Tensor {
    return on('mean', [this], axes(options));
  }

  /** Largest element over axes. */
  amax(options: ReduceOptions = {}): Tensor {
    return on('amax', [this], axes(options));
  }

  /** Smallest element over axes. */
  amin(options: ReduceOptions = {}): Tensor {
    return on('amin', [this], axes(options));
  }

  /** Index of the largest element (the first of equals), `int64`, over all or one axis. */
  argmax(options: ReduceOptions = {}): Tensor {
    return on('argmax', [this], axes(options));
  }

  /** Whether all are true, over all or one axis. */
  all(options: ReduceOptions = {}): Tensor {
    return on('all', [this], axes(options));
  }

  /** Whether any is true, over all or one axis. */
  any(options: ReduceOptions = {}): Tensor {
    return on('any', [this], axes(options));
  }

  /** log(sum(exp(x))) over axes, without overflow. */
  logsumexp(options: ReduceOptions = {}): Tensor {
    return on('logsumexp', [this], axes(options));
  }

  /** Standard deviation over axes; `correction` (default 1) is subtracted from the count. */
  std(options: ReduceOptions & { readonly correction?: number } = {}): Tensor {
    return on('std', [this], { ...axes(options, ['correction']), correction: options.correction });
  }

  /** Variance over axes; `correction` (default 1) is subtracted from the count. */
  var(options: ReduceOptions & { readonly correction?: number } = {}): Tensor {
    return on('var', [this], { ...axes(options, ['correction']), correction: options.correction });
  }

  /** p-norm over axes (default Euclidean, p = 2). */
  norm(options: ReduceOptions & { readonly p?: number } = {}): Tensor {
    return on('norm', [this], { ...axes(options, ['p']), p: options.p });
  }

  /** exp(x) / sum(exp(x)) along an axis. */
  softmax(dim: number): Tensor {
    return on('softmax', [this], { dim: [dim] });
  }

  /** Logarithm of the softmax along an axis. */
  logSoftmax(dim: number): Tensor {
    return on('logSoftmax', [this], { dim: [dim] });
  }

  /** Running sum along an axis. */
  cumsum(dim: number): Tensor {
    return on('cumsum', [this], { dim: [dim] });
  }

  /** Matrix product, batched as in PyTorch. */
  matmul(operand: Tensor): Tensor {
    return on('matmul', [this, operand]);
  }

  /** Bilinear resize of `[B, C, h, w]` to `[B, C, height, width]`; half-pixel centres unless `alignCorners`. */
  interpolate(size: readonly [number, number], options: { readonly alignCorners?: boolean } = {}): Tensor {
    return on('interpolate', [this], { ...bag(options, ['alignCorners']), size });
  }

  /** The same elements in another shape; one size may be -1. */
  reshape(shape: readonly number[]): Tensor {
    return on('reshape', [this], { shape });
  }

  /** Axes of size 1 repeated without a copy; -1 keeps a size. */
  expand(shape: readonly number[]): Tensor {
    return on('expand', [this], { shape });
  }

  /** Axes in another order. */
  permute(dims: readonly number[]): Tensor {
    return on('permute', [this], { dims });
  }

  /** Elements in reverse order along axes. */
  flip(dims: readonly number[]): Tensor {
    return on('flip', [this], { dims });
  }

  /** Two axes exchanged. */
  transpose(dim0: number, dim1: number): Tensor {
    return on('transpose', [this], { dim0, dim1 });
  }

  /** A new axis of size 1. */
  unsqueeze(dim: number): Tensor {
    return on('unsqueeze', [this], { dim });
  }

  /** Without one axis of size 1, or without all of them. */
  squeeze(dim?: number): Tensor {
    return on('squeeze', [this], { dim });
  }

  /** Axes from `startDim` (default 0) to `endDim` (default -1) made one. */
  flatten(startDim = 0, endDim = -1): Tensor {
    return on('flatten', [this], { startDim, endDim });
  }

  /** One index along an axis, which goes. */
  select(dim: number, index: number): Tensor {
    return on('select', [this], { dim, index });
  }

  /** A range along an axis: from `start` (default 0) up to `end` (default: all) by `step` (default 1). */
  slice(
    dim: number,
    range: { readonly start?: number; readonly end?: number; readonly step?: number } = {},
  ): Tensor {
    return on('slice', [this], { ...bag(range, ['start', 'end', 'step']), dim });
  }

  /** Elements at `index` (`int64`, same number of axes) along an axis. */
  gather(dim: number, index: Tensor): Tensor {
    return on('gather', [this, index], { dim });
  }

  /** Slices at `index` (`int64` `[n]`) along an axis. */
  indexSelect(dim: number, index: Tensor): Tensor {
    return on('indexSelect', [this, index], { dim });
  }

  /** The elements where a `bool` mask is true, `[n]`. */
  maskedSelect(mask: Tensor): Tensor {
    return on('maskedSelect', [this, mask]);
  }

  /** `value` where a `bool` mask is true. */
  maskedFill(mask: Tensor, value: number): Tensor {
    return on('maskedFill', [this, mask], { value });
  }

  /** Class indices (`int64`) as rows of 0 and 1. */
  oneHot(classes: number): Tensor {
    return on('oneHot', [this], { classes });
  }

  /** The `k` largest along an axis (default the last), in falling order. */
  topk(k: number, dim = -1): ValuesAndIndices {
    const [values, indices] = runMany('topk', [this], { k, dim }) as [Tensor, Tensor];
    return { values, indices };
  }

  /** Sorted along an axis (default the last), stable. */
  sort(options: { readonly dim?: number; readonly descending?: boolean } = {}): ValuesAndIndices {
    const [values, indices] = runMany('sort', [this], bag(options, ['dim', 'descending'])) as [
      Tensor,
      Tensor,
    ];
    return { values, indices };
  }

  /** Another element type, device or memory order. */
  to(options: ToOptions): Tensor {
    return on('to', [this], bag(options, ['dtype', 'device', 'memoryFormat']));
  }

  /** Row-major in memory. */
  contiguous(): Tensor {
    return on('contiguous', [this]);
  }

  /** A copy. */
  clone(): Tensor {
    return on('clone', [this]);
  }

  /** The same data outside the autograd graph. */
  detach(): Tensor {
    return on('detach', [this]);
  }

  /** Switches the recording of gradients for a leaf. @returns this tensor */
  requiresGrad_(value = true): this {
    return inPlace('requiresGrad_', [this], { value: flag('value', value) });
  }

  /** The gradient that `backward` has left, as a tensor that shares its memory. */
  grad(): Tensor {
    return on('grad', [this]);
  }

  /** Forgets the gradient. @returns this tensor */
  zeroGrad_(): this {
    return inPlace('zeroGrad_', [this]);
  }

  /**
   * Adds the gradient of this tensor to every leaf that records gradients. Queued like any operation: the promise need
   * not be awaited.
   */
  backward(options: BackwardOptions = {}): Work<void> {
    knownKeys('options', options, ['gradient', 'retainGraph', 'createGraph']);
    const { gradient, ...flags } = options;
    const operands = gradient === undefined ? [this] : [this, gradient];
    return ask('backward', requireTensors(operands), flags) as Work<unknown> as Work<void>;
  }
}

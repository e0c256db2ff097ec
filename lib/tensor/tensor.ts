import type { NdArray } from 'ndarray';
import { CxrGazeError } from '../errors.js';
import { native, type OptionBag, type TensorHandle } from '../native.js';
import { invalidArgument } from '../validate.js';
import { currentScope } from './context.js';
import { type DType, type TensorData, viewOf } from './dtype.js';
import { toNdarrayOf } from './ndarray.js';
import { ask, run, runMany } from './run.js';
import type { Work } from './work.js';

/** What a tensor is, known once its work has run. */
export interface TensorInfo {
  /** Element type. */
  readonly dtype: DType;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** `cpu` or `cuda:0`. */
  readonly device: string;
}

/** The axes of a reduction. */
export interface ReduceOptions {
  /** One axis or several, negative from the end; all axes by default. */
  readonly dim?: number | readonly number[];
  /** Whether reduced axes stay as size 1; default `false`. */
  readonly keepdim?: boolean;
}

/** Where and how a tensor is stored. */
export interface ToOptions {
  /** Element type; kept by default. */
  readonly dtype?: DType;
  /** `cpu`, `cuda`, `cuda:1`; kept by default. */
  readonly device?: string;
  /** Order in memory of `[B, C, H, W]`; kept by default. */
  readonly memoryFormat?: 'contiguous' | 'channelsLast';
}

/** Options of {@link Tensor.backward}. */
export interface BackwardOptions {
  /** Gradient of the final quantity by this tensor; 1 for a scalar. */
  readonly gradient?: Tensor;
  /** Whether the graph may be walked again; default: what `createGraph` is. */
  readonly retainGraph?: boolean;
  /** Whether the gradients can themselves be differentiated; default `false`. */
  readonly createGraph?: boolean;
}

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

function other(operand: Tensor | number): [Tensor[], OptionBag | undefined] {
  if (typeof operand === 'number') return [[], { other: operand }];
  if (operand instanceof Tensor) return [[operand], undefined];
  throw invalidArgument('other', 'a Tensor or a number', operand);
}

function axes(options: ReduceOptions): OptionBag {
  const { dim, keepdim } = options;
  return { dim: dim === undefined ? undefined : typeof dim === 'number' ? [dim] : dim, keepdim };
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
  /** @internal */
  constructor(handle: TensorHandle, scope = currentScope()) {
    tensorRegistry.set(this, handle);
    scope?.tensors.add(this);
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
  async ready(): Promise<TensorInfo> {
    const { texts, numbers } = await ask('ready', [this]);
    return { dtype: texts[0] as DType, shape: numbers, device: texts[1] as string };
  }

  #meta(): NonNullable<ReturnType<TensorHandle['meta']>> {
    const meta = handleOf(this).meta();
    if (meta) return meta;
    throw new CxrGazeError('ERR_INVALID_ARGUMENT', 'Expected a filled tensor: await ready() before shape, dtype or device');
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

  /** The only element, as a number (booleans as 0 and 1). @throws CxrGazeError `ERR_INVALID_SHAPE` for more than one */
  async item(): Promise<number> {
    return (await ask('item', [this])).numbers[0] as number;
  }

  /** A copy of the elements in row-major order. `float16` and `bfloat16` come as `float32`. */
  async data(): Promise<TensorData> {
    const { bytes, texts } = await this.#read();
    return viewOf(bytes as ArrayBuffer, texts[0] as string);
  }

  /** A copy as an `ndarray` (row-major). `int64` comes as `BigInt64Array`. */
  async toNdarray(): Promise<NdArray<TensorData>> {
    const { bytes, texts, numbers } = await this.#read();
    return toNdarrayOf(viewOf(bytes as ArrayBuffer, texts[0] as string), numbers);
  }

  /** @internal The raw bytes in row-major order with their true element type, as checkpoints need them. */
  async bytes(): Promise<{ bytes: Uint8Array; dtype: DType; shape: number[] }> {
    const reply = await ask('read', [this]);
    return { bytes: new Uint8Array(reply.bytes as ArrayBuffer), dtype: reply.texts[0] as DType, shape: reply.numbers };
  }

  async #read() {
    const reply = await ask('read', [this]);
    if (reply.texts[0] !== 'float16' && reply.texts[0] !== 'bfloat16') return reply;
    using wide = this.to({ dtype: 'float32' });
    return await ask('read', [wide]);
  }

  /** Sum, with broadcasting. */
  add(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('add', [this, ...more], options);
  }

  /** Difference, with broadcasting. */
  sub(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('sub', [this, ...more], options);
  }

  /** Product of elements, with broadcasting. */
  mul(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('mul', [this, ...more], options);
  }

  /** Quotient of elements, with broadcasting. */
  div(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('div', [this, ...more], options);
  }

  /** Power of elements. */
  pow(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('pow', [this, ...more], options);
  }

  /** The larger of two elements. */
  maximum(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('maximum', [this, ...more], options);
  }

  /** The smaller of two elements. */
  minimum(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('minimum', [this, ...more], options);
  }

  /** Adds to this tensor. In place. @returns this tensor */
  add_(operand: Tensor | number): this {
    const [more, options] = other(operand);
    runMany('add_', [this, ...more], options);
    return this;
  }

  /** Subtracts from this tensor. In place. @returns this tensor */
  sub_(operand: Tensor | number): this {
    const [more, options] = other(operand);
    runMany('sub_', [this, ...more], options);
    return this;
  }

  /** Multiplies this tensor. In place. @returns this tensor */
  mul_(operand: Tensor | number): this {
    const [more, options] = other(operand);
    runMany('mul_', [this, ...more], options);
    return this;
  }

  /** Divides this tensor. In place. @returns this tensor */
  div_(operand: Tensor | number): this {
    const [more, options] = other(operand);
    runMany('div_', [this, ...more], options);
    return this;
  }

  /** Overwrites this tensor with another's values, converting type and device. @returns this tensor */
  copy_(source: Tensor): this {
    runMany('copy_', [this, source]);
    return this;
  }

  /** Where equal, `bool`. */
  eq(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('eq', [this, ...more], options);
  }

  /** Where not equal, `bool`. */
  ne(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('ne', [this, ...more], options);
  }

  /** Where less, `bool`. */
  lt(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('lt', [this, ...more], options);
  }

  /** Where less or equal, `bool`. */
  le(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('le', [this, ...more], options);
  }

  /** Where greater, `bool`. */
  gt(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('gt', [this, ...more], options);
  }

  /** Where greater or equal, `bool`. */
  ge(operand: Tensor | number): Tensor {
    const [more, options] = other(operand);
    return run('ge', [this, ...more], options);
  }

  /** Negation. */
  neg(): Tensor {
    return run('neg', [this]);
  }

  /** Absolute value. */
  abs(): Tensor {
    return run('abs', [this]);
  }

  /** e to the power of each element. */
  exp(): Tensor {
    return run('exp', [this]);
  }

  /** Natural logarithm. */
  log(): Tensor {
    return run('log', [this]);
  }

  /** log(1 + x), exact near 0. */
  log1p(): Tensor {
    return run('log1p', [this]);
  }

  /** Square root. */
  sqrt(): Tensor {
    return run('sqrt', [this]);
  }

  /** Square. */
  square(): Tensor {
    return run('square', [this]);
  }

  /** 1 / x. */
  reciprocal(): Tensor {
    return run('reciprocal', [this]);
  }

  /** 1 / (1 + exp(-x)). */
  sigmoid(): Tensor {
    return run('sigmoid', [this]);
  }

  /** Hyperbolic tangent. */
  tanh(): Tensor {
    return run('tanh', [this]);
  }

  /** max(0, x). */
  relu(): Tensor {
    return run('relu', [this]);
  }

  /** Gaussian error linear unit, exact (erf). */
  gelu(): Tensor {
    return run('gelu', [this]);
  }

  /** Largest integer not above. */
  floor(): Tensor {
    return run('floor', [this]);
  }

  /** Nearest integer, halves to even. */
  round(): Tensor {
    return run('round', [this]);
  }

  /** -1, 0 or 1. */
  sign(): Tensor {
    return run('sign', [this]);
  }

  /** Negation of a `bool` tensor. */
  logicalNot(): Tensor {
    return run('logicalNot', [this]);
  }

  /** Where neither NaN nor infinite, `bool`. */
  isfinite(): Tensor {
    return run('isfinite', [this]);
  }

  /** Where NaN, `bool`. */
  isnan(): Tensor {
    return run('isnan', [this]);
  }

  /** Elements forced into bounds, both optional, one required. */
  clamp(bounds: { readonly min?: number; readonly max?: number }): Tensor {
    return run('clamp', [this], { min: bounds.min, max: bounds.max });
  }

  /** Where both are true, `bool`. */
  logicalAnd(operand: Tensor): Tensor {
    return run('logicalAnd', [this, operand]);
  }

  /** Where either is true, `bool`. */
  logicalOr(operand: Tensor): Tensor {
    return run('logicalOr', [this, operand]);
  }

  /** Elements of `yes` where this `bool` tensor is true, else of `no`. */
  where(yes: Tensor, no: Tensor): Tensor {
    return run('where', [this, yes, no]);
  }

  /** Sum over axes. */
  sum(options: ReduceOptions = {}): Tensor {
    return run('sum', [this], axes(options));
  }

  /** Mean over axes. */
  mean(options: ReduceOptions = {}): Tensor {
    return run('mean', [this], axes(options));
  }

  /** Largest element over axes. */
  amax(options: ReduceOptions = {}): Tensor {
    return run('amax', [this], axes(options));
  }

  /** Smallest element over axes. */
  amin(options: ReduceOptions = {}): Tensor {
    return run('amin', [this], axes(options));
  }

  /** Index of the largest element (the first of equals), `int64`, over all or one axis. */
  argmax(options: ReduceOptions = {}): Tensor {
    return run('argmax', [this], axes(options));
  }

  /** Whether all are true, over all or one axis. */
  all(options: ReduceOptions = {}): Tensor {
    return run('all', [this], axes(options));
  }

  /** Whether any is true, over all or one axis. */
  any(options: ReduceOptions = {}): Tensor {
    return run('any', [this], axes(options));
  }

  /** log(sum(exp(x))) over axes, without overflow. */
  logsumexp(options: ReduceOptions = {}): Tensor {
    return run('logsumexp', [this], axes(options));
  }

  /** Standard deviation over axes; `correction` (default 1) is subtracted from the count. */
  std(options: ReduceOptions & { readonly correction?: number } = {}): Tensor {
    return run('std', [this], { ...axes(options), correction: options.correction });
  }

  /** Variance over axes; `correction` (default 1) is subtracted from the count. */
  var(options: ReduceOptions & { readonly correction?: number } = {}): Tensor {
    return run('var', [this], { ...axes(options), correction: options.correction });
  }

  /** p-norm over axes (default Euclidean, p = 2). */
  norm(options: ReduceOptions & { readonly p?: number } = {}): Tensor {
    return run('norm', [this], { ...axes(options), p: options.p });
  }

  /** exp(x) / sum(exp(x)) along an axis. */
  softmax(dim: number): Tensor {
    return run('softmax', [this], { dim: [dim] });
  }

  /** Logarithm of the softmax along an axis. */
  logSoftmax(dim: number): Tensor {
    return run('logSoftmax', [this], { dim: [dim] });
  }

  /** Running sum along an axis. */
  cumsum(dim: number): Tensor {
    return run('cumsum', [this], { dim: [dim] });
  }

  /** Matrix product, batched as in PyTorch. */
  matmul(operand: Tensor): Tensor {
    return run('matmul', [this, operand]);
  }

  /** Bilinear resize of `[B, C, h, w]` to `[B, C, height, width]`; half-pixel centres unless `alignCorners`. */
  interpolate(size: readonly [number, number], options: { readonly alignCorners?: boolean } = {}): Tensor {
    return run('interpolate', [this], { size, alignCorners: options.alignCorners });
  }

  /** The same elements in another shape; one size may be -1. */
  reshape(shape: readonly number[]): Tensor {
    return run('reshape', [this], { shape });
  }

  /** Axes of size 1 repeated without a copy; -1 keeps a size. */
  expand(shape: readonly number[]): Tensor {
    return run('expand', [this], { shape });
  }

  /** Axes in another order. */
  permute(dims: readonly number[]): Tensor {
    return run('permute', [this], { dims });
  }

  /** Elements in reverse order along axes. */
  flip(dims: readonly number[]): Tensor {
    return run('flip', [this], { dims });
  }

  /** Two axes exchanged. */
  transpose(dim0: number, dim1: number): Tensor {
    return run('transpose', [this], { dim0, dim1 });
  }

  /** A new axis of size 1. */
  unsqueeze(dim: number): Tensor {
    return run('unsqueeze', [this], { dim });
  }

  /** Without one axis of size 1, or without all of them. */
  squeeze(dim?: number): Tensor {
    return run('squeeze', [this], { dim });
  }

  /** Axes from `startDim` (default 0) to `endDim` (default -1) made one. */
  flatten(startDim = 0, endDim = -1): Tensor {
    return run('flatten', [this], { startDim, endDim });
  }

  /** One index along an axis, which goes. */
  select(dim: number, index: number): Tensor {
    return run('select', [this], { dim, index });
  }

  /** A range along an axis: from `start` (default 0) up to `end` (default: all) by `step` (default 1). */
  slice(dim: number, range: { readonly start?: number; readonly end?: number; readonly step?: number } = {}): Tensor {
    return run('slice', [this], { dim, ...range });
  }

  /** Elements at `index` (`int64`, same number of axes) along an axis. */
  gather(dim: number, index: Tensor): Tensor {
    return run('gather', [this, index], { dim });
  }

  /** Slices at `index` (`int64` `[n]`) along an axis. */
  indexSelect(dim: number, index: Tensor): Tensor {
    return run('indexSelect', [this, index], { dim });
  }

  /** The elements where a `bool` mask is true, `[n]`. */
  maskedSelect(mask: Tensor): Tensor {
    return run('maskedSelect', [this, mask]);
  }

  /** `value` where a `bool` mask is true. */
  maskedFill(mask: Tensor, value: number): Tensor {
    return run('maskedFill', [this, mask], { value });
  }

  /** Class indices (`int64`) as rows of 0 and 1. */
  oneHot(classes: number): Tensor {
    return run('oneHot', [this], { classes });
  }

  /** The `k` largest along an axis (default the last), in falling order. */
  topk(k: number, dim = -1): { values: Tensor; indices: Tensor } {
    const [values, indices] = runMany('topk', [this], { k, dim }) as [Tensor, Tensor];
    return { values, indices };
  }

  /** Sorted along an axis (default the last), stable. */
  sort(options: { readonly dim?: number; readonly descending?: boolean } = {}): { values: Tensor; indices: Tensor } {
    const [values, indices] = runMany('sort', [this], { ...options }) as [Tensor, Tensor];
    return { values, indices };
  }

  /** Another element type, device or memory order. */
  to(options: ToOptions): Tensor {
    return run('to', [this], { ...options });
  }

  /** Row-major in memory. */
  contiguous(): Tensor {
    return run('contiguous', [this]);
  }

  /** A copy. */
  clone(): Tensor {
    return run('clone', [this]);
  }

  /** The same data outside the autograd graph. */
  detach(): Tensor {
    return run('detach', [this]);
  }

  /** Switches the recording of gradients for a leaf. @returns this tensor */
  requiresGrad_(value = true): this {
    runMany('requiresGrad_', [this], { value });
    return this;
  }

  /** The gradient that `backward` has left, as a tensor that shares its memory. */
  grad(): Tensor {
    return run('grad', [this]);
  }

  /** Forgets the gradient. @returns this tensor */
  zeroGrad_(): this {
    runMany('zeroGrad_', [this]);
    return this;
  }

  /**
   * Adds the gradient of this tensor to every leaf that records gradients. Queued like any operation: the promise need
   * not be awaited.
   */
  backward(options: BackwardOptions = {}): Work<void> {
    const { gradient, retainGraph, createGraph } = options;
    return ask('backward', gradient ? [this, gradient] : [this], { retainGraph, createGraph }) as Work<unknown> as Work<void>;
  }
}

import type { OptionBag } from '../native.js';
import { flag, integer, knownKeys, list } from '../validate.js';
import type { DType } from './dtype.js';
import type { Tensor } from './tensor.js';

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

/** Chosen elements and where they were. */
export interface ValuesAndIndices {
  /** The elements. */
  values: Tensor;
  /** Their indices along the axis, `int64`. */
  indices: Tensor;
}

/** Options of {@link Tensor.backward}. */
export interface BackwardOptions {
  /** Gradient of the final quantity by this tensor; 1 for a scalar. */
  readonly gradient?: Tensor;
  /** Whether the graph may be walked again; default: what `createGraph` is. */
  readonly retainGraph?: boolean;
  /**
   * Whether the gradients can themselves be differentiated; default `false`. Leaf and gradient then hold each other until
   * the gradient is forgotten (`zeroGrad_`); `gradients` with `createGraph` has no such knot.
   */
  readonly createGraph?: boolean;
}

/** The axes of a reduction as native code takes them. */
export function axes(options: ReduceOptions, more: readonly string[] = []): OptionBag {
  knownKeys('options', options, ['dim', 'keepdim', ...more]);
  const { dim, keepdim } = options;
  const dims = typeof dim === 'number' ? [dim] : dim;
  return {
    dim: dims === undefined ? undefined : list('dim', dims, integer),
    keepdim: keepdim === undefined ? undefined : flag('keepdim', keepdim),
  };
}

/** An options object whose keys are all known, as native code takes it. */
export function bag(options: object, known: readonly string[]): OptionBag {
  knownKeys('options', options, known);
  return { ...options };
}

/**
 * Loads the addon and types it: the only file that knows where it lies. Importing it loads nothing; the first call of
 * {@link native} does.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { CxrGazeError, type ErrorCode } from './errors.js';

/** The native side of a tensor. */
export interface TensorHandle {
  /** What the tensor is, once the lane has filled it. */
  meta(): { dtype: string; shape: number[]; device: string; requiresGrad: boolean } | undefined;
}

declare const brand: unique symbol;
/** The native side of a model. */
export interface ModelHandle {
  readonly [brand]: 'model';
}
/** The native side of an optimizer. */
export interface OptimizerHandle {
  readonly [brand]: 'optimizer';
}

/** An open file of prepared pixels. */
export interface PixelFileHandle {
  /** Gives the file up; batches being read from it are finished first. */
  close(): void;
}

/** What {@link NativeAddon.assembleBatch} makes a batch of; all arrays have one item an image. */
export interface BatchSpec {
  readonly width: number;
  readonly height: number;
  /** Where the pixels lie: in an open file at `offsets`, or in memory. */
  readonly sources: readonly (PixelFileHandle | Uint8Array)[];
  readonly offsets: Float64Array;
  readonly channels: Uint8Array;
  readonly flips: Uint8Array;
  /** Degrees, counter-clockwise. */
  readonly angles: Float64Array;
}

/** What {@link NativeAddon.renderHeatmaps} renders. */
export interface HeatmapSpec {
  readonly height: number;
  readonly width: number;
  /** Points of each map; the arrays of points hold those of all maps, one map after another. */
  readonly counts: Uint32Array;
  /** In pixels of the map. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly weight: Float64Array;
  /** One a map, in pixels of the map. */
  readonly sigmaRows: Float64Array;
  readonly sigmaColumns: Float64Array;
  readonly original: boolean;
  readonly anchors: boolean;
  readonly scaleToOne: boolean;
}

/** Plain values that cross to native code by name. */
export type OptionBag = Readonly<
  Record<string, boolean | number | string | readonly number[] | readonly string[] | undefined>
>;

/** What is captured with each job. */
export interface CallContext {
  readonly grad: boolean;
  readonly autocast?: string | undefined;
  /** The tidy scopes around the call, as `Scope.path` names them. */
  readonly scope: string;
  readonly requestedAt?: string | undefined;
}

/** The answer to a query. */
export interface Reply {
  readonly texts: string[];
  readonly numbers: number[];
  readonly tensors: TensorHandle[];
  readonly bytes?: ArrayBuffer;
}

/** What the addon was built with and runs on. */
export interface NativeBuildInfo {
  /** Version of the LibTorch it was compiled against, such as `2.13.0`. */
  readonly libtorch: string;
  /** Compiler version. */
  readonly compiler: string;
  /** Node-API version. */
  readonly napi: number;
  /** Whether LibTorch was built with CUDA. */
  readonly cudaBuilt: boolean;
  /** Whether a CUDA device answers. */
  readonly cudaVisible: boolean;
  /** Instruction set that LibTorch chose, such as `AVX512`. */
  readonly cpuCapability: string;
}

type Inputs = readonly (TensorHandle | null)[];

/** The addon, as native/addon.cc exports it. */
export interface NativeAddon {
  setCallbacks(
    makeError: (code: string, message: string, particulars: object) => unknown,
    onLost: (error: unknown, scope: string) => void,
  ): void;
  close(): void;
  buildInfo(): NativeBuildInfo;
  run(
    operation: string,
    inputs: Inputs,
    options: OptionBag | undefined,
    context: CallContext,
  ): TensorHandle[];
  ask(query: string, inputs: Inputs, options: OptionBag | undefined, context: CallContext): Promise<Reply>;
  fromBytes(
    view: Uint8Array,
    dtype: string,
    shape: readonly number[],
    strides?: readonly number[],
  ): TensorHandle;
  dispose(handles: readonly TensorHandle[]): void;
  memoryStats(): { liveTensors: number; hostBytes: number; deviceBytes: number; pendingJobs: number };
  createModel(architecture: string, options: OptionBag, context: CallContext): ModelHandle;
  runModel(
    model: ModelHandle,
    operation: string,
    inputs: Inputs,
    options: OptionBag | undefined,
    context: CallContext,
  ): TensorHandle[];
  askModel(
    model: ModelHandle,
    query: string,
    inputs: Inputs,
    options: OptionBag | undefined,
    context: CallContext,
  ): Promise<Reply>;
  changeModel(model: ModelHandle, query: string, options: OptionBag | undefined, context: CallContext): void;
  disposeModel(model: ModelHandle): void;
  createOptimizer(
    options: OptionBag,
    parameters: readonly TensorHandle[],
    context: CallContext,
  ): OptimizerHandle;
  askOptimizer(
    optimizer: OptimizerHandle,
    query: string,
    inputs: Inputs,
    options: OptionBag | undefined,
    context: CallContext,
  ): Promise<Reply>;
  disposeOptimizer(optimizer: OptimizerHandle): void;
  resize(
    pixels: Uint8Array,
    width: number,
    height: number,
    channels: number,
    outWidth: number,
    outHeight: number,
    interpolation: string,
  ): Promise<Uint8Array>;
  openPixelFile(path: string, bytes: number): PixelFileHandle;
  assembleBatch(spec: BatchSpec): Promise<TensorHandle>;
  /** The arrays must not be changed before the promise is settled. */
  renderHeatmaps(spec: HeatmapSpec): Promise<Float32Array[]>;
  setDataThreads(count: number): void;
  dataThreads(): number;
  pendingDataJobs(): number;
}

/** Folder of the package: the nearest one above this file with a package.json. */
export function packageRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder)
      throw new CxrGazeError('ERR_FILE', `No package.json above ${fileURLToPath(import.meta.url)}`);
    folder = parent;
  }
  return folder;
}

/** Where the addon is looked for, in order. */
export function addonPaths(): string[] {
  return [path.join(packageRoot(), 'build', 'Release', 'cxr_gaze.node')];
}

/** Set by the tensor layer before the first load: what to do with an error that nobody awaited. */
let lostHandler: (error: CxrGazeError, scope: string) => void = (error) => {
  throw error;
};

/** @internal */
export function onLost(handler: (error: CxrGazeError, scope: string) => void): void {
  lostHandler = handler;
}

let loaded: NativeAddon | undefined;

/**
 * The addon, loaded at the first call.
 *
 * @throws CxrGazeError `ERR_NATIVE_NOT_BUILT` with each path tried and the remedy
 */
export function native(): NativeAddon {
  loaded ??= load();
  return loaded;
}

function load(): NativeAddon {
  const tried: string[] = [];
  for (const file of addonPaths()) {
    if (!existsSync(file)) {
      tried.push(`${file}: not there`);
      continue;
    }
    checkLibTorch(file);
    try {
      const addon = createRequire(import.meta.url)(file) as NativeAddon;
      return connect(addon);
    } catch (cause) {
      if (cause instanceof CxrGazeError) throw cause;
      tried.push(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  throw new CxrGazeError(
    'ERR_NATIVE_NOT_BUILT',
    `The native part of cxr-gaze is not built or does not load. Tried:\n  ${tried.join('\n  ')}\nBuild it with \`npx cxr-gaze build\`; \`npx cxr-gaze doctor\` explains what is missing.`,
    { details: { tried } },
  );
}

function connect(addon: NativeAddon): NativeAddon {
  addon.setCallbacks(makeError, (error, scope) => lostHandler(error as CxrGazeError, scope));
  // process.exit() runs no native clean-up hooks on the main thread, and static destructors must not meet a busy lane.
  process.once('exit', () => addon.close());
  return addon;
}

/**
 * LibTorch's C++ interface differs between minor versions: another one than the addon was built with would crash, not
 * fail. `CXR_GAZE_ANY_LIBTORCH=1` lets an expert try.
 */
function checkLibTorch(file: string): void {
  const infoFile = path.join(path.dirname(file), 'build-info.json');
  if (!existsSync(infoFile) || process.env.CXR_GAZE_ANY_LIBTORCH === '1') return;
  const built = JSON.parse(readFileSync(infoFile, 'utf8')) as { libtorch: string; path: string };
  const require = createRequire(import.meta.url);
  const { versionOf } = require(path.join(packageRoot(), 'scripts', 'libtorch-version.cjs')) as {
    versionOf(folder: string): string | null;
  };
  const found = versionOf(built.path);
  if (found === null || minorOf(found) === minorOf(built.libtorch)) return;
  throw new CxrGazeError(
    'ERR_NATIVE_NOT_BUILT',
    `Expected LibTorch ${minorOf(built.libtorch)} in ${built.path}, which ${file} was built with, but found ${found}. Build again with \`npx cxr-gaze build\`.`,
    { details: { expected: built.libtorch, found, folder: built.path } },
  );
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function makeError(code: string, message: string, particulars: object): CxrGazeError {
  const { nativeStack, ...details } = particulars as Record<string, unknown>;
  const error = new CxrGazeError(code as ErrorCode, message, { details });
  if (nativeStack) Object.defineProperty(error, 'nativeStack', { value: nativeStack, enumerable: false });
  return error;
}

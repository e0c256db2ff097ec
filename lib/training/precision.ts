import { autocast, callContext } from '../tensor/context.js';
import { ask } from '../tensor/run.js';
import { oneOf } from '../validate.js';

/** What arithmetic is asked for; `auto` takes the fastest that is safe on the device. */
export type PrecisionChoice = 'auto' | 'float32' | 'bfloat16' | 'float64';

/** The values of {@link PrecisionChoice}. */
export const precisionChoices: readonly PrecisionChoice[] = ['auto', 'float32', 'bfloat16', 'float64'];

/** What arithmetic is used. */
export type Precision = Exclude<PrecisionChoice, 'auto'>;

/**
 * The precision that a choice means on a device. `auto` is `bfloat16` (autocast: convolutions and matrix products in
 * bfloat16, losses and statistics in float32; channels-last) where AVX512-BF16 or AMX is there, and on CUDA; else
 * `float32`.
 *
 * @param choice what was asked for
 * @param device `cpu` or `cuda:0`
 */
export async function resolvePrecision(choice: PrecisionChoice, device = 'cpu'): Promise<Precision> {
  oneOf('precision', choice, precisionChoices);
  if (choice !== 'auto') return choice;
  if (device.startsWith('cuda')) return 'bfloat16';
  const { numbers } = await ask('processor', []);
  return numbers[0] === 1 ? 'bfloat16' : 'float32';
}

/** What the compute lane runs on: recorded with checkpoints, because sums depend on it. */
export interface Processor {
  /** Threads of the compute lane. */
  readonly threads: number;
  /** Instruction set that LibTorch chose, such as `AVX512`. */
  readonly capability: string;
}

/** The lane's threads and instruction set. */
export async function processor(): Promise<Processor> {
  const { numbers, texts } = await ask('threads', []);
  return { threads: numbers[0] as number, capability: texts[0] as string };
}

/** Runs `fn` in a precision. `float64` and `float32` are properties of the model's weights; autocast is off for them. */
export function withPrecision<T>(precision: Precision, fn: () => T): T {
  const dtype = precision === 'bfloat16' ? 'bfloat16' : undefined;
  if (callContext().autocast === dtype) return fn();
  return autocast({ dtype }, fn);
}

import { CxrGazeError } from '../errors.js';
import type { Network } from '../models/network.js';
import { noGrad } from '../tensor/context.js';
import { stack } from '../tensor/create.js';
import { tidy } from '../tensor/tidy.js';
import type { InputBatch } from './batch.js';

/** The error for a loss that is a NaN or an infinity. */
export function lossNotFinite(value: number, batch: InputBatch, phase: 'train' | 'val'): CxrGazeError {
  const { epoch, step, ids } = batch;
  return new CxrGazeError(
    'ERR_NOT_FINITE',
    `Expected a finite loss in ${placeOf(batch, phase)}, but found ${value}; ${contentOf(batch)}`,
    { details: { epoch, step, phase, ids, loss: value } },
  );
}

/**
 * What went wrong on a batch, with its name where numbers were not finite: an objective that looks at the network's output, as
 * one with attention maps does, finds that out before there is a loss.
 */
export function errorOfBatch(error: unknown, batch: InputBatch, phase: 'train' | 'val'): unknown {
  if (!(error instanceof CxrGazeError) || error.code !== 'ERR_NOT_FINITE') return error;
  const { epoch, step, ids } = batch;
  return new CxrGazeError(
    'ERR_NOT_FINITE',
    `In ${placeOf(batch, phase)}: ${error.message}; ${contentOf(batch)}`,
    { cause: error, details: { ...error.details, epoch, step, phase, ids } },
  );
}

function placeOf({ epoch, step }: InputBatch, phase: 'train' | 'val'): string {
  return `epoch ${epoch}, ${phase === 'train' ? 'batch' : 'validation batch'} ${step + 1}`;
}

function contentOf({ ids }: InputBatch): string {
  const shown = `${ids.slice(0, 8).join(', ')}${ids.length > 8 ? ', ...' : ''}`;
  return `the batch holds ${shown}. The checkpoints saved before stay as they are.`;
}

/**
 * Refuses to save weights or running statistics that hold a NaN or an infinity: a finite loss may still have had an
 * infinite gradient.
 *
 * @param model about to be saved
 * @param place for the message, such as `epoch 3`
 */
export async function requireFinite(model: Network, place: string): Promise<void> {
  await tidy(async () => {
    const state = [...(await model.stateDict())].filter(([name]) => !name.endsWith('num_batches_tracked'));
    // One number each: a NaN or an infinity survives the sum.
    const sums = noGrad(() => stack(state.map(([, value]) => value.sum())));
    const values = (await sums.data()) as Float32Array | Float64Array;
    const bad = state.filter((_, i) => !Number.isFinite(values[i])).map(([name]) => name);
    if (bad.length === 0) return;
    throw new CxrGazeError(
      'ERR_NOT_FINITE',
      `Expected finite weights after ${place} but ${bad[0]}${bad.length > 1 ? ` and ${bad.length - 1} more` : ''} hold a NaN or an infinity. The checkpoints saved before stay as they are.`,
      { details: { place, keys: bad } },
    );
  });
}

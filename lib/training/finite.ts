import { CxrGazeError } from '../errors.js';
import type { Network } from '../models/network.js';
import { noGrad } from '../tensor/context.js';
import { stack } from '../tensor/create.js';
import { tidy } from '../tensor/tidy.js';
import type { InputBatch } from './batch.js';

/** The error for a loss that is a NaN or an infinity. */
export function lossNotFinite(value: number, batch: InputBatch, phase: 'train' | 'val'): CxrGazeError {
  const { epoch, step, ids } = batch;
  const shown = `${ids.slice(0, 8).join(', ')}${ids.length > 8 ? ', ...' : ''}`;
  const kind = phase === 'train' ? 'batch' : 'validation batch';
  return new CxrGazeError(
    'ERR_NOT_FINITE',
    `Expected a finite loss in epoch ${epoch}, ${kind} ${step + 1}, but found ${value}; the batch holds ${shown}. The checkpoints saved before stay as they are.`,
    { details: { epoch, step, phase, ids, loss: value } },
  );
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

import { CxrGazeError } from '../errors.js';
import type { LoadReport } from '../models/network.js';
import type { PublishedWeights } from './published-weights.js';

/**
 * Loads what a file holds into a network; what does not fit is told with the file, and with its keys where these are of no
 * network that we know.
 *
 * @param file for messages
 * @param held what was found in it
 * @param load fills the network
 * @throws CxrGazeError `ERR_STATE_DICT`, and what else `load` throws
 */
export async function fitWeights(
  file: string,
  { tensors, prefix }: Pick<PublishedWeights, 'tensors' | 'prefix'>,
  load: () => Promise<LoadReport>,
): Promise<void> {
  try {
    await load();
  } catch (cause) {
    if (!(cause instanceof CxrGazeError)) throw cause;
    const keys = [...tensors.keys()].slice(0, 3).join(', ') || 'none';
    const hint = prefix === undefined ? `; the file has the keys ${keys}` : '';
    throw new CxrGazeError(cause.code, `${file}: ${cause.message}${hint}`, {
      cause,
      details: { file, ...cause.details },
    });
  }
}

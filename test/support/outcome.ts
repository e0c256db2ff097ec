import { CxrGazeError } from '../../lib/errors.js';

/** The coded error that a promise rejects with; any other outcome is thrown. */
export async function failure(work: Promise<unknown>): Promise<CxrGazeError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof CxrGazeError) return error;
    throw error;
  }
  throw new Error('expected an error, but there was none');
}

import { checkpointError } from './fault.js';
import type { PickleWorld, PlainValue } from './pickle-values.js';
import { RandomFile } from './random-file.js';
import { MAX_PICKLE_BYTES, PickleCutShort, unpickle } from './unpickler.js';

/** A world without names: numbers, texts and containers only. */
export const NO_NAMES: PickleWorld = {
  global: () => undefined,
  persistent: (_id, place) => {
    throw place.error('the pickle refers to an outside object');
  },
};

/**
 * Reads a file that holds one pickle of plain containers, as Python's `pickle.dump` writes it. Nothing in it is executed:
 * a pickle that asks for any class or function is refused.
 *
 * @param path the file, of at most 64 MiB
 * @throws `ERR_FILE` if it cannot be read; `ERR_CHECKPOINT` with the place if it is torn or asks for more
 */
export async function readPlainPickle(path: string): Promise<PlainValue> {
  const file = await RandomFile.open(path);
  try {
    if (file.size > MAX_PICKLE_BYTES)
      throw checkpointError(path, `the file has ${file.size} bytes; at most ${MAX_PICKLE_BYTES} are read`);
    const bytes = await file.read(0, file.size);
    const { value, end } = unpickle(bytes, { file: path, part: 'the pickle', offset: 0 }, NO_NAMES);
    if (end !== file.size)
      throw checkpointError(path, `${file.size - end} bytes follow the pickle, at byte ${end}`);
    return value;
  } catch (cause) {
    if (!(cause instanceof PickleCutShort)) throw cause;
    throw checkpointError(path, `the file ends at byte ${file.size}, in the middle of the pickle`);
  } finally {
    await file.close();
  }
}

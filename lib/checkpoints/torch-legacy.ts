import { checkpointError } from './fault.js';
import { type PickleWorld, PlainDict, type PlainValue } from './pickle-values.js';
import { NO_NAMES } from './plain-pickle.js';
import type { RandomFile } from './random-file.js';
import { STORED_BYTES } from './tensor-record.js';
import { type StoragePlace, TorchWorld } from './torch-world.js';
import { MAX_PICKLE_BYTES, PickleCutShort, type Unpickled, unpickle } from './unpickler.js';

/** The integer that opens the format, as `torch/serialization.py` has it. */
const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;

/** Bytes read at first where the length of a pickle is not known; enough for most. */
const FIRST_WINDOW = 2 ** 18;
const COUNT_BYTES = 8;

/**
 * Reads what `torch.save` wrote before PyTorch 1.6: five pickles (magic number, protocol, system, structure, keys of
 * the storages) and the storages' bytes in the order of the keys, each behind its number of elements.
 *
 * @param file the open file
 */
export async function readTorchLegacy(file: RandomFile): Promise<PlainValue> {
  const magic = await readPickle(file, 0, 'the magic number', () => NO_NAMES);
  if (magic.value !== MAGIC_NUMBER)
    throw checkpointError(
      file.path,
      'a pickle, but not one that torch.save wrote: it lacks the magic number',
    );
  const protocol = await readPickle(file, magic.end, 'the protocol version', () => NO_NAMES);
  if (protocol.value !== PROTOCOL_VERSION) {
    throw checkpointError(
      file.path,
      `the protocol version must be ${PROTOCOL_VERSION}, but is ${String(protocol.value)}`,
    );
  }
  const system = await readPickle(file, protocol.end, 'the system description', () => NO_NAMES);
  if (!(system.value instanceof PlainDict))
    throw checkpointError(file.path, 'the system description must be a dict');
  if (system.value.get('little_endian') !== true)
    throw checkpointError(file.path, 'the file is big-endian, which is not supported');

  let world = new TorchWorld(file.path);
  const structure = await readPickle(file, system.end, 'the pickle', () => {
    world = new TorchWorld(file.path);
    return world;
  });
  const keys = await readPickle(file, structure.end, 'the list of storages', () => NO_NAMES);
  world.place(await layOut(file, keys, world), file.size);
  return structure.value;
}

/**
 * One pickle of unknown length: read in a window that grows until the pickle's end is in it, at most as far as the
 * file and {@link MAX_PICKLE_BYTES} go. Positions returned count from the start of the file.
 */
async function readPickle(
  file: RandomFile,
  offset: number,
  part: string,
  world: () => PickleWorld,
): Promise<Unpickled> {
  const limit = Math.min(file.size - offset, MAX_PICKLE_BYTES);
  for (let window = Math.min(FIRST_WINDOW, limit); ; window = Math.min(window * 4, limit)) {
    try {
      const bytes = await file.read(offset, window);
      const { value, end } = unpickle(bytes, { file: file.path, part, offset }, world());
      return { value, end: offset + end };
    } catch (cause) {
      if (!(cause instanceof PickleCutShort)) throw cause;
      if (window < limit) continue;
      const where =
        limit < MAX_PICKLE_BYTES
          ? `the file ends at byte ${file.size}`
          : `${MAX_PICKLE_BYTES} bytes are read`;
      throw checkpointError(file.path, `${where} in the middle of ${part}, which begins at byte ${offset}`);
    }
  }
}

/** Walks over the storages, whose counts must agree with what the pickle said of them. */
async function layOut(
  file: RandomFile,
  keys: Unpickled,
  world: TorchWorld,
): Promise<Map<string, StoragePlace>> {
  if (!Array.isArray(keys.value)) throw checkpointError(file.path, 'the list of storages is not a list');
  const layout = new Map<string, StoragePlace>();
  let position = keys.end;
  for (const key of keys.value as readonly PlainValue[]) {
    const storage = typeof key === 'string' ? world.storages.get(key) : undefined;
    const name = JSON.stringify(typeof key === 'bigint' ? String(key) : key);
    if (typeof key !== 'string' || !storage)
      throw checkpointError(file.path, `the list of storages has ${name}, which no tensor uses`);
    if (layout.has(key)) throw checkpointError(file.path, `the list of storages has ${name} twice`);
    if (position + COUNT_BYTES > file.size)
      throw checkpointError(file.path, `the file ends at byte ${file.size}, before the storage ${name}`);
    const count = (await file.read(position, COUNT_BYTES)).readBigInt64LE();
    if (count !== BigInt(storage.total)) {
      throw checkpointError(
        file.path,
        `the storage ${name} has ${count} elements at byte ${position}, but the pickle says ${storage.total}`,
      );
    }
    const bytes = storage.total * STORED_BYTES[storage.dtype];
    position += COUNT_BYTES;
    if (!(position + bytes <= file.size)) {
      throw checkpointError(
        file.path,
        `the storage ${name} takes ${bytes} bytes from byte ${position}, but the file ends at ${file.size}`,
      );
    }
    layout.set(key, { byteOffset: position, bytes });
    position += bytes;
  }
  if (position !== file.size)
    throw checkpointError(
      file.path,
      `${file.size - position} bytes follow the last storage, at byte ${position}`,
    );
  return layout;
}

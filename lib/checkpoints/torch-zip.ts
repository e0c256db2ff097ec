import { checkpointError } from './fault.js';
import type { PlainValue } from './pickle-values.js';
import type { RandomFile } from './random-file.js';
import { type StoragePlace, TorchWorld } from './torch-world.js';
import { MAX_PICKLE_BYTES, PickleCutShort, unpickle } from './unpickler.js';
import { listZipEntries, verifyChecksum, type ZipEntry } from './zip-entries.js';

/**
 * Reads what `torch.save` has written since PyTorch 1.6: a zip archive with the structure as a pickle in
 * `<name>/data.pkl` and each storage, uncompressed, in `<name>/data/<key>`.
 *
 * @param file the open file
 * @param verifyChecksums whether the bytes of every entry are read and compared with the archive's checksums
 */
export async function readTorchZip(file: RandomFile, verifyChecksums: boolean): Promise<PlainValue> {
  const entries = await listZipEntries(file, torchScript);
  const pickle = findPickle(file.path, entries);
  const prefix = pickle.name.slice(0, -'data.pkl'.length);
  if (verifyChecksums) for (const entry of entries) await verifyChecksum(file, entry);
  await checkByteOrder(
    file,
    entries.find((entry) => entry.name === `${prefix}byteorder`),
  );

  if (pickle.bytes > MAX_PICKLE_BYTES) {
    throw checkpointError(
      file.path,
      `${pickle.name} has ${pickle.bytes} bytes; at most ${MAX_PICKLE_BYTES} are read`,
    );
  }
  const world = new TorchWorld(file.path);
  const source = { file: file.path, part: pickle.name, offset: pickle.byteOffset };
  const { value, end } = unpickleWhole(await file.read(pickle.byteOffset, pickle.bytes), source, world);
  if (end !== pickle.bytes)
    throw checkpointError(
      file.path,
      `${pickle.name} has ${pickle.bytes - end} bytes after the end of its pickle`,
    );
  world.place(storagePlaces(entries, `${prefix}data/`), file.size);
  return value;
}

function unpickleWhole(...args: Parameters<typeof unpickle>): ReturnType<typeof unpickle> {
  try {
    return unpickle(...args);
  } catch (cause) {
    if (!(cause instanceof PickleCutShort)) throw cause;
    const [bytes, { file, part }] = args;
    throw checkpointError(file, `${part} ends after ${bytes.length} bytes in the middle of its pickle`);
  }
}

/** Archives of torch.jit.save: their code/ and constants.pkl tell them from state dicts. */
function torchScript(name: string): string | undefined {
  if (!/^[^/]+\/(code\/|constants\.pkl$)/.test(name)) return undefined;
  return `a TorchScript archive (it has ${name}), which holds code; save the model's state_dict instead`;
}

function findPickle(path: string, entries: readonly ZipEntry[]): ZipEntry {
  const pickles = entries.filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (!pickle)
    throw checkpointError(
      path,
      `a zip archive of ${entries.length} entries without a data.pkl; it was not written by torch.save`,
    );
  if (pickles.length > 1)
    throw checkpointError(path, `the archive has ${pickles.length} entries named data.pkl`);
  const prefix = pickle.name.slice(0, -'data.pkl'.length);
  const stray = entries.find(({ name }) => !name.startsWith(prefix));
  if (stray)
    throw checkpointError(
      path,
      `the archive's entry ${JSON.stringify(stray.name)} lies outside of ${prefix}`,
      { entry: stray.name },
    );
  return pickle;
}

async function checkByteOrder(file: RandomFile, entry: ZipEntry | undefined): Promise<void> {
  // Files of PyTorch before 2.1 have no such entry; all known ones are little-endian.
  if (!entry) return;
  const text = entry.bytes <= 16 ? (await file.read(entry.byteOffset, entry.bytes)).toString('latin1') : '';
  if (text === 'little') return;
  if (text === 'big') throw checkpointError(file.path, 'the file is big-endian, which is not supported');
  throw checkpointError(
    file.path,
    `${entry.name} must say little or big, but says ${text ? JSON.stringify(text) : `${entry.bytes} bytes`}`,
  );
}

function storagePlaces(entries: readonly ZipEntry[], folder: string): Map<string, StoragePlace> {
  const storages = entries.filter(({ name }) => name.startsWith(folder));
  return new Map(
    storages.map(({ name, byteOffset, bytes }) => [name.slice(folder.length), { byteOffset, bytes }]),
  );
}

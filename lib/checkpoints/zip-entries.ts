import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';
import { checkpointError } from './fault.js';
import type { RandomFile } from './random-file.js';

/** Most entries that an archive may list. The largest published checkpoints have some tens of thousands. */
const MAX_ENTRIES = 1_000_000;

/** Bytes read at a time where a checksum is computed. */
const CHUNK = 2 ** 20;

const LOCAL_HEADER_BYTES = 30;

/** One uncompressed file inside an archive. */
export interface ZipEntry {
  /** Name in the archive. */
  readonly name: string;
  /** Position of its local header in the file. */
  readonly headerOffset: number;
  /** Position of its first byte in the file. */
  readonly byteOffset: number;
  /** Number of bytes. */
  readonly bytes: number;
  /** Checksum that the directory states. */
  readonly crc32: number;
}

/** What is used of yauzl 3, whose published types describe version 2. */
interface Archive {
  readonly entryCount: number;
  readonly readEntryCursor: number;
  eachEntry(): AsyncIterable<DirectoryEntry>;
  readLocalFileHeaderPromise(entry: DirectoryEntry): Promise<LocalHeader>;
}

interface LocalHeader {
  readonly fileDataStart: number;
  readonly fileName: Buffer;
}

interface DirectoryEntry {
  readonly fileName: string;
  readonly fileNameRaw: Buffer;
  readonly compressionMethod: number;
  readonly compressedSize: number;
  readonly uncompressedSize: number;
  readonly generalPurposeBitFlag: number;
  readonly relativeOffsetOfLocalHeader: number;
  readonly crc32: number;
}

const openArchive = promisify(
  yauzl.fromFd as unknown as (
    fd: number,
    options: object,
    done: (error: Error | null, archive: Archive) => void,
  ) => void,
);

/**
 * Lists an archive in the order of its bytes. Refused, each with its own message: compressed or encrypted entries (a
 * checkpoint's are neither, and nothing here ever inflates), two of one name, local headers that say otherwise than
 * the directory, and entries that overlap or run into the directory.
 *
 * @param file the open file
 * @param foreign what else an archive is that has an entry of this name, to be told before other faults
 */
export async function listZipEntries(
  file: RandomFile,
  foreign: (name: string) => string | undefined,
): Promise<ZipEntry[]> {
  // Sizes are checked by checkMethod, with the entry named.
  const options = { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: false };
  const archive = await parsing(file.path, () => openArchive(file.fd, options));
  const directoryStart = archive.readEntryCursor;
  if (archive.entryCount > MAX_ENTRIES) {
    const problem = `the archive lists ${archive.entryCount} entries; at most ${MAX_ENTRIES} are read`;
    throw checkpointError(file.path, problem);
  }
  const directory = await parsing(file.path, () => readDirectory(archive));
  const known = directory.map(({ fileName }) => foreign(fileName)).find((text) => text !== undefined);
  if (known !== undefined) throw checkpointError(file.path, known);
  const entries: ZipEntry[] = [];
  for (const entry of directory) {
    checkMethod(file.path, entry);
    const local = await parsing(file.path, () => archive.readLocalFileHeaderPromise(entry));
    entries.push(joinHeaders(file.path, entry, local));
  }
  entries.sort((a, b) => a.headerOffset - b.headerOffset);
  checkLayout(file.path, entries, directoryStart);
  return entries;
}

async function readDirectory(archive: Archive): Promise<DirectoryEntry[]> {
  const directory: DirectoryEntry[] = [];
  for await (const entry of archive.eachEntry()) directory.push(entry);
  return directory;
}

/** yauzl's complaints, made ours. */
async function parsing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw checkpointError(path, `the zip archive is torn or malformed: ${reason}`, {}, cause);
  }
}

function joinHeaders(path: string, entry: DirectoryEntry, local: LocalHeader): ZipEntry {
  if (!local.fileName.equals(entry.fileNameRaw)) {
    const names = [entry.fileName, local.fileName.toString()].map((name) => JSON.stringify(name));
    const problem = `the archive's directory names an entry ${names[0]}, its local header ${names[1]}`;
    throw checkpointError(path, problem, { entry: entry.fileName });
  }
  return {
    name: entry.fileName,
    headerOffset: entry.relativeOffsetOfLocalHeader,
    byteOffset: local.fileDataStart,
    bytes: entry.uncompressedSize,
    crc32: entry.crc32,
  };
}

function checkMethod(path: string, entry: DirectoryEntry): void {
  const fail = (problem: string): Error =>
    checkpointError(path, `the archive's entry ${JSON.stringify(entry.fileName)} ${problem}`, {
      entry: entry.fileName,
    });
  if ((entry.generalPurposeBitFlag & 1) !== 0) throw fail('is encrypted');
  if (entry.compressionMethod !== 0) {
    throw fail(
      `is compressed (method ${entry.compressionMethod}, ${entry.compressedSize} bytes that claim to become ${entry.uncompressedSize}); PyTorch stores its entries uncompressed, and only such are read`,
    );
  }
  if (entry.compressedSize !== entry.uncompressedSize) throw fail('is uncompressed but states two sizes');
}

function checkLayout(path: string, entries: readonly ZipEntry[], directoryStart: number): void {
  const names = new Set<string>();
  let end = 0;
  let previous = '';
  for (const entry of entries) {
    const name = JSON.stringify(entry.name);
    if (names.has(entry.name))
      throw checkpointError(path, `the archive lists the entry ${name} twice`, { entry: entry.name });
    names.add(entry.name);
    if (entry.headerOffset < end) {
      const problem = `the archive's entries ${previous} and ${name} overlap: one ends at byte ${end}, the other begins at ${entry.headerOffset}`;
      throw checkpointError(path, problem, { entry: entry.name });
    }
    end = Math.max(entry.byteOffset + entry.bytes, entry.headerOffset + LOCAL_HEADER_BYTES);
    previous = name;
  }
  if (end > directoryStart) {
    throw checkpointError(
      path,
      `the archive's entry ${previous} ends at byte ${end}, inside the directory, which begins at ${directoryStart}`,
    );
  }
}

/** Compares the stated checksum with that of the bytes, a piece at a time. */
export async function verifyChecksum(file: RandomFile, entry: ZipEntry): Promise<void> {
  let sum = 0;
  for (let done = 0; done < entry.bytes; done += CHUNK) {
    const chunk = await file.read(entry.byteOffset + done, Math.min(CHUNK, entry.bytes - done));
    sum = crc32(chunk, sum);
  }
  if (sum === entry.crc32) return;
  const hex = (value: number): string => value.toString(16).padStart(8, '0');
  throw checkpointError(
    file.path,
    `the bytes of the entry ${JSON.stringify(entry.name)} have the checksum ${hex(sum)}, but ${hex(entry.crc32)} is stated; the file is damaged (or was saved with PyTorch's checksums switched off: then open it with verifyChecksums: false)`,
    { entry: entry.name },
  );
}

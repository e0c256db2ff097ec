import { type FileHandle, open, stat } from 'node:fs/promises';
import { checkpointError, fileError } from './fault.js';

/** A regular file opened for reading at any position; no read reaches beyond its end. */
export class RandomFile {
  /** Path as the caller gave it, for messages. */
  readonly path: string;
  /** Size in bytes when the file was opened. */
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  /** Opens a file; `ERR_FILE` if it is missing, unreadable or no regular file (opening a pipe would wait forever). */
  static async open(path: string): Promise<RandomFile> {
    let handle: FileHandle | undefined;
    try {
      if (!(await stat(path)).isFile()) throw new Error('it is not a regular file');
      handle = await open(path, 'r');
      return new RandomFile(path, (await handle.stat()).size, handle);
    } catch (cause) {
      await handle?.close();
      throw fileError(path, 'could not be opened', cause);
    }
  }

  /** The descriptor, for readers that want one. It stays owned by this object. */
  get fd(): number {
    return this.#handle.fd;
  }

  /** Exactly `length` bytes from `offset`; nothing is allocated for a range that leaves the file. */
  async read(offset: number, length: number): Promise<Buffer> {
    this.#checkRange(offset, length);
    const buffer = Buffer.allocUnsafe(length);
    await this.readInto(buffer, offset);
    return buffer;
  }

  /** Fills `target` with the bytes from `offset`. */
  async readInto(target: Uint8Array, offset: number): Promise<void> {
    this.#checkRange(offset, target.length);
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await this.#readSome(target, done, target.length - done, offset + done);
      if (bytesRead === 0) {
        throw checkpointError(this.path, `the file was cut off at byte ${offset + done} while it was read`);
      }
      done += bytesRead;
    }
  }

  #checkRange(offset: number, length: number): void {
    if (offset + length <= this.size) return;
    const problem = `bytes ${offset} to ${offset + length} are asked for, but the file ends at ${this.size}`;
    throw checkpointError(this.path, problem, { position: offset, length, size: this.size });
  }

  async #readSome(
    buffer: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }> {
    try {
      return await this.#handle.read(buffer, at, length, position);
    } catch (cause) {
      throw fileError(this.path, 'could not be read', cause);
    }
  }

  /** Closes the descriptor. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}

import { crc32 } from 'node:zlib';

/** One entry of a hand-made archive; what is left out is honest. */
export interface ZipPart {
  readonly name: string;
  readonly data: Buffer | string;
  /** What the directory says instead of the truth. */
  readonly lies?: {
    readonly name?: string;
    readonly method?: number;
    readonly flags?: number;
    readonly size?: number;
    readonly compressedSize?: number;
    readonly crc32?: number;
    /** Position of the local header, from the start of the archive. */
    readonly offset?: number;
  };
}

/** A zip archive byte by byte, by the field order of the PKWARE note: local headers with data, directory, end record. */
export function zip(parts: readonly ZipPart[], ends: { entries?: number; directory?: number } = {}): Buffer {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data: content, lies = {} } of parts) {
    const data = Buffer.from(content);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(20, 4);
    header.writeUInt32LE(crc32(data), 14);
    header.writeUInt32LE(data.length, 18);
    header.writeUInt32LE(data.length, 22);
    header.writeUInt16LE(Buffer.byteLength(name), 26);
    local.push(header, Buffer.from(name), data);
    const listed = lies.name ?? name;
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 4);
    entry.writeUInt16LE(20, 6);
    entry.writeUInt16LE(lies.flags ?? 0, 8);
    entry.writeUInt16LE(lies.method ?? 0, 10);
    entry.writeUInt32LE(lies.crc32 ?? crc32(data), 16);
    entry.writeUInt32LE(lies.compressedSize ?? lies.size ?? data.length, 20);
    entry.writeUInt32LE(lies.size ?? data.length, 24);
    entry.writeUInt16LE(Buffer.byteLength(listed), 28);
    entry.writeUInt32LE(lies.offset ?? offset, 42);
    directory.push(entry, Buffer.from(listed));
    offset += 30 + Buffer.byteLength(name) + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(ends.entries ?? parts.length, 8);
  end.writeUInt16LE(ends.entries ?? parts.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(ends.directory ?? offset, 16);
  return Buffer.concat([...local, ...directory, end]);
}

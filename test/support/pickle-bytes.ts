/** Hand-made pickles: each function gives the bytes of one opcode or value of protocol 2. */

const byte = (...values: number[]): Buffer => Buffer.from(values);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A whole pickle: header, items, STOP. */
export const pickle = (...items: Buffer[]): Buffer => Buffer.concat([byte(0x80, 2), ...items, byte(0x2e)]);
export const none = byte(0x4e);
export const mark = byte(0x28);
export const emptyDict = byte(0x7d);
export const emptyList = byte(0x5d);
export const emptyTuple = byte(0x29);
export const append = byte(0x61);
export const setItem = byte(0x73);
export const setItems = byte(0x75);
export const reduce = byte(0x52);
export const build = byte(0x62);
export const persistent = byte(0x51);
export const yes = byte(0x88);
export const text = (value: string): Buffer =>
  Buffer.concat([byte(0x58), uint32(Buffer.byteLength(value)), Buffer.from(value)]);
export const int = (value: number): Buffer => Buffer.concat([byte(0x4a), uint32(value >>> 0)]);
export const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);
export const tuple = (...items: Buffer[]): Buffer => Buffer.concat([mark, ...items, byte(0x74)]);
export const put = (index: number): Buffer => byte(0x71, index);
export const get = (index: number): Buffer => byte(0x68, index);
/** An integer of any size, as eight bytes. */
export function long(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return Buffer.concat([byte(0x8a, 8), bytes]);
}

/** A storage of the zip format as persistent id. */
export const storage = (type: string, key: string, count: Buffer): Buffer =>
  Buffer.concat([tuple(text('storage'), global('torch', type), text(key), text('cpu'), count), persistent]);

/** A tensor by `_rebuild_tensor_v2`. */
export const tensor = (of: Buffer, offset: Buffer, shape: Buffer[], strides: Buffer[]): Buffer =>
  Buffer.concat([
    global('torch._utils', '_rebuild_tensor_v2'),
    tuple(of, offset, tuple(...shape), tuple(...strides), byte(0x89), emptyDict),
    reduce,
  ]);

/** A dict with one entry. */
export const dict = (key: Buffer, value: Buffer): Buffer => Buffer.concat([emptyDict, key, value, setItem]);

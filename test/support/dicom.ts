import { deflateRawSync } from 'node:zlib';

/** One data element: tag, value representation, value. */
export type DicomElement = readonly [
  tag: number,
  vr: string,
  value: number | string | Uint8Array | readonly Uint8Array[],
];

/** How {@link dicomFile} lays out what follows the meta header. */
export interface DicomLayout {
  readonly syntax: string;
  readonly implicit?: boolean;
  readonly bigEndian?: boolean;
  readonly deflate?: boolean;
}

const LONG = ['OB', 'OW', 'OF', 'SQ', 'UT', 'UN', 'UC', 'UR'];

function bytesOf(vr: string, value: DicomElement[2], big: boolean): Buffer {
  if (typeof value === 'string') return Buffer.from(value.length % 2 ? `${value} ` : value, 'latin1');
  if (typeof value === 'number') {
    const out = Buffer.alloc(vr === 'UL' ? 4 : 2);
    const method =
      vr === 'UL' ? (big ? 'writeUInt32BE' : 'writeUInt32LE') : big ? 'writeUInt16BE' : 'writeUInt16LE';
    out[method](value);
    return out;
  }
  return Buffer.from(value as Uint8Array);
}

function element([tag, vr, value]: DicomElement, implicit: boolean, big: boolean): Buffer {
  const u16 = (v: number): Buffer => bytesOf('US', v, big);
  const u32 = (v: number): Buffer => bytesOf('UL', v, big);
  const head = [u16(tag >>> 16), u16(tag & 0xffff)];
  const sized = (length: Buffer): Buffer[] => {
    if (implicit) return [...head, length];
    if (LONG.includes(vr)) return [...head, Buffer.from(vr), Buffer.alloc(2), length];
    return [...head, Buffer.from(vr), length.subarray(big ? 2 : 0, big ? 4 : 2)];
  };
  if (Array.isArray(value)) {
    // Encapsulated: an offset table, then the fragments as items, then the delimiter (PS3.5 A.4).
    const items = (value as Uint8Array[]).flatMap((f) => [
      u16(0xfffe),
      u16(0xe000),
      u32(f.length),
      Buffer.from(f),
    ]);
    return Buffer.concat([...sized(u32(0xffffffff)), ...items, u16(0xfffe), u16(0xe0dd), u32(0)]);
  }
  const body = bytesOf(vr, value, big);
  return Buffer.concat([...sized(u32(body.length)), body]);
}

/** A DICOM file of literal elements, which have to come in the order of their tags. */
export function dicomFile(elements: readonly DicomElement[], layout: DicomLayout): Buffer {
  const syntax = element(
    [0x00020010, 'UI', layout.syntax + (layout.syntax.length % 2 ? '\0' : '')],
    false,
    false,
  );
  const meta = Buffer.concat([element([0x00020000, 'UL', syntax.length], false, false), syntax]);
  const body = Buffer.concat(
    elements.map((e) => element(e, layout.implicit ?? false, layout.bigEndian ?? false)),
  );
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    meta,
    layout.deflate ? deflateRawSync(body) : body,
  ]);
}

/** Elements of a grey image; `more` adds to them or, with the value `undefined`, takes away. */
export function greyImage(
  width: number,
  height: number,
  bits: {
    readonly allocated: number;
    readonly stored: number;
    readonly high?: number;
    readonly signed?: boolean;
  },
  pixels: Uint8Array | readonly Uint8Array[],
  more: Readonly<Record<number, readonly [vr: string, value: DicomElement[2]] | undefined>> = {},
): DicomElement[] {
  const all = new Map<number, readonly [string, DicomElement[2]] | undefined>([
    [0x00280002, ['US', 1]],
    [0x00280004, ['CS', 'MONOCHROME2']],
    [0x00280010, ['US', height]],
    [0x00280011, ['US', width]],
    [0x00280100, ['US', bits.allocated]],
    [0x00280101, ['US', bits.stored]],
    [0x00280102, ['US', bits.high ?? bits.stored - 1]],
    [0x00280103, ['US', bits.signed ? 1 : 0]],
    [0x7fe00010, [bits.allocated === 8 ? 'OB' : 'OW', pixels]],
  ]);
  for (const [tag, value] of Object.entries(more)) all.set(Number(tag), value);
  return [...all]
    .sort(([a], [b]) => a - b)
    .flatMap(([tag, entry]) => (entry ? [[tag, entry[0], entry[1]] as const] : []));
}

/** 16-bit values, lower byte first unless `big`. */
export function words(values: readonly number[], big = false): Uint8Array {
  const out = Buffer.alloc(2 * values.length);
  values.forEach((value, i) => {
    if (big) out.writeUInt16BE(value & 0xffff, 2 * i);
    else out.writeUInt16LE(value & 0xffff, 2 * i);
  });
  return out;
}

/**
 * A lossless JPEG (ITU-T T.81, process 14, predictor 1): the one packing for which nothing here encodes.
 * One Huffman table in which category k is coded by k itself in 5 bits.
 */
export function losslessJpeg(values: readonly number[], width: number, bits: number): Uint8Array {
  const height = values.length / width;
  let code = '';
  values.forEach((value, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const first = x === 0 && y === 0;
    const predicted = first ? 2 ** (bits - 1) : ((x === 0 ? values[i - width] : values[i - 1]) as number);
    const difference = value - predicted;
    const category = difference === 0 ? 0 : Math.floor(Math.log2(Math.abs(difference))) + 1;
    code += category.toString(2).padStart(5, '0');
    const extra = difference < 0 ? difference + 2 ** category - 1 : difference;
    if (category > 0) code += extra.toString(2).padStart(category, '0');
  });
  code += '1'.repeat((8 - (code.length % 8)) % 8);
  const data = (code.match(/.{8}/g) ?? []).flatMap((byte) => {
    const value = Number.parseInt(byte, 2);
    return value === 0xff ? [0xff, 0] : [value];
  });
  const u16 = (v: number): number[] => [v >> 8, v & 255];
  const categories = Array.from({ length: 17 }, (_, k) => k);
  const table = [0, ...Array.from({ length: 16 }, (_, k) => (k === 4 ? 17 : 0)), ...categories];
  return Uint8Array.from([
    ...[0xff, 0xd8, 0xff, 0xc3, ...u16(11), bits, ...u16(height), ...u16(width), 1, 1, 0x11, 0],
    ...[0xff, 0xc4, ...u16(2 + table.length), ...table],
    ...[0xff, 0xda, ...u16(8), 1, 1, 0x00, 1, 0, 0],
    ...data,
    ...[0xff, 0xd9],
  ]);
}

import type { Pixels } from './dataset.js';
import { type CheckedLimits, imageError } from './decode-limits.js';
import { decompress, type Frame } from './dicom-codecs.js';
import { type DicomImage, type GreyScale, readHeader, type VoiWindow } from './dicom-header.js';

/** Does the work of `decodeDicom`, in whatever thread it is called. @internal */
export async function readDicom(bytes: Uint8Array, name: string, limits: CheckedLimits): Promise<Pixels> {
  const image = readHeader(bytes, name, limits);
  const { width, height } = image;
  const native = image.syntax.packing === 'native';
  const frame = native
    ? nativeFrame(image, name)
    : await decompress(image.stream, image.syntax, name, limits);
  if (frame.width !== width || frame.height !== height)
    throw imageError(
      name,
      `its header says ${width}x${height} pixels, its ${image.syntax.name} stream ${frame.width}x${frame.height}`,
    );
  const greys = greyTable(image, frame.bits);
  const mask = greys.length - 1;
  const data = new Uint8Array(width * height);
  const codes = frame.bits > 8 || (image.bitsAllocated === 16 && native) ? wide(frame.data) : frame.data;
  const shift = native ? image.highBit + 1 - image.bitsStored : 0;
  // Bits outside BitsStored are not the image's: old files keep overlays there.
  for (let i = 0; i < data.length; i++) data[i] = greys[((codes[i] as number) >> shift) & mask] as number;
  return { width, height, channels: 1, data };
}

/** Pixel data as they lie in the file, 16-bit values with the lower byte first. */
function nativeFrame(image: DicomImage, name: string): Frame {
  const { width, height, bitsAllocated, stream, syntax, vr } = image;
  const expected = (width * height * bitsAllocated) / 8;
  if (stream.length < expected)
    throw imageError(name, `its pixel data are cut short: ${stream.length} of ${expected} bytes are there`);
  const data = new Uint8Array(expected + (expected % 2));
  data.set(stream.subarray(0, data.length));
  // In OW the unit is 16 bits, also where a pixel has 8 of them (PS3.5 section 8.1.1).
  if (syntax.bigEndian && (bitsAllocated === 16 || vr === 'OW')) Buffer.from(data.buffer).swap16();
  return { width, height, bits: image.bitsStored, data };
}

/** Two bytes a value, lower first; read by DataView since the order of the machine is not given. */
function wide(data: Uint8Array): Uint16Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Uint16Array.from({ length: data.length >> 1 }, (_, i) => view.getUint16(2 * i, true));
}

/**
 * The grey of every possible stored code.
 *
 * @param bits of a code: BitsStored, or the precision of a compressed stream. @internal
 */
function greyTable(scale: GreyScale, bits: number): Uint8Array {
  const { bitsStored, signed, slope, intercept, inverted } = scale;
  const lowest = signed ? -(2 ** (bitsStored - 1)) : 0;
  const ends = [lowest, lowest + 2 ** bitsStored - 1].map((stored) => slope * stored + intercept);
  const from = Math.min(...ends);
  const to = Math.max(...ends);
  const shade = scale.window
    ? windowed(scale.window)
    : (value: number) => ((value - from) / (to - from)) * 255;
  return Uint8Array.from({ length: 2 ** bits }, (_, code) => {
    const stored = signed && code >= 2 ** (bits - 1) ? code - 2 ** bits : code;
    const grey = Math.min(255, Math.max(0, Math.round(shade(slope * stored + intercept))));
    return inverted ? 255 - grey : grey;
  });
}

/** PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.2 (LINEAR_EXACT), C.11.2.1.3.1 (SIGMOID), from 0 to 255. */
function windowed({ centre, width, shape }: VoiWindow): (value: number) => number {
  if (shape === 'SIGMOID') return (x) => 255 / (1 + Math.exp((-4 * (x - centre)) / width));
  const [middle, span] = shape === 'LINEAR' ? [centre - 0.5, width - 1] : [centre, width];
  return (x) => {
    if (x <= middle - span / 2) return 0;
    if (x > middle + span / 2) return 255;
    return ((x - middle) / span + 0.5) * 255;
  };
}

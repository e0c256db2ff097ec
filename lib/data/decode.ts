import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import sharp, { type Metadata } from 'sharp';
import { CxrGazeError } from '../errors.js';
import { integer, invalidArgument, object } from '../validate.js';
import type { ImageSource, Pixels } from './dataset.js';
import {
  type CheckedLimits,
  checkLimits,
  checkSize,
  type DecodeLimits,
  imageError,
} from './decode-limits.js';

type Format = 'PNG' | 'JPEG' | 'TIFF' | 'WebP' | 'DICOM';

/**
 * From file to 8 bits: ICC profiles are ignored (they shift the greys of real radiographs by 15 to 29),
 * EXIF orientation is applied, alpha is dropped without blending, of 16 bits the upper 8 are kept. PNG,
 * JPEG, TIFF, WebP and DICOM, told apart by their first bytes and not by the name; for DICOM see
 * `decodeDicom`. What is grey has one channel, also if it was stored as RGB with three equal ones.
 *
 * @param source file, encoded bytes or pixels
 * @param limits against headers that promise too much
 * @returns 8-bit pixels in the size of the file
 * @throws `ERR_FILE` if a file is missing or unreadable, `ERR_IMAGE` for what cannot be decoded; both name the file
 */
export async function decodeImage(source: ImageSource, limits: DecodeLimits = {}): Promise<Pixels> {
  const samples = await decodeSamples(source, limits);
  if (source.kind === 'pixels') return samples as Pixels;
  const { transparent: _, data, ...size } = samples;
  return greyIfEqual({ ...size, data: data instanceof Uint16Array ? upperBytes(data) : data });
}

/** @internal An image with all the bits that its file has. */
export interface Samples<Data = Uint8Array | Uint16Array> extends Omit<Pixels, 'data'> {
  /** `[height, width, channels]`; 16 bits wide where the file's samples are. */
  readonly data: Data;
  /** The file itself, if it has transparency, which is left out of the samples. */
  readonly transparent?: Uint8Array;
}

/** @internal {@link decodeImage} before samples are cut to 8 bits and equal channels made one. */
export async function decodeSamples(source: ImageSource, limits: DecodeLimits = {}): Promise<Samples> {
  const checked = checkLimits(limits);
  object('source', source);
  switch (source.kind) {
    case 'pixels':
      return checkPixels(await source.pixels(), source.name, checked);
    case 'bytes':
      return decodeBytes(source.bytes, source.name, checked);
    case 'file':
      return decodeBytes(await readImageFile(source.path, checked), source.path, checked);
    default:
      throw invalidArgument('source.kind', "'file', 'bytes' or 'pixels'", (source as { kind: unknown }).kind);
  }
}

/** @returns what error messages call an image: its path or name */
export function imageName(source: ImageSource): string {
  object('source', source);
  return source.kind === 'file' ? source.path : source.name;
}

// Opened without waiting: a named pipe would never answer.
const readOnly = constants.O_RDONLY | constants.O_NONBLOCK;

async function readImageFile(path: string, limits: CheckedLimits): Promise<Uint8Array> {
  try {
    const file = await open(path, readOnly);
    try {
      return await readWhole(file, path, limits);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof CxrGazeError) throw cause;
    throw new CxrGazeError('ERR_FILE', `Cannot read the image ${path}: ${(cause as Error).message}`, {
      cause,
      details: { file: path },
    });
  }
}

// One read of the whole file: `readFile` goes to the thread pool and back for every 512 KiB.
async function readWhole(file: FileHandle, path: string, { maxBytes }: CheckedLimits): Promise<Uint8Array> {
  const info = await file.stat();
  if (!info.isFile()) throw imageError(path, 'it is not a file');
  if (info.size > maxBytes)
    throw imageError(path, `it has ${info.size} bytes, more than the ${maxBytes} that maxBytes allows`);
  const bytes = Buffer.allocUnsafeSlow(info.size);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

async function decodeBytes(bytes: Uint8Array, name: string, limits: CheckedLimits): Promise<Samples> {
  if (!(bytes instanceof Uint8Array)) throw invalidArgument(`the bytes of ${name}`, 'a Uint8Array', bytes);
  if (bytes.length > limits.maxBytes)
    throw imageError(
      name,
      `it has ${bytes.length} bytes, more than the ${limits.maxBytes} that maxBytes allows`,
    );
  const format = sniff(bytes);
  if (format === undefined)
    throw imageError(
      name,
      bytes.length === 0 ? 'the file is empty' : 'it is not a PNG, JPEG, TIFF, WebP or DICOM file',
    );
  if (format !== 'DICOM') return decodeRaster(bytes, name, format, limits);
  const { decodeDicom } = await import('./dicom.js');
  return decodeDicom(bytes, name, limits);
}

/**
 * By content, since real files carry wrong extensions. What is not listed never reaches libvips, whose
 * SVG and PDF readers have no business with radiographs.
 */
function sniff(bytes: Uint8Array): Format | undefined {
  const at = (offset: number, ...values: readonly number[]): boolean =>
    values.every((v, i) => bytes[offset + i] === v);
  if (at(0, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'PNG';
  if (at(0, 0xff, 0xd8, 0xff)) return 'JPEG';
  if (at(128, 0x44, 0x49, 0x43, 0x4d)) return 'DICOM';
  if (at(0, 0x49, 0x49, 0x2a, 0) || at(0, 0x4d, 0x4d, 0, 0x2a)) return 'TIFF';
  if (at(0, 0x49, 0x49, 0x2b, 0) || at(0, 0x4d, 0x4d, 0, 0x2b)) return 'TIFF';
  if (at(0, 0x52, 0x49, 0x46, 0x46) && at(8, 0x57, 0x45, 0x42, 0x50)) return 'WebP';
  return undefined;
}

async function decodeRaster(
  bytes: Uint8Array,
  name: string,
  format: Format,
  limits: CheckedLimits,
): Promise<Samples> {
  const image = sharp(bytes, { failOn: 'warning', ignoreIcc: true, limitInputPixels: limits.maxPixels });
  try {
    const isGrey = isGreyPng(bytes, format, name, limits);
    const metadata = isGrey ? undefined : await image.metadata();
    const space = metadata === undefined ? 'b-w' : storedSpace(metadata, name, limits);
    image.autoOrient();
    // Without its own colour space sharp would turn 16 bits into 8 by a gamma, and grey into RGB.
    image.removeAlpha().toColourspace(space);
    const deep = space === 'grey16' || space === 'rgb16';
    const { data, info } = await image
      .raw(deep ? { depth: 'ushort' } : {})
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 1 && channels !== 3)
      throw imageError(name, `it has ${channels} channels; expected grey or RGB`);
    const samples = deep ? new Uint16Array(data.buffer, data.byteOffset, data.length >> 1) : data;
    const transparent = metadata?.hasAlpha ? { transparent: bytes } : {};
    return { width, height, channels, data: samples, ...transparent };
  } catch (cause) {
    if (cause instanceof CxrGazeError) throw cause;
    const reason = (cause as Error).message.trim().replace(/\s*\n\s*/g, '; ');
    const tooLarge = /exceeds pixel limit/i.test(reason);
    throw imageError(
      name,
      tooLarge
        ? `its header claims more pixels than the ${limits.maxPixels} that maxPixels allows`
        : `${reason} (${format})`,
      { format },
      cause,
    );
  }
}

type StoredSpace = 'b-w' | 'srgb' | 'grey16' | 'rgb16';

// The NIH's films, by the two bytes of the header that tell depth and colour: asking libvips for all that it can tell
// takes as long as a tenth of the decoding.
function isGreyPng(bytes: Uint8Array, format: Format, name: string, limits: CheckedLimits): boolean {
  if (format !== 'PNG' || bytes.length < 26 || bytes[24] !== 8 || bytes[25] !== 0) return false;
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkSize(name, header.getUint32(16), header.getUint32(20), limits);
  return true;
}

function storedSpace(metadata: Metadata, name: string, limits: CheckedLimits): StoredSpace {
  const { width, height, space, depth, pages } = metadata;
  checkSize(name, width, height, limits);
  if ((pages ?? 1) > 1) throw imageError(name, `it holds ${pages} pages; expected a single image`, { pages });
  if (depth === 'uchar' && (space === 'b-w' || space === 'srgb')) return space;
  if (depth === 'ushort' && (space === 'grey16' || space === 'rgb16')) return space;
  throw imageError(
    name,
    `expected 8 or 16-bit grey or RGB but found ${depth} pixels in colour space ${space}`,
    {
      space,
      depth,
    },
  );
}

function upperBytes(values: Uint16Array): Uint8Array {
  const upper = new Uint8Array(values.length);
  for (let i = 0; i < upper.length; i++) upper[i] = (values[i] as number) >> 8;
  return upper;
}

/** @internal One channel in place of three equal ones. */
export function greyIfEqual<Data extends Uint8Array | Uint16Array>(image: Samples<Data>): Samples<Data> {
  const { data, width, height, channels, ...rest } = image;
  if (channels === 1) return image;
  for (let i = 0; i < data.length; i += 3)
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return image;
  const grey = data.slice(0, width * height) as Data;
  for (let i = 0; i < grey.length; i++) grey[i] = data[3 * i] as number;
  return { ...rest, width, height, channels: 1, data: grey };
}

function checkPixels(pixels: Pixels, name: string, limits: CheckedLimits): Pixels {
  const { width, height, channels, data } = pixels;
  integer(`the width of ${name}`, width, { min: 1 });
  integer(`the height of ${name}`, height, { min: 1 });
  checkSize(name, width, height, limits);
  if (channels !== 1 && channels !== 3) throw invalidArgument(`the channels of ${name}`, '1 or 3', channels);
  if (!(data instanceof Uint8Array) || data.length !== width * height * channels)
    throw invalidArgument(`the data of ${name}`, `a Uint8Array of ${width * height * channels}`, data);
  return pixels;
}

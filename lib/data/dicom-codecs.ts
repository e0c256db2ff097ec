import { createRequire } from 'node:module';
import { type CheckedLimits, checkSize, imageError } from './decode-limits.js';
import type { TransferSyntax } from './dicom-syntax.js';

/** A decompressed frame. @internal */
export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Significant bits of a value, 1 to 16. */
  readonly bits: number;
  /** One byte a value up to 8 bits, else two, lower first. */
  readonly data: Uint8Array;
}

type Packing = 'jpeg' | 'jpeg-ls' | 'jpeg-2000';

/** What the three codecs' WebAssembly modules have in common. */
interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
  delete(): void;
}
interface CodecModule {
  getExceptionMessage?: (error: number) => unknown;
  [decoder: string]: unknown;
}
interface LoadedCodec {
  readonly module: CodecModule;
  /** What the codec printed during a job: its only account of most failures. */
  readonly log: string[];
}

const CODECS: Readonly<Record<Packing, { readonly from: string; readonly decoder: string }>> = {
  jpeg: { from: '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs', decoder: 'JPEGDecoder' },
  'jpeg-ls': { from: '@cornerstonejs/codec-charls/decodewasmjs', decoder: 'JpegLSDecoder' },
  'jpeg-2000': { from: '@cornerstonejs/codec-openjpeg/decodewasmjs', decoder: 'J2KDecoder' },
};

const loaded = new Map<Packing, Promise<LoadedCodec>>();

function load(packing: Packing): Promise<LoadedCodec> {
  let codec = loaded.get(packing);
  if (!codec) {
    const log: string[] = [];
    const print = (line: unknown): void => void log.push(String(line));
    const factory: (options: object) => Promise<CodecModule> = createRequire(import.meta.url)(
      CODECS[packing].from,
    );
    codec = factory({ print, printErr: print }).then((module) => ({ module, log }));
    loaded.set(packing, codec);
  }
  return codec;
}

/**
 * Decompresses one grey frame. The size in the stream's own header is checked first: the codecs believe it.
 *
 * @internal
 */
export async function decompress(
  stream: Uint8Array,
  syntax: TransferSyntax,
  name: string,
  limits: CheckedLimits,
): Promise<Frame> {
  const packing = syntax.packing as Packing;
  const header = packing === 'jpeg-2000' ? codestreamSize(stream) : jpegSize(stream);
  if (!header) throw imageError(name, `its pixel data are not a ${syntax.name} stream`);
  checkSize(name, header.width, header.height, limits);
  if (header.components !== 1)
    throw imageError(name, `its ${syntax.name} stream has ${header.components} components; expected grey`);
  const most = packing === 'jpeg' ? 8 : 16;
  if (header.bits > most)
    throw imageError(name, `there is no decoder for ${syntax.name} of ${header.bits} bits (at most ${most})`);
  const codec = await load(packing);
  codec.log.length = 0;
  try {
    return run(codec.module, CODECS[packing].decoder, stream, header);
  } catch (cause) {
    // After a failure the state of the module's memory is anyone's guess.
    loaded.delete(packing);
    throw imageError(name, `its ${syntax.name} stream is damaged: ${reason(codec, cause)}`);
  }
}

function run(module: CodecModule, name: string, stream: Uint8Array, header: StreamHeader): Frame {
  const decoder = new (module[name] as new () => Decoder)();
  decoder.getEncodedBuffer(stream.length).set(stream);
  decoder.decode();
  const { width, height, bitsPerSample: bits, componentCount } = decoder.getFrameInfo();
  const view = decoder.getDecodedBuffer();
  const expected = width * height * (bits > 8 ? 2 : 1);
  if (width !== header.width || height !== header.height || componentCount !== 1 || view.length !== expected)
    throw new Error(
      `${view.length} of ${header.width * header.height * (header.bits > 8 ? 2 : 1)} bytes were decoded`,
    );
  // The view lies in the codec's memory.
  const data = view.slice();
  decoder.delete();
  return { width, height, bits, data };
}

function reason({ module, log }: LoadedCodec, cause: unknown): string {
  const printed = log
    .filter((line) => /error/i.test(line))
    .map((line) => line.replace(/^\[ERROR\]\s*/, '').trim());
  if (printed.length > 0) return printed.join('; ');
  if (typeof cause === 'number' && module.getExceptionMessage)
    return String(module.getExceptionMessage(cause));
  return cause instanceof Error ? cause.message : 'the codec gave up';
}

interface StreamHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly components: number;
}

/** Frame header of a JPEG (ITU-T T.81 B.2.2) or JPEG-LS stream (T.87 C.2.2), found by walking its markers. */
function jpegSize(stream: Uint8Array): StreamHeader | undefined {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  if (stream.length < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 10 <= stream.length; at += 2 + view.getUint16(at + 2)) {
    while (stream[at] === 0xff && stream[at + 1] === 0xff) at++;
    const marker = stream[at + 1] as number;
    if (stream[at] !== 0xff || marker === 0xda) return undefined;
    const frame =
      marker === 0xf7 || (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker));
    if (!frame || at + 10 > stream.length) continue;
    const components = stream[at + 9] as number;
    return {
      bits: stream[at + 4] as number,
      height: view.getUint16(at + 5),
      width: view.getUint16(at + 7),
      components,
    };
  }
  return undefined;
}

/** Image size of a JPEG 2000 codestream (ITU-T T.800 A.5.1), bare or inside a JP2 file. */
function codestreamSize(stream: Uint8Array): StreamHeader | undefined {
  const start = Buffer.from(stream.buffer, stream.byteOffset, Math.min(stream.length, 4096)).indexOf(
    'ff4fff51',
    'hex',
  );
  if (start < 0 || stream.length < start + 43) return undefined;
  const view = new DataView(stream.buffer, stream.byteOffset + start + 4);
  const [right, bottom, left, top] = [4, 8, 12, 16].map((offset) => view.getUint32(offset)) as [
    number,
    number,
    number,
    number,
  ];
  return {
    width: right - left,
    height: bottom - top,
    components: view.getUint16(36),
    bits: (view.getUint8(38) & 0x7f) + 1,
  };
}

import { createRequire } from 'node:module';
import { inflateRawSync } from 'node:zlib';
import type { DataSet, Element } from 'dicom-parser';
import { type CheckedLimits, checkSize, imageError } from './decode-limits.js';
import { TRANSFER_SYNTAXES, type TransferSyntax } from './dicom-syntax.js';

const dicomParser: typeof import('dicom-parser') = createRequire(import.meta.url)('dicom-parser');

/** How stored values become greys. @internal */
export interface GreyScale {
  readonly bitsStored: number;
  readonly signed: boolean;
  readonly inverted: boolean;
  readonly slope: number;
  readonly intercept: number;
  readonly window: VoiWindow | undefined;
}

/** The first window of the values of interest (PS3.3 C.11.2). @internal */
export interface VoiWindow {
  readonly centre: number;
  readonly width: number;
  readonly shape: 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';
}

/** A file with one grey frame, checked as far as its header goes. @internal */
export interface DicomImage extends GreyScale {
  readonly syntax: TransferSyntax;
  readonly width: number;
  readonly height: number;
  readonly bitsAllocated: 8 | 16;
  readonly highBit: number;
  /** Pixel data: all fragments joined if compressed, else as they lie. */
  readonly stream: Uint8Array;
  /** Value representation of the pixel data where the file tells. */
  readonly vr: string | undefined;
}

/** Reads and judges the header. @internal */
export function readHeader(bytes: Uint8Array, name: string, limits: CheckedLimits): DicomImage {
  const data = parse(bytes, name, limits);
  const syntax = transferSyntax(data, name);
  refuseUnsupported(data, name);
  const width = required(data, 'x00280011', 'Columns', name);
  const height = required(data, 'x00280010', 'Rows', name);
  checkSize(name, width, height, limits);
  const bitsAllocated = required(data, 'x00280100', 'BitsAllocated', name);
  if (bitsAllocated !== 8 && bitsAllocated !== 16)
    throw imageError(name, `expected BitsAllocated 8 or 16 but found ${bitsAllocated}`);
  const bitsStored = required(data, 'x00280101', 'BitsStored', name);
  const highBit = data.uint16('x00280102') ?? bitsStored - 1;
  if (bitsStored < 1 || bitsStored > bitsAllocated || highBit >= bitsAllocated || highBit + 1 < bitsStored)
    throw imageError(
      name,
      `BitsStored ${bitsStored} and HighBit ${highBit} do not fit BitsAllocated ${bitsAllocated}`,
    );
  return {
    syntax,
    width,
    height,
    bitsAllocated,
    bitsStored,
    highBit,
    signed: required(data, 'x00280103', 'PixelRepresentation', name) === 1,
    inverted: photometric(data, name) === 'MONOCHROME1',
    slope: decimal(data, 'x00281053', 'RescaleSlope', name, (v) => v !== 0) ?? 1,
    intercept: decimal(data, 'x00281052', 'RescaleIntercept', name) ?? 0,
    window: voiWindow(data, name),
    ...pixelData(data, name, syntax),
  };
}

function parse(bytes: Uint8Array, name: string, { maxPixels }: CheckedLimits): DataSet {
  const inflater = (all: Uint8Array, position: number): Uint8Array => {
    const rest = inflateRawSync(all.subarray(position), { maxOutputLength: 2 * maxPixels + 2 ** 26 });
    return Buffer.concat([all.subarray(0, position), rest]);
  };
  try {
    // The published types give the inflater no result.
    return dicomParser.parseDicom(bytes, {
      inflater: inflater as (all: Uint8Array, position: number) => void,
    });
  } catch (cause) {
    // dicom-parser throws strings, errors and objects that hold one.
    const inner = (cause as { exception?: unknown }).exception ?? cause;
    throw imageError(
      name,
      `it is not a whole DICOM file: ${inner instanceof Error ? inner.message : String(inner)}`,
    );
  }
}

function transferSyntax(data: DataSet, name: string): TransferSyntax {
  const uid = data.string('x00020010') ?? '';
  const syntax = TRANSFER_SYNTAXES.get(uid);
  if (syntax?.packing) return syntax;
  const called = syntax ? `${syntax.name} (${uid})` : uid === '' ? '(none given)' : uid;
  throw imageError(name, `there is no decoder for the transfer syntax ${called}`, { transferSyntax: uid });
}

function photometric(data: DataSet, name: string): 'MONOCHROME1' | 'MONOCHROME2' {
  const found = data.string('x00280004');
  if (found === 'MONOCHROME1' || found === 'MONOCHROME2') return found;
  throw imageError(
    name,
    `expected PhotometricInterpretation MONOCHROME1 or MONOCHROME2 but found ${found || 'none'}`,
    {
      photometricInterpretation: found,
    },
  );
}

function refuseUnsupported(data: DataSet, name: string): void {
  photometric(data, name);
  const samples = data.uint16('x00280002') ?? 1;
  if (samples !== 1) throw imageError(name, `expected one sample a pixel but found ${samples}`);
  const frames = data.intString('x00280008') ?? 1;
  if (frames !== 1) throw imageError(name, `it holds ${frames} frames; expected a single image`, { frames });
  // Rescale and window would have to be looked for in there; passing them by would give wrong greys.
  if (data.elements.x52009229 || data.elements.x52009230)
    throw imageError(name, 'enhanced DICOM objects (functional groups) are not supported');
  if (data.elements.x00283000) throw imageError(name, 'a Modality LUT Sequence is not supported');
}

function required(data: DataSet, tag: string, keyword: string, name: string): number {
  const value = data.uint16(tag);
  if (value !== undefined) return value;
  throw imageError(name, `its header has no ${keyword}`, { tag });
}

function decimal(
  data: DataSet,
  tag: string,
  keyword: string,
  name: string,
  allowed: (value: number) => boolean = () => true,
): number | undefined {
  const written = data.string(tag, 0);
  if (written === undefined || written === '') return undefined;
  const value = Number(written);
  if (Number.isFinite(value) && allowed(value)) return value;
  throw imageError(name, `its ${keyword} is ${JSON.stringify(written)}`, { tag });
}

function voiWindow(data: DataSet, name: string): VoiWindow | undefined {
  const shape = data.string('x00281056') || 'LINEAR';
  if (shape !== 'LINEAR' && shape !== 'LINEAR_EXACT' && shape !== 'SIGMOID')
    throw imageError(name, `its VOILUTFunction ${shape} is not known`);
  // PS3.3 C.11.2.1.2: at least 1 for LINEAR, above 0 for the others.
  const width = decimal(data, 'x00281051', 'WindowWidth', name, (v) => (shape === 'LINEAR' ? v >= 1 : v > 0));
  const centre = decimal(data, 'x00281050', 'WindowCenter', name);
  return centre === undefined || width === undefined ? undefined : { centre, width, shape };
}

function pixelData(data: DataSet, name: string, syntax: TransferSyntax): Pick<DicomImage, 'stream' | 'vr'> {
  const element: Element | undefined = data.elements.x7fe00010;
  if (!element) throw imageError(name, 'it holds no pixel data');
  const { fragments } = element;
  if ((syntax.packing === 'native') !== (fragments === undefined))
    throw imageError(name, `its pixel data are not packed as ${syntax.name} demands`);
  if (fragments === undefined)
    return {
      stream: data.byteArray.subarray(element.dataOffset, element.dataOffset + element.length),
      vr: element.vr,
    };
  if (fragments.length === 0) throw imageError(name, 'it holds no pixel data');
  // A single frame may be cut into any number of fragments, whatever the offset table says.
  const stream = dicomParser.readEncapsulatedPixelDataFromFragments(data, element, 0, fragments.length);
  return { stream, vr: element.vr };
}

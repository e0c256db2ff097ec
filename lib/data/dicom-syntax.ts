/** How pixel data are packed in a file of some transfer syntax (DICOM PS3.5 section 10 and Annex A). @internal */
export interface TransferSyntax {
  /** Name in the standard. */
  readonly name: string;
  /** `undefined`: known, but there is no decoder for it. */
  readonly packing: 'native' | 'jpeg' | 'jpeg-ls' | 'jpeg-2000' | undefined;
  /** Whether 16-bit values begin with their upper byte; `false` by default. */
  readonly bigEndian?: boolean;
}

/** By UID. @internal */
export const TRANSFER_SYNTAXES: ReadonlyMap<string, TransferSyntax> = new Map<string, TransferSyntax>([
  ['1.2.840.10008.1.2', { name: 'Implicit VR Little Endian', packing: 'native' }],
  ['1.2.840.10008.1.2.1', { name: 'Explicit VR Little Endian', packing: 'native' }],
  ['1.2.840.10008.1.2.1.99', { name: 'Deflated Explicit VR Little Endian', packing: 'native' }],
  ['1.2.840.10008.1.2.2', { name: 'Explicit VR Big Endian', packing: 'native', bigEndian: true }],
  ['1.2.840.10008.1.2.4.50', { name: 'JPEG Baseline (Process 1)', packing: 'jpeg' }],
  ['1.2.840.10008.1.2.4.51', { name: 'JPEG Extended (Process 2 and 4)', packing: 'jpeg' }],
  ['1.2.840.10008.1.2.4.57', { name: 'JPEG Lossless (Process 14)', packing: 'jpeg' }],
  ['1.2.840.10008.1.2.4.70', { name: 'JPEG Lossless (Process 14, Selection Value 1)', packing: 'jpeg' }],
  ['1.2.840.10008.1.2.4.80', { name: 'JPEG-LS Lossless', packing: 'jpeg-ls' }],
  ['1.2.840.10008.1.2.4.81', { name: 'JPEG-LS Lossy (Near-Lossless)', packing: 'jpeg-ls' }],
  ['1.2.840.10008.1.2.4.90', { name: 'JPEG 2000 (Lossless Only)', packing: 'jpeg-2000' }],
  ['1.2.840.10008.1.2.4.91', { name: 'JPEG 2000', packing: 'jpeg-2000' }],
  [
    '1.2.840.10008.1.2.4.92',
    { name: 'JPEG 2000 Part 2 Multi-component (Lossless Only)', packing: undefined },
  ],
  ['1.2.840.10008.1.2.4.93', { name: 'JPEG 2000 Part 2 Multi-component', packing: undefined }],
  ['1.2.840.10008.1.2.4.94', { name: 'JPIP Referenced', packing: undefined }],
  ['1.2.840.10008.1.2.4.95', { name: 'JPIP Referenced Deflate', packing: undefined }],
  ['1.2.840.10008.1.2.4.100', { name: 'MPEG2 Main Profile / Main Level', packing: undefined }],
  ['1.2.840.10008.1.2.4.101', { name: 'MPEG2 Main Profile / High Level', packing: undefined }],
  ['1.2.840.10008.1.2.4.102', { name: 'MPEG-4 AVC/H.264 High Profile', packing: undefined }],
  ['1.2.840.10008.1.2.4.110', { name: 'JPEG XL Lossless', packing: undefined }],
  ['1.2.840.10008.1.2.4.111', { name: 'JPEG XL JPEG Recompression', packing: undefined }],
  ['1.2.840.10008.1.2.4.112', { name: 'JPEG XL', packing: undefined }],
  ['1.2.840.10008.1.2.4.201', { name: 'High-Throughput JPEG 2000 (Lossless Only)', packing: undefined }],
  [
    '1.2.840.10008.1.2.4.202',
    { name: 'High-Throughput JPEG 2000 with RPCL (Lossless Only)', packing: undefined },
  ],
  ['1.2.840.10008.1.2.4.203', { name: 'High-Throughput JPEG 2000', packing: undefined }],
  ['1.2.840.10008.1.2.5', { name: 'RLE Lossless', packing: undefined }],
]);

import { createRequire } from 'node:module';
import fc from 'fast-check';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { decodeImage } from '../../lib/data/decode.js';
import { DicomThread } from '../../lib/data/dicom.js';
import { readDicom } from '../../lib/data/dicom-reader.js';
import { CxrGazeError } from '../../lib/errors.js';
import {
  type DicomElement,
  type DicomLayout,
  dicomFile,
  greyImage,
  losslessJpeg,
  words,
} from '../support/dicom.js';

const LE = { syntax: '1.2.840.10008.1.2.1' };
const limits = { maxPixels: 100_000_000, maxBytes: 2 ** 29 };

/** In this thread, so that what is tested is the reader and not the way to it. */
const read = async (elements: readonly DicomElement[], layout: DicomLayout = LE): Promise<number[]> => {
  const pixels = await readDicom(dicomFile(elements, layout), 'x.dcm', limits);
  return [...pixels.data];
};
const refuses = (
  t: Test,
  elements: readonly DicomElement[],
  message: RegExp,
  layout: DicomLayout = LE,
): Promise<unknown> => t.rejects(read(elements, layout), { code: 'ERR_IMAGE', message }, `${message}`);

const eight = { allocated: 8, stored: 8 };
const twelve = { allocated: 16, stored: 12 };
const DS = (value: string): readonly ['DS', string] => ['DS', value];
const [CENTER, WIDTH, INTERCEPT, SLOPE, SHAPE] = [0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281056];
const PHOTOMETRIC = 0x00280004;

t.test('8 bits, without rescale and window, are kept', async (t) => {
  t.strictSame(
    await read(greyImage(3, 2, eight, Uint8Array.of(0, 1, 2, 127, 254, 255))),
    [0, 1, 2, 127, 254, 255],
  );
  t.strictSame(await read(greyImage(1, 1, eight, Uint8Array.of(9, 0))), [9], 'an odd length is padded');
});

t.test('the full range of BitsStored', async (t) => {
  // grey = 255 v / (2^12 - 1), rounded
  t.strictSame(await read(greyImage(4, 1, twelve, words([0, 8, 9, 4095]))), [0, 0, 1, 255]);
  const signed = { allocated: 16, stored: 12, signed: true };
  t.strictSame(
    await read(greyImage(4, 1, signed, words([-2048, -1, 0, 2047]))),
    [0, 127, 128, 255],
    'signed',
  );
  t.strictSame(await read(greyImage(2, 1, { allocated: 16, stored: 16 }, words([0, 65535]))), [0, 255]);
  t.strictSame(
    await read(greyImage(2, 1, { allocated: 16, stored: 16, signed: true }, words([-32768, 32767]))),
    [0, 255],
  );
  t.strictSame(
    await read(greyImage(3, 1, { allocated: 16, stored: 8 }, words([0, 7, 255]))),
    [0, 7, 255],
    '8 bits in 16',
  );
});

t.test('bits beside BitsStored are not the image', async (t) => {
  t.strictSame(
    await read(greyImage(2, 1, twelve, words([0xf000, 0xffff]))),
    [0, 255],
    'overlay in the upper bits',
  );
  const shifted = { allocated: 16, stored: 12, high: 15 };
  t.strictSame(
    await read(greyImage(2, 1, shifted, words([0x000f, 0xfff0]))),
    [0, 255],
    'values in the upper bits',
  );
  const both = { allocated: 16, stored: 4, high: 7, signed: true };
  t.strictSame(
    await read(greyImage(3, 1, both, words([0x0f8f, 0x00f0, 0x0070]))),
    [0, 119, 255],
    'signed in the middle',
  );
});

t.test('windows', async (t) => {
  const values = [0, 99, 100, 149, 150, 200, 201, 4095];
  const shades = (more: Parameters<typeof greyImage>[4]): Promise<number[]> =>
    read(greyImage(values.length, 1, twelve, words(values), more));
  const linear = (x: number): number =>
    Math.min(255, Math.max(0, Math.round(((x - 149.5) / 100 + 0.5) * 255)));
  t.strictSame(await shades({ [CENTER]: DS('150'), [WIDTH]: DS('101') }), values.map(linear), 'LINEAR');
  t.strictSame(
    await shades({ [CENTER]: DS('150\\7'), [WIDTH]: DS('101\\9'), [SHAPE]: ['CS', 'LINEAR'] }),
    values.map(linear),
    'the first of several',
  );
  t.strictSame(
    await shades({ [CENTER]: DS('150'), [WIDTH]: DS('100'), [SHAPE]: ['CS', 'LINEAR_EXACT'] }),
    [0, 0, 0, 125, 128, 255, 255, 255],
    'LINEAR_EXACT',
  );
  const sigmoid = (x: number): number => Math.round(255 / (1 + Math.exp((-4 * (x - 150)) / 100)));
  t.strictSame(
    await shades({ [CENTER]: DS('150'), [WIDTH]: DS('100'), [SHAPE]: ['CS', 'SIGMOID'] }),
    values.map(sigmoid),
    'SIGMOID',
  );
  t.strictSame(
    await shades({ [CENTER]: DS('150'), [WIDTH]: DS('1') }),
    [0, 0, 0, 0, 255, 255, 255, 255],
    'a threshold',
  );
});

t.test('rescale', async (t) => {
  const image = (values: number[], more: Parameters<typeof greyImage>[4]): Promise<number[]> =>
    read(greyImage(values.length, 1, twelve, words(values), more));
  const hounsfield = { [INTERCEPT]: DS('-1024'), [SLOPE]: DS('1'), [CENTER]: DS('40'), [WIDTH]: DS('301') };
  // The window goes from -110.5 to 189.5 after rescaling.
  t.strictSame(await image([0, 913, 914, 1213, 1214], hounsfield), [0, 0, 0, 255, 255]);
  t.strictSame(await image([0, 4095], { [SLOPE]: DS('2.5'), [INTERCEPT]: DS('-7') }), [0, 255], 'full range');
  t.strictSame(
    await image([0, 4095], { [SLOPE]: DS('-1') }),
    [255, 0],
    'a negative slope turns the greys round',
  );
});

t.test('MONOCHROME1 is inverted, after the window', async (t) => {
  const more = { [PHOTOMETRIC]: ['CS', 'MONOCHROME1'] as const };
  t.strictSame(await read(greyImage(3, 1, eight, Uint8Array.of(0, 100, 255), more)), [255, 155, 0]);
  const window = { ...more, [CENTER]: DS('150'), [WIDTH]: DS('101') };
  // 255 ((130 - 149.5) / 100 + 0.5) is 77.8
  t.strictSame(await read(greyImage(3, 1, twelve, words([0, 130, 4095]), window)), [255, 255 - 78, 0]);
});

t.test('layouts of uncompressed files', async (t) => {
  const values = [0, 1024, 2048, 4095];
  const expected = await read(greyImage(4, 1, twelve, words(values)));
  const little = greyImage(4, 1, twelve, words(values));
  t.strictSame(await read(little, { syntax: '1.2.840.10008.1.2', implicit: true }), expected, 'implicit');
  t.strictSame(await read(little, { syntax: '1.2.840.10008.1.2.1.99', deflate: true }), expected, 'deflated');
  const big = { syntax: '1.2.840.10008.1.2.2', bigEndian: true };
  t.strictSame(await read(greyImage(4, 1, twelve, words(values, true)), big), expected, 'big endian');
  const bytes = Uint8Array.of(1, 2, 3, 4);
  t.strictSame(await read(greyImage(4, 1, eight, bytes), big), [1, 2, 3, 4], 'big endian, 8 bits as bytes');
  t.strictSame(
    await read(greyImage(4, 1, eight, bytes, { 2145386512: ['OW', bytes] }), big),
    [2, 1, 4, 3],
    'and as words',
  );
});

const ramp = Uint8Array.from({ length: 64 * 48 }, (_, i) => (i % 64) * 4);
const ramp16 = Uint16Array.from({ length: 64 * 48 }, (_, i) => (i % 64) * 65);
const grey16 = [...ramp16].map((v) => Math.round((v / 4095) * 255));

/** The encoders of the codecs' full builds; their decoders are what is tested. */
async function encode(
  codec: string,
  name: string,
  values: Uint8Array | Uint16Array,
  bits: number,
): Promise<Uint8Array> {
  const factory = createRequire(import.meta.url)(`@cornerstonejs/codec-${codec}/wasmjs`);
  const module = await factory({ print: () => {}, printErr: () => {} });
  const encoder = new module[name]();
  const info = { width: 64, height: 48, bitsPerSample: bits, componentCount: 1, isSigned: false };
  encoder.getDecodedBuffer(info).set(new Uint8Array(values.buffer));
  if (name === 'J2KEncoder') encoder.setQuality(true, 0);
  encoder.encode();
  return Uint8Array.from(encoder.getEncodedBuffer());
}

/** As items of pixel data: an empty offset table, then fragments of even length. */
function fragments(stream: Uint8Array, size = 2 ** 20): Uint8Array[] {
  const even = Buffer.concat([stream, Buffer.alloc(stream.length % 2)]);
  const parts: Uint8Array[] = [Buffer.alloc(0)];
  for (let at = 0; at < even.length; at += size) parts.push(even.subarray(at, at + size));
  return parts;
}

t.test('compressed files', async (t) => {
  const jpeg = await sharp(ramp, { raw: { width: 64, height: 48, channels: 1 } })
    .toColourspace('b-w')
    .jpeg({ quality: 100 })
    .toBuffer();
  const expected = [...(await sharp(jpeg).toColourspace('b-w').raw().toBuffer())];
  for (const [name, syntax] of [
    ['baseline', '50'],
    ['extended, 8 bits', '51'],
  ] as const) {
    const layout = { syntax: `1.2.840.10008.1.2.4.${syntax}` };
    t.strictSame(await read(greyImage(64, 48, eight, fragments(jpeg)), layout), expected, `JPEG ${name}`);
    t.strictSame(
      await read(greyImage(64, 48, eight, fragments(jpeg, 100)), layout),
      expected,
      'in many fragments',
    );
  }
  const table = Buffer.alloc(4);
  const withTable = [table, ...fragments(jpeg).slice(1)];
  t.strictSame(
    await read(greyImage(64, 48, eight, withTable), { syntax: '1.2.840.10008.1.2.4.50' }),
    expected,
    'with an offset table',
  );
  const packings = [
    ['JPEG 2000', 'openjpeg', 'J2KEncoder', ['90', '91']],
    ['JPEG-LS', 'charls', 'JpegLSEncoder', ['80', '81']],
  ] as const;
  for (const [name, codec, encoder, syntaxes] of packings) {
    const [of8, of12] = [await encode(codec, encoder, ramp, 8), await encode(codec, encoder, ramp16, 12)];
    for (const syntax of syntaxes) {
      const layout = { syntax: `1.2.840.10008.1.2.4.${syntax}` };
      t.strictSame(
        await read(greyImage(64, 48, eight, fragments(of8)), layout),
        [...ramp],
        `${name}, 8 bits`,
      );
      t.strictSame(
        await read(greyImage(64, 48, twelve, fragments(of12, 64)), layout),
        grey16,
        `${name}, 12 bits`,
      );
    }
    const layout = { syntax: `1.2.840.10008.1.2.4.${syntaxes[0]}` };
    const half = fragments(of12.slice(0, of12.length >> 1));
    await refuses(t, greyImage(64, 48, twelve, half), /x\.dcm: its JPEG.* stream is damaged/, layout);
    t.strictSame(
      await read(greyImage(64, 48, eight, fragments(of8)), layout),
      [...ramp],
      'and works again afterwards',
    );
  }
});

t.test('lossless JPEG: 8 bits are decoded, more are refused by name', async (t) => {
  const values = [10, 12, 11, 200, 0, 255];
  for (const syntax of ['57', '70']) {
    const layout = { syntax: `1.2.840.10008.1.2.4.${syntax}` };
    t.strictSame(await read(greyImage(3, 2, eight, fragments(losslessJpeg(values, 3, 8))), layout), values);
    await refuses(
      t,
      greyImage(3, 2, twelve, fragments(losslessJpeg(values, 3, 12))),
      /no decoder for JPEG Lossless.* of 12 bits/,
      layout,
    );
  }
});

t.test('what is not supported is refused by name', async (t) => {
  const image = (more: Parameters<typeof greyImage>[4] = {}): DicomElement[] =>
    greyImage(2, 1, eight, Uint8Array.of(1, 2), more);
  await refuses(t, image(), /transfer syntax RLE Lossless \(1\.2\.840\.10008\.1\.2\.5\)/, {
    syntax: '1.2.840.10008.1.2.5',
  });
  await refuses(t, image(), /transfer syntax 1\.2\.3\.4/, { syntax: '1.2.3.4' });
  await refuses(t, image({ [PHOTOMETRIC]: ['CS', 'RGB'] }), /found RGB/);
  await refuses(t, image({ [PHOTOMETRIC]: ['CS', 'PALETTE COLOR'] }), /found PALETTE COLOR/);
  await refuses(t, image({ [PHOTOMETRIC]: undefined }), /found none/);
  await refuses(t, image({ 2621442: ['US', 3] }), /one sample a pixel but found 3/);
  await refuses(t, image({ 2621448: ['IS', '7'] }), /7 frames/);
  await refuses(t, image({ 2621696: ['US', 32] }), /BitsAllocated 8 or 16 but found 32/);
  await refuses(t, image({ 2621697: ['US', 12] }), /BitsStored 12/);
  await refuses(t, image({ 2633728: ['SQ', ''] }), /Modality LUT/);
  await refuses(t, image({ 1375769129: ['SQ', ''] }), /enhanced/);
  await refuses(t, image({ [CENTER]: DS('1'), [WIDTH]: DS('0') }), /WindowWidth is "0"/);
  await refuses(
    t,
    image({ [CENTER]: DS('1'), [WIDTH]: DS('9'), [SHAPE]: ['CS', 'CUBIC'] }),
    /VOILUTFunction CUBIC/,
  );
  await refuses(t, image({ [SLOPE]: DS('0') }), /RescaleSlope is "0"/);
  await refuses(t, image({ [INTERCEPT]: DS('much') }), /RescaleIntercept is "much"/);
});

t.test('hostile and torn files', async (t) => {
  const whole = dicomFile(greyImage(8, 8, eight, new Uint8Array(64)), LE);
  for (let length = 132; length < whole.length; length += 7)
    await t.rejects(
      readDicom(whole.subarray(0, length), 'cut.dcm', limits),
      { code: 'ERR_IMAGE', message: /cut\.dcm/ },
      `${length} bytes`,
    );
  await refuses(t, greyImage(9, 8, eight, new Uint8Array(64)), /cut short: 64 of 72 bytes/);
  await refuses(t, greyImage(60000, 60000, eight, new Uint8Array(64)), /claims 60000x60000 pixels/);
  await refuses(t, greyImage(0, 8, eight, new Uint8Array(64)), /claims 0x8/);
  for (const tag of [0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103, 0x7fe00010])
    await refuses(t, greyImage(8, 8, eight, new Uint8Array(64), { [tag]: undefined }), /has no|holds no/);
  const layout = { syntax: '1.2.840.10008.1.2.4.90' };
  await refuses(t, greyImage(8, 8, eight, new Uint8Array(64)), /not packed as JPEG 2000/, layout);
  await refuses(t, greyImage(8, 8, eight, [Buffer.alloc(0)]), /no pixel data/, layout);
  await refuses(t, greyImage(8, 8, eight, fragments(Buffer.alloc(200, 7))), /not a JPEG 2000/, layout);
  await refuses(t, greyImage(8, 8, eight, fragments(Buffer.alloc(200, 7))), /not a JPEG-LS/, {
    syntax: '1.2.840.10008.1.2.4.80',
  });
  const codestream = Buffer.from(await encode('openjpeg', 'J2KEncoder', ramp, 8));
  await refuses(
    t,
    greyImage(8, 8, eight, fragments(codestream)),
    /header says 8x8 pixels, its .* 64x48/,
    layout,
  );
  codestream.writeUInt32BE(60000, codestream.indexOf('ff51', 'hex') + 6);
  codestream.writeUInt32BE(60000, codestream.indexOf('ff51', 'hex') + 10);
  await refuses(t, greyImage(64, 48, eight, fragments(codestream)), /claims 60000x60000/, layout);
});

t.test('through decodeImage: in a thread of its own, for files in memory and many at once', async (t) => {
  const bytes = dicomFile(greyImage(3, 1, eight, Uint8Array.of(5, 6, 7)), LE);
  const good = { kind: 'bytes', name: 'a.dcm', bytes } as const;
  t.strictSame(await decodeImage(good), { width: 3, height: 1, channels: 1, data: Uint8Array.of(5, 6, 7) });
  const bad = { kind: 'bytes', name: 'b.dcm', bytes: bytes.subarray(0, 140) } as const;
  const results = await Promise.allSettled([good, bad, good, bad, good].map((source) => decodeImage(source)));
  t.strictSame(
    results.map((r) => r.status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
  await t.rejects(decodeImage(bad), { name: 'CxrGazeError', code: 'ERR_IMAGE', details: { file: 'b.dcm' } });
  await t.rejects(decodeImage(good, { maxPixels: 2 }), { code: 'ERR_IMAGE', message: /maxPixels/ });
  t.equal(bytes.length > 0 && bytes[128], 0x44, 'the bytes given remain the caller’s');
});

t.test('a thread that breaks down takes only its own job with it', async (t) => {
  const script = `
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', ({ name }) => {
      if (name === 'throw') throw new Error('out of memory');
      if (name === 'exit') process.exit(3);
      parentPort.postMessage({ pixels: { width: 1, height: 1, channels: 1, data: Uint8Array.of(name.length) } });
    });`;
  const thread = new DicomThread(
    new URL(
      `data:text/javascript,${encodeURIComponent(`import { createRequire } from 'node:module'; const require = createRequire('file:///');${script}`)}`,
    ),
  );
  const names = ['a', 'throw', 'bb', 'exit', 'ccc'];
  const results = await Promise.allSettled(
    names.map((name) => thread.decode({ bytes: Uint8Array.of(1), name, limits })),
  );
  t.match(results, [
    { status: 'fulfilled', value: { data: { 0: 1 } } },
    {
      status: 'rejected',
      reason: {
        code: 'ERR_IMAGE',
        message: 'Cannot decode throw: the DICOM decoder broke down: out of memory',
      },
    },
    { status: 'fulfilled', value: { data: { 0: 2 } } },
    { status: 'rejected', reason: { code: 'ERR_IMAGE', message: /exit: .*status 3/ } },
    { status: 'fulfilled', value: { data: { 0: 3 } } },
  ]);
});

t.test('any damage gives an image or a coded error', async () => {
  const jpeg = await sharp(ramp, { raw: { width: 64, height: 48, channels: 1 } })
    .toColourspace('b-w')
    .jpeg()
    .toBuffer();
  const j2k = await encode('openjpeg', 'J2KEncoder', ramp, 8);
  const jls = await encode('charls', 'JpegLSEncoder', ramp16, 12);
  const files = [
    dicomFile(greyImage(8, 8, twelve, new Uint8Array(128), { [CENTER]: DS('40'), [WIDTH]: DS('400') }), LE),
    dicomFile(greyImage(64, 48, eight, fragments(jpeg)), { syntax: '1.2.840.10008.1.2.4.50' }),
    dicomFile(greyImage(64, 48, eight, fragments(j2k, 500)), { syntax: '1.2.840.10008.1.2.4.90' }),
    dicomFile(greyImage(64, 48, twelve, fragments(jls)), { syntax: '1.2.840.10008.1.2.4.80' }),
    dicomFile(greyImage(8, 8, eight, new Uint8Array(64)), {
      syntax: '1.2.840.10008.1.2.1.99',
      deflate: true,
    }),
  ];
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...files), damage, fc.nat(), async (whole, changes, cut) => {
      const file = Buffer.from(cut % 4 === 0 ? whole.subarray(0, cut % whole.length) : whole);
      for (const [at, value] of changes) file[132 + (at % Math.max(1, file.length - 132))] = value;
      try {
        const { width, height, data } = await readDicom(file, 'x.dcm', { ...limits, maxPixels: 1_000_000 });
        return data.length === width * height;
      } catch (error) {
        if (error instanceof CxrGazeError && error.code === 'ERR_IMAGE') return true;
        throw error;
      }
    }),
    { numRuns: 60 },
  );
});

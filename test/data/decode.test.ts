import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import t from 'tap';
import type { ImageSource, Pixels } from '../../lib/data/dataset.js';
import { decodeImage, imageName } from '../../lib/data/decode.js';
import { CxrGazeError } from '../../lib/errors.js';

const bytes = (data: Uint8Array, name = 'x'): ImageSource => ({ kind: 'bytes', name, bytes: data });
const decoded = async (data: Uint8Array): Promise<[number, number, number, number[]]> => {
  const { width, height, channels, data: values } = await decodeImage(bytes(data));
  return [width, height, channels, [...values]];
};

/** A PNG of literal scan lines, each without its filter byte. */
function png(
  width: number,
  bits: number,
  colour: number,
  lines: readonly (readonly number[])[],
  ...more: [string, number[]][]
): Buffer {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, bits, colour, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(lines.length, 4);
  const data = deflateSync(Buffer.concat(lines.map((line) => Buffer.from([0, ...line]))));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...more.map(([type, values]) => chunk(type, Buffer.from(values))),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

t.test('PNG: every bit depth and colour type', async (t) => {
  t.strictSame(await decoded(png(3, 8, 0, [[0, 100, 255]])), [3, 1, 1, [0, 100, 255]], 'grey, 8 bits');
  t.strictSame(
    await decoded(png(8, 1, 0, [[0b10100011]])),
    [8, 1, 1, [255, 0, 255, 0, 0, 0, 255, 255]],
    '1 bit',
  );
  t.strictSame(await decoded(png(4, 2, 0, [[0b00011011]])), [4, 1, 1, [0, 85, 170, 255]], '2 bits');
  t.strictSame(await decoded(png(4, 4, 0, [[0x01, 0x8f]])), [4, 1, 1, [0, 17, 136, 255]], '4 bits');
  t.strictSame(
    await decoded(png(3, 16, 0, [[0, 255, 1, 0, 255, 254]])),
    [3, 1, 1, [0, 1, 255]],
    '16 bits: v >> 8',
  );
  t.strictSame(await decoded(png(2, 8, 4, [[10, 0, 200, 128]])), [2, 1, 1, [10, 200]], 'grey and alpha');
  t.strictSame(
    await decoded(png(2, 16, 4, [[10, 9, 0, 0, 200, 0, 7, 7]])),
    [2, 1, 1, [10, 200]],
    'grey and alpha, 16 bits',
  );
  t.strictSame(await decoded(png(1, 8, 2, [[1, 2, 3]])), [1, 1, 3, [1, 2, 3]], 'RGB');
  t.strictSame(await decoded(png(1, 16, 2, [[1, 9, 2, 9, 3, 9]])), [1, 1, 3, [1, 2, 3]], 'RGB, 16 bits');
  t.strictSame(
    await decoded(png(2, 8, 6, [[1, 2, 3, 0, 4, 5, 6, 128]])),
    [2, 1, 3, [1, 2, 3, 4, 5, 6]],
    'alpha is dropped, not blended',
  );
  const palette: [string, number[]] = ['PLTE', [9, 8, 7, 6, 5, 4, 3, 2, 1]];
  t.strictSame(
    await decoded(png(3, 8, 3, [[0, 2, 1]], palette)),
    [3, 1, 3, [9, 8, 7, 3, 2, 1, 6, 5, 4]],
    'palette',
  );
  t.strictSame(
    await decoded(png(2, 8, 3, [[0, 2]], palette, ['tRNS', [0, 9]])),
    [2, 1, 3, [9, 8, 7, 3, 2, 1]],
    'palette with transparency',
  );
  t.strictSame(
    await decoded(png(2, 8, 3, [[1, 0]], ['PLTE', [4, 4, 4, 6, 6, 6]])),
    [2, 1, 1, [6, 4]],
    'a palette of greys is grey',
  );
  t.strictSame(
    await decoded(png(3, 8, 0, [[0, 50, 200]], ['tRNS', [0, 50]])),
    [3, 1, 1, [0, 50, 200]],
    'a transparent grey',
  );
  t.strictSame(
    await decoded(png(3, 8, 0, [[0, 50, 200]], ['gAMA', [0, 1, 0x86, 0xa0]])),
    [3, 1, 1, [0, 50, 200]],
    'gamma is ignored',
  );
});

t.test('16-bit ramp: the upper byte, no gamma, no stretching', async (t) => {
  const ramp = Array.from({ length: 256 }, (_, row) =>
    Array.from({ length: 256 }, (_, i) => [row, i]).flat(),
  );
  const { data } = await decodeImage(bytes(png(256, 16, 0, ramp)));
  t.ok(
    data.every((value, i) => value === i >> 8),
    'all 65536 values',
  );
});

const grey = Buffer.from(Array.from({ length: 24 * 16 }, (_, i) => (i * 7) % 256));
const image = (): ReturnType<typeof sharp> =>
  sharp(grey, { raw: { width: 24, height: 16, channels: 1 } }).toColourspace('b-w');
const rgb = Buffer.from(Array.from({ length: 24 * 16 * 3 }, (_, i) => (i * 11) % 256));
const colour = (): ReturnType<typeof sharp> => sharp(rgb, { raw: { width: 24, height: 16, channels: 3 } });

t.test('TIFF, WebP and JPEG', async (t) => {
  for (const compression of ['none', 'lzw', 'deflate', 'packbits'] as const)
    t.strictSame(
      await decoded(await image().tiff({ compression }).toBuffer()),
      [24, 16, 1, [...grey]],
      `TIFF ${compression}`,
    );
  t.strictSame(
    await decoded(await colour().tiff({ compression: 'lzw' }).toBuffer()),
    [24, 16, 3, [...rgb]],
    'TIFF, RGB',
  );
  const deep = sharp(
    Uint16Array.from(grey, (v) => v * 256 + 17),
    { raw: { width: 24, height: 16, channels: 1 } },
  );
  const tiff16 = await deep.toColourspace('grey16').tiff({ compression: 'none' }).toBuffer();
  t.equal((await sharp(tiff16).metadata()).depth, 'ushort');
  t.strictSame(await decoded(tiff16), [24, 16, 1, [...grey]], 'TIFF, 16 bits');
  t.strictSame(
    await decoded(await colour().webp({ lossless: true }).toBuffer()),
    [24, 16, 3, [...rgb]],
    'WebP',
  );
  t.strictSame(
    await decoded(await image().webp({ lossless: true }).toBuffer()),
    [24, 16, 1, [...grey]],
    'WebP of equal channels',
  );
  const smooth = Buffer.from(Array.from({ length: 24 * 16 }, (_, i) => 5 * (i % 24) + Math.floor(i / 24)));
  for (const progressive of [false, true]) {
    const jpeg = await sharp(smooth, { raw: { width: 24, height: 16, channels: 1 } })
      .toColourspace('b-w')
      .jpeg({ quality: 100, progressive })
      .toBuffer();
    const [width, height, channels, data] = await decoded(jpeg);
    t.strictSame([width, height, channels], [24, 16, 1]);
    t.ok(
      data.every((v, i) => Math.abs(v - (smooth[i] as number)) <= 2),
      `JPEG, progressive ${progressive}`,
    );
  }
});

t.test('an ICC profile does not touch the greys', async (t) => {
  const p3 = await colour().withIccProfile('p3').png().toBuffer();
  t.ok((await sharp(p3).metadata()).icc, 'the profile is there');
  const plain = await sharp(p3, { ignoreIcc: true }).raw().toBuffer();
  const converted = await sharp(p3).raw().toBuffer();
  t.notSame(plain, converted, 'and it would matter');
  t.strictSame((await decoded(p3))[3], [...plain]);
});

t.test('EXIF orientation is applied', async (t) => {
  // Pixel (x, y) of the upright image lies in the file where the tag says (TIFF 6.0, tag 274).
  const upright = (orientation: number, x: number, y: number): number => {
    const [w, h] = [24, 16];
    const where: Record<number, [number, number]> = {
      1: [x, y],
      2: [w - 1 - x, y],
      3: [w - 1 - x, h - 1 - y],
      4: [x, h - 1 - y],
      5: [y, x],
      6: [y, h - 1 - x],
      7: [w - 1 - y, h - 1 - x],
      8: [w - 1 - y, x],
    };
    const [fx, fy] = where[orientation] as [number, number];
    return grey[fy * w + fx] as number;
  };
  for (let orientation = 1; orientation <= 8; orientation++) {
    const file = await image().withMetadata({ orientation }).png().toBuffer();
    const [width, height, channels, data] = await decoded(file);
    const turned = orientation > 4;
    t.strictSame(
      [width, height, channels],
      turned ? [16, 24, 1] : [24, 16, 1],
      `size, orientation ${orientation}`,
    );
    t.ok(
      data.every((v, i) => v === upright(orientation, i % width, Math.floor(i / width))),
      `pixels, orientation ${orientation}`,
    );
  }
});

t.test('what a file is, its content decides', async (t) => {
  const dir = t.testdir({});
  const file = join(dir, 'really-a-png.jpg');
  await writeFile(file, png(3, 8, 0, [[1, 2, 3]]));
  t.strictSame(await decodeImage({ kind: 'file', path: file }), {
    width: 3,
    height: 1,
    channels: 1,
    data: Buffer.from([1, 2, 3]),
  });
  await symlink(file, join(dir, 'link'));
  t.equal((await decodeImage({ kind: 'file', path: join(dir, 'link') })).width, 3);
  const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==', 'base64');
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  for (const other of [gif, svg, Buffer.from('hello'), Buffer.alloc(500)])
    await t.rejects(decodeImage(bytes(other, 'other.png')), {
      code: 'ERR_IMAGE',
      message: /other\.png: it is not a PNG/,
    });
});

/** A little-endian TIFF of one-pixel pages of value 7, with this many bits of this sample format. */
function tiff(pages: number, bits: number, format: number): Buffer {
  const tags = [
    [256, 1],
    [257, 1],
    [258, bits],
    [259, 1],
    [262, 1],
    [273, 8],
    [277, 1],
    [278, 1],
    [279, bits / 8],
    [339, format],
  ];
  const size = 2 + 12 * tags.length + 4;
  const out = Buffer.alloc(12 + pages * size);
  out.write('II*\0', 'latin1');
  out.writeUInt32LE(12, 4);
  out.writeUInt8(7, 8);
  for (let page = 0; page < pages; page++) {
    const at = 12 + page * size;
    out.writeUInt16LE(tags.length, at);
    tags.forEach(([tag, value], i) => {
      out.writeUInt16LE(tag as number, at + 2 + 12 * i);
      out.writeUInt16LE(4, at + 4 + 12 * i);
      out.writeUInt32LE(1, at + 6 + 12 * i);
      out.writeUInt32LE(value as number, at + 10 + 12 * i);
    });
    if (page + 1 < pages) out.writeUInt32LE(at + size, at + size - 4);
  }
  return out;
}

t.test('images that the network cannot take', async (t) => {
  const refuses = (data: Uint8Array, message: RegExp): Promise<unknown> =>
    t.rejects(
      decodeImage(bytes(data, 'odd')),
      { code: 'ERR_IMAGE', message, details: { file: 'odd' } },
      `${message}`,
    );
  await refuses(await colour().toColourspace('cmyk').jpeg().toBuffer(), /colour space cmyk/);
  await refuses(tiff(1, 32, 3), /found float pixels/);
  await refuses(tiff(1, 32, 2), /found int pixels/);
  await refuses(tiff(2, 8, 1), /2 pages/);
  t.strictSame(await decoded(tiff(1, 8, 1)), [1, 1, 1, [7]], 'while one page of bytes is an image');
});

t.test('truncated, empty and damaged files', async (t) => {
  const files: [string, Buffer][] = [
    ['a.png', await image().png().toBuffer()],
    ['a.jpg', await image().jpeg().toBuffer()],
    ['a.tif', await image().tiff({ compression: 'lzw' }).toBuffer()],
    ['a.webp', await image().webp().toBuffer()],
  ];
  for (const [name, whole] of files) {
    await t.resolves(decodeImage(bytes(whole, name)));
    for (const share of [0, 0.1, 0.5, 0.9]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      await t.rejects(
        decodeImage(bytes(cut, name)),
        { code: 'ERR_IMAGE', message: new RegExp(name) },
        `${name}, ${share} of it`,
      );
    }
  }
  await t.rejects(decodeImage(bytes(Buffer.alloc(0), 'none.png')), {
    message: 'Cannot decode none.png: the file is empty',
  });
  const flipped = Buffer.from(files[0]?.[1] as Buffer);
  const middle = flipped.length - 40;
  flipped[middle] = (flipped[middle] as number) ^ 0xff;
  await t.rejects(decodeImage(bytes(flipped, 'flipped.png')), { code: 'ERR_IMAGE' }, 'a wrong checksum');
  const dir = t.testdir({ 'empty.png': '', folder: {} });
  await t.rejects(decodeImage({ kind: 'file', path: join(dir, 'empty.png') }), {
    code: 'ERR_IMAGE',
    message: /empty\.png.*is empty/,
  });
  await t.rejects(decodeImage({ kind: 'file', path: join(dir, 'none.png') }), {
    code: 'ERR_FILE',
    message: /none\.png/,
  });
  await t.rejects(decodeImage({ kind: 'file', path: join(dir, 'folder') }), {
    code: 'ERR_IMAGE',
    message: /not a file/,
  });
});

t.test('any damage gives an image or a coded error', async () => {
  const wholes = await Promise.all([
    image().png().toBuffer(),
    image().jpeg().toBuffer(),
    image().webp().toBuffer(),
    image().tiff().toBuffer(),
  ]);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...wholes),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      async (whole, damage) => {
        const file = Buffer.from(whole);
        for (const [at, value] of damage) file[at % file.length] = value;
        try {
          const { width, height, channels, data } = await decodeImage(bytes(file), { maxPixels: 1_000_000 });
          return data.length === width * height * channels;
        } catch (error) {
          return error instanceof CxrGazeError && error.code === 'ERR_IMAGE';
        }
      },
    ),
    { numRuns: 300 },
  );
});

t.test('a header that claims too much is refused before anything is allocated', async (t) => {
  const claim = (file: Buffer, offset: number): Buffer => {
    const out = Buffer.from(file);
    out.writeUInt32BE(60000, offset);
    out.writeUInt32BE(60000, offset + 4);
    out.writeUInt32BE(crc32(out.subarray(12, 29)), 29);
    return out;
  };
  const before = process.memoryUsage().rss;
  const huge = claim(png(3, 8, 0, [[0, 100, 255]]), 16);
  await t.rejects(decodeImage(bytes(huge, 'huge.png')), {
    code: 'ERR_IMAGE',
    message: /huge\.png: its header claims .*maxPixels/,
  });
  const jpeg = await image().jpeg().toBuffer();
  const frame = jpeg.indexOf('ffc0', 'hex');
  jpeg.writeUInt16BE(60000, frame + 5);
  jpeg.writeUInt16BE(60000, frame + 7);
  await t.rejects(decodeImage(bytes(jpeg, 'huge.jpg')), {
    code: 'ERR_IMAGE',
    message: /huge\.jpg: its header claims .*maxPixels/,
  });
  t.ok(process.memoryUsage().rss - before < 200 * 2 ** 20, '3.6 GB were not asked for');
  const small = png(3, 8, 0, [[0, 100, 255]]);
  t.equal((await decodeImage(bytes(small), { maxPixels: 3 })).width, 3);
  await t.rejects(decodeImage(bytes(small), { maxPixels: 2 }), { code: 'ERR_IMAGE', message: /maxPixels/ });
  await t.rejects(decodeImage(bytes(small), { maxBytes: 10 }), { code: 'ERR_IMAGE', message: /maxBytes/ });
  const dir = t.testdir({ 'a.png': small });
  await t.rejects(decodeImage({ kind: 'file', path: join(dir, 'a.png') }, { maxBytes: 10 }), {
    code: 'ERR_IMAGE',
    message: /a\.png.*maxBytes/,
  });
});

t.test('pixels made on demand', async (t) => {
  const pixels: Pixels = { width: 2, height: 1, channels: 1, data: Uint8Array.of(3, 4) };
  const source = (made: Pixels | Promise<Pixels>): ImageSource => ({
    kind: 'pixels',
    name: 'phantom 7',
    pixels: () => made,
  });
  t.equal(await decodeImage(source(pixels)), pixels);
  t.equal(await decodeImage(source(Promise.resolve(pixels))), pixels);
  for (const wrong of [{ width: 3 }, { channels: 2 }, { height: 0 }, { data: [3, 4] }])
    await t.rejects(decodeImage(source({ ...pixels, ...wrong } as Pixels)), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /phantom 7/,
    });
  await t.rejects(decodeImage(source(pixels), { maxPixels: 1 }), { code: 'ERR_IMAGE' });
});

t.test('misuse', async (t) => {
  await t.rejects(decodeImage({ kind: 'url' } as unknown as ImageSource), { code: 'ERR_INVALID_ARGUMENT' });
  await t.rejects(decodeImage(bytes('text' as unknown as Uint8Array)), { code: 'ERR_INVALID_ARGUMENT' });
  await t.rejects(decodeImage(bytes(Buffer.alloc(9)), { maxPixel: 3 } as object), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /did you mean 'maxPixels'/,
  });
  await t.rejects(decodeImage(bytes(Buffer.alloc(9)), { maxPixels: 0 }), { code: 'ERR_INVALID_ARGUMENT' });
  t.equal(imageName({ kind: 'file', path: '/a/b.png' }), '/a/b.png');
  t.equal(imageName(bytes(Buffer.alloc(0), 'upload 3')), 'upload 3');
});

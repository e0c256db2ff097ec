import sharp from 'sharp';
import t from 'tap';
import { readMask } from '../../lib/data/read-mask.js';
import { failure } from '../support/outcome.js';

const [width, height] = [40, 20];
/** Two lungs: 0 outside, 1 in the left one, 2 in the right one. */
const lungs = Uint8Array.from({ length: width * height }, (_, at) => {
  const [x, y] = [at % width, Math.floor(at / width)];
  if (y < 4 || y >= 16) return 0;
  return x >= 4 && x < 16 ? 1 : Number(x >= 24 && x < 36) * 2;
});
const area = lungs.filter((side) => side > 0).length;
const flat = (values: readonly number[]): Uint8Array =>
  Uint8Array.from(lungs, (side) => values[side] as number);
const raw = (data: Uint8Array | Uint16Array, channels: 1 | 3 | 4 = 1) =>
  sharp(data, { raw: { width, height, channels } });
const deep = (value: number) =>
  raw(Uint16Array.from(lungs, (side) => (side > 0 ? value : 0)))
    .toColourspace('grey16')
    .png()
    .toBuffer();
const read = async (bytes: Buffer) => readMask({ kind: 'bytes', name: 'mask', bytes });
const image = (pixel: (side: number) => readonly number[]): Uint8Array =>
  Uint8Array.from([...lungs].flatMap((side) => [...pixel(side)]));

t.test('lungs are found however black and white are written', async (t) => {
  const white = flat([0, 255, 255]);
  const masks: Record<string, Promise<Buffer>> = {
    '0 and 255': raw(white).png().toBuffer(),
    '0 and 1': raw(flat([0, 1, 1]))
      .png()
      .toBuffer(),
    '0 and 100': raw(flat([0, 100, 100]))
      .png()
      .toBuffer(),
    'one bit': raw(white).png({ palette: true, colours: 2 }).toBuffer(),
    'a lossy JPEG': raw(white).jpeg({ quality: 75 }).toBuffer(),
    'enlarged smoothly': raw(white).resize(160, 80, { kernel: 'cubic' }).extractChannel(0).png().toBuffer(),
    '16 bits, 0 and 65535': deep(65535),
    '16 bits, 0 and 255': deep(255),
    '16 bits, 0 and 1': deep(1),
    'equal colours': raw(
      image((side) => (side > 0 ? [255, 255, 255] : [0, 0, 0])),
      3,
    )
      .png()
      .toBuffer(),
    'black around, transparent': raw(
      image((side) => (side > 0 ? [255, 255, 255, 255] : [0, 0, 0, 0])),
      4,
    )
      .png()
      .toBuffer(),
  };
  for (const [name, bytes] of Object.entries(masks)) {
    const { data } = await read(await bytes);
    const share = data.filter((value) => value === 255).length / data.length;
    t.ok(data.every((value) => value === 0 || value === 255));
    t.ok(Math.abs(share - area / lungs.length) < 0.02, `${name}: ${share.toFixed(3)}`);
  }
  const empty = await read(
    await raw(flat([0, 0, 0]))
      .png()
      .toBuffer(),
  );
  t.notOk(empty.data.includes(255), 'nothing is nothing');
  const full = await read(
    await raw(flat([255, 255, 255]))
      .png()
      .toBuffer(),
  );
  t.notOk(full.data.includes(0), 'all is all');
});

t.test('what is no mask of black and white is refused by its values', async (t) => {
  const grey = (values: readonly number[]) => raw(flat(values)).png().toBuffer();
  const found: readonly [Promise<Buffer>, RegExp][] = [
    [grey([0, 1, 2]), /mask: expected a mask of black and white but found the values 0, 1, 2/],
    [grey([0, 127, 255]), /found the values 0, 127, 255/],
    [grey([0, 10, 255]), /found the values 0, 10, 255/],
    [grey([100, 100, 100]), /found the values 100/],
    [
      raw(Uint8Array.from(lungs, (_, at) => at % 256))
        .png()
        .toBuffer(),
      /found the values .* and 251 more/,
    ],
    [
      raw(
        image((side) => [255 * Number(side > 0), 0, 0]),
        3,
      )
        .png()
        .toBuffer(),
      /it has colours/,
    ],
    [
      raw(
        image((side) => [255, 255, 255, 255 * Number(side > 0)]),
        4,
      )
        .png()
        .toBuffer(),
      /in its transparency/,
    ],
  ];
  for (const [bytes, message] of found)
    t.match(await failure(read(await bytes)), { code: 'ERR_IMAGE', message });
});

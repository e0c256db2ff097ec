import t from 'tap';
import { normalizeImages } from '../../lib/data/normalize.js';
import { tensor } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { normalized } from '../reference/image.js';
import { imageFixture } from '../support/images.js';
import { failure } from '../support/outcome.js';

const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
const { bits } = imageFixture<{ bits: number[][] }>('normalize.json');

t.test('each byte becomes the float32 of torchvision', async (t) => {
  await tidy(async () => {
    const normal = normalizeImages(tensor(bytes, [1, 16, 16, 1]));
    await normal.ready();
    t.same(normal.shape, [1, 3, 16, 16]);
    t.equal(normal.dtype, 'float32');
    const values = new Uint32Array(((await normal.data()) as Float32Array).buffer);
    for (const channel of [0, 1, 2]) {
      t.same(
        [...values.subarray(channel * 256, channel * 256 + 256)],
        bits.map((row) => row[channel]),
        `channel ${channel}`,
      );
    }
  });
});

t.test('colour, with a mean and deviation of one’s own, is the formula in float32', async (t) => {
  await tidy(async () => {
    const pixels = Uint8Array.from({ length: 2 * 5 * 7 * 3 }, (_, i) => (i * 37) % 256);
    const mean = [0.1, 0.5, 0.9] as const;
    const std = [0.3, 0.25, 0.7] as const;
    const values = (await normalizeImages(tensor(pixels, [2, 5, 7, 3]), {
      mean,
      std,
    }).data()) as Float32Array;
    const expected = new Float32Array(pixels.length);
    pixels.forEach((value, i) => {
      const channel = i % 3;
      const place = Math.floor(i / 3);
      const image = Math.floor(place / 35);
      expected[(image * 3 + channel) * 35 + (place % 35)] = normalized(
        value,
        mean[channel] ?? 0,
        std[channel] ?? 1,
      );
    });
    t.same(values, expected);
  });
});

t.test('pixels that are a view are read in their own order', async (t) => {
  await tidy(async () => {
    const upright = tensor(bytes, [1, 16, 16, 1]);
    const turned = normalizeImages(upright.transpose(1, 2));
    const expected = normalizeImages(upright).transpose(2, 3);
    t.same(await turned.data(), await expected.data());
  });
});

t.test('wrong use', async (t) => {
  await tidy(async () => {
    const code = async (data: Uint8Array | Float32Array, shape: number[]) =>
      (await failure(normalizeImages(tensor(data, shape)).data())).code;
    t.equal(await code(bytes, [16, 16, 1]), 'ERR_INVALID_SHAPE');
    t.equal(await code(bytes, [1, 8, 16, 2]), 'ERR_INVALID_SHAPE');
    t.equal(await code(Float32Array.from(bytes), [1, 16, 16, 1]), 'ERR_INVALID_DTYPE');
    const one = tensor(bytes, [1, 16, 16, 1]);
    const invalid = { code: 'ERR_INVALID_ARGUMENT' };
    t.throws(() => normalizeImages(one, { std: [1, 0, 1] }), invalid);
    t.throws(() => normalizeImages(one, { mean: [1, 2] as unknown as [number, number, number] }), invalid);
    t.throws(() => normalizeImages(one, { mena: [0, 0, 0] } as object), { message: /did you mean 'mean'/ });
    one.dispose();
    t.throws(() => normalizeImages(one), { code: 'ERR_DISPOSED' });
  });
});

import sharp from 'sharp';
import type { Pixels } from '../../../lib/data/dataset.js';
import { decodeImage } from '../../../lib/data/decode.js';
import { normalizeImages } from '../../../lib/data/normalize.js';
import { resizeImage } from '../../../lib/data/resize.js';
import { stack, tensor } from '../../../lib/tensor/create.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { halfNormalisation } from '../../../lib/training/inputs.js';
import { choice, number } from '../case.js';
import type { Kind } from '../kind.js';
import { type Filled, filled } from '../recipe.js';
import { actual } from '../tensors.js';

/** Planes one after another: red, green, blue. */
export function planesOf({ width, height, channels, data }: Pixels): Uint8Array {
  const planes = new Uint8Array(3 * width * height);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < width * height; i++)
      planes[c * width * height + i] = data[channels * i + (channels === 3 ? c : 0)] as number;
  return planes;
}

/** The image of a case as a PNG of its mode, decoded. */
async function decoded({ shape, data }: Filled, mode: 'L' | 'RGB' | 'RGBA'): Promise<Pixels> {
  const [height, width] = shape as [number, number];
  const channels = { L: 1, RGB: 3, RGBA: 4 }[mode] as 1 | 3 | 4;
  if (!(data instanceof Uint8Array) || data.length !== width * height * channels)
    throw new Error(`the image is not bytes [H, W, ${channels}]`);
  const image = sharp(data, { raw: { width, height, channels } });
  const bytes = await (channels === 1 ? image.toColourspace('b-w') : image).png().toBuffer();
  return decodeImage({ kind: 'bytes', name: 'image.png', bytes });
}

/** From an image file to a classifier's input: Pillow's bilinear resize, then [-1, 1]. */
export const transformKind: Kind = {
  config: ['size', 'mode'],
  inputs: ['image'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      const size = number('size', config.size);
      const mode = choice('mode', config.mode, ['L', 'RGB', 'RGBA'] as const);
      const image = await decoded(filled('image', inputs.image), mode);
      const resized = await resizeImage(image, size, size, 'pillow-bilinear');
      const batch = stack([tensor(resized.data, [size, size, resized.channels], { dtype: 'uint8' })]);
      return {
        resized_u8: { shape: [3, size, size], data: planesOf(resized) },
        tensor: await actual(normalizeImages(batch, halfNormalisation).squeeze(0)),
      };
    }),
};

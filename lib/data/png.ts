import sharp from 'sharp';
import type { Pixels } from './dataset.js';

/** An image as the bytes of a PNG file: grey stays grey, 8 bits. */
export async function pngOf({ width, height, channels, data }: Pixels): Promise<Uint8Array> {
  const image = sharp(data, { raw: { width, height, channels } });
  return (channels === 1 ? image.toColourspace('b-w') : image).png().toBuffer();
}

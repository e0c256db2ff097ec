import sharp from 'sharp';
import type { Pixels } from '../data/dataset.js';

/** An image as the bytes of a PNG file. */
export async function pngOf({ width, height, channels, data }: Pixels): Promise<Uint8Array> {
  const image = sharp(data, { raw: { width, height, channels } });
  return (channels === 1 ? image.toColourspace('b-w') : image).png().toBuffer();
}

/** A text as a part of a file name. */
export function slug(text: string): string {
  const plain = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80);
  return plain === '' ? 'image' : plain;
}

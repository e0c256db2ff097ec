export { pngOf } from '../data/png.js';

/** A text as a part of a file name. */
export function slug(text: string): string {
  const plain = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80);
  return plain === '' ? 'image' : plain;
}

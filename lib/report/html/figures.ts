import { CxrGazeError } from '../../errors.js';
import type { ChartSpec } from '../charts/render.js';
import { renderSvg } from '../charts/render.js';
import { pageTheme } from '../charts/theme.js';
import type { Markup } from './markup.js';
import { html, trusted } from './markup.js';

/** A chart with its caption; the caption is also what a screen reader says. */
export async function figure(spec: ChartSpec, caption: string): Promise<Markup> {
  const svg = await renderSvg(spec, pageTheme, caption);
  return html`<figure class="chart">${trusted(svg)}<figcaption>${caption}</figcaption></figure>`;
}

const signatures: readonly [string, (bytes: Uint8Array) => boolean][] = [
  ['image/png', (b) => startsWith(b, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])],
  ['image/jpeg', (b) => startsWith(b, [0xff, 0xd8, 0xff])],
  [
    'image/webp',
    (b) => startsWith(b, [0x52, 0x49, 0x46, 0x46]) && startsWith(b.subarray(8), [0x57, 0x45, 0x42, 0x50]),
  ],
];

function startsWith(bytes: Uint8Array, head: readonly number[]): boolean {
  return head.every((byte, i) => bytes[i] === byte);
}

/**
 * An image as a `data:` URI, so that the page stays whole when it is sent to somebody.
 *
 * @throws `ERR_IMAGE` for bytes that are no PNG, JPEG or WebP
 */
export function dataUri(name: string, bytes: Uint8Array): string {
  const type = signatures.find(([, fits]) => fits(bytes))?.[0];
  if (type === undefined) {
    throw new CxrGazeError('ERR_IMAGE', `Expected the bytes of a PNG, JPEG or WebP file for ${name}`, {
      details: { argument: name },
    });
  }
  return `data:${type};base64,${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}`;
}

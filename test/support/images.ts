import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { assemble } from '../../lib/data/batch.js';
import type { Dataset, ImageSource, Pixels } from '../../lib/data/dataset.js';
import { ImageStore, type PixelPlace } from '../../lib/data/image-store.js';
import { uniform } from '../golden/fill.js';
import { fixture } from './paths.js';

/** A generated image: noise, the same at every run. */
export function noise(name: string, width: number, height: number, channels: 1 | 3): Pixels {
  const values = uniform(name, width * height * channels);
  return { width, height, channels, data: Uint8Array.from(values, (u) => Math.floor((u + 1) * 128)) };
}

/** A stored result: the hash of its bytes. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The content of a file under test/fixtures/image. */
export function imageFixture<T>(name: string): T {
  return JSON.parse(readFileSync(fixture('image', name), 'utf8')) as T;
}

/** A data set of named images; labels are the index modulo `classes`. */
export function datasetOf(images: readonly ImageSource[], classes = 2): Dataset {
  return {
    name: 'made',
    classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
    length: images.length,
    sample: (index) => ({
      id: `sample ${index}`,
      image: images[index] as ImageSource,
      label: index % classes,
    }),
    origin: (index) => `made.csv, line ${index + 2}`,
  };
}

/** Images that are in memory already, of one size. */
export class HeldImages extends ImageStore {
  readonly #images: readonly Pixels[];

  constructor(images: readonly Pixels[]) {
    const sources = images.map(
      (image, i) => ({ kind: 'pixels', name: `image ${i}`, pixels: () => image }) as const,
    );
    super(datasetOf(sources), images[0]?.width ?? 1, images[0]?.height ?? 1);
    this.#images = images;
  }

  override locate(index: number): PixelPlace {
    const { data, channels } = this.#images[index] as Pixels;
    return { source: data, offset: 0, channels };
  }
}

/** One image mirrored and rotated by native code. */
export async function augmented(image: Pixels, flip: boolean, angle: number): Promise<Uint8Array> {
  const pixels = await assemble(new HeldImages([image]), Int32Array.of(0), [{ flip, angle }]);
  try {
    return (await pixels.data()) as Uint8Array;
  } finally {
    pixels.dispose();
  }
}

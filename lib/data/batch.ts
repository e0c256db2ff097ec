import { native, type PixelFileHandle } from '../native.js';
import { withoutScope } from '../tensor/context.js';
import { Tensor } from '../tensor/tensor.js';
import type { Augmentation } from './augmentation.js';
import type { ImageStore } from './image-store.js';

/** What a `DataLoader` hands out. Whoever receives it disposes it. */
export class Batch {
  /** uint8 `[B, H, W, C]`; C is 1 if every image of the batch is grey, else 3. For `normalizeImages`. */
  readonly pixels: Tensor;
  /** Index of each sample in the data set. */
  readonly indices: Int32Array;
  /** Label of each sample. */
  readonly labels: Int32Array;
  /** Id of each sample. */
  readonly ids: readonly string[];
  /** The epoch it belongs to. */
  readonly epoch: number;
  /** Its number within the epoch, from 0. */
  readonly number: number;

  /** @hidden */
  constructor(parts: Pick<Batch, 'pixels' | 'indices' | 'labels' | 'ids' | 'epoch' | 'number'>) {
    this.pixels = parts.pixels;
    this.indices = parts.indices;
    this.labels = parts.labels;
    this.ids = parts.ids;
    this.epoch = parts.epoch;
    this.number = parts.number;
  }

  /** Number of samples. */
  get size(): number {
    return this.indices.length;
  }

  /** Frees the pixels; work already queued still sees them. Calling it again does nothing. */
  dispose(): void {
    this.pixels.dispose();
  }

  /** Same as {@link Batch.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Reads, mirrors and rotates the images of one batch on the data lane.
 *
 * @param augmentations one for each index; without them the images are taken as they are
 * @returns uint8 `[B, H, W, C]`, in no tidy scope
 */
export async function assemble(
  images: ImageStore,
  indices: Int32Array,
  augmentations: readonly Augmentation[] | undefined,
): Promise<Tensor> {
  const places = await Promise.all(Array.from(indices, (index) => images.locate(index)));
  const sources: (PixelFileHandle | Uint8Array)[] = places.map(({ source }) => source);
  const handle = await native().assembleBatch({
    width: images.width,
    height: images.height,
    sources,
    offsets: Float64Array.from(places, ({ offset }) => offset),
    channels: Uint8Array.from(places, ({ channels }) => channels),
    flips: Uint8Array.from(places, (_, i) => Number(augmentations?.[i]?.flip ?? false)),
    angles: Float64Array.from(places, (_, i) => augmentations?.[i]?.angle ?? 0),
  });
  return withoutScope(() => new Tensor(handle));
}

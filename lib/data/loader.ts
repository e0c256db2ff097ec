import { CxrGazeError } from '../errors.js';
import { flag, integer, invalidArgument, knownKeys } from '../validate.js';
import { type AugmentationOptions, drawAugmentation } from './augmentation.js';
import { assemble, Batch } from './batch.js';
import { throwIfAborted } from './bounded.js';
import { ImageStore } from './image-store.js';
import type { Sampler } from './samplers.js';

/** How a `DataLoader` varies training images. */
export interface LoaderAugmentation extends AugmentationOptions {
  /** Seed of the run: each image's flip and angle follow from it, the epoch and the sample's index. */
  readonly seed: number;
}

/** Options of {@link DataLoader}. */
export interface LoaderOptions {
  /** The images, from `prepareImages` or as `ImagesOnDemand`. */
  readonly images: ImageStore;
  /** Which samples an epoch visits, in which order. */
  readonly sampler: Sampler;
  /** Samples a batch. */
  readonly batchSize: number;
  /** Whether a last batch that is not full is left out; default `false`. */
  readonly dropLast?: boolean;
  /** Batches made ahead of the one in use; 2 by default, 0 for none. */
  readonly prefetch?: number;
  /** Flips and rotates images at random; not done by default. */
  readonly augmentation?: LoaderAugmentation;
}

/** Options of {@link DataLoader.batches}. */
export interface BatchesOptions {
  /** Number of the first batch, to go on within an epoch; 0 by default. */
  readonly start?: number;
  /** Ends the iteration with `ERR_ABORTED`. */
  readonly signal?: AbortSignal;
}

/**
 * Batches of prepared images in the order of a sampler, made ahead of their use on the data lane.
 *
 * What a batch holds depends on epoch and number alone, not on the prefetch depth or on where the iteration began.
 *
 * @example
 * ```ts
 * const loader = new DataLoader({ images, sampler, batchSize: 16, augmentation: { seed: 0 } });
 * for await (const batch of loader.batches(1)) {
 *   const x = normalizeImages(batch.pixels); // [B, 3, H, W]
 *   // ...
 *   batch.dispose();
 * }
 * ```
 */
export class DataLoader {
  /** The images. */
  readonly images: ImageStore;
  /** Samples a batch; the last one may have fewer. */
  readonly batchSize: number;
  /** Batches an epoch. */
  readonly length: number;
  readonly #sampler: Sampler;
  readonly #dropLast: boolean;
  readonly #prefetch: number;
  readonly #augmentation: LoaderAugmentation | undefined;

  /** @param options images, sampler, batch size */
  constructor(options: LoaderOptions) {
    knownKeys('options', options, ['images', 'sampler', 'batchSize', 'dropLast', 'prefetch', 'augmentation']);
    const { images, sampler, dropLast = false, prefetch = 2, augmentation } = options;
    if (!(images instanceof ImageStore))
      throw invalidArgument('options.images', 'what prepareImages gives or ImagesOnDemand', images);
    if (typeof sampler?.indices !== 'function')
      throw invalidArgument('options.sampler', 'a Sampler', sampler);
    this.images = images;
    this.batchSize = integer('options.batchSize', options.batchSize, { min: 1 });
    this.#sampler = sampler;
    this.#dropLast = flag('options.dropLast', dropLast);
    this.#prefetch = integer('options.prefetch', prefetch, { min: 0 });
    this.#augmentation = augmentation;
    if (augmentation) checkAugmentation(augmentation);
    const batches = sampler.length / this.batchSize;
    this.length = this.#dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /**
   * @param epoch of training; for test-time augmentation the number of the copy
   * @param options where to begin, and a signal
   * @returns the batches in order; each belongs to whoever receives it. Ending the iteration early frees those made ahead
   * @throws what making a batch throws, at that batch: `ERR_IMAGE`, `ERR_FILE`; `ERR_ABORTED`
   */
  batches(epoch: number, options: BatchesOptions = {}): AsyncGenerator<Batch, void, undefined> {
    knownKeys('options', options, ['start', 'signal']);
    integer('epoch', epoch);
    const start = integer('options.start', options.start ?? 0, { min: 0, max: this.length });
    return this.#iterate(epoch, start, options.signal);
  }

  async *#iterate(
    epoch: number,
    start: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Batch, void, undefined> {
    const order = this.#order(epoch);
    const ahead: Promise<Batch>[] = [];
    let next = start;
    try {
      for (let number = start; number < this.length; number++) {
        throwIfAborted(signal, `Epoch ${epoch}`);
        while (next < this.length && next <= number + this.#prefetch) {
          const batch = this.#make(order, epoch, next++);
          batch.catch(() => {}); // it is thrown when its turn comes
          ahead.push(batch);
        }
        yield await untilAborted(ahead[0] as Promise<Batch>, signal, `Epoch ${epoch}`, () => ahead.shift());
      }
    } finally {
      for (const outcome of await Promise.allSettled(ahead)) {
        if (outcome.status === 'fulfilled') outcome.value.dispose();
      }
    }
  }

  #order(epoch: number): Uint32Array {
    const order = this.#sampler.indices(epoch);
    const { dataset } = this.images;
    const outside = order.find((index) => index >= dataset.length);
    if (order.length === this.#sampler.length && outside === undefined) return order;
    const problem =
      outside === undefined
        ? `${this.#sampler.length} indices but it gave ${order.length}`
        : `indices below ${dataset.length} but it gave ${outside}`;
    throw new CxrGazeError('ERR_DATASET', `Expected of the sampler for ${dataset.name} ${problem}`, {
      details: { dataset: dataset.name, epoch },
    });
  }

  async #make(order: Uint32Array, epoch: number, number: number): Promise<Batch> {
    const { dataset } = this.images;
    const indices = Int32Array.from(order.subarray(number * this.batchSize, (number + 1) * this.batchSize));
    const augmentations = this.#drawAll(indices, epoch);
    const pixels = await assemble(this.images, indices, augmentations);
    const samples = Array.from(indices, (index) => dataset.sample(index));
    const labels = Int32Array.from(samples, ({ label }) => label);
    return new Batch({ pixels, indices, labels, ids: samples.map(({ id }) => id), epoch, number });
  }

  #drawAll(indices: Int32Array, epoch: number): ReturnType<typeof drawAugmentation>[] | undefined {
    if (!this.#augmentation) return undefined;
    const { seed, ...options } = this.#augmentation;
    return Array.from(indices, (index) => drawAugmentation(seed, epoch, index, options));
  }
}

function checkAugmentation(augmentation: LoaderAugmentation): void {
  knownKeys('options.augmentation', augmentation, ['seed', 'flipProbability', 'maxAngle']);
  const { seed, ...options } = augmentation;
  drawAugmentation(integer('options.augmentation.seed', seed), 0, 0, options);
}

/** Waits for a batch, but not beyond the signal; `taken` says that the batch is no longer the iteration's to free. */
async function untilAborted(
  batch: Promise<Batch>,
  signal: AbortSignal | undefined,
  work: string,
  taken: () => void,
): Promise<Batch> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    const made = await Promise.race([batch, aborted]);
    throwIfAborted(signal, work);
    taken();
    return made as Batch;
  } finally {
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}

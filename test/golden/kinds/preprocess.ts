import { assemble } from '../../../lib/data/batch.js';
import type { Dataset, Pixels } from '../../../lib/data/dataset.js';
import { ImageStore, type PixelPlace } from '../../../lib/data/image-store.js';
import { normalizeImages } from '../../../lib/data/normalize.js';
import { resizeArea } from '../../../lib/data/resize.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { boolean, number } from '../case.js';
import type { Kind } from '../kind.js';
import { filled } from '../recipe.js';
import { actual } from '../tensors.js';

/** One image that is in memory. */
class SingleImage extends ImageStore {
  readonly #pixels: Pixels;

  constructor(pixels: Pixels) {
    const source = { kind: 'pixels', name: 'image', pixels: () => pixels } as const;
    const dataset: Dataset = {
      name: 'golden',
      classes: ['image'],
      length: 1,
      sample: () => ({ id: 'image', image: source, label: 0 }),
    };
    super(dataset, pixels.width, pixels.height);
    this.#pixels = pixels;
  }

  override locate(): PixelPlace {
    return { source: this.#pixels.data, offset: 0, channels: this.#pixels.channels };
  }
}

/** From decoded bytes to the network's input: area resize, flip, rotation, normalisation. */
export const preprocessKind: Kind = {
  config: ['size', 'flip', 'angle'],
  inputs: ['image'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      const { shape, data } = filled('image', inputs.image);
      const [height, width, channels] = shape as [number, number, number];
      if (channels !== 3 || !(data instanceof Uint8Array))
        throw new Error('the image is not bytes [H, W, 3]');
      const size = number('size', config.size);
      const resized = await resizeArea({ width, height, channels, data }, size, size);
      const flip = boolean('flip', config.flip);
      const angle = config.angle === null ? 0 : number('angle', config.angle);
      const batch = await assemble(new SingleImage(resized), Int32Array.of(0), [{ flip, angle }]);
      const augmented = (await batch.data()) as Uint8Array;
      const tensor = await actual(normalizeImages(batch).squeeze(0));
      batch.dispose();
      return {
        resized: { shape: [size, size, 3], data: resized.data },
        augmented: { shape: [size, size, 3], data: augmented },
        black: blackPixels(augmented),
        tensor,
      };
    }),
};

function blackPixels(rgb: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < rgb.length; i += 3)
    if (rgb[i] === 0 && rgb[i + 1] === 0 && rgb[i + 2] === 0) count += 1;
  return count;
}

import type { Pixels } from '../../../lib/data/dataset.js';
import { lungBox } from '../../../lib/data/lung-box.js';
import { normalizeImages } from '../../../lib/data/normalize.js';
import { resizeImage } from '../../../lib/data/resize.js';
import { LungSegmenter } from '../../../lib/systems/segmenter/segmenter.js';
import { lungLogits } from '../../../lib/systems/segmenter/segmenter-objective.js';
import { noGrad } from '../../../lib/tensor/context.js';
import { stack, tensor } from '../../../lib/tensor/create.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { choice, number, numbers, record } from '../case.js';
import type { Kind } from '../kind.js';
import { type Filled, filled } from '../recipe.js';
import { actual } from '../tensors.js';
import { fillModel } from './student-model.js';
import { planesOf } from './transform.js';

/** The image of a case: grey `[H, W]`, or red, green, blue. */
function imageOf({ shape, data }: Filled): Pixels {
  const [height, width, channels = 1] = shape as [number, number, number?];
  if ((channels !== 1 && channels !== 3) || !(data instanceof Uint8Array))
    throw new Error('the image is not bytes [H, W] or [H, W, 3]');
  return { width, height, channels, data };
}

/** Blue and red exchanged. */
function reversed(planes: Uint8Array): Uint8Array {
  const plane = planes.length / 3;
  return Uint8Array.from(
    planes,
    (_, i) => planes[(2 - Math.floor(i / plane)) * plane + (i % plane)] as number,
  );
}

/** From an image file to the lungs' box, through a filled network. */
export const lungBoxImageKind: Kind = {
  config: ['mask_size', 'box_size', 'model', 'weights', 'override'],
  inputs: ['image'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      const side = number('mask_size', config.mask_size);
      choice('model', config.model, ['unet']);
      choice('weights', config.weights, ['load_filled', 'load_filled, then the tensors of override']);
      using segmenter = await LungSegmenter.create({ init: 'random', imageSize: side });
      await fillModel(segmenter.network);
      await override(segmenter, record('override', config.override ?? {}));
      const resized = await resizeImage(
        imageOf(filled('image', inputs.image)),
        side,
        side,
        segmenter.card.interpolation,
      );
      const batch = stack([tensor(resized.data, [side, side, resized.channels], { dtype: 'uint8' })]);
      const images = normalizeImages(batch, segmenter.card.normalisation);
      const logits = noGrad(() => lungLogits(segmenter.network, images, { evaluation: true }));
      const { data, shape } = await actual(logits);
      const mask = Uint8Array.from(data as Float32Array, (logit) => (logit > 0 ? 255 : 0));
      const { box } = await lungBox(
        { width: side, height: side, data: mask },
        number('box_size', config.box_size),
      );
      return {
        network_input_u8: { shape: [3, side, side], data: reversed(planesOf(resized)) },
        network_input: await actual(images.flip([1])),
        logits: { shape, data },
        positive_pixels: { shape: [], data: [mask.filter((value) => value > 0).length] },
        box: { shape: [4], data: [box.x, box.y, box.width, box.height] },
      };
    }),
};

async function override(
  { network }: LungSegmenter,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const state = await network.stateDict();
  for (const [name, given] of Object.entries(values)) {
    const target = state.get(name);
    if (!target) throw new Error(`the network has no ${name}`);
    const { shape } = await target.ready();
    noGrad(() => target.copy_(tensor(numbers(name, given), shape)));
  }
}

import { gradCam } from '../../cam/grad-cam.js';
import type { CamMap } from '../../cam/maps.js';
import { readMaps } from '../../cam/maps.js';
import { overlay } from '../../cam/overlay.js';
import type { Pixels } from '../../data/dataset.js';
import { tidy } from '../../tensor/tidy.js';
import { toInputs } from '../../training/inputs.js';
import { resolvePrecision, withPrecision } from '../../training/precision.js';
import { invalidArgument, knownKeys } from '../../validate.js';
import { type ImageInput, inputDataset } from './inputs.js';
import type { ModelCard } from './model-card.js';
import { type Network, type PassOptions, passKeys, passOver } from './passes.js';
import { type Prediction, predictionOf } from './predict.js';

/** Options of `explain`. */
export interface ExplainOptions extends PassOptions {
  /** Activation to explain: one of the model's taps; default its last feature map. */
  readonly layer?: string;
  /** Class to explain, by name; default the predicted one of each image. */
  readonly class?: string;
}

/** One explained image. Not for clinical use. */
export interface ExplainedImage extends Prediction {
  /** The class that the map explains. */
  readonly explained: string;
  /** Grad-CAM at the network's input size, values in [0, 1). */
  readonly map: CamMap;
  /** The image as the network saw it: 8-bit, at its input size. */
  readonly image: Pixels;
  /** The image under the map's colours. */
  readonly overlay: Pixels;
}

/** @internal */
export async function* explainImages(
  network: Network,
  input: ImageInput,
  options: ExplainOptions,
): AsyncGenerator<ExplainedImage, void> {
  knownKeys('options', options, [...passKeys, 'layer', 'class']);
  const { model, card, device } = network;
  const wanted = options.class === undefined ? undefined : classIndex(options.class, card);
  const dataset = await inputDataset(input, card.classes);
  const precision = await resolvePrecision(options.precision ?? 'float32', device);
  for await (const { batch } of passOver(network, dataset, options)) {
    const { ids } = batch;
    const explained = await tidy(async () => {
      const pixels = (await batch.pixels.toNdarray()) as { shape: number[]; data: Uint8Array };
      const { images } = toInputs(batch, {
        epoch: 1,
        step: 0,
        normalisation: card.normalisation,
        precision,
        device,
      });
      const { maps, logits, classes } = withPrecision(precision, () =>
        gradCam(model, images, {
          ...(options.layer === undefined ? {} : { layer: options.layer }),
          ...(wanted === undefined ? {} : { classes: wanted }),
        }),
      );
      const rows = (await logits.softmax(-1).data()) as Float32Array;
      return { pixels, rows, maps: await readMaps(maps), classes: (await classes.data()) as BigInt64Array };
    });
    for (const [i, id] of ids.entries()) yield explainedImage(id, i, explained, card);
  }
}

interface ExplainedBatch {
  readonly pixels: { readonly shape: readonly number[]; readonly data: Uint8Array };
  readonly rows: Float32Array;
  readonly maps: readonly CamMap[];
  readonly classes: BigInt64Array;
}

function explainedImage(id: string, i: number, batch: ExplainedBatch, card: ModelCard): ExplainedImage {
  const [, height, width, channels] = batch.pixels.shape as [number, number, number, 1 | 3];
  const size = height * width * channels;
  const image: Pixels = { width, height, channels, data: batch.pixels.data.slice(i * size, (i + 1) * size) };
  const map = batch.maps[i] as CamMap;
  const row = batch.rows.subarray(i * card.classes.length, (i + 1) * card.classes.length);
  return {
    ...predictionOf(id, row, card),
    explained: card.classes[Number(batch.classes[i])] as string,
    map,
    image,
    overlay: overlay(image, map),
  };
}

function classIndex(name: string, card: ModelCard): number {
  const index = card.classes.indexOf(name);
  if (index >= 0) return index;
  throw invalidArgument('options.class', `one of ${card.classes.map((c) => `'${c}'`).join(', ')}`, name);
}

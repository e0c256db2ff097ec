import { gradCam } from '../../cam/grad-cam.js';
import type { CamMap } from '../../cam/maps.js';
import { readMaps } from '../../cam/maps.js';
import { overlay } from '../../cam/overlay.js';
import type { Pixels } from '../../data/dataset.js';
import { tidy } from '../../tensor/tidy.js';
import { invalidArgument, text } from '../../validate.js';
import { checkInput, type ImageInput, type InputItems, inputDataset } from './inputs.js';
import type { ModelCard } from './model-card.js';
import { PassNetwork } from './pass-network.js';
import { checkPass, type Network, type PassOptions, passOver } from './passes.js';
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
export function explainImages(
  network: Network,
  input: ImageInput,
  options: ExplainOptions,
): AsyncGenerator<ExplainedImage, void> {
  checkPass(options, ['layer', 'class']);
  if (options.layer !== undefined) text('options.layer', options.layer);
  const wanted = options.class === undefined ? undefined : classIndex(options.class, network.card);
  return explain(network, checkInput(input), options, wanted);
}

async function* explain(
  network: Network,
  items: InputItems,
  options: ExplainOptions,
  wanted: number | undefined,
): AsyncGenerator<ExplainedImage, void> {
  const { card } = network;
  const dataset = await inputDataset(items, card.classes);
  using pass = await PassNetwork.open(network, options.precision ?? 'float32');
  const camOptions = {
    ...(options.layer === undefined ? {} : { layer: options.layer }),
    ...(wanted === undefined ? {} : { classes: wanted }),
  };
  for await (const batch of passOver(network, dataset, options)) {
    const explained = await tidy(async () => {
      const pixels = batch.pixels.toNdarray() as Promise<unknown> as Promise<ExplainedBatch['pixels']>;
      const { maps, logits, classes } = pass.run(batch, (model, images) =>
        gradCam(model, images, camOptions),
      );
      const [rows, chosen] = await Promise.all([logits.softmax(-1).data(), classes.data()]);
      return {
        pixels: await pixels,
        rows: rows as Float32Array,
        maps: await readMaps(maps),
        classes: chosen as BigInt64Array,
      };
    });
    for (const [i, id] of batch.ids.entries()) yield explainedImage(id, i, explained, card);
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

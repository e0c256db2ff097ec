import {
  type AttentionMap,
  attentionMap,
  type CamMethod,
  type CamTarget,
  camMethods,
} from '../../cam/attention-map.js';
import { drawBox, withinBox } from '../../cam/draw-box.js';
import type { CamMap } from '../../cam/maps.js';
import { readMaps } from '../../cam/maps.js';
import { overlay } from '../../cam/overlay.js';
import { scoreCam } from '../../cam/score-cam.js';
import type { Box } from '../../data/box.js';
import type { Pixels } from '../../data/dataset.js';
import { localisationScores } from '../../metrics/localisation.js';
import type { Model } from '../../models/model.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { callback, integer, invalidArgument, list, nearest, oneOf, text } from '../../validate.js';
import { openPass } from './classifier-pass.js';
import { checkInput, type ImageInput, type InputItems, inputDataset } from './inputs.js';
import type { ModelCard } from './model-card.js';
import { type ClassifierLike, checkPass, type PassOptions, passOver } from './passes.js';
import { type Prediction, predictionOf } from './predict.js';

/** Options of `explain`. */
export interface ExplainOptions extends PassOptions, Pick<CamTarget, 'activations'> {
  /** How the map is made; default `gradcam`. `scorecam` takes hundreds of times as long as the others. */
  readonly method?: CamMethod;
  /**
   * Activation to explain: one of the model's taps, or several whose maps are averaged (not with `scorecam`); default its last
   * feature map.
   */
  readonly layer?: string | readonly string[];
  /** Class to explain, by name; default the predicted one of each image. */
  readonly class?: string;
  /** `scorecam`: looks through so many channels of each image, see `scoreCam`; default all. */
  readonly topChannels?: number;
  /**
   * `scorecam`: called after each forward pass within a batch with the number of images seen through a channel, of all
   * `images` × channels of that batch. An abort waits for no more than such a pass.
   */
  readonly onChannels?: (progress: ChannelProgress) => void;
  /**
   * Tells the box around the lungs of an image, to be drawn and measured: in pixels of the network's input, whose side
   * `card.imageSize` is; `null` where there is none.
   */
  readonly lungs?: (id: string) => Box | null | Promise<Box | null>;
  /** Where heat is drawn: `everywhere` (default), or inside the box that `lungs` tells alone, where it tells one. */
  readonly heat?: 'everywhere' | 'inside-lungs';
}

/** How far `scorecam` is with a batch. */
export interface ChannelProgress {
  /** Images seen through a channel so far. */
  readonly done: number;
  /** All of the batch: images × channels. */
  readonly total: number;
  /** Images of the batch. */
  readonly images: number;
}

/** One explained image. Not for clinical use. */
export interface ExplainedImage extends Prediction {
  /** The class that the map explains. */
  readonly explained: string;
  /** The attention map at the network's input size, values in [0, 1). */
  readonly map: CamMap;
  /** The image as the network saw it: 8-bit, at its input size. */
  readonly image: Pixels;
  /** The image under the map's colours, and the outline of the box around the lungs. */
  readonly overlay: Pixels;
  /** The box around the lungs, where `lungs` has told one. */
  readonly lungs: Box | null;
  /** Share of the map's heat inside that box, 0 to 1. */
  readonly insideLungs: number | null;
}

const explainKeys = ['method', 'layer', 'class', 'activations', 'topChannels', 'onChannels', 'lungs', 'heat'];

/** @internal */
export function explainImages(
  classifier: ClassifierLike,
  input: ImageInput,
  options: ExplainOptions,
): AsyncGenerator<ExplainedImage, void> {
  checkPass(options, explainKeys);
  callback('options.lungs', options.lungs);
  callback('options.onChannels', options.onChannels);
  const heat = oneOf('options.heat', options.heat ?? 'everywhere', ['everywhere', 'inside-lungs']);
  if (heat === 'inside-lungs' && options.lungs === undefined)
    throw invalidArgument('options.lungs', "boxes for heat 'inside-lungs'", options.lungs);
  return explain(classifier, checkInput(input), options, mapper(classifier, options));
}

/** What makes the maps of a batch. */
type Mapper = (model: Model, images: Tensor, count: number) => AttentionMap | Promise<AttentionMap>;

/** Checks what the options say of the map. */
function mapper({ card }: ClassifierLike, options: ExplainOptions): Mapper {
  const method = oneOf('options.method', options.method ?? 'gradcam', camMethods);
  const { layer, topChannels, onChannels, activations, signal } = options;
  const target = {
    ...(options.class === undefined ? {} : { classes: classIndex(options.class, card) }),
    ...(activations === undefined ? {} : { activations }),
  };
  const layers =
    layer === undefined || typeof layer === 'string' ? layer : list('options.layer', layer, text);
  if (typeof layers === 'string') text('options.layer', layers);
  if (topChannels !== undefined) integer('options.topChannels', topChannels, { min: 1 });
  if (method !== 'scorecam') {
    for (const [name, given] of Object.entries({ topChannels, onChannels }))
      if (given !== undefined)
        throw invalidArgument(`options.${name}`, "nothing but with method 'scorecam'", given);
    return (model, images) =>
      attentionMap(model, images, { ...target, method, ...(layers === undefined ? {} : { layer: layers }) });
  }
  if (typeof layers === 'object')
    throw invalidArgument('options.layer', "one layer with method 'scorecam'", layer);
  return (model, images, count) =>
    scoreCam(model, images, {
      ...target,
      ...(layers === undefined ? {} : { layer: layers }),
      ...(topChannels === undefined ? {} : { topChannels }),
      ...(signal === undefined ? {} : { signal }),
      ...(onChannels && { onProgress: (progress) => onChannels({ ...progress, images: count }) }),
    });
}

async function* explain(
  classifier: ClassifierLike,
  items: InputItems,
  options: ExplainOptions,
  map: Mapper,
): AsyncGenerator<ExplainedImage, void> {
  const { card } = classifier;
  const dataset = await inputDataset(items, card.classes);
  using pass = await openPass(classifier, options.precision ?? 'float32');
  for await (const batch of passOver(classifier, dataset, options)) {
    const explained = await tidy(async () => {
      const pixels = batch.pixels.toNdarray() as Promise<unknown> as Promise<ExplainedBatch['pixels']>;
      const { maps, logits, classes } = await pass.run(batch, (model, images) =>
        map(model, images, batch.labels.length),
      );
      const [rows, chosen] = await Promise.all([logits.softmax(-1).data(), classes.data()]);
      return {
        pixels: await pixels,
        rows: rows as Float32Array,
        maps: await readMaps(maps),
        classes: chosen as BigInt64Array,
      };
    });
    for (const [i, id] of batch.ids.entries()) {
      const lungs = (await options.lungs?.(id)) ?? null;
      const onlyInside = options.heat === 'inside-lungs';
      yield explainedImage(id, i, explained, card, { lungs, onlyInside });
    }
  }
}

interface ExplainedBatch {
  readonly pixels: { readonly shape: readonly number[]; readonly data: Uint8Array };
  readonly rows: Float32Array;
  readonly maps: readonly CamMap[];
  readonly classes: BigInt64Array;
}

function explainedImage(
  id: string,
  i: number,
  batch: ExplainedBatch,
  card: ModelCard,
  { lungs, onlyInside }: { readonly lungs: Box | null; readonly onlyInside: boolean },
): ExplainedImage {
  const [, height, width, channels] = batch.pixels.shape as [number, number, number, 1 | 3];
  const size = height * width * channels;
  const image: Pixels = { width, height, channels, data: batch.pixels.data.slice(i * size, (i + 1) * size) };
  const map = batch.maps[i] as CamMap;
  const picture = overlay(image, map);
  const row = batch.rows.subarray(i * card.classes.length, (i + 1) * card.classes.length);
  return {
    ...predictionOf(id, row, card),
    explained: card.classes[Number(batch.classes[i])] as string,
    map,
    image,
    overlay:
      lungs === null ? picture : drawBox(onlyInside ? withinBox(picture, image, lungs) : picture, lungs),
    lungs,
    insideLungs: lungs === null ? null : localisationScores(map, lungs).energy,
  };
}

function classIndex(name: string, card: ModelCard): number {
  const index = card.classes.indexOf(name);
  if (index >= 0) return index;
  const near = nearest(text('options.class', name), card.classes);
  const names = card.classes.map((c) => `'${c}'`).join(', ');
  throw invalidArgument('options.class', `one of ${names}${near ? ` (nearest: '${near}')` : ''}`, name);
}

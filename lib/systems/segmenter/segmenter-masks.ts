import { BoxCache } from '../../data/box-cache.js';
import { type Dataset, subsetOf } from '../../data/dataset.js';
import { type Fingerprint, fingerprintOf } from '../../data/fingerprint.js';
import { type LungBox, type LungMask, lungBox } from '../../data/lung-box.js';
import { type LungBoxes, type LungBoxOptions, lungBoxes } from '../../data/lung-boxes.js';
import { noGrad } from '../../tensor/context.js';
import { tidy } from '../../tensor/tidy.js';
import { resolvePrecision } from '../../training/precision.js';
import { type PassOptions, passOver } from '../classifier/passes.js';
import { stateHash } from '../state-hash.js';
import { evaluatedLogits, openSegmenterPass, type SegmenterLike } from './segmenter-pass.js';

/** The lungs of an image as the network sees them. */
export interface SegmentedImage {
  /** Index of the image in the data set. */
  readonly index: number;
  /** Path or name of the image. */
  readonly id: string;
  /** 255 in the lungs, 0 elsewhere, of the network's size. */
  readonly mask: LungMask;
}

/**
 * The masks of a data set's images, batch by batch, in order: 1 where the sigmoid of the logit is above one half.
 *
 * @internal
 */
export async function* segmentOver(
  segmenter: SegmenterLike,
  dataset: Dataset,
  options: PassOptions,
): AsyncGenerator<SegmentedImage, void> {
  const side = segmenter.card.imageSize;
  using pass = await openSegmenterPass(segmenter, options.precision);
  for await (const batch of passOver(segmenter, dataset, { batchSize: 4, ...options })) {
    const { ids, indices } = batch;
    const masks = await tidy(async () => {
      const logits = pass.ask(batch, evaluatedLogits);
      return (await noGrad(() => logits.gt(0).to({ dtype: 'uint8' }).mul(255)).data()) as Uint8Array;
    });
    for (const [i, id] of ids.entries()) {
      const data = masks.slice(i * side * side, (i + 1) * side * side);
      yield { index: indices[i] as number, id, mask: { width: side, height: side, data } };
    }
  }
}

/** Options of `LungSegmenter.boxes`. */
export interface SegmenterBoxOptions
  extends LungBoxOptions,
    Pick<PassOptions, 'batchSize' | 'precision' | 'onError' | 'onSkip'> {}

/** So many new boxes are found before they are put into the cache. */
const saveEvery = 256;

/**
 * The boxes of a data set's images, each image through the network once: those in the cache are taken from there.
 *
 * @internal
 * @param options checked
 */
export async function segmentedBoxes(
  segmenter: SegmenterLike,
  dataset: Dataset,
  options: SegmenterBoxOptions & { readonly size: number },
): Promise<LungBoxes> {
  const { size, cacheDir, onProgress, ...pass } = options;
  const found = new Array<LungBox | undefined>(dataset.length);
  const cache = cacheDir === undefined ? undefined : await openCache(segmenter, cacheDir, options);
  const prints = cache && (await takeKnown(dataset, cache, found));
  const wanted = [...found.keys()].filter((index) => found[index] === undefined);
  const reused = dataset.length - wanted.length;
  onProgress?.({ done: reused, total: dataset.length });
  let fresh = 0;
  const { onSkip } = pass;
  const chosen: PassOptions = {
    ...pass,
    onProgress: ({ done }) => onProgress?.({ done: reused + done, total: dataset.length }),
    onSkip: (image) => onSkip?.({ ...image, index: wanted[image.index] as number }),
  };
  for await (const { index, mask } of segmentOver(segmenter, subsetOf(dataset, wanted), chosen)) {
    const at = wanted[index] as number;
    const lungs = await lungBox(mask, size);
    found[at] = lungs;
    const print = prints?.[at];
    if (!cache || !print) continue;
    await cache.add(dataset.sample(at).image, print, lungs);
    if (++fresh % saveEvery === 0) await cache.save();
  }
  await cache?.save();
  const side = segmenter.card.imageSize;
  const absent: LungBox = {
    box: { x: 0, y: 0, width: size, height: size },
    ...{ foreground: 0, maskSize: [side, side], finding: 'none', reasons: [] },
  };
  const lungs = Array.from(found, (one) => one ?? absent);
  return lungBoxes(dataset, size, lungs, { reused, unseen: (index) => found[index] === undefined });
}

async function openCache(
  segmenter: SegmenterLike,
  cacheDir: string,
  { size, precision = 'float32' }: SegmenterBoxOptions,
): Promise<BoxCache> {
  const { network, card, device } = segmenter;
  // What `auto` is depends on the machine, and boxes with it.
  const arithmetic = await resolvePrecision(precision, device);
  const recipe = `unet ${await stateHash(network)}, ${card.imageSize}, ${card.interpolation}, ${arithmetic}, size ${size}, rule 1`;
  return BoxCache.open(cacheDir, recipe);
}

/** Fills in what the cache has. @returns what tells each of the other images apart; none for those that are not there */
async function takeKnown(
  dataset: Dataset,
  cache: BoxCache,
  found: (LungBox | undefined)[],
): Promise<(Fingerprint | undefined)[]> {
  const prints: (Fingerprint | undefined)[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const { image } = dataset.sample(index);
    // Whether a missing file ends the work is the pass's to decide.
    const print = await fingerprintOf(image).catch(() => undefined);
    prints.push(print);
    if (print) found[index] = await cache.find(image, print);
  }
  return prints;
}

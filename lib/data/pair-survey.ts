import type { DataWarning } from './data-warning.js';
import type { Dataset, ImageSource, Pixels, Sample } from './dataset.js';
import { imageName } from './decode.js';
import { imageSize } from './image-size.js';
import { someOf } from './listed.js';
import type { MaskPairs } from './mask-pairs.js';
import { readMask } from './read-mask.js';

/** What deserves a look among the masks of a set of pairs. */
export interface PairReport {
  /** Name of the data set. */
  readonly dataset: string;
  /** Pairs that were looked at. */
  readonly pairs: number;
  /** Masks without a lung: legal, but seldom meant. */
  readonly empty: number;
  /** Masks of another size than their image, of the same aspect ratio: each is taken to cover the whole of its image. */
  readonly otherSize: number;
  /** Masks of another aspect ratio than their image: stretched with it all the same. */
  readonly otherShape: number;
  /** The same in words, with ids. */
  readonly warnings: readonly DataWarning[];
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** @internal What is known of one pair. */
export interface PairFacts {
  readonly id: string;
  readonly image: Size;
  readonly mask: Size;
  readonly empty: boolean;
}

/** @internal Pairs that are looked at while their images and masks are decoded, which costs no decoding of its own. */
export class PairSurvey {
  readonly #pairs: MaskPairs;
  readonly #images = new Map<number, Size>();
  readonly #masks = new Map<number, Pick<PairFacts, 'mask' | 'empty'>>();

  constructor(pairs: MaskPairs) {
    this.#pairs = pairs;
  }

  /** The images. The sizes of those that are made on demand are noted, so that none is made twice. */
  images(): Dataset {
    const { images } = this.#pairs;
    return {
      ...{ name: images.name, classes: images.classes, length: images.length },
      sample: (index): Sample => {
        const sample = images.sample(index);
        const { image } = sample;
        if (image.kind !== 'pixels') return sample;
        const pixels = async (): Promise<Pixels> => {
          const made = await image.pixels();
          this.#images.set(index, { width: made.width, height: made.height });
          return made;
        };
        return { ...sample, image: { ...image, pixels } };
      },
      ...(images.origin ? { origin: (index: number) => images.origin?.(index) ?? '' } : {}),
    };
  }

  /** The masks as a data set of images of 0 and 255. */
  masks(): Dataset {
    const { images, masks } = this.#pairs;
    return {
      ...{ name: `masks of ${images.name}`, classes: images.classes, length: masks.length },
      sample: (index): Sample => {
        const source = masks[index] as ImageSource;
        const pixels = async (): Promise<Pixels> => {
          const mask = await readMask(source);
          const { width, height, data } = mask;
          this.#masks.set(index, { mask: { width, height }, empty: !data.includes(255) });
          return { ...mask, channels: 1 };
        };
        const { id } = images.sample(index);
        return { id, label: 0, image: { kind: 'pixels', name: imageName(source), pixels } };
      },
      ...(images.origin ? { origin: (index: number) => images.origin?.(index) ?? '' } : {}),
    };
  }

  /** What was seen of the pairs whose masks have been decoded, in order. */
  async facts(): Promise<PairFacts[]> {
    const facts: PairFacts[] = [];
    for (const [index, seen] of [...this.#masks].sort(([a], [b]) => a - b)) {
      const { id, image } = this.#pairs.images.sample(index);
      facts.push({ id, image: this.#images.get(index) ?? (await imageSize(image)), ...seen });
    }
    return facts;
  }
}

/** A side of the smaller one may have been rounded to a whole pixel. */
function isSameShape(a: Size, b: Size): boolean {
  return Math.abs(a.width * b.height - b.width * a.height) <= Math.max(a.width, a.height, b.width, b.height);
}

/** @internal What deserves a look. */
export function pairReport(dataset: string, facts: readonly PairFacts[]): PairReport {
  const isOther = ({ image, mask }: PairFacts) => image.width !== mask.width || image.height !== mask.height;
  const others = facts.filter(isOther);
  const kinds = {
    empty: facts.filter(({ empty }) => empty),
    sizes: others.filter(({ image, mask }) => isSameShape(image, mask)),
    shapes: others.filter(({ image, mask }) => !isSameShape(image, mask)),
  };
  const about = (kind: string, odd: readonly PairFacts[], what: string): DataWarning[] => {
    const [first] = odd;
    if (!first) return [];
    const ids = odd.map(({ id }) => id);
    const { image, mask } = first;
    const example =
      kind === 'empty-masks'
        ? ''
        : `; the first: ${mask.width} x ${mask.height}, its image ${image.width} x ${image.height}`;
    const message = `${dataset}: ${odd.length} of ${facts.length} masks ${what}: ${someOf(ids)}${example}`;
    return [{ kind, message, details: { dataset, ids } }];
  };
  return {
    ...{ dataset, pairs: facts.length, empty: kinds.empty.length },
    ...{ otherSize: kinds.sizes.length, otherShape: kinds.shapes.length },
    warnings: [
      ...about('empty-masks', kinds.empty, 'are empty: their images count as films without lungs'),
      ...about(
        'mask-sizes',
        kinds.sizes,
        'are not of the size of their image; each is taken to cover the whole of it',
      ),
      ...about(
        'mask-shapes',
        kinds.shapes,
        'have another aspect ratio than their image, so they may not show where its lungs are',
      ),
    ],
  };
}

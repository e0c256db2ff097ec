/** Where the lungs of a run's images are: `--unet`, `--masks`, or what the sample knows. */
import type { DataWarning } from '../data/data-warning.js';
import { type LungBoxes, withoutMasksOf } from '../data/lung-boxes.js';
import type { BoxOptions } from '../systems/loc-attention/boxes.js';
import { LungSegmenter } from '../systems/segmenter/segmenter.js';
import type { AttentionData } from './attention-data.js';
import type { AttentionFlags } from './attention-flags.js';
import { type FoundLungs, foundLungs } from './found-lungs.js';
import type { Progress } from './progress.js';
import type { Output, Session } from './session.js';

/** Options of a fit, and what is to be freed after it. */
export interface LungsAtHand extends Disposable {
  /** Source and callbacks. */
  readonly options: BoxOptions;
  /** What was found, one data set after the other; complete once training has begun. Nothing of boxes that are given. */
  readonly found: readonly FoundLungs[];
  /** Films that are left out for want of a mask, one warning a data set at most; complete once training has begun. */
  readonly leftOut: readonly DataWarning[];
}

interface Speakers {
  readonly session: Session;
  readonly output: Output;
}

/**
 * Opens what the flags name; how far the search is, and what deserves a look, is shown.
 *
 * @param flags checked
 */
export async function lungsAtHand(
  { unet, masks, attention }: AttentionFlags,
  data: AttentionData,
  device: string,
  speakers: Speakers,
): Promise<LungsAtHand> {
  const leftOut: DataWarning[] = [];
  const ofMasks: BoxOptions = masks === undefined ? {} : { masks, onLeftOut: warned(leftOut, speakers) };
  if (attention === 'none') return { options: ofMasks, found: [], leftOut, [Symbol.dispose]: () => {} };
  const segmenter = unet === undefined ? undefined : await LungSegmenter.load(unet, { device });
  const search = new LungSearch(data, leftOut, speakers);
  return {
    options: {
      ...(segmenter ? { segmenter } : {}),
      ...ofMasks,
      ...(data.boxes ? { boxes: data.boxes } : {}),
      onLungs: (progress) => search.goOn(progress),
      onBoxes: (boxes) => search.finish(boxes),
    },
    ...{ found: search.found, leftOut },
    [Symbol.dispose]: () => {
      search.stop();
      segmenter?.dispose();
    },
  };
}

/** Shows and keeps films that are left out. */
function warned(leftOut: DataWarning[], { output }: Speakers): (warning: DataWarning) => void {
  return (warning) => {
    leftOut.push(warning);
    output.warn(warning.kind, warning.message, { details: warning.details });
  };
}

/** The search for lungs, one data set after the other. */
class LungSearch {
  /** What was found so far. */
  readonly found: FoundLungs[] = [];
  readonly #splits: AttentionData['splits'];
  readonly #leftOut: readonly DataWarning[];
  readonly #speakers: Speakers;
  #bar: Progress | undefined;
  #dataset = '';

  constructor({ splits }: AttentionData, leftOut: readonly DataWarning[], speakers: Speakers) {
    this.#splits = splits;
    this.#leftOut = leftOut;
    this.#speakers = speakers;
  }

  /** So many images of a data set have been looked at. */
  goOn({ dataset, done, total }: Parameters<NonNullable<BoxOptions['onLungs']>>[0]): void {
    if (dataset !== this.#dataset)
      this.#bar = this.#speakers.session.progress(`finding the lungs of ${dataset}`, total);
    this.#dataset = dataset;
    this.#bar?.update(done);
  }

  /** All images of the data set have been looked at. */
  finish(boxes: LungBoxes): void {
    const { output } = this.#speakers;
    this.stop();
    // Training knows nothing of the films to test on, whose masks lie in the same folder.
    const warnings = withoutMasksOf(boxes.warnings, this.#splits.values());
    const lacking = this.#leftOut.filter(({ details }) => details.dataset === this.#dataset);
    const lungs = foundLungs(this.#dataset, { ...boxes, warnings: [...lacking, ...warnings] });
    this.found.push(lungs);
    const { dataset, images, whole, one, none, implausible } = lungs;
    const findings = { whole, one: one.count, none: none.count, implausible: implausible.count };
    output.event({ type: 'lungs', dataset, images, reused: boxes.reused, ...findings });
    for (const { kind, message, details } of warnings) output.warn(kind, message, { details });
  }

  /** Takes the bar away. */
  stop(): void {
    this.#bar?.end();
  }
}

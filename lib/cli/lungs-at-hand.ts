/** Where the lungs of a run's images are: `--unet`, `--masks`, or what the sample knows. */
import type { DataWarning } from '../data/data-warning.js';
import { withoutMasksOf } from '../data/lung-boxes.js';
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

/**
 * Opens what the flags name; how far the search is, and what deserves a look, is shown.
 *
 * @param flags checked
 */
export async function lungsAtHand(
  { unet, masks, attention }: AttentionFlags,
  { boxes, splits }: AttentionData,
  device: string,
  { session, output }: { readonly session: Session; readonly output: Output },
): Promise<LungsAtHand> {
  const leftOut: DataWarning[] = [];
  const ofMasks: BoxOptions =
    masks === undefined
      ? {}
      : {
          masks,
          onLeftOut: (warning) => {
            leftOut.push(warning);
            output.warn(warning.kind, warning.message, { details: warning.details });
          },
        };
  if (attention === 'none') return { options: ofMasks, found: [], leftOut, [Symbol.dispose]: () => {} };
  const segmenter = unet === undefined ? undefined : await LungSegmenter.load(unet, { device });
  const found: FoundLungs[] = [];
  let bar: Progress | undefined;
  let of = '';
  return {
    options: {
      ...(segmenter ? { segmenter } : {}),
      ...ofMasks,
      ...(boxes ? { boxes } : {}),
      onLungs: ({ dataset, done, total }) => {
        if (dataset !== of) bar = session.progress(`finding the lungs of ${dataset}`, total);
        of = dataset;
        bar?.update(done);
      },
      onBoxes: (boxes) => {
        bar?.end();
        // Training knows nothing of the films to test on, whose masks lie in the same folder.
        const warnings = withoutMasksOf(boxes.warnings, splits.values());
        const lacking = leftOut.filter(({ details }) => details.dataset === of);
        const lungs = foundLungs(of, { ...boxes, warnings: [...lacking, ...warnings] });
        found.push(lungs);
        const { dataset, images, whole, one, none, implausible } = lungs;
        const findings = { whole, one: one.count, none: none.count, implausible: implausible.count };
        output.event({ type: 'lungs', dataset, images, reused: boxes.reused, ...findings });
        for (const { kind, message, details } of warnings) output.warn(kind, message, { details });
      },
    },
    ...{ found, leftOut },
    [Symbol.dispose]: () => {
      bar?.end();
      segmenter?.dispose();
    },
  };
}

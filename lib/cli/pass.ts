/** What `predict` and `explain` heed and say while images go through a network. */
import type { ChannelProgress } from '../systems/classifier/explain.js';
import type { PassOptions } from '../systems/classifier/passes.js';
import type { PrecisionChoice } from '../training/precision.js';
import type { Progress } from './progress.js';
import type { Output, Session } from './session.js';

/** The flags of a pass. */
export interface PassFlags {
  readonly batch_size: number;
  readonly on_error: 'throw' | 'skip';
  readonly workers?: number;
  readonly device: string;
  readonly precision: PrecisionChoice;
}

/** What {@link passOf} gives. */
export interface Pass {
  readonly options: PassOptions;
  /** Moves the bar within a batch whose images are masked one channel after the other. */
  readonly within: (progress: ChannelProgress) => void;
  /** Takes the bar away. */
  readonly end: () => void;
}

/**
 * Options of a pass over images, with its progress shown and what it leaves out told.
 *
 * @param label what the bar says, such as `predicting`
 */
export function passOf(
  label: string,
  flags: PassFlags,
  { session, output }: { readonly session: Session; readonly output: Output },
): Pass {
  let bar: Progress | undefined;
  let before = 0;
  return {
    options: {
      ...{ batchSize: flags.batch_size, precision: flags.precision, onError: flags.on_error },
      signal: session.signal,
      onSkip: ({ error }) => output.warn('image-skipped', error.message),
      onProgress: ({ done, total }) => {
        bar ??= session.progress(label, total);
        before = done;
        bar.update(done);
      },
    },
    within: ({ done, total, images }) =>
      bar?.update(before + (images * done) / total, `${done}/${total} masked images of the batch`),
    end: () => void bar?.end(),
  };
}

/** What `predict` and `explain` heed and say while images go through a network. */
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

/**
 * Options of a pass over images, with its progress shown and what it leaves out told.
 *
 * @param label what the bar says, such as `predicting`
 * @returns the options, and what takes the bar away
 */
export function passOf(
  label: string,
  flags: PassFlags,
  { session, output }: { readonly session: Session; readonly output: Output },
): { readonly options: PassOptions; readonly end: () => void } {
  let bar: Progress | undefined;
  return {
    options: {
      ...{ batchSize: flags.batch_size, precision: flags.precision, onError: flags.on_error },
      signal: session.signal,
      onSkip: ({ error }) => output.warn('image-skipped', error.message),
      onProgress: ({ done, total }) => {
        bar ??= session.progress(label, total);
        bar.update(done);
      },
    },
    end: () => void bar?.end(),
  };
}

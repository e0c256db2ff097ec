import { CxrGazeError } from '../errors.js';

/** A file that is needed and cannot be opened. */
export interface AbsentFile {
  /** Where it was expected. */
  readonly path: string;
  /** What else helps to find the fault, such as `labels.csv, line 17`. */
  readonly notes?: readonly string[];
}

/** Files of one kind that a piece of work needs, and which of them are not there. */
export interface NeededFiles {
  /** What they are, such as `images of train`. */
  readonly what: string;
  /** How many are needed. */
  readonly total: number;
  /** Those that are not there, in order. */
  readonly missing: readonly AbsentFile[];
}

/** @internal Examples of each kind in the message. */
export const shownExamples = 5;

/**
 * Refuses work whose files are not all there: everything that is missing, of every kind, in one list.
 *
 * @param needed kinds of files, as they shall be listed
 * @throws CxrGazeError `ERR_DATASET` with the count and the first five of each kind; `details.count` and all paths in
 *   `details.missing`, by kind
 */
export function refuseMissing(needed: readonly NeededFiles[]): void {
  const message = missingText(needed);
  if (message === undefined) return;
  const lacking = needed.filter(({ missing }) => missing.length > 0);
  throw new CxrGazeError('ERR_DATASET', message, {
    details: {
      count: lacking.reduce((sum, { missing }) => sum + missing.length, 0),
      missing: lacking.map(({ what, total, missing }) => ({
        ...{ what, total, count: missing.length },
        paths: missing.map(({ path }) => path),
      })),
    },
  });
}

/** What is missing, in words; `undefined` where nothing is. @internal */
export function missingText(needed: readonly NeededFiles[]): string | undefined {
  const lacking = needed.filter(({ missing }) => missing.length > 0);
  const [first, ...others] = lacking;
  if (first === undefined) return undefined;
  const counts = lacking.map(({ what, total, missing }) => `${missing.length} of ${total} ${what}`);
  return others.length === 0
    ? `${counts[0]} are missing: ${examples(first)}`
    : `${counts.join(', ')} are missing:\n${lacking.map((one) => `  ${one.what}: ${examples(one)}`).join('\n')}`;
}

function examples({ missing }: NeededFiles): string {
  const shown = missing
    .slice(0, shownExamples)
    .map(({ path, notes = [] }) => `${path}${notes.map((note) => ` (${note})`).join('')}`);
  return `${shown.join('; ')}${missing.length > shownExamples ? '; ...' : ''}`;
}

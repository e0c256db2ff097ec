/** What a run records of the lungs of its images: how many have none, one, or an implausible box, and which. */
import type { LungFinding } from '../data/lung-box.js';
import type { LungBoxes } from '../data/lung-boxes.js';

/** Images of one finding. */
export interface FoundImages {
  readonly count: number;
  /** Ids of the first few. */
  readonly first: readonly string[];
}

/** The lungs of one data set, as `metrics.json` has them. */
export interface FoundLungs extends Readonly<Record<Exclude<LungFinding, 'whole'>, FoundImages>> {
  /** Name of the data set. */
  readonly dataset: string;
  readonly images: number;
  /** Images with two lungs and a plausible box. */
  readonly whole: number;
  /** All that deserves a look, one sentence each, with masks of other sizes and of no image. */
  readonly warnings: readonly string[];
}

/** Ids of a finding that are kept. */
const few = 5;

/** Counts what was found in a data set. */
export function foundLungs(dataset: string, { lungs, ids, warnings }: LungBoxes): FoundLungs {
  const of = (finding: LungFinding): FoundImages => {
    const found = ids.filter((_, i) => lungs[i]?.finding === finding);
    return { count: found.length, first: found.slice(0, few) };
  };
  return {
    ...{ dataset, images: lungs.length, whole: of('whole').count },
    ...{ none: of('none'), one: of('one'), implausible: of('implausible') },
    warnings: warnings.map(({ message }) => message),
  };
}

/** The lungs of one data set as a report's fact. */
export function lungsRow({ dataset, images, whole, none, one, implausible }: FoundLungs) {
  const part = (what: string, { count, first }: FoundImages) =>
    count === 0 ? [] : [`${what} ${count} (${first.join(', ')}${count > first.length ? ', ...' : ''})`];
  const odd = [...part('none', none), ...part('one', one), ...part('implausible', implausible)];
  return { name: `Lungs, ${dataset}`, value: [`whole ${whole} of ${images}`, ...odd].join('; ') };
}

/** Which films a fit learns from, where those without a lung mask are left out. */
import { createHash } from 'node:crypto';
import type { DataWarning } from '../../data/data-warning.js';
import { type Dataset, subsetOf } from '../../data/dataset.js';
import { MaskFolder } from '../../data/mask-folder.js';
import { missingText, type NeededFiles, refuseMissing } from '../../data/needed-files.js';
import { classCounts } from '../../data/samplers.js';
import { CxrGazeError } from '../../errors.js';

/** A folder of masks, listed when it is first asked for, and once. */
export type MasksAtHand = () => Promise<MaskFolder>;

/** A folder of masks that nobody has looked into yet. */
export function masksAtHand(folder: string): MasksAtHand {
  let opened: Promise<MaskFolder> | undefined;
  return () => {
    opened ??= MaskFolder.open(folder);
    return opened;
  };
}

/** The masks of a fit, if it takes any, and whether it may leave films without one out. */
export interface MaskRule {
  readonly masks: MasksAtHand | undefined;
  readonly onError?: 'throw' | 'skip' | undefined;
}

/** The masks that a fit needs of a data set; `undefined` where it needs none, or may leave films out. */
export function neededMasks({
  masks,
  onError,
}: MaskRule): ((dataset: Dataset, all: Iterable<Dataset>) => Promise<readonly NeededFiles[]>) | undefined {
  if (masks === undefined || onError === 'skip') return undefined;
  return async (dataset, all) => [(await masks()).lackingOf(dataset, all).needed];
}

/** What is trained and validated on. */
interface Halves {
  readonly train: Dataset;
  readonly validation: Dataset;
}

/** Both halves without the films that were left out. */
export interface MaskedHalves extends Halves {
  /** What is to be told of films that were left out: one warning a half at most. */
  readonly leftOut: readonly DataWarning[];
  /** What a run records, so that it does not go on with other films; `null` where none may be left out. */
  readonly record: string | null;
}

/**
 * Leaves films without a mask out of both halves, where a fit may.
 *
 * @throws CxrGazeError `ERR_DATASET` where no film of a half, or of a class of it, would be left
 */
export async function withMasks(
  { masks, onError }: MaskRule,
  { train, validation }: Halves,
): Promise<MaskedHalves> {
  if (masks === undefined || onError !== 'skip') return { train, validation, leftOut: [], record: null };
  const folder = await masks();
  const [toTrain, toValidate] = [
    keptOf(train, folder, [train, validation]),
    keptOf(validation, folder, [train, validation]),
  ];
  const counts = `${toTrain.dataset.length} of ${train.length} to train, ${toValidate.dataset.length} of ${validation.length} to validate`;
  return {
    ...{ train: toTrain.dataset, validation: toValidate.dataset },
    leftOut: [...toTrain.warnings, ...toValidate.warnings],
    record: `${counts}, ids ${hashOf([toTrain.dataset, toValidate.dataset])}`,
  };
}

function keptOf(
  dataset: Dataset,
  folder: MaskFolder,
  halves: readonly Dataset[],
): { readonly dataset: Dataset; readonly warnings: readonly DataWarning[] } {
  const { indices, needed } = folder.lackingOf(dataset, halves);
  if (indices.length === 0) return { dataset, warnings: [] };
  if (indices.length === dataset.length) refuseMissing([needed]);
  const lacking = new Set(indices);
  const kept = subsetOf(
    dataset,
    Array.from({ length: dataset.length }, (_, i) => i).filter((i) => !lacking.has(i)),
  );
  refuseEmptied(dataset, kept, needed);
  const message = `${missingText([needed])}; these films are left out`;
  const details = { dataset: dataset.name, ids: indices.map((i) => dataset.sample(i).id) };
  return { dataset: kept, warnings: [{ kind: 'mask-missing', message, details }] };
}

/** A class that is not learned, or not judged, would make another task of it. */
function refuseEmptied(dataset: Dataset, kept: Dataset, needed: NeededFiles): void {
  const [before, after] = [classCounts(dataset), classCounts(kept)];
  const classes = dataset.classes.filter((_, k) => before[k] !== 0 && after[k] === 0);
  if (classes.length === 0) return;
  throw new CxrGazeError(
    'ERR_DATASET',
    `Expected a mask for at least one film of each class of ${dataset.name} but found none for ${classes.join(', ')}: ${missingText([needed])}`,
    { details: { dataset: dataset.name, classes } },
  );
}

function hashOf(halves: readonly Dataset[]): string {
  const ids = halves.map((half) => Array.from({ length: half.length }, (_, i) => half.sample(i).id));
  return createHash('sha256').update(JSON.stringify(ids)).digest('hex').slice(0, 12);
}

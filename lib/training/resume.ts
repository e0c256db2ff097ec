import { CheckpointStore, type Json } from '../checkpoints/folder.js';
import { CxrGazeError } from '../errors.js';
import { type CheckpointNotes, readState } from './checkpoint.js';

/** The folder of a run's checkpoints, if any, and whether the run there is to go on. */
export interface RunThere {
  readonly checkpoints?: string;
  readonly resume?: boolean;
}

/**
 * Refuses to overwrite a run that is there.
 *
 * @throws CxrGazeError `ERR_EXISTS`
 */
export async function refuseExistingRun({ checkpoints, resume = false }: RunThere): Promise<void> {
  if (checkpoints === undefined || resume) return;
  const last = await new CheckpointStore(checkpoints).named('last');
  if (last === undefined) return;
  throw new CxrGazeError(
    'ERR_EXISTS',
    `${checkpoints} holds a run already (its last checkpoint is ${last}): resume it or choose another folder`,
  );
}

/**
 * Refuses to go on with a run that began with other options.
 *
 * @param run where it is; one that does not go on passes
 * @param notes what the run is about to record
 * @throws CxrGazeError `ERR_RESUME` naming every option that differs
 */
export async function refuseOtherRun(
  { checkpoints, resume = false }: RunThere,
  notes: Pick<CheckpointNotes, 'options' | 'card'>,
): Promise<void> {
  if (checkpoints === undefined || !resume) return;
  const store = new CheckpointStore(checkpoints);
  const state = await readState(await store.open('last'));
  // The card counts as well: another input size would go on without a word, and train another network.
  const before = named(state);
  const now = named(notes);
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]),
  );
  if (changed.length === 0) return;
  const list = changed.map((key) => `${key}: ${JSON.stringify(before[key])} -> ${JSON.stringify(now[key])}`);
  throw new CxrGazeError(
    'ERR_RESUME',
    `Expected the options that the run in ${checkpoints} began with; these differ: ${list.join('; ')}`,
    {
      details: { changed },
    },
  );
}

/** Options under their names, what the card says under `card.`: both may have a seed. */
function named({
  options,
  card,
}: Pick<CheckpointNotes, 'options' | 'card'>): Readonly<Record<string, Json | undefined>> {
  const ofCard = Object.entries(card).map(([key, value]) => [`card.${key}`, value] as const);
  return { ...options, ...Object.fromEntries(ofCard) };
}

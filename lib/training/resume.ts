import { CheckpointStore, type Json } from '../checkpoints/folder.js';
import { CxrGazeError } from '../errors.js';
import { type CheckpointNotes, readState } from './checkpoint.js';

/**
 * Refuses to overwrite a run that is there, and to go on with one that began with other options.
 *
 * @param run folder of the checkpoints, if any, and whether the run there is to go on
 * @param notes what the run is about to record
 * @throws CxrGazeError `ERR_EXISTS`, `ERR_RESUME` naming every option that differs
 */
export async function refuseOtherRun(
  run: { readonly checkpoints?: string; readonly resume?: boolean },
  notes: Pick<CheckpointNotes, 'options' | 'card'>,
): Promise<void> {
  const { checkpoints, resume = false } = run;
  if (checkpoints === undefined) return;
  const store = new CheckpointStore(checkpoints);
  const last = await store.named('last');
  if (!resume) {
    if (last === undefined) return;
    throw new CxrGazeError(
      'ERR_EXISTS',
      `${checkpoints} holds a run already (its last checkpoint is ${last}): resume it or choose another folder`,
    );
  }
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

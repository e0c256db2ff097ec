import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CheckpointStore } from '../../lib/checkpoints/folder.js';
import type { Classifier } from '../../lib/systems/classifier/classifier.js';
import type { FitOptions } from '../../lib/systems/classifier/fit.js';
import type { TrainEvent } from '../../lib/training/trainer.js';

/** The events of a run; ends it at the first event for which `until` holds. */
export async function eventsOf(
  model: Classifier,
  options: FitOptions,
  until: (event: TrainEvent) => boolean = () => false,
): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of model.fit(options)) {
    events.push(event);
    if (until(event)) break;
  }
  return events;
}

/** The rows of the history among events: loss and scores of every half of an epoch. */
export function rowsOf(events: readonly TrainEvent[]): Extract<TrainEvent, { type: 'epoch' }>[] {
  return events.filter((event) => event.type === 'epoch');
}

/** What a run has come to, to the bit: weights, moments, schedule and history of its last checkpoint. */
export async function outcomeOf(checkpoints: string): Promise<Record<string, unknown>> {
  const folder = await new CheckpointStore(checkpoints).open('last');
  const hash = async (file: string) =>
    createHash('sha256')
      .update(await readFile(path.join(folder, file)))
      .digest('hex');
  const state = JSON.parse(await readFile(path.join(folder, 'state.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const { schedule, history, progress, improvements } = state;
  return {
    name: path.basename(folder),
    model: await hash('model.safetensors'),
    optimizer: await hash('optimizer.safetensors'),
    schedule,
    history,
    progress,
    improvements,
  };
}

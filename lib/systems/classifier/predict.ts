import { groupsFromCounts } from '../../metrics/groups.js';
import type { GroupName } from '../../metrics/types.js';
import { openPass, probabilitiesOf } from './classifier-pass.js';
import { checkInput, type ImageInput, type InputItems, inputDataset } from './inputs.js';
import type { ModelCard } from './model-card.js';
import { type ClassifierLike, checkPass, type PassOptions, passOver } from './passes.js';

export type { ImageInput } from './inputs.js';

/** Options of `predict`. */
export type PredictOptions = PassOptions;

/** What the network says of one image. Not for clinical use. */
export interface Prediction {
  /** Path or name of the image. */
  readonly id: string;
  /** Class of the largest probability (the first of equals). */
  readonly class: string;
  /** Its probability. */
  readonly probability: number;
  /** Its long-tail group; `null` where training counts are not known. */
  readonly group: GroupName | null;
  /** Probability of every class, in class order. */
  readonly probabilities: Readonly<Record<string, number>>;
}

/** @internal One prediction from a row of probabilities. */
export function predictionOf(id: string, row: ArrayLike<number>, card: ModelCard): Prediction {
  let best = 0;
  for (let c = 1; c < row.length; c++) if ((row[c] as number) > (row[best] as number)) best = c;
  const groups = card.trainCounts ? groupsFromCounts(card.trainCounts, card.thresholds) : undefined;
  return {
    id,
    class: card.classes[best] as string,
    probability: row[best] as number,
    group: groups?.[best] ?? null,
    probabilities: Object.fromEntries(card.classes.map((name, c) => [name, row[c] as number])),
  };
}

/** @internal */
export function predictImages(
  classifier: ClassifierLike,
  input: ImageInput,
  options: PredictOptions,
): Promise<Prediction[]> {
  checkPass(options);
  return predict(classifier, checkInput(input), options);
}

async function predict(
  classifier: ClassifierLike,
  items: InputItems,
  options: PredictOptions,
): Promise<Prediction[]> {
  const { card } = classifier;
  const dataset = await inputDataset(items, card.classes);
  using pass = await openPass(classifier, options.precision ?? 'auto');
  const predictions: Prediction[] = [];
  for await (const batch of passOver(classifier, dataset, options)) {
    const rows = await probabilitiesOf(pass, batch);
    for (const [i, id] of batch.ids.entries()) {
      const row = rows.subarray(i * card.classes.length, (i + 1) * card.classes.length);
      predictions.push(predictionOf(id, row, card));
    }
  }
  return predictions;
}

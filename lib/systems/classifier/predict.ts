import { groupsFromCounts } from '../../metrics/groups.js';
import type { GroupName } from '../../metrics/types.js';
import { probabilities } from '../../models/model.js';
import { tidy } from '../../tensor/tidy.js';
import { toInputs } from '../../training/inputs.js';
import { resolvePrecision, withPrecision } from '../../training/precision.js';
import { knownKeys } from '../../validate.js';
import { type ImageInput, inputDataset } from './inputs.js';
import type { ModelCard } from './model-card.js';
import { type Network, type PassOptions, passKeys, passOver } from './passes.js';

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
export async function predictImages(
  network: Network,
  input: ImageInput,
  options: PredictOptions,
): Promise<Prediction[]> {
  knownKeys('options', options, passKeys);
  const { model, card, device } = network;
  const dataset = await inputDataset(input, card.classes);
  const precision = await resolvePrecision(options.precision ?? 'auto', device);
  const predictions: Prediction[] = [];
  model.eval();
  for await (const { batch } of passOver(network, dataset, options)) {
    const rows = await tidy(async () => {
      const { images } = toInputs(batch, {
        epoch: 1,
        step: 0,
        normalisation: card.normalisation,
        precision,
        device,
      });
      return (await withPrecision(precision, () => probabilities(model, images)).data()) as Float32Array;
    });
    for (const [i, id] of batch.ids.entries()) {
      const row = rows.subarray(i * card.classes.length, (i + 1) * card.classes.length);
      predictions.push(predictionOf(id, row, card));
    }
  }
  return predictions;
}

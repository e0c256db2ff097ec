/** What the rows of a table begin with, opened before the first of them is trained: a later one takes days to come. */
import { refuseMissing } from '../../data/needed-files.js';
import { LocAttention } from '../../systems/loc-attention/loc-attention.js';
import { masksAtHand, withMasks } from '../../systems/loc-attention/masked-films.js';
import { LungSegmenter } from '../../systems/segmenter/segmenter.js';
import type { AttentionData } from '../attention-data.js';
import { attentionClassifier, attentionRegions } from '../attention-flags.js';
import { type OpenedData, trainingSplits } from '../datasets.js';
import { namedFrames } from '../localised.js';
import { checkTeachers } from '../teachers-at-hand.js';
import { createClassifier } from '../train-run.js';
import type { PlannedAttention } from './attention-run.js';
import type { PlannedRow } from './plan.js';

/** Opens inputs, each once: rows share most of theirs. */
export class InputCheck {
  readonly #opened = new Set<string>();

  /**
   * Initial weights and teachers of the long-tailed table's rows. Vectors are looked for as the data are opened.
   *
   * @throws CxrGazeError what loading them throws
   */
  async rows(plans: readonly PlannedRow[], dataOf: (plan: PlannedRow) => OpenedData): Promise<void> {
    for (const plan of plans) {
      const { system, flags } = plan;
      const { weights, weights_key, model_name, width, teachers, device } = flags;
      if (weights !== undefined)
        await this.#once(['weights', weights, weights_key, model_name, width], async () =>
          (await createClassifier({ system, flags, data: dataOf(plan) })).dispose(),
        );
      if (teachers !== undefined)
        await this.#once(['teachers', ...teachers], () => checkTeachers(teachers, device));
    }
  }

  /**
   * Initial weights, segmenter, masks, regions and frames of the runs of one task.
   *
   * @throws CxrGazeError what opening them throws; `ERR_DATASET` listing films without a mask
   */
  async attention(plans: readonly PlannedAttention[], data: AttentionData): Promise<void> {
    for (const { flags } of plans) {
      const { weights, weights_key, backbone, width, unet, masks, regions, finding_boxes, on_error } = flags;
      const films = [flags.path, flags.task];
      await this.#once(['regions', flags.attention, regions, ...films], () =>
        attentionRegions(flags, data.classes),
      );
      await this.#once(['finding_boxes', finding_boxes], () => namedFrames(finding_boxes));
      if (masks !== undefined)
        await this.#once(['masks', masks, ...films], () => checkMasks(masks, data, on_error));
      if (unet !== undefined)
        await this.#once(['unet', unet], async () => (await LungSegmenter.load(unet)).dispose());
      if (weights !== undefined)
        await this.#once(['weights', weights, weights_key, backbone, width], async () =>
          (await LocAttention.create(attentionClassifier(flags, data.classes, 'cpu'))).dispose(),
        );
    }
  }

  async #once(input: readonly unknown[], open: () => Promise<unknown>): Promise<void> {
    const key = JSON.stringify(input);
    if (this.#opened.has(key)) return;
    await open();
    this.#opened.add(key);
  }
}

/** Films that are left out need no mask, but some of each class must be left. */
async function checkMasks(folder: string, data: AttentionData, onError: 'throw' | 'skip'): Promise<void> {
  const atHand = masksAtHand(folder);
  const { train, validation } = await withMasks({ masks: atHand, onError }, trainingSplits(data));
  const masks = await atHand();
  refuseMissing([train, validation].map((films) => masks.lackingOf(films, data.splits.values()).needed));
  for (const films of [train, validation]) masks.masksOf(films);
}

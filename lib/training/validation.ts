import type { Network } from '../models/network.js';
import { noGrad } from '../tensor/context.js';
import { tidy } from '../tensor/tidy.js';
import type { ObjectiveResult } from './batch.js';
import { EpochRecord } from './epoch-record.js';
import { errorOfBatch, lossNotFinite } from './finite.js';
import { toInputs } from './inputs.js';
import { withPrecision } from './precision.js';
import type { TrainerOptions } from './trainer.js';

/**
 * One pass over the validation split in evaluation mode: mean objective and scores.
 *
 * @returns `undefined` if `halted` said so in between
 */
export async function validateEpoch<N extends Network, Result extends ObjectiveResult, Scores extends object>(
  options: TrainerOptions<N, Result, Scores> & {
    readonly epoch: number;
    readonly reweighted: boolean;
    readonly halted: () => boolean;
  },
): Promise<EpochRecord<Result, Scores> | undefined> {
  const { model, objective, scoring, validation, precision, normalisation, epoch, reweighted } = options;
  const { device = 'cpu', halted } = options;
  const record = EpochRecord.begin(epoch, validation, scoring);
  model.eval();
  for await (using loaded of validation.batches(epoch)) {
    if (halted()) return undefined;
    await tidy(async () => {
      const batch = toInputs(loaded, { epoch, step: record.step, normalisation, precision, device });
      const result = await noGrad(() =>
        withPrecision(precision, () => objective(model, batch, { phase: 'val', reweighted })),
      );
      const [value] = await Promise.all([result.loss.item(), record.scorer.add(result, batch)]).catch(
        (error: unknown) => {
          throw errorOfBatch(error, batch, 'val');
        },
      );
      if (!Number.isFinite(value)) throw lossNotFinite(value, batch, 'val');
      record.add(value);
    });
  }
  return record;
}

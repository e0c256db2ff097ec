import { noGrad } from '../tensor/context.js';
import { tidy } from '../tensor/tidy.js';
import { EpochRecord } from './epoch-record.js';
import { lossNotFinite } from './finite.js';
import { toInputs } from './inputs.js';
import { withPrecision } from './precision.js';
import type { TrainerOptions } from './trainer.js';

/**
 * One pass over the validation split in evaluation mode: mean objective and probabilities.
 *
 * @returns `undefined` if `halted` said so in between
 */
export async function validateEpoch(
  options: TrainerOptions & {
    readonly epoch: number;
    readonly reweighted: boolean;
    readonly halted: () => boolean;
  },
): Promise<EpochRecord | undefined> {
  const {
    model,
    objective,
    validation,
    precision,
    normalisation,
    device = 'cpu',
    epoch,
    reweighted,
    halted,
  } = options;
  const record = EpochRecord.begin(epoch, validation);
  model.eval();
  for await (using loaded of validation.batches(epoch)) {
    if (halted()) return undefined;
    await tidy(async () => {
      const batch = toInputs(loaded, { epoch, step: record.step, normalisation, precision, device });
      const { loss, logits } = noGrad(() =>
        withPrecision(precision, () => objective(model, batch, { phase: 'val', reweighted })),
      );
      const probabilities = noGrad(() => logits.to({ dtype: 'float32' }).softmax(-1));
      const [value, seen] = await Promise.all([loss.item(), probabilities.data()]);
      if (!Number.isFinite(value)) throw lossNotFinite(value, batch, 'val');
      record.add(value, seen as Float32Array, batch.labelList);
    });
  }
  return record;
}

/** What the flags of decoupling do not say: which network the run that they begin with has. */
import { cardOf } from '../systems/classifier/model-card.js';
import { usageError } from './options.js';
import type { TrainFlags } from './train-flags.js';

/** The flags that a network's backbone follows from. */
export type NetworkFlags = Pick<TrainFlags, 'model_name' | 'width'>;

/**
 * The backbone of what `--decoupling_weights` names. All weights come from there, so its card decides, not the flags'
 * defaults.
 *
 * @param flags as commander gives them
 * @param explicit names of the flags that were given
 * @returns nothing without decoupling, and where the weights are a file without a card
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` where a flag was given that contradicts the card, `ERR_CHECKPOINT` for a folder that holds
 *   no model
 */
export async function networkOfBase(
  { decoupling_method, decoupling_weights, model_name, width }: TrainFlags,
  explicit: ReadonlySet<string>,
): Promise<Partial<NetworkFlags>> {
  if (decoupling_method === '' || decoupling_weights === undefined) return {};
  const card = await cardOf(decoupling_weights);
  if (card === undefined) return {};
  const own: NetworkFlags = { model_name: card.architecture, width: card.width };
  for (const [name, given] of Object.entries({ model_name, width })) {
    const kept = own[name as keyof NetworkFlags];
    if (!explicit.has(name) || given === kept) continue;
    throw usageError(
      `--${name} is ${given} but the network in ${decoupling_weights} has ${kept}: all weights come from there, so leave --${name} out`,
    );
  }
  return own;
}

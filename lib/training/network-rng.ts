import { ask } from '../tensor/run.js';
import { disposeAll, Tensor } from '../tensor/tensor.js';

/** The state of the generator that networks draw from (dropout), as bytes that {@link setNetworkRng} takes. */
export async function networkRng(): Promise<Tensor> {
  const { tensors } = await ask('rngState', []);
  return new Tensor(tensors[0] as NonNullable<(typeof tensors)[0]>);
}

/** Sets the generator that networks draw from. @param to a seed, or a state that {@link networkRng} gave */
export async function setNetworkRng(to: number | Tensor): Promise<void> {
  const { tensors } =
    typeof to === 'number' ? await ask('rngState', [], { seed: to }) : await ask('rngState', [to]);
  disposeAll(tensors.map((handle) => new Tensor(handle)));
}

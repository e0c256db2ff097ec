import type { Network } from '../models/network.js';
import { noGrad, withoutScope } from '../tensor/context.js';
import { disposeAll, type Tensor } from '../tensor/tensor.js';

/** The best epoch's weights in memory, for a run that saves no checkpoints. */
export class BestWeights {
  #copies = new Map<string, Tensor>();

  /** Keeps a copy of what the model is now; the copy before is freed. */
  async keep(model: Network): Promise<void> {
    // The copy outlives the step, so no scope of the moment may own it.
    await withoutScope(async () => {
      const state = await model.stateDict();
      const copies = noGrad(() => new Map([...state].map(([name, value]) => [name, value.clone()])));
      disposeAll(state.values());
      this.dispose();
      this.#copies = copies;
    });
  }

  /** Puts the copy back into the model, if there is one. */
  async restore(model: Network): Promise<void> {
    if (this.#copies.size > 0) await model.loadStateDict(this.#copies);
  }

  /** Frees the copy. */
  dispose(): void {
    disposeAll(this.#copies.values());
    this.#copies = new Map();
  }

  /** Same as {@link BestWeights.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

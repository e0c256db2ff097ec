import { CxrGazeError } from '../../errors.js';
import { headKey, type Model } from '../../models/model.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { invalidArgument } from '../../validate.js';
import { describeWeights, readWeights } from '../published-weights.js';
import { weightsFileOf } from '../saved.js';
import { cardFile } from './model-card.js';

/** Where initial weights come from: random ones, or a file with torchvision's, timm's or the authors' keys. */
export type Init =
  | 'random'
  | {
      /**
       * A `.safetensors`, `.pt`, `.pth` or `.bin` file (a state dict, or a module that was pickled whole), or the folder of a
       * saved model, a checkpoint or a run.
       */
      readonly weights: string;
    };

/** What loading initial weights did. */
export interface InitReport {
  /** Keys of the head that were left random, because the file's head has another form or another number of classes. */
  readonly fresh: readonly string[];
}

/** Checks an {@link Init}. @throws CxrGazeError `ERR_INVALID_ARGUMENT` naming both kinds */
export function checkInit(init: Init): Init {
  const file = typeof init === 'object' && init !== null ? init.weights : undefined;
  if (init === 'random' || (typeof file === 'string' && file !== '')) return init;
  throw invalidArgument(
    'options.init',
    "'random' or { weights: FILE }; the published ImageNet file is torchvision's IMAGENET1K_V1",
    init,
  );
}

/**
 * Gives a model its initial weights. A backbone's file fits with whatever head it has: a head of the same form is loaded,
 * another one is left random and reported.
 *
 * @param model freshly made, with random weights
 * @param init where from, checked
 * @throws CxrGazeError `ERR_STATE_DICT` if the backbone does not fit, `ERR_CHECKPOINT` for a bad file
 */
export async function initialise(model: Model, init: Init): Promise<InitReport> {
  if (init === 'random') return { fresh: [] };
  const weights = await weightsFileOf(init.weights, cardFile);
  const published = await describeWeights(weights);
  const { architecture } = model.options;
  if (published.architecture !== undefined && published.architecture !== architecture) {
    throw new CxrGazeError(
      'ERR_STATE_DICT',
      `${weights}: expected weights of ${architecture} but the file holds those of ${published.architecture}`,
      { details: { file: weights, expected: architecture, found: published.architecture } },
    );
  }
  const prefix = `${headKey(architecture)}.`;
  return tidy(async () => {
    const given = readWeights(published);
    const own = await model.stateDict();
    const fresh: string[] = [];
    for (const [name, tensor] of own) {
      if (!name.startsWith(prefix)) continue;
      if (given.has(name) && (await sameShape(tensor, given.get(name) as Tensor))) continue;
      fresh.push(name);
    }
    // Half a head is worse than none: either all of it fits or all of it is fresh.
    const head = [...own.keys()].filter((name) => name.startsWith(prefix));
    const state = new Map([...given].filter(([name]) => !name.startsWith(prefix) || fresh.length === 0));
    if (fresh.length > 0) for (const name of head) state.set(name, own.get(name) as Tensor);
    try {
      await model.loadStateDict(state);
    } catch (cause) {
      if (!(cause instanceof CxrGazeError)) throw cause;
      throw new CxrGazeError(cause.code, `${weights}: ${cause.message}`, {
        cause,
        details: { file: weights, ...cause.details },
      });
    }
    return { fresh: fresh.length > 0 ? head : [] };
  });
}

async function sameShape(a: Tensor, b: Tensor): Promise<boolean> {
  const [first, second] = await Promise.all([a.ready(), b.ready()]);
  return (
    first.shape.length === second.shape.length && first.shape.every((size, i) => size === second.shape[i])
  );
}

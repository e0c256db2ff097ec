import { CxrGazeError } from '../../errors.js';
import { headKey, type Model } from '../../models/model.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { invalidArgument, knownKeys, text } from '../../validate.js';
import { fitWeights } from '../fit-weights.js';
import { backboneFamily, openWeights, readWeights } from '../published-weights.js';
import { weightsFileOf } from '../saved.js';
import { cardFile } from './model-card.js';

/**
 * Where a system's initial weights come from: random ones, a file with torchvision's, timm's or the authors' keys, or a saved
 * system of the same kind: a classifier's of any system for a classifier, a teacher's for a teacher, a segmenter's for a
 * segmenter. Of a folder the weights alone are taken; what it is, such as its classes or its size, is said anew.
 */
export type Init =
  | 'random'
  | {
      /**
       * A `.safetensors`, `.pt`, `.pth` or `.bin` file (a state dict, or a module that was pickled whole), or the folder that
       * `save` wrote, of a checkpoint or of a run.
       */
      readonly weights: string;
      /**
       * Top-level key of the state dict in a PyTorch file that keeps it under another than the usual ones (`weights`,
       * `state_dict`, `model_state_dict`, `model`).
       */
      readonly key?: string;
    };

/** What the weights that a system was made with did not fill, and what of them it did not need. */
export interface InitReport {
  /**
   * Keys of the network that were left random though there are weights: of a classifier all of its head, where the file's has
   * another form or another number of classes; of a teacher its projection, which is the seed's; of a segmenter none.
   */
  readonly fresh: readonly string[];
  /**
   * Keys of the file that belong to nothing of this network, such as those of a loss beside it; of a classifier not those of its
   * head, for `fresh` tells whether that was loaded.
   */
  readonly leftOut: readonly string[];
}

/** Of random weights, and of those of a saved system of the same kind. */
export const nothingToReport: InitReport = { fresh: [], leftOut: [] };

/** Checks an {@link Init}. @throws CxrGazeError `ERR_INVALID_ARGUMENT` naming both kinds */
export function checkInit(init: Init): Init {
  if (init === 'random') return init;
  const file = typeof init === 'object' && init !== null ? init.weights : undefined;
  if (typeof file === 'string' && file !== '') {
    knownKeys('options.init', init, ['weights', 'key']);
    if (init.key !== undefined) text('options.init.key', init.key);
    return init;
  }
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
  if (init === 'random') return nothingToReport;
  const weights = await weightsFileOf(init.weights, cardFile);
  const { architecture } = model.options;
  const published = await openWeights(weights, { key: init.key, wanted: backboneFamily(architecture) });
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
    await fitWeights(weights, published, () => model.loadStateDict(state));
    return { fresh: fresh.length > 0 ? head : [], leftOut: published.leftOut };
  });
}

async function sameShape(a: Tensor, b: Tensor): Promise<boolean> {
  const [first, second] = await Promise.all([a.ready(), b.ready()]);
  return (
    first.shape.length === second.shape.length && first.shape.every((size, i) => size === second.shape[i])
  );
}

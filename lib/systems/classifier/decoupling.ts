import { rng } from '../../data/random.js';
import { CxrGazeError } from '../../errors.js';
import { type Architecture, type HeadKind, headKey, type Model } from '../../models/model.js';
import { noGrad } from '../../tensor/context.js';
import { tensor, zeros } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { knownKeys, number, oneOf, text } from '../../validate.js';
import { initialise } from './initial-weights.js';

/**
 * Decoupled training: a backbone that is trained already gets a new classifier (Kang et al., "Decoupling representation
 * and classifier for long-tailed recognition", ICLR 2020). The other decoupling method, τ-normalisation, trains nothing:
 * see `Classifier.tauNormalise`.
 */
export interface DecouplingOptions {
  /** `crt`: classifier re-training with the class-balanced sampler. */
  readonly method: 'crt';
  /**
   * Weights to begin from: a `.safetensors`, `.pt` or `.pth` file, or the folder of a saved model, a checkpoint or a run.
   * Default: the model's own.
   */
  readonly weights?: string;
  /**
   * Which layers begin anew and learn, all others staying as they are: the whole head (`head`, default: `fc` of a ResNet, or
   * `fc.0` and `fc.1` of the two-layer head), or its last layer alone (`last`). For the one-layer head both are the same.
   */
  readonly layers?: 'head' | 'last';
}

/** @internal {@link DecouplingOptions} with every value there. */
export type DecouplingSettings = {
  readonly method: 'crt';
  readonly weights: string | null;
  readonly layers: 'head' | 'last';
};

/** @internal @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function decouplingOf(options: DecouplingOptions | undefined): DecouplingSettings | null {
  if (options === undefined) return null;
  const name = 'options.decoupling';
  knownKeys(name, options, ['method', 'weights', 'layers']);
  return {
    method: oneOf(`${name}.method`, options.method, ['crt']),
    weights: options.weights === undefined ? null : text(`${name}.weights`, options.weights),
    layers: oneOf(`${name}.layers`, options.layers ?? 'head', ['head', 'last']),
  };
}

/** Beginning of the names of the parameters that cRT makes anew and trains. */
function decoupledPrefix(
  { architecture, head }: { readonly architecture: Architecture; readonly head: HeadKind },
  layers: 'head' | 'last',
): string {
  return layers === 'last' ? `${lastLayer(architecture, head)}.` : `${headKey(architecture)}.`;
}

/** Key of the layer that gives the logits. */
function lastLayer(architecture: Architecture, head: HeadKind): string {
  return head === 'bottleneck64' ? `${headKey(architecture)}.1` : headKey(architecture);
}

/**
 * @internal Makes a model ready for cRT: given weights, fresh layers, and only these learning.
 *
 * @param fresh whether it begins; a run that goes on has its layers in the checkpoint
 */
export async function beginCrt(
  model: Model,
  { weights, layers }: DecouplingSettings,
  { seed, fresh }: { readonly seed: number; readonly fresh: boolean },
): Promise<void> {
  const prefix = decoupledPrefix(model.options, layers);
  if (fresh) {
    if (weights !== null) await loadBase(model, weights, prefix);
    await renewLayers(model, prefix, seed);
  }
  await model.setTrainable([prefix]);
}

// The head of the file is of no use where the whole head begins anew.
async function loadBase(model: Model, weights: string, prefix: string): Promise<void> {
  const { fresh } = await initialise(model, { weights });
  const kept = fresh.filter((name) => !name.startsWith(prefix));
  if (kept.length === 0) return;
  throw new CxrGazeError(
    'ERR_STATE_DICT',
    `${weights}: expected ${kept.join(', ')} for layers 'last' but its head does not fit the model`,
    { details: { file: weights, missing: kept } },
  );
}

// As a new Linear of PyTorch's: weight and bias uniform in ±1/√fan_in. Its own stream: the head that the base began with
// came from the same seed.
async function renewLayers(model: Model, prefix: string, seed: number): Promise<void> {
  await tidy(async () => {
    const state = [...(await model.stateDict())].filter(([name]) => name.startsWith(prefix));
    const fanIn = new Map<string, number>();
    for (const [name, value] of state)
      if (name.endsWith('.weight')) fanIn.set(layerOf(name), (await value.ready()).shape[1] as number);
    for (const [name, target] of state) {
      const { shape } = await target.ready();
      const bound = 1 / Math.sqrt(fanIn.get(layerOf(name)) as number);
      const random = rng(seed, 'crt', name);
      const length = shape.reduce((product, size) => product * size, 1);
      const values = Float32Array.from({ length }, () => random.uniform(-bound, bound));
      noGrad(() => target.copy_(tensor(values, shape)));
    }
    await model.ready();
  });
}

function layerOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.'));
}

/** Options of τ-normalisation. */
export interface TauNormOptions {
  /** τ; default -4. */
  readonly tau?: number;
}

/** The τ with which the long-tail benchmark obtained its row (`VITA-Group/LongTailCXR: src/main.py`). */
export const defaultTau = -4;

/** @internal @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function tauOf(options: TauNormOptions): number {
  knownKeys('options', options, ['tau']);
  return number('options.tau', options.tau ?? defaultTau);
}

/** Weight and bias of a linear layer. */
export interface LinearLayer {
  /** [C, F], floating point. */
  readonly weight: Tensor;
  /** [C]. */
  readonly bias: Tensor;
}

/**
 * @internal A layer after τ-normalisation: rows divided by the τ-th power of their Euclidean length, a row of zeros staying
 * one, and a bias of zeros. Call it in a `tidy` scope.
 */
export async function normalisedLayer({ weight, bias }: LinearLayer, tau: number): Promise<LinearLayer> {
  const [{ dtype }, { shape }] = await Promise.all([weight.ready(), bias.ready()]);
  return noGrad(() => {
    // In double: the fourth power of a length in float32 has lost its last digits.
    const rows = weight.to({ dtype: 'float64' });
    const scaled = rows.mul(rows.norm({ dim: 1, keepdim: true }).pow(-tau));
    // Where a row's length is 0 its power may be infinite.
    return { weight: rows.eq(0).where(rows, scaled).to({ dtype }), bias: zeros(shape) };
  });
}

/** @internal Normalises the last layer of a model's head in place. */
export async function tauNormaliseHead(model: Model, tau: number): Promise<void> {
  const name = lastLayer(model.options.architecture, model.options.head);
  await tidy(async () => {
    const state = await model.stateDict();
    const layer = {
      weight: state.get(`${name}.weight`) as Tensor,
      bias: state.get(`${name}.bias`) as Tensor,
    };
    const { weight, bias } = await normalisedLayer(layer, tau);
    if ((await weight.isfinite().all().item()) === 0) {
      throw new CxrGazeError(
        'ERR_NOT_FINITE',
        `Expected finite weights after τ-normalisation with tau ${tau} but a row of ${name}.weight has none`,
        { details: { tau, parameter: `${name}.weight` } },
      );
    }
    noGrad(() => {
      layer.weight.copy_(weight);
      layer.bias.copy_(bias);
    });
    await model.ready();
  });
}

import type { Criterion } from '../../../lib/losses/criterion.js';
import { distillationLoss } from '../../../lib/losses/distillation.js';
import { type MixupDraw, mixedLoss, mixup, permuteLabels } from '../../../lib/losses/mixup.js';
import type { Model } from '../../../lib/models/model.js';
import { tensor } from '../../../lib/tensor/create.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { createOptimizer } from '../../../lib/training/optimizer.js';
import { choice, number, numbers, record } from '../case.js';
import type { Actual } from '../compare.js';
import type { Kind } from '../kind.js';
import { filled } from '../recipe.js';
import { actual, labelsOf, tensorOf } from '../tensors.js';
import { criterionKeys, goldenCriterion } from './criterion.js';
import { goldenStudent, stateValues } from './student-model.js';

type Bag = Readonly<Record<string, unknown>>;

/** The objective of one step and what it is made of. */
interface Objective {
  readonly loss: Tensor;
  /** Unweighted: two with MixUp. */
  readonly classification: readonly Tensor[];
  /** Unweighted; none for a head without distilled features. */
  readonly distillation: Tensor | undefined;
}

/** Steps of GazeLT's training on given batches. */
export const trainStepKind: Kind = {
  config: [
    ...criterionKeys,
    ...['mode', 'num_classes', 'lr', 'optimizer', 'head', 'kd_weight', 'bn_updates_per_step', 'steps'],
    ...['weights_init', 'mixup'],
  ],
  inputs: [],
  inputPattern: /^(x|labels|focal|global)\d+$/,
  run: ({ config, inputs, wanted }) =>
    tidy(async () => {
      using model = await goldenStudent(config, config.weights_init);
      const updates = number('bn_updates_per_step', config.bn_updates_per_step);
      if (updates > 0) model.setBatchNormUpdates(updates);
      else if (config.mode === 'train')
        throw new Error('training mode with no BatchNorm update is not a known case');
      choice('optimizer', config.optimizer, ['Adam']);
      const lr = number('lr', config.lr);
      const parameters = await model.parameters();
      using optimizer = createOptimizer(parameters, { kind: 'adam', learningRate: lr });
      const before = await parameterValues(parameters, wanted, 'step_over_lr.');

      const losses: number[] = [];
      const terms: number[] = [];
      const kdTerms: number[] = [];
      let first: Record<string, unknown> = {};
      for (let step = 0; step < number('steps', config.steps); step++) {
        await tidy(async () => {
          const objective = objectiveOf(model, config, inputs, step);
          optimizer.zeroGrad();
          objective.loss.backward();
          if (step === 0) first = await gradients(parameters, wanted);
          optimizer.step();
          losses.push(await objective.loss.item());
          for (const term of objective.classification) terms.push(await term.item());
          if (objective.distillation) kdTerms.push(await objective.distillation.item());
        });
      }
      return {
        mean_loss: scalar(losses.reduce((sum, loss) => sum + loss, 0) / losses.length),
        classification_terms: list(terms),
        kd_terms: list(kdTerms),
        ...first,
        ...(await steps(parameters, before, lr)),
        ...Object.fromEntries(await stateValues(model, wanted, 'state.')),
      };
    }),
};

function objectiveOf(model: Model, config: Bag, inputs: Bag, step: number): Objective {
  const labels = filled(`labels${step}`, inputs[`labels${step}`], 'label');
  const own = labelsOf('labels', inputs[`labels${step}`]);
  const draw = drawOf(config);
  const images = tensorOf('x', inputs[`x${step}`]);
  const bottleneck = config.head === 'bottleneck64';
  const { logits, taps } = model.forwardWithTaps(
    draw ? mixup(images, draw) : images,
    bottleneck ? ['fc.0'] : [],
  );

  const criterion: Criterion = goldenCriterion(config);
  const classification = [criterion(logits, own)];
  if (draw) {
    const partners = permuteLabels(labels.data, draw.permutation);
    classification.push(criterion(logits, tensor(partners, [partners.length], { dtype: 'int64' })));
  }
  const [a, b] = classification as [Tensor, Tensor | undefined];
  const loss = draw && b ? mixedLoss(a, b, draw.lambda) : a;
  const features = taps['fc.0'];
  if (features === undefined || !(`focal${step}` in inputs))
    return { loss, classification, distillation: undefined };
  const teachers = [tensorOf('focal', inputs[`focal${step}`]), tensorOf('global', inputs[`global${step}`])];
  const distillation = distillationLoss(features, teachers);
  const whole = loss.add(distillation.mul(number('kd_weight', config.kd_weight)));
  return { loss: whole, classification, distillation };
}

function drawOf(config: Bag): MixupDraw | undefined {
  if (config.mixup === null || config.mixup === undefined) return undefined;
  const { lambda, permutation, ...others } = record('mixup', config.mixup);
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw new Error(`unknown key '${unknown}' of mixup`);
  return { lambda: number('mixup.lambda', lambda), permutation: numbers('mixup.permutation', permutation) };
}

/** Every parameter's gradient norm, and the gradients that the case asks for. */
async function gradients(
  parameters: ReadonlyMap<string, Tensor>,
  wanted: readonly string[],
): Promise<Record<string, unknown>> {
  const norms: Record<string, number> = {};
  const outputs: Record<string, unknown> = { first_grad_norm: norms };
  for (const [name, parameter] of parameters) {
    norms[name] = await parameter.grad().norm().item();
    if (wanted.includes(`first_grad.${name}`)) outputs[`first_grad.${name}`] = await actual(parameter.grad());
  }
  return outputs;
}

async function parameterValues(
  parameters: ReadonlyMap<string, Tensor>,
  wanted: readonly string[],
  prefix: string,
): Promise<Map<string, Actual>> {
  const values = new Map<string, Actual>();
  for (const [name, parameter] of parameters) {
    if (wanted.includes(prefix + name)) values.set(name, await actual(parameter));
  }
  return values;
}

/** (after - before) / lr of the parameters that were read before. */
async function steps(
  parameters: ReadonlyMap<string, Tensor>,
  before: ReadonlyMap<string, Actual>,
  lr: number,
): Promise<Record<string, Actual>> {
  const outputs: Record<string, Actual> = {};
  for (const [name, { shape, data }] of before) {
    const after = (await actual(parameters.get(name) as Tensor)).data;
    const moved = Array.from(data, (value, i) => ((after[i] as number) - value) / lr);
    outputs[`step_over_lr.${name}`] = { shape, data: moved };
  }
  return outputs;
}

function scalar(value: number): Actual {
  return { shape: [], data: [value] };
}

function list(values: number[]): Actual {
  return { shape: [values.length], data: values };
}

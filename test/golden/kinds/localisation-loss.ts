import { type AttentionMap, attentionMap, camActivations } from '../../../lib/cam/attention-map.js';
import { crossEntropy } from '../../../lib/losses/cross-entropy.js';
import { localisationLoss, publishedAttention, softAttention } from '../../../lib/losses/localisation.js';
import {
  type LocalisationTask,
  localisationTasks,
  type Region,
  regions as regionNames,
  regionTable,
} from '../../../lib/losses/regions.js';
import type { Model } from '../../../lib/models/model.js';
import { cat } from '../../../lib/tensor/create.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { attentionWeight } from '../../../lib/training/attention-weight.js';
import { boolean, choice, number, numbers } from '../case.js';
import type { Actual } from '../compare.js';
import type { Kind, Subject } from '../kind.js';
import { filled } from '../recipe.js';
import { actual, labelsOf, tensorOf } from '../tensors.js';
import { filledModel, filledModelKeys, trainingModel } from './filled-model.js';

const boxesOf = (value: unknown): Int32Array => Int32Array.from(filled('boxes', value, 'label').data);

/** -log p of each sample's label, [B]. */
function crossEntropies(logits: Tensor, labels: Tensor): Tensor {
  return logits.logSoftmax(1).gather(1, labels.unsqueeze(1)).squeeze(1).neg();
}

/** The published loss of given maps, boxes and logits, for each λ and threshold. */
export const publishedLossKind: Kind = {
  config: ['task', 'num_classes', 'lambdas', 'thresholds'],
  inputs: ['cam', 'logits', 'labels', 'boxes'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      const task = choice<LocalisationTask>('task', config.task as LocalisationTask, localisationTasks);
      const regions = regionTable(task);
      if (number('num_classes', config.num_classes) !== regions.length) throw new Error('num_classes');
      const [maps, labels] = [tensorOf('cam', inputs.cam), labelsOf('labels', inputs.labels)];
      const logits = tensorOf('logits', inputs.logits, { requiresGrad: true });
      const thresholds = numbers('thresholds', config.thresholds);
      const lambdas = numbers('lambdas', config.lambdas);
      const terms = thresholds.map((threshold) =>
        publishedAttention(maps, boxesOf(inputs.boxes), labels, { regions, threshold }),
      );
      const losses: number[] = [];
      const gradients: Tensor[] = [];
      for (const lambda of lambdas) {
        for (const [i, term] of terms.entries()) {
          const loss = localisationLoss(crossEntropy(logits, labels), term, { lambda });
          losses.push(await loss.item());
          if (i > 0) continue;
          loss.backward();
          gradients.push(logits.grad().clone().unsqueeze(0));
          logits.zeroGrad_();
        }
      }
      return {
        loss: { shape: [lambdas.length, thresholds.length], data: losses },
        attention: await actual(cat(terms.map(({ attention }) => attention.unsqueeze(0)))),
        cross_entropy: await actual(crossEntropies(logits, labels)),
        predictions: await actual(logits.argmax({ dim: 1 })),
        'grad:logits': await actual(cat(gradients)),
      };
    }),
};

/** The differentiable loss of a batch, and its gradients through the maps. */
export const softLossKind: Kind = {
  config: [
    ...[...filledModelKeys, 'dropout'],
    ...['lambda', 'threshold', 'tau', 'penalise_outside', 'cam_class', 'regions', 'activations'],
  ],
  inputs: ['x', 'labels', 'boxes'],
  run: async (subject) => {
    if (choice('mode', subject.config.mode, ['train', 'eval']) === 'eval')
      return softLoss(await filledModel(subject.config), subject);
    using model = await trainingModel(subject.config);
    return await softLoss(model, subject);
  },
};

async function softLoss(model: Model, { config, inputs, wanted }: Subject): Promise<Record<string, unknown>> {
  // VGG's deepest gradients in float32 depend on the processor by half a percent, PyTorch's too.
  const dtype = config.model === 'vgg16' ? 'float64' : 'float32';
  model.to({ dtype });
  return tidy(async () => {
    const x = tensorOf('x', inputs.x).to({ dtype }).requiresGrad_(true);
    const labels = labelsOf('labels', inputs.labels);
    const { maps, logits, raw } = lookOf(model, x, labels, config);
    const terms = softAttention(maps, boxesOf(inputs.boxes), labels, {
      regions: (config.regions as (Region | null)[]).map((region) =>
        choice('regions', region, [...regionNames, null]),
      ),
      threshold: number('threshold', config.threshold),
      tau: number('tau', config.tau),
    });
    const each = crossEntropies(logits, labels);
    const loss = localisationLoss(each, terms, {
      lambda: number('lambda', config.lambda),
      penaliseOutside: number('penalise_outside', config.penalise_outside),
    });
    const gradients = await gradientsOf(loss, model, x, wanted);
    const results = {
      ...gradients,
      loss: await actual(loss),
      logits: await actual(logits.detach()),
      cross_entropy: await actual(each.detach()),
      attention: await actual(terms.attention.detach()),
      outside: await actual(terms.outside.detach()),
      cam: await actual(maps.detach()),
      raw: await actual((raw as Tensor).detach()),
    };
    model.to({ dtype: 'float32' });
    return results;
  });
}

function lookOf(model: Model, x: Tensor, labels: Tensor, config: Subject['config']): AttentionMap {
  const byLabel = choice('cam_class', config.cam_class, ['predicted', 'label']) === 'label';
  return attentionMap(model, x, {
    differentiable: true,
    ...(byLabel ? { classes: labels } : {}),
    ...('activations' in config
      ? { activations: choice('activations', config.activations, camActivations) }
      : {}),
  });
}

async function gradientsOf(
  loss: Tensor,
  model: Model,
  x: Tensor,
  wanted: readonly string[],
): Promise<Record<string, Actual>> {
  const parameters = await model.parameters();
  for (const parameter of parameters.values()) parameter.zeroGrad_();
  loss.backward();
  const gradients: Record<string, Actual> = { 'grad:x': await actual(x.grad()) };
  for (const name of wanted.filter((output) => output.startsWith('grad:') && output !== 'grad:x')) {
    const parameter = parameters.get(name.slice('grad:'.length));
    if (parameter !== undefined) gradients[name] = await actual(parameter.grad());
  }
  for (const parameter of parameters.values()) parameter.zeroGrad_();
  return gradients;
}

/** λ by epoch. */
export const lambdaScheduleKind: Kind = {
  config: ['adaptive', 'lambda'],
  inputs: ['epochs'],
  run: ({ config, inputs }) => {
    const options = {
      adaptive: boolean('adaptive', config.adaptive),
      ...('lambda' in config ? { lambda: number('lambda', config.lambda) } : {}),
    };
    const data = numbers('epochs', inputs.epochs).map((epoch) => attentionWeight(epoch, options));
    return { lambda: { shape: [data.length], data } };
  },
};

import { camActivations } from '../../../lib/cam/attention-map.js';
import { crossEntropy } from '../../../lib/losses/cross-entropy.js';
import { type LocalisationTask, localisationTasks, regionTable } from '../../../lib/losses/regions.js';
import { type Architecture, architectures, createModel, type Model } from '../../../lib/models/model.js';
import {
  type LocAttentionResult,
  locAttentionObjective,
} from '../../../lib/systems/loc-attention/objective.js';
import { attentionSettings } from '../../../lib/systems/loc-attention/settings.js';
import { tensor } from '../../../lib/tensor/create.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import type { InputBatch } from '../../../lib/training/batch.js';
import { createOptimizer } from '../../../lib/training/optimizer.js';
import { choice, number, numbers, record } from '../case.js';
import type { Actual } from '../compare.js';
import type { Kind } from '../kind.js';
import { filled } from '../recipe.js';
import { actual, tensorOf } from '../tensors.js';
import { fillModel, stateValues } from './student-model.js';

type Bag = Readonly<Record<string, unknown>>;

/** One step of loc-attention's published training, and the loss of the same batch once more. */
export const attentionStepKind: Kind = {
  config: [
    ...[
      'model',
      'num_classes',
      'weights',
      'dropout',
      'task',
      'lambda',
      'threshold',
      'optimizer',
      'mode',
      'cam',
    ],
  ],
  inputs: ['x', 'labels', 'boxes'],
  run: ({ config, inputs, wanted }) =>
    tidy(async () => {
      using model = await modelOf(config);
      const parameters = await model.parameters();
      using optimizer = createOptimizer(parameters, optimizerOf(config.optimizer));
      const objective = objectiveOf(config, inputs);
      const batch = batchOf(inputs);
      const train = () => objective(model, batch, { phase: 'train', reweighted: false });
      const result = train();
      optimizer.zeroGrad();
      result.loss.backward();
      const gradients: Record<string, Actual> = {};
      for (const [name, parameter] of parameters)
        if (wanted.includes(`grad:${name}`)) gradients[`grad:${name}`] = await actual(parameter.grad());
      const before = await outputsOf(result, batch);
      // Running statistics belong to the step: the pass after it moves them again.
      const buffers = await stateValues(model, wanted, 'buffer:');
      optimizer.step();
      const after = await stateValues(model, wanted, 'after:');
      const again = train();
      return {
        ...before,
        ...gradients,
        ...Object.fromEntries([...buffers, ...after]),
        loss_after: await actual(again.loss),
        logits_after: await actual(again.logits),
      };
    }),
};

async function modelOf(config: Bag): Promise<Model> {
  choice('weights', config.weights, ['load_filled']);
  choice('mode', config.mode, ['train']);
  const model = createModel({
    architecture: choice<Architecture>('model', config.model, architectures),
    classes: number('num_classes', config.num_classes),
    dropout: number('dropout', config.dropout),
  });
  await fillModel(model);
  return model.train();
}

function optimizerOf(value: unknown): Parameters<typeof createOptimizer>[1] {
  const { name, lr, betas, eps, weight_decay, ...others } = record('optimizer', value);
  if (Object.keys(others).length > 0) throw new Error(`unknown keys ${Object.keys(others)} of the optimizer`);
  choice('optimizer.name', name, ['adam']);
  const [first, second] = numbers('betas', betas) as [number, number];
  return {
    kind: 'adam',
    learningRate: number('lr', lr),
    betas: [first, second],
    eps: number('eps', eps),
    weightDecay: number('weight_decay', weight_decay),
  };
}

function objectiveOf(config: Bag, inputs: Bag): ReturnType<typeof locAttentionObjective> {
  const {
    method,
    mode,
    class: camClass,
    weights,
    activations = 'before_relu',
    ...others
  } = record('cam', config.cam);
  if (Object.keys(others).length > 0) throw new Error(`unknown keys ${Object.keys(others)} of cam`);
  choice('cam.method', method, ['gradcam']);
  choice('cam.mode', mode, ['eval']);
  choice('cam.weights', weights, [
    "after this step's forward pass (running statistics updated), before the optimizer",
  ]);
  const settings = attentionSettings({
    lambda: number('lambda', config.lambda),
    threshold: number('threshold', config.threshold),
    camClass: choice('cam.class', camClass, ['predicted', 'label']),
    activations: choice('cam.activations', activations, camActivations),
  });
  const boxes = filled('boxes', inputs.boxes, 'label').data as Int32Array;
  return locAttentionObjective(settings, {
    criterion: (logits, labels) => crossEntropy(logits, labels),
    regions: regionTable(choice<LocalisationTask>('task', config.task, localisationTasks)),
    boxes: () => boxes,
  });
}

function batchOf(inputs: Bag): InputBatch {
  const labels = filled('labels', inputs.labels, 'label').data as Int32Array;
  const indices = Array.from(labels, (_, i) => i);
  return {
    images: tensorOf('x', inputs.x),
    labels: tensor(labels, undefined, { dtype: 'int64' }),
    ...{ labelList: labels, indices, ids: indices.map(String), epoch: 1, step: 0, device: 'cpu' },
  };
}

async function outputsOf(
  { logits, loss, attention }: LocAttentionResult,
  { labels, labelList }: InputBatch,
): Promise<Record<string, Actual>> {
  const each = Array.from(labelList, (_, i) => {
    const one = { start: i, end: i + 1 };
    return crossEntropy(logits.slice(0, one), labels.slice(0, one)).item();
  });
  return {
    logits: await actual(logits),
    predictions: await actual(logits.argmax({ dim: 1 })),
    loss: await actual(loss),
    cross_entropy: { shape: [each.length], data: await Promise.all(each) },
    cam: await actual(attention?.maps as Tensor),
    attention: await actual(attention?.terms.attention as Tensor),
  };
}

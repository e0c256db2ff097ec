import { type Architecture, architectures, createModel, type Model } from '../../../../lib/models/model.js';
import type { Network } from '../../../../lib/models/network.js';
import { createSegmentationNetwork, type SegmentationNetwork } from '../../../../lib/models/segmentation.js';
import type { Tensor } from '../../../../lib/tensor/tensor.js';
import { choice, number } from '../../case.js';
import { actual } from '../../tensors.js';
import { fillModel } from '../student-model.js';

type Bag = Readonly<Record<string, unknown>>;

/** The classifier of a case (`model`, `num_classes`, perhaps `dropout`), without the case's weights. */
export function classifierOf(config: Bag): Model {
  const architecture = choice<Architecture>('model', config.model, architectures);
  const classes = number('num_classes', config.num_classes);
  const rate = config.dropout === undefined ? undefined : number('dropout', config.dropout);
  return createModel({
    architecture,
    classes,
    ...(architecture === 'vgg16' && rate !== undefined ? { dropout: rate } : {}),
  });
}

/** Puts a network into the weights (`load_filled`: each tensor filled by its key) and the mode of a case. */
export async function prepare<N extends Network>(network: N, config: Bag): Promise<N> {
  choice('weights', config.weights, ['load_filled']);
  await fillModel(network);
  return choice('mode', config.mode ?? 'eval', ['train', 'eval']) === 'train'
    ? network.train()
    : network.eval();
}

/** The U-Net of a case, with its weights and mode. */
export function unetOf(config: Bag): Promise<SegmentationNetwork> {
  choice('model', config.model, ['unet']);
  return prepare(createSegmentationNetwork(), config);
}

/** torchvision's stages end in these blocks of ResNet50. */
const resnet50Stages: Readonly<Record<string, string>> = {
  layer1: 'layer1.2',
  layer2: 'layer2.3',
  layer3: 'layer3.5',
  layer4: 'layer4.2',
};

/** Our tap for the module that an output `tap:MODULE` names. */
export function tapOf(output: string): string {
  const module = output.slice('tap:'.length);
  return resnet50Stages[module] ?? module;
}

/** What a case of a forward pass asks for beside the logits: taps, gradients, what the pass has left in buffers. */
export async function passOutputs(
  network: Network,
  wanted: readonly string[],
  pass: { readonly images: Tensor; readonly loss: Tensor; readonly taps: Readonly<Record<string, Tensor>> },
): Promise<Record<string, unknown>> {
  const { images, loss, taps } = pass;
  loss.backward();
  const outputs: Record<string, unknown> = { loss: await actual(loss) };
  const state = await network.stateDict();
  for (const output of wanted) {
    const [kind, name = ''] = output.split(':');
    if (kind === 'tap') {
      const { shape, data } = await actual(taps[tapOf(output)] as Tensor);
      // torchvision's pooling of ResNets keeps two axes of one.
      outputs[output] = { shape: name === 'avgpool' && shape.length === 2 ? [...shape, 1, 1] : shape, data };
    } else if (kind === 'grad') {
      outputs[output] = await actual(name === 'x' ? images.grad() : (state.get(name) as Tensor).grad());
    } else if (kind === 'after') {
      outputs[output] = await actual(state.get(name) as Tensor);
    }
  }
  return outputs;
}

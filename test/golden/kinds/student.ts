import { noGrad } from '../../../lib/tensor/context.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import type { Kind } from '../kind.js';
import { actual, tensorOf } from '../tensors.js';
import { goldenStudent, stateValues } from './student-model.js';

/** Our tap at the end of each of torchvision's stages. */
const taps = {
  maxpool: 'maxpool',
  layer1: 'layer1.2',
  layer2: 'layer2.3',
  layer3: 'layer3.5',
  layer4: 'layer4.2',
};

/** One forward pass of the student, stage by stage, and the statistics that it leaves. */
export const studentKind: Kind = {
  config: ['num_classes', 'head', 'mode', 'weights'],
  inputs: ['x'],
  run: ({ config, inputs, wanted }) =>
    tidy(async () => {
      using model = await goldenStudent(config, config.weights);
      const bottleneck = config.head === 'bottleneck64' ? { features: 'fc.0' } : {};
      const names: Record<string, string> = { ...taps, avgpool: 'avgpool', ...bottleneck };
      const x = tensorOf('x', inputs.x);
      const { logits, taps: given } = noGrad(() => model.forwardWithTaps(x, Object.values(names)));
      const outputs: Record<string, unknown> = {
        logits: await actual(logits),
        probabilities: await actual(logits.softmax(1)),
        ...Object.fromEntries(await stateValues(model, wanted, 'state.')),
      };
      for (const [output, tap] of Object.entries(names)) outputs[output] = await actual(given[tap] as Tensor);
      const pooled = outputs.avgpool as { shape: number[] };
      // torchvision's pooling keeps two axes of one.
      return { ...outputs, avgpool: { ...pooled, shape: [...pooled.shape, 1, 1].slice(0, 4) } };
    }),
};

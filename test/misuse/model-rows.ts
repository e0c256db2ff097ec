import { createModel, type Model } from '../../lib/models/model.js';
import { zeros } from '../../lib/tensor/create.js';
import {
  ARGUMENT,
  type Cell,
  DEVICE,
  DISPOSED,
  DTYPE,
  gone,
  nan,
  type Row,
  SHAPE,
  STATE,
  wrong,
  x,
} from './cells.js';

const options = { architecture: 'resnet18', width: 8, classes: 2 } as const;
const goneModel = (): Model => {
  const model = createModel(options);
  model.dispose();
  return model;
};

/** A model for all rows: what is refused must not change it. */
export const model = createModel(options).eval();

/** Misuse of every method of Model. */
export const modelRows: Row[] = [
  [
    'createModel',
    {
      type: [
        [ARGUMENT, () => createModel(wrong(undefined))],
        [ARGUMENT, () => createModel({ ...options, architecture: wrong('resnet152') })],
        [ARGUMENT, () => createModel({ ...options, layers: 18 } as never)],
      ],
      NaN: [
        [ARGUMENT, () => createModel({ ...options, classes: nan })],
        [ARGUMENT, () => createModel({ ...options, seed: nan })],
      ],
      empty: [ARGUMENT, () => createModel(wrong({}))],
    },
  ],
  [
    'forward',
    {
      disposed: [
        [DISPOSED, () => goneModel().forward(x())],
        [DISPOSED, () => model.forward(gone())],
      ],
      type: [
        ...[undefined, null, 1, [1], new Float32Array(3)].map(
          (bad): Cell => [ARGUMENT, () => model.forward(wrong(bad))],
        ),
        [ARGUMENT, () => model.forward(x(), { eval: true } as never)],
        [ARGUMENT, () => model.forward(x(), { evaluation: wrong('yes') })],
      ],
      shape: [
        [SHAPE, () => model.forward(x())],
        [SHAPE, () => model.forward(zeros([1, 1, 32, 32]))],
      ],
      dtype: [DTYPE, () => model.forward(zeros([1, 3, 32, 32], { dtype: 'float64' }))],
      empty: [SHAPE, () => model.forward(zeros([1, 3, 0, 0]))],
    },
  ],
  [
    'forwardWithTaps',
    {
      disposed: [DISPOSED, () => goneModel().forwardWithTaps(x(), [])],
      type: [
        [ARGUMENT, () => model.forwardWithTaps(wrong(1), [])],
        [ARGUMENT, () => model.forwardWithTaps(x(), wrong(undefined))],
        [ARGUMENT, () => model.forwardWithTaps(x(), [wrong(4)])],
        [ARGUMENT, () => model.forwardWithTaps(zeros([1, 3, 32, 32]), ['layer5.0']).logits],
      ],
      shape: [SHAPE, () => model.forwardWithTaps(x(), ['layer1.0']).taps['layer1.0']],
    },
  ],
  ...(['tapNames', 'ready', 'state', 'stateDict', 'parameters', 'train', 'eval'] as const).map(
    (name): Row => [name, { disposed: [DISPOSED, () => goneModel()[name]()] }],
  ),
  [
    'to',
    {
      disposed: [DISPOSED, () => goneModel().to({})],
      type: [
        [ARGUMENT, () => model.to(wrong(undefined))],
        [ARGUMENT, () => model.to({ format: 'channelsLast' } as never)],
        [ARGUMENT, () => model.to({ channelsLast: wrong('yes') })],
      ],
      dtype: [
        [DTYPE, () => model.to({ dtype: 'int8' })],
        [DTYPE, () => model.to({ dtype: wrong('half') })],
      ],
      device: [
        [DEVICE, () => model.to({ device: 'cuda:99' })],
        [DEVICE, () => model.to({ device: 'gpu' })],
      ],
    },
  ],
  [
    'loadStateDict',
    {
      disposed: [
        [DISPOSED, () => goneModel().loadStateDict(new Map())],
        [DISPOSED, () => model.loadStateDict(new Map([['fc.bias', gone()]]), { strict: false })],
      ],
      type: [
        [ARGUMENT, () => model.loadStateDict(wrong({ 'fc.bias': x() }))],
        [ARGUMENT, () => model.loadStateDict(new Map([['fc.bias', wrong(1)]]))],
        [ARGUMENT, () => model.loadStateDict(new Map(), { strict: wrong(0) })],
        [ARGUMENT, () => model.loadStateDict(new Map(), { loose: true } as never)],
      ],
      shape: [STATE, () => model.loadStateDict(new Map([['fc.bias', x()]]), { strict: false })],
      empty: [STATE, () => model.loadStateDict(new Map())],
    },
  ],
  [
    'setTrainable',
    {
      disposed: [DISPOSED, () => goneModel().setTrainable([''])],
      type: [
        [ARGUMENT, () => model.setTrainable(wrong(undefined))],
        [ARGUMENT, () => model.setTrainable(wrong('fc'))],
        [ARGUMENT, () => model.setTrainable([wrong(1)])],
      ],
    },
  ],
  [
    'setBatchNormUpdates',
    {
      disposed: [DISPOSED, () => goneModel().setBatchNormUpdates(2)],
      type: [
        [ARGUMENT, () => model.setBatchNormUpdates(wrong('2'))],
        [ARGUMENT, () => model.setBatchNormUpdates(0)],
      ],
      NaN: [ARGUMENT, () => model.setBatchNormUpdates(nan)],
    },
  ],
];

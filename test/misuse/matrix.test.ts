import t, { type Test } from 'tap';
import { CxrGazeError } from '../../lib/errors.js';
import { createModel, Model } from '../../lib/models/model.js';
import {
  arange,
  cat,
  full,
  gradients,
  memoryStats,
  rand,
  randn,
  stack,
  tensor,
  threads,
  zeros,
} from '../../lib/tensor/create.js';
import { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { createOptimizer, Optimizer } from '../../lib/training/optimizer.js';
import { prelude, runScript } from '../support/child.js';

/** The kinds of misuse; a cell of the matrix that makes no sense for a method is left out. */
type Kind = 'disposed' | 'type' | 'shape' | 'dtype' | 'device' | 'NaN' | 'empty';

/** A call that must fail, now or when awaited, with this code. Further cells of a method are further rows. */
type Cell = readonly [code: string, call: () => unknown];
type Row = readonly [method: string, cells: Partial<Record<Kind, Cell | readonly Cell[]>>];

const ARGUMENT = 'ERR_INVALID_ARGUMENT';
const SHAPE = 'ERR_INVALID_SHAPE';
const DTYPE = 'ERR_INVALID_DTYPE';
const DEVICE = 'ERR_INVALID_DEVICE';
const DISPOSED = 'ERR_DISPOSED';
const STATE = 'ERR_STATE_DICT';

/** Anything, at a place where the types forbid it. */
const wrong = (value: unknown): never => value as never;
const nan = Number.NaN;

// Operands by what is wrong with them; made in the scope of each test.
const x = (): Tensor => randn([2, 3], 1);
const narrow = (): Tensor => randn([2], 2);
const ints = (): Tensor => tensor(Int32Array.of(1, 2));
const index = (): Tensor => tensor(BigInt64Array.of(0n, 1n));
const empty = (): Tensor => zeros([0, 3]);
const gone = (): Tensor => {
  const tensor = randn([2, 3], 1);
  tensor.dispose();
  return tensor;
};

const unary = [
  'neg',
  'abs',
  'exp',
  'log',
  'log1p',
  'sqrt',
  'square',
  'reciprocal',
  'sigmoid',
  'tanh',
  'relu',
  'gelu',
  'floor',
  'round',
  'sign',
  'logicalNot',
  'isfinite',
  'isnan',
  'contiguous',
  'clone',
  'detach',
  'zeroGrad_',
  'ready',
  'item',
  'data',
  'toNdarray',
  'bytes',
] as const;
const binary = [
  'add',
  'sub',
  'mul',
  'div',
  'pow',
  'maximum',
  'minimum',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
] as const;
const inPlace = ['add_', 'sub_', 'mul_', 'div_', 'copy_'] as const;
const logical = ['logicalAnd', 'logicalOr'] as const;
const reductions = [
  'sum',
  'mean',
  'amax',
  'amin',
  'argmax',
  'all',
  'any',
  'logsumexp',
  'std',
  'var',
  'norm',
] as const;
const lines = ['softmax', 'logSoftmax', 'cumsum'] as const;

/** Calls a method that the types may not offer. */
const call = (target: object, method: string, ...given: unknown[]): unknown =>
  (target as Record<string, (...given: unknown[]) => unknown>)[method]?.(...given);

const tensorRows: Row[] = [
  ...unary.map((name): Row => [name, { disposed: [DISPOSED, () => call(gone(), name)] }]),
  ...[...binary, ...inPlace, ...logical].map(
    (name): Row => [
      name,
      {
        disposed: [
          [DISPOSED, () => call(gone(), name, x())],
          [DISPOSED, () => call(x(), name, gone())],
        ],
        type: [undefined, null, '1', [1], {}, true].map(
          (bad): Cell => [ARGUMENT, () => call(x(), name, bad)],
        ),
        shape: [SHAPE, () => call(x(), name, narrow())],
      },
    ],
  ),
  ...inPlace.map((name): Row => [name, { shape: [SHAPE, () => call(narrow(), name, x())] }]),
  ...(['add_', 'sub_', 'mul_'] as const).map(
    (name): Row => [name, { dtype: [DTYPE, () => call(ints(), name, 0.5)] }],
  ),
  ...reductions.map(
    (name): Row => [
      name,
      {
        disposed: [DISPOSED, () => call(gone(), name)],
        type: [
          [ARGUMENT, () => call(x(), name, { dim: '0' })],
          [ARGUMENT, () => call(x(), name, { dim: 0.5 })],
          [ARGUMENT, () => call(x(), name, { dim: 0, keepdim: 1 })],
          [ARGUMENT, () => call(x(), name, { dims: 0 })],
          [ARGUMENT, () => call(x(), name, null)],
          [ARGUMENT, () => call(x(), name, 1)],
        ],
        shape: [SHAPE, () => call(x(), name, { dim: 2 })],
        NaN: [ARGUMENT, () => call(x(), name, { dim: nan })],
      },
    ],
  ),
  ...(['amax', 'amin', 'argmax'] as const).map(
    (name): Row => [name, { empty: [SHAPE, () => call(empty(), name)] }],
  ),
  ...(['mean', 'std', 'var', 'norm'] as const).map(
    (name): Row => [name, { dtype: [DTYPE, () => call(ints(), name)] }],
  ),
  ['std', { NaN: [ARGUMENT, () => x().std({ correction: nan })] }],
  ['var', { NaN: [ARGUMENT, () => x().var({ correction: nan })] }],
  [
    'norm',
    { NaN: [ARGUMENT, () => x().norm({ p: nan })], type: [ARGUMENT, () => x().norm({ p: wrong('2') })] },
  ],
  ...lines.map(
    (name): Row => [
      name,
      {
        disposed: [DISPOSED, () => call(gone(), name, 0)],
        type: [undefined, '0', [0, 1], 0.5].map((bad): Cell => [ARGUMENT, () => call(x(), name, bad)]),
        shape: [SHAPE, () => call(x(), name, 2)],
        NaN: [ARGUMENT, () => call(x(), name, nan)],
        ...(name !== 'cumsum' && { dtype: [DTYPE, () => call(ints(), name, 0)] as const }),
      },
    ],
  ),
  [
    'clamp',
    {
      disposed: [DISPOSED, () => gone().clamp({ min: 0 })],
      type: [
        [ARGUMENT, () => x().clamp(wrong(undefined))],
        [ARGUMENT, () => x().clamp({ min: wrong('0') })],
        [ARGUMENT, () => x().clamp({ minimum: 0 } as never)],
      ],
      empty: [ARGUMENT, () => x().clamp({})],
    },
  ],
  [
    'where',
    {
      disposed: [
        [DISPOSED, () => gone().where(x(), x())],
        [DISPOSED, () => x().gt(0).where(x(), gone())],
      ],
      type: [
        [ARGUMENT, () => x().gt(0).where(wrong(1), x())],
        [ARGUMENT, () => x().gt(0).where(x(), wrong(null))],
      ],
      shape: [SHAPE, () => x().gt(0).where(x(), narrow())],
      dtype: [DTYPE, () => x().where(x(), x())],
    },
  ],
  [
    'matmul',
    {
      disposed: [DISPOSED, () => x().matmul(gone())],
      type: [1, null, undefined, [[1]]].map((bad): Cell => [ARGUMENT, () => x().matmul(wrong(bad))]),
      shape: [SHAPE, () => x().matmul(x())],
      dtype: [DTYPE, () => x().matmul(randn([3, 2], 1, { dtype: 'float64' }))],
    },
  ],
  [
    'interpolate',
    {
      disposed: [DISPOSED, () => gone().interpolate([2, 2])],
      type: [
        [ARGUMENT, () => x().interpolate(wrong(2))],
        [ARGUMENT, () => x().interpolate(wrong([2]))],
        [ARGUMENT, () => x().interpolate([2, 2], { align: true } as never)],
      ],
      shape: [
        [SHAPE, () => x().interpolate([2, 2])],
        [ARGUMENT, () => zeros([1, 1, 2, 2]).interpolate([0, 2])],
      ],
      dtype: [DTYPE, () => zeros([1, 1, 2, 2], { dtype: 'int32' }).interpolate([2, 2])],
      NaN: [ARGUMENT, () => x().interpolate([nan, 2])],
      empty: [SHAPE, () => zeros([1, 1, 0, 2]).interpolate([2, 2])],
    },
  ],
  ...(['reshape', 'expand', 'permute', 'flip'] as const).map(
    (name): Row => [
      name,
      {
        disposed: [DISPOSED, () => call(gone(), name, [0])],
        type: [
          [ARGUMENT, () => call(x(), name)],
          [ARGUMENT, () => call(x(), name, 'x')],
          [ARGUMENT, () => call(x(), name, [0.5])],
          [ARGUMENT, () => call(x(), name, [[1]])],
        ],
        shape: [SHAPE, () => call(x(), name, [7, 7])],
        NaN: [ARGUMENT, () => call(x(), name, [nan])],
      },
    ],
  ),
  ['reshape', { shape: [SHAPE, () => x().reshape([-1, -1])], empty: [SHAPE, () => x().reshape([])] }],
  ['permute', { empty: [SHAPE, () => x().permute([])] }],
  [
    'transpose',
    {
      disposed: [DISPOSED, () => gone().transpose(0, 1)],
      type: [ARGUMENT, () => x().transpose(0, wrong(undefined))],
      shape: [SHAPE, () => x().transpose(0, 2)],
      NaN: [ARGUMENT, () => x().transpose(0, nan)],
    },
  ],
  [
    'unsqueeze',
    {
      disposed: [DISPOSED, () => gone().unsqueeze(0)],
      type: [ARGUMENT, () => x().unsqueeze(wrong('0'))],
      shape: [SHAPE, () => x().unsqueeze(4)],
      NaN: [ARGUMENT, () => x().unsqueeze(nan)],
    },
  ],
  [
    'squeeze',
    {
      disposed: [DISPOSED, () => gone().squeeze()],
      type: [ARGUMENT, () => x().squeeze(wrong('0'))],
      shape: [SHAPE, () => x().squeeze(2)],
      NaN: [ARGUMENT, () => x().squeeze(nan)],
    },
  ],
  [
    'flatten',
    {
      disposed: [DISPOSED, () => gone().flatten()],
      type: [ARGUMENT, () => x().flatten(wrong('0'))],
      shape: [SHAPE, () => x().flatten(1, 0)],
      NaN: [ARGUMENT, () => x().flatten(nan)],
    },
  ],
  [
    'select',
    {
      disposed: [DISPOSED, () => gone().select(0, 0)],
      type: [ARGUMENT, () => x().select(0, wrong(undefined))],
      shape: [
        [SHAPE, () => x().select(0, 2)],
        [SHAPE, () => x().select(2, 0)],
      ],
      NaN: [ARGUMENT, () => x().select(0, nan)],
      empty: [SHAPE, () => empty().select(0, 0)],
    },
  ],
  [
    'slice',
    {
      disposed: [DISPOSED, () => gone().slice(0)],
      type: [
        [ARGUMENT, () => x().slice(0, { from: 1 } as never)],
        [ARGUMENT, () => x().slice(0, { start: wrong('1') })],
        [ARGUMENT, () => x().slice(0, { step: 0 })],
        [ARGUMENT, () => x().slice(0, { step: -1 })],
      ],
      shape: [SHAPE, () => x().slice(2)],
      NaN: [ARGUMENT, () => x().slice(0, { end: nan })],
    },
  ],
  ...(['gather', 'indexSelect'] as const).map(
    (name): Row => [
      name,
      {
        disposed: [
          [DISPOSED, () => call(gone(), name, 0, index())],
          [DISPOSED, () => call(x(), name, 0, gone())],
        ],
        type: [
          [ARGUMENT, () => call(x(), name, 0, [0])],
          [ARGUMENT, () => call(x(), name, 0, null)],
          [ARGUMENT, () => call(x(), name, '0', index())],
        ],
        shape: [SHAPE, () => call(narrow(), name, 0, tensor(BigInt64Array.of(9n)))],
        dtype: [DTYPE, () => call(narrow(), name, 0, narrow())],
        NaN: [ARGUMENT, () => call(x(), name, nan, index())],
      },
    ],
  ),
  [
    'maskedSelect',
    {
      disposed: [DISPOSED, () => x().maskedSelect(gone())],
      type: [ARGUMENT, () => x().maskedSelect(wrong(true))],
      shape: [SHAPE, () => x().maskedSelect(narrow().gt(0))],
      dtype: [DTYPE, () => x().maskedSelect(x())],
    },
  ],
  [
    'maskedFill',
    {
      disposed: [DISPOSED, () => x().maskedFill(gone(), 0)],
      type: [
        [ARGUMENT, () => x().maskedFill(wrong(true), 0)],
        [ARGUMENT, () => x().maskedFill(x().gt(0), wrong('0'))],
        [ARGUMENT, () => x().maskedFill(x().gt(0), wrong(undefined))],
      ],
      shape: [SHAPE, () => x().maskedFill(narrow().gt(0), 0)],
      dtype: [DTYPE, () => x().maskedFill(x(), 0)],
      NaN: [ARGUMENT, () => ints().maskedFill(ints().gt(1), nan)],
    },
  ],
  [
    'oneHot',
    {
      disposed: [DISPOSED, () => gone().oneHot(3)],
      type: [
        [ARGUMENT, () => index().oneHot(wrong('3'))],
        [ARGUMENT, () => index().oneHot(0)],
        [ARGUMENT, () => index().oneHot(1)],
      ],
      dtype: [DTYPE, () => x().oneHot(3)],
      NaN: [ARGUMENT, () => index().oneHot(nan)],
    },
  ],
  [
    'topk',
    {
      disposed: [DISPOSED, () => gone().topk(1)],
      type: [
        [ARGUMENT, () => x().topk(wrong('1')).values],
        [ARGUMENT, () => x().topk(-1).values],
      ],
      shape: [SHAPE, () => x().topk(4).values],
      NaN: [ARGUMENT, () => x().topk(nan).values],
    },
  ],
  [
    'sort',
    {
      disposed: [DISPOSED, () => gone().sort()],
      type: [
        [ARGUMENT, () => x().sort({ order: 'up' } as never)],
        [ARGUMENT, () => x().sort({ descending: wrong(1) })],
      ],
      shape: [SHAPE, () => x().sort({ dim: 2 }).values],
      NaN: [ARGUMENT, () => x().sort({ dim: nan })],
    },
  ],
  [
    'to',
    {
      disposed: [DISPOSED, () => gone().to({ dtype: 'int8' })],
      type: [
        [ARGUMENT, () => x().to(wrong(undefined))],
        [ARGUMENT, () => x().to(wrong('float64'))],
        [ARGUMENT, () => x().to({ type: 'float64' } as never)],
        [ARGUMENT, () => x().to({ memoryFormat: wrong('rows') })],
      ],
      shape: [SHAPE, () => x().to({ memoryFormat: 'channelsLast' })],
      dtype: [DTYPE, () => x().to({ dtype: wrong('float') })],
      device: ['cuda:99', 'gpu', 'cuda:', 'cuda:-1', 'meta', 'mps', ''].map(
        (device): Cell => [DEVICE, () => x().to({ device })],
      ),
    },
  ],
  [
    'requiresGrad_',
    {
      disposed: [DISPOSED, () => gone().requiresGrad_()],
      type: [ARGUMENT, () => x().requiresGrad_(wrong('yes'))],
      dtype: [DTYPE, () => ints().requiresGrad_()],
    },
  ],
  ['grad', { disposed: [DISPOSED, () => gone().grad()], empty: [ARGUMENT, () => x().grad()] }],
  [
    'backward',
    {
      disposed: [
        [DISPOSED, () => gone().backward()],
        [DISPOSED, () => x().requiresGrad_().mul(2).backward({ gradient: gone() })],
      ],
      type: [
        [ARGUMENT, () => x().backward(wrong(null))],
        [ARGUMENT, () => x().backward({ gradient: wrong(1) })],
        [ARGUMENT, () => x().backward({ retainGraph: wrong(1) })],
        [ARGUMENT, () => x().sum().backward()],
      ],
      shape: [
        [SHAPE, () => x().requiresGrad_().mul(2).backward()],
        [SHAPE, () => x().requiresGrad_().mul(2).backward({ gradient: narrow() })],
      ],
    },
  ],
  ...(['shape', 'dtype', 'device', 'requiresGrad'] as const).map(
    (name): Row => [name, { disposed: [DISPOSED, () => gone()[name]] }],
  ),
  ['item', { shape: [SHAPE, () => x().item()], empty: [SHAPE, () => empty().item()] }],
];

const makerRows: Row[] = [
  [
    'tensor',
    {
      type: [
        [ARGUMENT, () => tensor(wrong('x'))],
        [ARGUMENT, () => tensor(wrong(null))],
        [ARGUMENT, () => tensor(wrong(new Uint16Array(2)))],
        [ARGUMENT, () => tensor([1], wrong(1))],
        [ARGUMENT, () => tensor([1], [1.5])],
        [ARGUMENT, () => tensor([1], [1], wrong(null))],
        [ARGUMENT, () => tensor([1], [1], { type: 'int8' } as never)],
        [ARGUMENT, () => tensor([1], [1], { requiresGrad: wrong('yes') })],
      ],
      shape: [
        [SHAPE, () => tensor([1, 2], [3])],
        [ARGUMENT, () => tensor([1, 2], [-2])],
        [ARGUMENT, () => tensor([[1], [2, 3]])],
      ],
      dtype: [
        [ARGUMENT, () => tensor([1], [1], { dtype: wrong('double') })],
        [DTYPE, () => tensor([1], [1], { dtype: 'int32', requiresGrad: true })],
      ],
      device: [DEVICE, () => tensor([1], [1], { device: 'tpu' })],
      NaN: [ARGUMENT, () => tensor([1], [nan])],
    },
  ],
  ...(
    [
      ['zeros', (shape: readonly number[], options?: object) => zeros(shape, options)],
      ['full', (shape: readonly number[], options?: object) => full(shape, 1, options)],
      ['rand', (shape: readonly number[], options?: object) => rand(shape, 1, options)],
      ['randn', (shape: readonly number[], options?: object) => randn(shape, 1, options)],
    ] as const
  ).map(
    ([name, make]): Row => [
      name,
      {
        type: [
          [ARGUMENT, () => make(wrong(5))],
          [ARGUMENT, () => make([1.5])],
          [ARGUMENT, () => make([1], { size: 1 })],
        ],
        shape: [ARGUMENT, () => make([-1])],
        dtype: [ARGUMENT, () => make([1], { dtype: 'double' })],
        device: [DEVICE, () => make([1], { device: 'cuda:99' })],
        NaN: [ARGUMENT, () => make([nan])],
      },
    ],
  ),
  ['full', { type: [ARGUMENT, () => full([1], wrong('1'))] }],
  [
    'randn',
    {
      type: [ARGUMENT, () => randn([1], wrong(undefined))],
      dtype: [DTYPE, () => randn([1], 1, { dtype: 'int32' })],
    },
  ],
  ['rand', { NaN: [ARGUMENT, () => rand([1], nan)] }],
  [
    'arange',
    {
      type: [
        [ARGUMENT, () => arange(wrong('5'))],
        [ARGUMENT, () => arange(5, { by: 2 } as never)],
        [ARGUMENT, () => arange(5, { step: 0 })],
        [ARGUMENT, () => arange(5, { step: -1 })],
      ],
      dtype: [ARGUMENT, () => arange(5, { dtype: wrong('long') })],
      NaN: [ARGUMENT, () => arange(nan)],
    },
  ],
  ...(
    [
      ['cat', cat],
      ['stack', stack],
    ] as const
  ).map(
    ([name, join]): Row => [
      name,
      {
        disposed: [DISPOSED, () => join([x(), gone()])],
        type: [
          [ARGUMENT, () => join(wrong(x()))],
          [ARGUMENT, () => join([x(), wrong(1)])],
          [ARGUMENT, () => join([x(), wrong(null)])],
          [ARGUMENT, () => join([x()], wrong('0'))],
        ],
        shape: [
          [SHAPE, () => join([x(), randn([3, 4], 1)])],
          [SHAPE, () => join([x(), x()], 3)],
        ],
        NaN: [ARGUMENT, () => join([x()], nan)],
        empty: [ARGUMENT, () => join([])],
      },
    ],
  ),
  [
    'gradients',
    {
      disposed: [DISPOSED, () => gradients(gone(), [x()])],
      type: [
        [ARGUMENT, () => gradients(wrong(1), [x()])],
        [ARGUMENT, () => gradients(x(), wrong(x()))],
        [ARGUMENT, () => gradients(x(), [x()], { unused: true } as never)],
        [ARGUMENT, () => gradients(x().sum(), [x()])[0]],
      ],
      shape: [
        SHAPE,
        () =>
          tidy(() => {
            const leaf = x().requiresGrad_();
            return gradients(leaf.mul(2), [leaf])[0];
          }),
      ],
      empty: [ARGUMENT, () => gradients(x(), [])],
    },
  ],
  [
    'threads',
    {
      type: [ARGUMENT, () => threads(wrong('2'))],
      NaN: [ARGUMENT, () => threads(nan)],
      empty: [ARGUMENT, () => threads(0)],
    },
  ],
];

const options = { architecture: 'resnet18', classes: 2 } as const;
const goneModel = (): Model => {
  const model = createModel(options);
  model.dispose();
  return model;
};

/** A model for the whole file: what is refused must not change it. */
const model = createModel(options).eval();
const modelRows: Row[] = [
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

const leaf = (): Map<string, Tensor> => new Map([['w', randn([2], 1, { requiresGrad: true })]]);
const adam = (): Optimizer => createOptimizer(leaf(), { kind: 'adam' });
const goneOptimizer = (): Optimizer => {
  const optimizer = adam();
  optimizer.dispose();
  return optimizer;
};
const entry = (change: object): never =>
  [{ parameter: 'w', name: 'exp_avg', tensor: zeros([2]), ...change }] as never;
const optimizerRows: Row[] = [
  [
    'createOptimizer',
    {
      disposed: [DISPOSED, () => createOptimizer(new Map([['w', gone()]]), { kind: 'adam' })],
      type: [
        [ARGUMENT, () => createOptimizer(wrong(undefined), { kind: 'adam' })],
        [ARGUMENT, () => createOptimizer(wrong([x()]), { kind: 'adam' })],
        [ARGUMENT, () => createOptimizer(leaf(), wrong(undefined))],
        [ARGUMENT, () => createOptimizer(leaf(), { kind: 'adam', lr: 1 } as never)],
        [
          ARGUMENT,
          () => createOptimizer(new Map([['w', leaf().get('w')?.mul(2) as Tensor]]), { kind: 'adam' }).step(),
        ],
      ],
      dtype: [DTYPE, () => createOptimizer(new Map([['w', ints()]]), { kind: 'adam' }).step()],
      NaN: (['learningRate', 'eps', 'weightDecay', 'momentum'] as const).map(
        (name): Cell => [ARGUMENT, () => createOptimizer(leaf(), { kind: 'sgd', [name]: nan })],
      ),
      empty: [ARGUMENT, () => createOptimizer(leaf(), wrong({}))],
    },
  ],
  ...(['step', 'zeroGrad', 'gradientNorm', 'state'] as const).map(
    (name): Row => [name, { disposed: [DISPOSED, () => goneOptimizer()[name]()] }],
  ),
  [
    'learningRate',
    {
      disposed: [DISPOSED, () => Object.assign(goneOptimizer(), { learningRate: 1 })],
      type: [ARGUMENT, () => Object.assign(adam(), { learningRate: '1' })],
      NaN: [ARGUMENT, () => Object.assign(adam(), { learningRate: nan })],
    },
  ],
  [
    'clipGradients',
    {
      disposed: [DISPOSED, () => goneOptimizer().clipGradients(1)],
      type: [
        [ARGUMENT, () => adam().clipGradients(wrong('1'))],
        [ARGUMENT, () => adam().clipGradients(0)],
      ],
      NaN: [ARGUMENT, () => adam().clipGradients(nan)],
    },
  ],
  [
    'loadState',
    {
      disposed: [
        [DISPOSED, () => goneOptimizer().loadState([])],
        [DISPOSED, () => adam().loadState(entry({ tensor: gone() }))],
      ],
      type: [
        [ARGUMENT, () => adam().loadState(wrong({}))],
        [ARGUMENT, () => adam().loadState(entry({ tensor: 1 }))],
        [ARGUMENT, () => adam().loadState(wrong([null]))],
        [STATE, () => adam().loadState(entry({ name: 'velocity' }))],
        [STATE, () => adam().loadState(entry({ parameter: 'v' }))],
      ],
      shape: [STATE, () => adam().loadState(entry({ tensor: zeros([3]) }))],
    },
  ],
];

/** What a call fails with, whether it throws or gives something that fails when awaited. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    const given = await call();
    if (given instanceof Tensor) await given.ready();
    return undefined;
  } catch (error) {
    return error;
  }
}

function runRows(t: Test, subject: string, rows: readonly Row[]): void {
  for (const [method, cells] of rows) {
    for (const [kind, given] of Object.entries(cells)) {
      const list = (typeof given[0] === 'string' ? [given] : given) as readonly Cell[];
      t.test(`${subject}.${method}: ${kind}`, async (t) => {
        for (const [code, call] of list) {
          await tidy(async () => {
            const error = await outcome(call);
            if (!(error instanceof CxrGazeError)) {
              t.fail(`${call}: expected ${code}, got ${error}`);
              return;
            }
            t.equal(error.code, code, `${call}: ${error.message}`);
            t.notMatch(error.message, /frame #|\.cpp|undefined Tensor/, 'a message for people');
          }).catch((error: unknown) => t.fail(`an error was left behind: ${error}`));
        }
      });
    }
  }
}

runRows(t, 'Tensor', tensorRows);
runRows(t, 'makers', makerRows);
runRows(t, 'Model', modelRows);
runRows(t, 'Optimizer', optimizerRows);

t.test('every public method has a row', async (t) => {
  const harmless = ['constructor', 'dispose', 'disposed', 'training', 'dtype', 'run', 'ask'];
  for (const [subject, rows] of [
    [Tensor, tensorRows],
    [Model, modelRows],
    [Optimizer, optimizerRows],
  ] as const) {
    const named = rows.map(([method]) => method);
    for (const method of Object.getOwnPropertyNames(subject.prototype)) {
      if (!harmless.includes(method)) t.ok(named.includes(method), `${subject.name}.${method}`);
    }
  }
});

t.test('nothing of it has changed the model or is still alive', async (t) => {
  await model.ready();
  const logits = await tidy(async () => model.forward(zeros([1, 3, 32, 32])).data());
  t.ok(logits.every((value) => Number.isFinite(Number(value))));
  t.equal(model.training, false);
  model.dispose();
  t.equal(memoryStats().liveTensors, 0);
});

t.test(
  'deep recursion, many scopes and huge requests end in errors, not in a crash',
  { timeout: 120_000 },
  async (t) => {
    const ended = await runScript(
      `${prelude}
    const codes = [];
    const note = async (call) => { try { const r = await call(); await r?.ready?.(); codes.push('none'); } catch (e) { codes.push(e.code ?? e.name); } };
    await note(() => full([2 ** 52], 1));
    await note(() => full([2 ** 40, 2 ** 40], 1));
    await note(() => full([1], 1).expand([2 ** 52]).clone());
    await note(() => full(new Array(200).fill(1), 1).sum());
    await note(() => full([1], 1).reshape([2 ** 53]));
    let deep = full([1], 1, { requiresGrad: true });
    for (let i = 0; i < 20000; i++) deep = deep.add(1);
    await note(() => deep.backward());
    deep.dispose();
    console.log(JSON.stringify(codes));`,
    );
    t.strictSame([ended.code, ended.signal], [0, null], ended.err);
    const [huge, product, expanded, axes, beyond, deep] = JSON.parse(ended.out) as string[];
    t.equal(huge, 'ERR_OUT_OF_MEMORY');
    t.match(product, /^ERR_/);
    t.equal(expanded, 'ERR_OUT_OF_MEMORY');
    t.match(axes, /^(none|ERR_\w+)$/);
    t.equal(beyond, 'ERR_INVALID_ARGUMENT');
    t.equal(deep, 'none');
  },
);

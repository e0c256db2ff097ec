import { randn, tensor, zeros } from '../../lib/tensor/create.js';
import {
  ARGUMENT,
  type Cell,
  DEVICE,
  DISPOSED,
  DTYPE,
  empty,
  gone,
  index,
  ints,
  nan,
  narrow,
  type Row,
  SHAPE,
  wrong,
  x,
} from './cells.js';

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

/** Misuse of every method of Tensor. */
export const tensorRows: Row[] = [
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
